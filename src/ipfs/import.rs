//! Importing: a stream of bytes becomes the id of its root block.
//!
//! The tree is built from the left. Each level holds the links that still wait for a parent; a full
//! level becomes one node on the level above. At the end the levels are closed upwards, so all
//! leaves lie at the same depth and a last parent may have a single child. What is held is one
//! chunk and at most `max_links` links a level (**C4**).
//!
//! Source: the balanced layout of kubo and of `ipfs-unixfs-importer`, as named by IPIP-499.

use std::fs::File;
use std::io::{self, Read};
use std::mem;
use std::path::Path;

use super::cid::Cid;
use super::dagpb::{self, Link};
use super::error::IpfsError;
use super::profile::Profile;

/// How much is read at a time: large enough that the system call does not matter.
pub(super) const READ_BYTES: usize = 64 << 10;

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
    let mut importer = Importer::new(profile);
    each_piece(reader, IpfsError::Read, |piece| {
        importer.update(piece);
        Ok(())
    })?;
    Ok(importer.finish())
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
/// [`IpfsError::Unreadable`] when the file cannot be opened or read.
pub fn cid_of_file(path: &Path) -> Result<Cid, IpfsError> {
    let unreadable = IpfsError::unreadable(path);
    let mut importer = Importer::new(Profile::default());
    each_piece(File::open(path).map_err(&unreadable)?, &unreadable, |piece| {
        importer.update(piece);
        Ok(())
    })?;
    Ok(importer.finish())
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
pub struct Importer {
    profile: Profile,
    /// The bytes of the chunk that is not full yet.
    chunk: Vec<u8>,
    /// From the leaves upwards, the links without a parent: fewer than `max_links` a level.
    levels: Vec<Vec<Link>>,
}

impl std::fmt::Debug for Importer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Importer")
            .field("profile", &self.profile)
            .field("levels", &self.levels.len())
            .finish_non_exhaustive()
    }
}

impl Importer {
    /// Begins an empty file.
    #[must_use]
    pub const fn new(profile: Profile) -> Self {
        Self { profile, chunk: Vec::new(), levels: Vec::new() }
    }

    /// Adds `bytes` to the end of the file. Where one call ends and the next begins has no effect
    /// on the id.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let size = self.profile.chunk_bytes;
        while !bytes.is_empty() {
            if self.chunk.is_empty() && bytes.len() >= size {
                let (chunk, rest) = bytes.split_at(size);
                self.push(0, dagpb::leaf(chunk, self.profile));
                bytes = rest;
                continue;
            }
            let (head, rest) = bytes.split_at(bytes.len().min(size - self.chunk.len()));
            self.chunk.extend_from_slice(head);
            bytes = rest;
            if self.chunk.len() == size {
                self.close_chunk();
            }
        }
    }

    /// The id of everything added. A file that fits into one chunk is its own root.
    #[must_use]
    pub fn finish(mut self) -> Cid {
        if !self.chunk.is_empty() || self.levels.is_empty() {
            self.close_chunk();
        }
        let mut level = 0;
        loop {
            let links = self.levels.get_mut(level).map(mem::take).unwrap_or_default();
            let is_top = self.levels.iter().skip(level).all(Vec::is_empty);
            match links.as_slice() {
                [root] if is_top => return root.cid(),
                [] => {}
                links => self.push(level + 1, dagpb::node(links, self.profile)),
            }
            level += 1;
        }
    }

    fn close_chunk(&mut self) {
        let leaf = dagpb::leaf(&self.chunk, self.profile);
        self.chunk.clear();
        self.push(0, leaf);
    }

    /// Adds `link` at `level`, and the parents this completes above it.
    fn push(&mut self, mut level: usize, mut link: Link) {
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(link);
            if self.levels[level].len() < self.profile.max_links {
                return;
            }
            link = dagpb::node(&self.levels[level], self.profile);
            self.levels[level].clear();
            level += 1;
        }
    }
}

/// Hands everything `reader` yields to `take`, in pieces of at most [`READ_BYTES`].
pub(super) fn each_piece(
    mut reader: impl Read,
    failed: impl Fn(io::Error) -> IpfsError,
    mut take: impl FnMut(&[u8]) -> Result<(), IpfsError>,
) -> Result<(), IpfsError> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(buffer.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c4_what_is_held_grows_with_the_depth_of_the_tree_and_not_with_the_file() {
        let profile = Profile::custom(5, 3, true, 1).expect("within the bounds");
        let mut importer = Importer::new(profile);
        for step in 0..20_000_u32 {
            importer.update(&step.to_le_bytes());
            assert!(importer.chunk.len() < 5, "a full chunk is closed");
            assert!(importer.levels.iter().all(|level| level.len() < 3), "so is a full level");
        }
        // 16,000 chunks lie below a root nine levels up: 3^8 < 16,000 <= 3^9.
        assert_eq!(importer.levels.len(), 9);
    }
}
