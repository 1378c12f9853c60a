//! Importing: a stream of bytes becomes the id of its root block.
//!
//! The tree is built from the left. Each level holds the links that still wait for a parent; a full
//! level becomes one node on the level above. At the end the levels are closed upwards, so all
//! leaves lie at the same depth and a last parent may have a single child. What is held is one
//! chunk (none of it where leaves are raw) and at most `max_links` links a level (**C4**).
//!
//! Source: the balanced layout of kubo and of `ipfs-unixfs-importer`, as named by IPIP-499.

use std::io::{self, Read};
use std::mem;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::regular;

use super::super::cid::{Cid, Codec};
use super::super::error::IpfsError;
use super::encode::{self, Link};
use super::profile::Profile;

/// How much is read at a time: large enough that the system call does not matter.
const READ_BYTES: usize = 64 << 10;

/// The id of everything `reader` yields until its end, cut as `profile` says.
///
/// # Errors
///
/// [`IpfsError::Read`] when `reader` fails; an interrupted read is repeated.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{Profile, cid_of};
///
/// let cid = cid_of(&b"hello world"[..], Profile::default())?;
/// assert_eq!(cid.to_string(), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
pub fn cid_of(reader: impl Read, profile: Profile) -> Result<Cid, IpfsError> {
    Ok(import(reader, profile, IpfsError::reading, &mut Forgotten)?.cid())
}

/// The id of `bytes` under the default profile.
///
/// # Example
///
/// ```
/// let cid = finalmile::ipfs::cid_of_bytes(b"");
/// assert_eq!(cid.to_string(), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
/// ```
#[must_use]
pub fn cid_of_bytes(bytes: &[u8]) -> Cid {
    let mut importer = Importer::new(Profile::default());
    importer.update(bytes);
    importer.finish()
}

/// The id of the file at `path` under the default profile.
///
/// # Errors
///
/// [`IpfsError::Unreadable`] when the file cannot be opened or read, or is no regular one.
pub fn cid_of_file(path: &Path) -> Result<Cid, IpfsError> {
    let unreadable = IpfsError::unreadable(path);
    let (file, _) = regular::open(path).map_err(&unreadable)?;
    Ok(import(file, Profile::default(), unreadable, &mut Forgotten)?.cid())
}

/// Imports everything `reader` yields, and gives the inner blocks to `nodes`.
pub(super) fn import(
    reader: impl Read,
    profile: Profile,
    failed: impl Fn(io::Error) -> IpfsError,
    nodes: &mut impl Nodes,
) -> Result<Link, IpfsError> {
    // A whole chunk is wrapped where it lies.
    let piece_bytes =
        if profile.raw_leaves { READ_BYTES } else { profile.chunk_bytes.max(READ_BYTES) };
    let piece_bytes = piece_bytes - piece_bytes % profile.chunk_bytes.min(piece_bytes);
    let mut builder = Builder::new(profile);
    each_full_piece(reader, piece_bytes, failed, |piece| builder.update(piece, nodes))?;
    builder.finish(nodes)
}

/// A file or directory that became blocks, ready to be an entry of a [`Directory`](super::Directory).
#[derive(Clone, Copy, Debug)]
pub struct Imported(pub(in super::super) Link);

impl Imported {
    /// The id of its root block.
    #[must_use]
    pub fn cid(&self) -> Cid {
        self.0.cid()
    }

    /// The bytes of all its blocks, each counted as often as it is linked.
    #[must_use]
    pub const fn dag_bytes(&self) -> u64 {
        self.0.dag_bytes
    }
}

/// Computes an id from pieces as they arrive, for a caller who does something else with them too.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{Importer, Profile, cid_of_bytes};
///
/// let mut importer = Importer::new(Profile::default());
/// importer.update(b"hello ");
/// importer.update(b"world");
/// assert_eq!(importer.finish(), cid_of_bytes(b"hello world"));
/// ```
pub struct Importer(Builder);

