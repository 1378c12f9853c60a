//! Why an id was refused, a file was not imported, or the cache could not serve.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::may_pass;

use super::cid::Cid;

/// Why an operation on ids or on the cache did not happen. No half-written file is left.
///
/// `Display` carries the detail an operator wants; a user gets [`IpfsError::public_text`] and
/// [`IpfsError::code`], which name no path and no id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IpfsError {
    /// The text or bytes are not an id.
    #[error("not a content id: {reason}")]
    InvalidCid {
        /// Which rule it breaks.
        reason: &'static str,
    },

    /// An id, but of a kind that is not handled here.
    #[error("unsupported content id: {what}")]
    UnsupportedCid {
        /// The version, codec, hash or spelling.
        what: &'static str,
    },

    /// The numbers do not make a usable profile.
    #[error("not a usable import profile: {reason}")]
    InvalidProfile {
        /// Which bound is passed.
        reason: &'static str,
    },

    /// The bytes are not what the id names. The cache has removed them.
    #[error("the bytes kept as {cid} are something else")]
    ContentMismatch {
        /// The id that was asked for.
        cid: Cid,
    },

    /// A reader failed before its end.
    #[error("cannot read the content")]
    Read(#[source] io::Error),

    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The disk or a quota is full. Nothing was added.
    #[error("no space left for {}", path.display())]
    DiskFull {
        /// Where it should have gone.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The cache folder cannot be used: missing, not a folder, not writable. Nothing was changed.
    #[error("cannot use the cache at {}", path.display())]
    CacheUnavailable {
        /// The file or folder that failed.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl IpfsError {
    /// The stable public name of this error.
    ///
    /// # Example
    ///
    /// ```
    /// use finalmile::ipfs::Cid;
    ///
    /// let error = "../../etc/passwd".parse::<Cid>().unwrap_err();
    /// assert_eq!(error.code(), "INVALID_CID");
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidCid { .. } => "INVALID_CID",
            Self::UnsupportedCid { .. } => "UNSUPPORTED_CID",
            Self::InvalidProfile { .. } => "INVALID_PROFILE",
            Self::ContentMismatch { .. } => "CONTENT_MISMATCH",
            Self::Read(_) | Self::Unreadable { .. } => "FILE_UNREADABLE",
            Self::DiskFull { .. } => "DISK_FULL",
            Self::CacheUnavailable { .. } => "CACHE_UNAVAILABLE",
        }
    }

    /// One sentence for the user, without any path or id.
    #[must_use]
    pub const fn public_text(&self) -> &'static str {
        match self {
            Self::InvalidCid { .. } => "This content id is not valid",
            Self::UnsupportedCid { .. } => "This kind of content id is not supported",
            Self::InvalidProfile { .. } => "Something went wrong",
            Self::ContentMismatch { .. } => "The content is damaged. Please load it again",
            Self::Read(_) | Self::Unreadable { .. } => "The file could not be read",
            Self::DiskFull { .. } => "There is not enough space on this device",
            Self::CacheUnavailable { .. } => "The local cache cannot be used",
        }
    }

    /// Whether the same call may work later without anyone changing its arguments.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::DiskFull { .. } | Self::ContentMismatch { .. } => true,
            Self::Read(source)
            | Self::Unreadable { source, .. }
            | Self::CacheUnavailable { source, .. } => may_pass(source),
            _ => false,
        }
    }

    pub(super) const fn invalid(reason: &'static str) -> Self {
        Self::InvalidCid { reason }
    }

    pub(super) fn unreadable(path: &Path) -> impl Fn(io::Error) -> Self {
        |source| Self::Unreadable { path: path.to_path_buf(), source }
    }

    /// The failure of a change to the cache at `path`.
    pub(super) fn writing(path: &Path) -> impl Fn(io::Error) -> Self {
        |source| {
            let path = path.to_path_buf();
            match source.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge => Self::DiskFull { path, source },
                _ => Self::CacheUnavailable { path, source },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_full_quota_are_told_from_other_failures() {
        let code = |kind| IpfsError::writing(Path::new("cache"))(io::Error::from(kind)).code();
        assert_eq!(code(io::ErrorKind::StorageFull), "DISK_FULL");
        assert_eq!(code(io::ErrorKind::QuotaExceeded), "DISK_FULL");
        assert_eq!(code(io::ErrorKind::ReadOnlyFilesystem), "CACHE_UNAVAILABLE");
    }
}
