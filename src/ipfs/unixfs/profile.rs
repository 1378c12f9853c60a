//! Import profiles: how files and directories become blocks, which decides their ids.
//!
//! The id of a file is the hash of its root block, and that block depends on where the file was cut
//! and how the pieces were linked. Two tools give one file one id only if they agree on these
//! numbers, so IPIP-499 gave names to the common choices.

use super::super::cid::Cid;
use super::super::error::IpfsError;

/// How a file becomes blocks, and when a directory becomes several.
///
/// # Example
///
/// ```
/// use finalmile::ipfs::{Profile, cid_of};
///
/// let now = cid_of(&b"hello world"[..], Profile::UNIXFS_V1_2025)?;
/// let then = cid_of(&b"hello world"[..], Profile::UNIXFS_V0_2015)?;
/// assert_eq!(now.to_string(), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
/// assert_eq!(then.to_v0().unwrap(), "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD");
/// # Ok::<(), finalmile::ipfs::IpfsError>(())
/// ```
///
/// Source: IPIP-499, "UnixFS CID profiles".
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Profile {
    pub(in super::super) chunk_bytes: usize,
    pub(in super::super) max_links: usize,
    pub(in super::super) raw_leaves: bool,
    pub(in super::super) version: u8,
    pub(super) shard_by: ShardBy,
}

/// What is counted to tell whether a directory is to be sharded: above 256 KiB it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "IPIP-499 has a third, which no profile uses")]
pub enum ShardBy {
    /// The bytes of the names and ids alone (`links-bytes`).
    LinkBytes,
    /// The bytes of the directory's block (`block-bytes`).
    BlockBytes,
}

impl Profile {
    /// `unixfs-v1-2025`: CIDv1, chunks of 1 MiB, 1,024 links, raw leaves. A file of at most 1 MiB
    /// is a single raw block, so its id is the plain hash of its bytes and any web server can be
    /// checked against it.
    pub const UNIXFS_V1_2025: Self = Self {
        chunk_bytes: 1 << 20,
        max_links: 1_024,
        raw_leaves: true,
        version: 1,
        shard_by: ShardBy::BlockBytes,
    };

    /// `unixfs-v0-2015`: CIDv0, chunks of 256 KiB, 174 links, wrapped leaves. What most existing
    /// `Qm…` ids were made with.
    pub const UNIXFS_V0_2015: Self = Self {
        chunk_bytes: 256 << 10,
        max_links: 174,
        raw_leaves: false,
        version: 0,
        shard_by: ShardBy::LinkBytes,
    };

    /// Largest chunk: with its wrapping it stays below the 2 MiB that peers exchange as one block.
    pub const MAX_CHUNK_BYTES: usize = (2 << 20) - 256;

    /// Most links of one block: about 400 KB of them.
    pub const MAX_LINKS: usize = 8_192;

    /// A profile of other numbers, for ids made by tools with settings of their own.
    ///
    /// `version` 0 writes links to wrapped blocks as bare hashes, 1 as full ids; directories are
    /// sharded as the named profile of that version does it, see [`Profile::sharded_by`].
    ///
    /// # Errors
    ///
    /// [`IpfsError::InvalidProfile`] when `chunk_bytes` is not in 1 to [`Self::MAX_CHUNK_BYTES`],
    /// `max_links` not in 2 to [`Self::MAX_LINKS`], or `version` neither 0 nor 1.
    pub const fn custom(
        chunk_bytes: usize,
        max_links: usize,
        raw_leaves: bool,
        version: u8,
    ) -> Result<Self, IpfsError> {
        let reason = if chunk_bytes == 0 || chunk_bytes > Self::MAX_CHUNK_BYTES {
            "chunks have 1 to 2,096,896 bytes"
        } else if max_links < 2 || max_links > Self::MAX_LINKS {
            "blocks have 2 to 8,192 links"
        } else if version > 1 {
            "versions are 0 and 1"
        } else {
            let shard_by = if version == 0 { ShardBy::LinkBytes } else { ShardBy::BlockBytes };
            return Ok(Self { chunk_bytes, max_links, raw_leaves, version, shard_by });
        };
        Err(IpfsError::InvalidProfile { reason })
    }

    /// The named profile: `unixfs-v1-2025` or `unixfs-v0-2015`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "unixfs-v1-2025" => Some(Self::UNIXFS_V1_2025),
            "unixfs-v0-2015" => Some(Self::UNIXFS_V0_2015),
            _ => None,
        }
    }

    /// The same, with another rule for large directories.
    #[must_use]
    pub const fn sharded_by(mut self, shard_by: ShardBy) -> Self {
        self.shard_by = shard_by;
        self
    }

    /// Bytes of a file that one leaf holds.
    #[must_use]
    pub const fn chunk_bytes(self) -> usize {
        self.chunk_bytes
    }

    /// Links of one block of a file.
    #[must_use]
    pub const fn max_links(self) -> usize {
        self.max_links
    }

    /// Whether leaves are the bytes themselves, and not wrapped.
    #[must_use]
    pub const fn raw_leaves(self) -> bool {
        self.raw_leaves
    }

    /// The version of the ids that are written: 0 or 1.
    #[must_use]
    pub const fn version(self) -> u8 {
        self.version
    }

    /// What is counted to tell whether a directory is to be sharded.
    #[must_use]
    pub const fn shard_by(self) -> ShardBy {
        self.shard_by
    }

    /// The id as tools of this profile print it: `Qm…` under version 0, if the id has that form.
    #[must_use]
    pub fn spell(self, cid: &Cid) -> String {
        let old = if self.version == 0 { cid.to_v0() } else { None };
        old.unwrap_or_else(|| cid.to_string())
    }
}

impl Default for Profile {
    /// [`Profile::UNIXFS_V1_2025`]: the one under which small files can be checked against any
    /// server, and the one pinning services are asked for.
    fn default() -> Self {
        Self::UNIXFS_V1_2025
    }
}