impl std::fmt::Debug for Importer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Importer")
            .field("profile", &self.0.profile)
            .field("levels", &self.0.levels.len())
            .finish_non_exhaustive()
    }
}

impl Importer {
    /// Begins an empty file.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self(Builder::new(profile))
    }

    /// Adds `bytes` to the end of the file. Where one call ends and the next begins has no effect
    /// on the id.
    pub fn update(&mut self, bytes: &[u8]) {
        let kept = self.0.update(bytes, &mut Forgotten);
        debug_assert!(kept.is_ok(), "nothing is kept, so nothing fails");
    }

    /// The id of everything added. A file that fits into one chunk is its own root.
    #[must_use]
    pub fn finish(self) -> Cid {
        self.finish_imported().cid()
    }

    /// The same, as an entry for a directory.
    #[must_use]
    pub fn finish_imported(mut self) -> Imported {
        match self.0.finish(&mut Forgotten) {
            Ok(root) => Imported(root),
            Err(_) => unreachable!("nothing is kept, so nothing fails"),
        }
    }
}

/// Where inner blocks go once they are made.
pub(in super::super) trait Nodes {
    /// Keeps `block`, whose links lead to blocks kept at `children`, and says where.
    fn keep(
        &mut self,
        block: &[u8],
        children: &mut dyn Iterator<Item = Option<u64>>,
    ) -> Result<Option<u64>, IpfsError>;
}

/// For whoever wants the id alone.
pub(in super::super) struct Forgotten;

impl Nodes for Forgotten {
    fn keep(
        &mut self,
        _: &[u8],
        _: &mut dyn Iterator<Item = Option<u64>>,
    ) -> Result<Option<u64>, IpfsError> {
        Ok(None)
    }
}

/// The chunk that is not full yet.
enum Chunk {
    /// Its content is all there is to hash, so none of it is held.
    Raw { hasher: Sha256, bytes: usize },
    /// Its length goes before its content.
    Wrapped(Vec<u8>),
}

/// The tree as it grows.
pub(in super::super) struct Builder {
    profile: Profile,
    chunk: Chunk,
    /// From the leaves upwards, the links without a parent: fewer than `max_links` a level.
    levels: Vec<Vec<Link>>,
}

impl Builder {
    pub(in super::super) fn new(profile: Profile) -> Self {
        let chunk = if profile.raw_leaves {
            Chunk::Raw { hasher: Sha256::new(), bytes: 0 }
        } else {
            Chunk::Wrapped(Vec::new())
        };
        Self { profile, chunk, levels: Vec::new() }
    }

