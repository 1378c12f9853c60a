//! Directories: names for what was imported, in one block or in a tree of shards.
//!
//! Small directories are one block, links sorted by name. Above the threshold of the [`Profile`]
//! they become a trie of blocks, each name placed by the bits of its hash; the trie depends on the
//! names alone, not on the order in which they came.
//!
//! # Invariants
//!
//! - **C8** A directory has the id that other importers of the same profile give it, on both sides
//!   of the threshold.
//!
//! Source: UnixFS specification, "Directory" and "HAMTDirectory"; IPIP-499 for the thresholds.

use super::super::error::IpfsError;
use super::encode::{self, Link};
use super::hamt;
use super::import::{Forgotten, Imported, Nodes};
use super::profile::{Profile, ShardBy};

/// A directory of more bytes is sharded.
const MAX_BYTES: u64 = 256 << 10;

/// Collects the entries of a directory. Holds their names and ids.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{Directory, Importer, Profile};
///
/// let profile = Profile::default();
/// let mut hello = Importer::new(profile);
/// hello.update(b"hello world");
/// let mut directory = Directory::new(profile);
/// directory.add("hello.txt", hello.finish_imported())?;
/// let cid = directory.finish()?.cid();
/// assert_eq!(cid.to_string(), "bafybeic6svhkwl3y2wvkj33weshyjjs5cbvgijh7yo3kjasyglrdwe2l74");
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Directory {
    profile: Profile,
    entries: Vec<(Box<str>, Link)>,
}

impl Directory {
    /// Begins an empty directory.
    #[must_use]
    pub const fn new(profile: Profile) -> Self {
        Self { profile, entries: Vec::new() }
    }

    /// Adds an entry. The order of entries has no effect on the id.
    ///
    /// # Errors
    ///
    /// [`IpfsError::InvalidPath`] when `name` is empty, `.`, `..` or holds a `/` or a zero byte.
    pub fn add(&mut self, name: &str, entry: Imported) -> Result<(), IpfsError> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(IpfsError::InvalidPath { reason: "no entry may have that name" });
        }
        self.entries.push((name.into(), entry.0));
        Ok(())
    }

    /// The directory's root block.
    ///
    /// # Errors
    ///
    /// [`IpfsError::InvalidPath`] when a name was added twice, or when names collide in all 64 bits
    /// of their hashes.
    pub fn finish(self) -> Result<Imported, IpfsError> {
        self.finish_into(&mut Forgotten).map(Imported)
    }

    pub(super) fn finish_into(mut self, nodes: &mut impl Nodes) -> Result<Link, IpfsError> {
        self.entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        if self.entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(IpfsError::InvalidPath { reason: "two entries have one name" });
        }
        if self.is_large() {
            let hashed = self.entries.iter().map(|(name, link)| Hashed {
                hash: hamt::hash(name.as_bytes()),
                name,
                link: *link,
            });
            let mut hashed: Vec<Hashed<'_>> = hashed.collect();
            hashed.sort_by_key(|entry| entry.hash);
            return shard(&hashed, 0, self.profile, nodes);
        }
        let (block, link) = encode::directory(&self.entries, self.profile);
        let place = nodes.keep(&block, &mut self.entries.iter().map(|(_, link)| link.place))?;
        Ok(Link { place, ..link })
    }

    fn is_large(&self) -> bool {
        let bytes = match self.profile.shard_by {
            ShardBy::BlockBytes => encode::directory_bytes(&self.entries, self.profile),
            ShardBy::LinkBytes => {
                let links = self.entries.iter();
                links
                    .map(|(name, link)| name.len() as u64 + encode::id_bytes(link, self.profile))
                    .sum()
            }
        };
        bytes > MAX_BYTES
    }
}

struct Hashed<'a> {
    hash: u64,
    name: &'a str,
    link: Link,
}

/// Makes the shard of `entries`, which agree in the bits above `level` and are sorted by the rest.
fn shard(
    entries: &[Hashed<'_>],
    level: u32,
    profile: Profile,
    nodes: &mut impl Nodes,
) -> Result<Link, IpfsError> {
    if level == 8 {
        return Err(IpfsError::InvalidPath { reason: "two names have one hash" });
    }
    let bucket = |entry: &Hashed<'_>| entry.hash.to_be_bytes()[level as usize];
    let mut links: Vec<(String, &str, Link)> = Vec::new();
    let mut filled = [0_u8; 32];
    for run in entries.chunk_by(|one, other| bucket(one) == bucket(other)) {
        let Some(first) = run.first() else { continue };
        let index = bucket(first);
        filled[31 - usize::from(index / 8)] |= 1 << (index % 8);
        let label = format!("{index:02X}");
        if let [only] = run {
            links.push((label, only.name, only.link));
        } else {
            links.push((label, "", shard(run, level + 1, profile, nodes)?));
        }
    }
    let (block, link) = encode::shard(&links, &filled, profile);
    let place = nodes.keep(&block, &mut links.iter().map(|(_, _, link)| link.place))?;
    Ok(Link { place, ..link })
}
