//! Import profiles: how a file is cut into blocks, which decides its id.
//!
//! The id of a file is the hash of its root block, and that block depends on where the file was cut
//! and how the pieces were linked. Two tools give one file one id only if they agree on these four
//! numbers, so IPIP-499 gave names to the common choices.

use super::error::IpfsError;

/// How a file becomes blocks.
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
    pub(super) chunk_bytes: usize,
    pub(super) max_links: usize,
    pub(super) raw_leaves: bool,
    pub(super) version: u8,
}

impl Profile {
    /// `unixfs-v1-2025`: CIDv1, chunks of 1 MiB, 1,024 links, raw leaves. A file of at most 1 MiB
    /// is a single raw block, so its id is the plain hash of its bytes and any web server can be
    /// checked against it.
    pub const UNIXFS_V1_2025: Self =
        Self { chunk_bytes: 1 << 20, max_links: 1_024, raw_leaves: true, version: 1 };

    /// `unixfs-v0-2015`: CIDv0, chunks of 256 KiB, 174 links, wrapped leaves. What most existing
    /// `Qm…` ids were made with.
    pub const UNIXFS_V0_2015: Self =
        Self { chunk_bytes: 256 << 10, max_links: 174, raw_leaves: false, version: 0 };

    /// Largest chunk: with its wrapping it stays below the 2 MiB that peers exchange as one block.
    pub const MAX_CHUNK_BYTES: usize = 1 << 20;

    /// Most links of one block: about 400 KB of them.
    pub const MAX_LINKS: usize = 8_192;

    /// A profile of other numbers, for ids made by tools with settings of their own.
    ///
    /// `version` 0 writes links to wrapped blocks as bare hashes, 1 as full ids.
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
            "chunks have 1 to 1,048,576 bytes"
        } else if max_links < 2 || max_links > Self::MAX_LINKS {
            "blocks have 2 to 8,192 links"
        } else if version > 1 {
            "versions are 0 and 1"
        } else {
            return Ok(Self { chunk_bytes, max_links, raw_leaves, version });
        };
        Err(IpfsError::InvalidProfile { reason })
    }
}

impl Default for Profile {
    /// [`Profile::UNIXFS_V1_2025`]: the one under which small files can be checked against any
    /// server, and the one pinning services are asked for.
    fn default() -> Self {
        Self::UNIXFS_V1_2025
    }
}