    pub(in super::super) fn update(
        &mut self,
        mut bytes: &[u8],
        nodes: &mut impl Nodes,
    ) -> Result<(), IpfsError> {
        let size = self.profile.chunk_bytes;
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at(bytes.len().min(size - self.chunk_len()));
            bytes = rest;
            match &mut self.chunk {
                Chunk::Wrapped(held) if held.is_empty() && head.len() == size => {
                    let leaf = encode::leaf(head, self.profile);
                    self.push(leaf, nodes)?;
                    continue;
                }
                Chunk::Wrapped(held) => held.extend_from_slice(head),
                Chunk::Raw { hasher, bytes } => {
                    hasher.update(head);
                    *bytes += head.len();
                }
            }
            if self.chunk_len() == size {
                self.close_chunk(nodes)?;
            }
        }
        Ok(())
    }

    pub(in super::super) fn finish(&mut self, nodes: &mut impl Nodes) -> Result<Link, IpfsError> {
        if self.chunk_len() > 0 || self.levels.is_empty() {
            self.close_chunk(nodes)?;
        }
        let mut level = 0;
        loop {
            let links = self.levels.get_mut(level).map(mem::take).unwrap_or_default();
            let is_top = self.levels.iter().skip(level).all(Vec::is_empty);
            match links.as_slice() {
                [root] if is_top => return Ok(*root),
                [] => {}
                links => {
                    let parent = self.parent(links, nodes)?;
                    self.push_at(level + 1, parent, nodes)?;
                }
            }
            level += 1;
        }
    }

    fn chunk_len(&self) -> usize {
        match &self.chunk {
            Chunk::Raw { bytes, .. } => *bytes,
            Chunk::Wrapped(held) => held.len(),
        }
    }

    fn close_chunk(&mut self, nodes: &mut impl Nodes) -> Result<(), IpfsError> {
        let leaf = match &mut self.chunk {
            Chunk::Raw { hasher, bytes } => {
                let digest = hasher.finalize_reset().into();
                let bytes = mem::take(bytes) as u64;
                let codec = Codec::Raw;
                Link { codec, digest, content_bytes: bytes, dag_bytes: bytes, place: None }
            }
            Chunk::Wrapped(held) => {
                let leaf = encode::leaf(held, self.profile);
                held.clear();
                leaf
            }
        };
        self.push(leaf, nodes)
    }

    /// Adds a leaf that was made elsewhere: of a whole chunk, or of the last one.
    pub(super) fn push(&mut self, leaf: Link, nodes: &mut impl Nodes) -> Result<(), IpfsError> {
        self.push_at(0, leaf, nodes)
    }

    /// Adds `link` at `level`, and the parents this completes above it.
    fn push_at(
        &mut self,
        mut level: usize,
        mut link: Link,
        nodes: &mut impl Nodes,
    ) -> Result<(), IpfsError> {
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(link);
            if self.levels[level].len() < self.profile.max_links {
                return Ok(());
            }
            link = self.parent(&self.levels[level], nodes)?;
            self.levels[level].clear();
            level += 1;
        }
    }

    fn parent(&self, children: &[Link], nodes: &mut impl Nodes) -> Result<Link, IpfsError> {
        let (block, link) = encode::file(children, self.profile);
        let place = nodes.keep(&block, &mut children.iter().map(|child| child.place))?;
        Ok(Link { place, ..link })
    }
}

/// Hands everything `reader` yields to `take`, in pieces of [`READ_BYTES`], the last one shorter.
pub(in super::super) fn each_piece(
    reader: impl Read,
    failed: impl Fn(io::Error) -> IpfsError,
    take: impl FnMut(&[u8]) -> Result<(), IpfsError>,
) -> Result<(), IpfsError> {
    each_full_piece(reader, READ_BYTES, failed, take)
}

fn each_full_piece(
    mut reader: impl Read,
    piece_bytes: usize,
    failed: impl Fn(io::Error) -> IpfsError,
    mut take: impl FnMut(&[u8]) -> Result<(), IpfsError>,
) -> Result<(), IpfsError> {
    let (mut buffer, mut filled) = (vec![0; piece_bytes], 0);
    loop {
        match reader.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => return take(buffer.get(..filled).unwrap_or_default()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
        if filled == piece_bytes {
            take(&buffer)?;
            filled = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c4_what_is_held_grows_with_the_depth_of_the_tree_and_not_with_the_file() {
        for raw_leaves in [true, false] {
            let profile = Profile::custom(5, 3, raw_leaves, 1).expect("within the bounds");
            let mut importer = Importer::new(profile);
            for step in 0..20_000_u32 {
                importer.update(&step.to_le_bytes());
                let Builder { chunk, levels, .. } = &importer.0;
                assert!(levels.iter().all(|level| level.len() < 3), "a full level is closed");
                match chunk {
                    Chunk::Raw { bytes, .. } => assert!(*bytes < 5, "so is a full chunk"),
                    Chunk::Wrapped(held) => assert!(held.len() < 5, "so is a full chunk"),
                }
            }
            // 16,000 chunks lie below a root nine levels up: 3^8 < 16,000 <= 3^9.
            assert_eq!(importer.0.levels.len(), 9);
        }
    }
}
