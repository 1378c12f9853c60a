//! Why an id was refused, a file was not imported, or the cache could not serve.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::may_pass;

use super::cid::Cid;

/// Why an operation on ids or on the cache did not happen. No half-written file is left.
///
/// `Display` carries the detail an operator wants; a user gets [`IpfsError::public_text`] and
/// [`IpfsError::code`], which name no path and no id. It can be cloned, because several may wait for one file.
#[derive(Clone, Debug, thiserror::Error)]
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

    /// A block is not what its id names, or none of the forms that are read. Nothing was kept.
    #[error("bad block{}: {reason}", of(cid.as_ref()))]
    InvalidBlock {
        /// The id it came under, where it is known.
        cid: Option<Cid>,
        /// Which rule it breaks.
        reason: &'static str,
    },

    /// The bytes are no archive of blocks. Nothing was kept.
    #[error("not a content archive (CAR): {reason}")]
    InvalidCar {
        /// Which rule they break.
        reason: &'static str,
    },

    /// The archive ended before the content did. Nothing was kept.
    #[error("the archive ends without {missing}")]
    Incomplete {
        /// The block that should have come.
        missing: Cid,
    },

    /// The content claims or takes more than it may. Nothing was kept.
    #[error("the content has more than {most} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit that was set.
        most: u64,
    },

    /// What the path names is content of a kind that is not handled here. Nothing was kept.
    #[error("unsupported content: {what}")]
    UnsupportedContent {
        /// Which kind.
        what: &'static str,
    },

    /// The text is no path of an id and names.
    #[error("not a content path: {reason}")]
    InvalidPath {
        /// Which rule it breaks.
        reason: &'static str,
    },

    /// The directories have no such entry. Nothing was kept.
    #[error("there is no {name:?} in {directory}")]
    NotFound {
        /// What was looked for.
        name: String,
        /// Where.
        directory: Cid,
    },

    /// A directory was named where a file is wanted. Nothing was kept.
    #[error("{cid} is a directory")]
    IsDirectory {
        /// Its id.
        cid: Cid,
    },

    /// No gateway could be reached: the network is away. Nothing was kept but what may be resumed.
    #[error("no gateway can be reached: {why}")]
    Offline {
        /// What the last one met.
        why: String,
    },

    /// Whoever asked for it has stopped it. What came and was proved may be resumed.
    #[error("it was cancelled")]
    Cancelled,

    /// Every gateway says that it does not have this. Asked again at once, none is troubled; after a
    /// while they are.
    #[error("no gateway has {wanted}")]
    Unavailable {
        /// What was asked for.
        wanted: String,
    },

    /// No gateway gave what was asked for, each for reasons of its own.
    #[error("no gateway gave {wanted}: {why}")]
    NoGateway {
        /// What was asked for.
        wanted: String,
        /// What the gateways did, for the log.
        why: String,
        /// When the first of them may be asked again.
        retry_after_ms: Option<u64>,
    },

    /// It came more slowly than is bearable, or not at all for too long. What came and was proved may be
    /// resumed.
    #[error("{wanted} comes too slowly")]
    RateTooLow {
        /// What was asked for.
        wanted: String,
    },

    /// Gateways gave bytes alone, and under no known profile have those this id. Nothing was kept.
    #[error("nothing proves that what was sent is {cid}")]
    Unproved {
        /// What was asked for.
        cid: Cid,
    },

    /// An address that may be no gateway's.
    #[error("no gateway: {why}")]
    InvalidGateway {
        /// Which rule it breaks.
        why: String,
    },

    /// A file was changed while it was imported. What was written is of no use.
    #[error("{} changed while it was read", path.display())]
    Changed {
        /// Which file.
        path: PathBuf,
    },

    /// A writer took no more. What was written is of no use.
    #[error("cannot write the archive")]
    Write(#[source] Arc<io::Error>),

    /// A reader failed before its end.
    #[error("cannot read the content")]
    Read(#[source] Arc<io::Error>),

    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },

    /// The disk or a quota is full. Nothing was added.
    #[error("no space left for {}", path.display())]
    DiskFull {
        /// Where it should have gone.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },

    /// The cache cannot make that much room: what else it holds is pinned, or being written. Nothing was
    /// added.
    #[error("no room for {needed_bytes} bytes in a cache of {limit_bytes}")]
    NoRoom {
        /// What the file takes as far as is known.
        needed_bytes: u64,
        /// What the cache may hold.
        limit_bytes: u64,
    },

    /// What was asked has been closed. Nothing was done.
    #[error("closed")]
    Closed,

    /// The cache folder, or the one a file goes to, cannot be used: missing, not a folder, not
    /// writable. Nothing was changed.
    #[error("cannot use the cache at {}", path.display())]
    CacheUnavailable {
        /// The file or folder that failed.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
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
            Self::InvalidBlock { .. } => "INVALID_BLOCK",
            Self::InvalidCar { .. } => "INVALID_CAR",
            Self::Incomplete { .. } => "CONTENT_INCOMPLETE",
            Self::TooLarge { .. } => "CONTENT_TOO_LARGE",
            Self::UnsupportedContent { .. } => "UNSUPPORTED_CONTENT",
            Self::InvalidPath { .. } => "INVALID_PATH",
            Self::NotFound { .. } => "CONTENT_NOT_FOUND",
            Self::IsDirectory { .. } => "CONTENT_IS_DIRECTORY",
            Self::Offline { .. } => "OFFLINE",
            Self::Cancelled => "CANCELLED",
            Self::Unavailable { .. } => "CONTENT_UNAVAILABLE",
            Self::NoGateway { .. } => "GATEWAYS_FAILED",
            Self::RateTooLow { .. } => "GATEWAY_TOO_SLOW",
            Self::Unproved { .. } => "CONTENT_UNPROVED",
            Self::InvalidGateway { .. } => "INVALID_GATEWAY",
            Self::Changed { .. } => "FILE_CHANGED",
            Self::Write(_) => "OUTPUT_UNWRITABLE",
            Self::Read(_) | Self::Unreadable { .. } => "FILE_UNREADABLE",
            Self::DiskFull { .. } => "DISK_FULL",
            Self::NoRoom { .. } => "CACHE_FULL",
            Self::Closed => "CLOSED",
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
            Self::InvalidBlock { .. } | Self::InvalidCar { .. } => {
                "The content is damaged or not what it should be"
            }
            Self::Incomplete { .. } => "A part of the content is missing",
            Self::TooLarge { .. } => "The content is too large",
            Self::UnsupportedContent { .. } => "This kind of content is not supported",
            Self::InvalidPath { .. } => "This content path is not valid",
            Self::NotFound { .. } => "There is no such file",
            Self::IsDirectory { .. } => "This is a directory, not a file",
            Self::Offline { .. } => "You seem to be offline",
            Self::Cancelled => "This was cancelled",
            Self::Unavailable { .. } => "The content is not available at present",
            Self::NoGateway { .. } => "The content could not be loaded. Please try again later",
            Self::RateTooLow { .. } => "The connection is too slow. Please try again later",
            Self::Unproved { .. } => "The content could not be verified",
            Self::InvalidGateway { .. } => "Something went wrong",
            Self::Changed { .. } => "The file changed while it was read. Please try again",
            Self::Write(_) => "The file could not be written",
            Self::Read(_) | Self::Unreadable { .. } => "The file could not be read",
            Self::DiskFull { .. } => "There is not enough space on this device",
            Self::NoRoom { .. } => "There is not enough room in the local cache",
            Self::Closed => "Something went wrong",
            Self::CacheUnavailable { .. } => "The local cache cannot be used",
        }
    }

    /// Whether the same call may work later without anyone changing its arguments.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::DiskFull { .. }
            | Self::ContentMismatch { .. }
            | Self::Incomplete { .. }
            | Self::Cancelled
            | Self::NoRoom { .. }
            | Self::Offline { .. }
            | Self::Unavailable { .. }
            | Self::NoGateway { .. }
            | Self::RateTooLow { .. }
            | Self::Changed { .. } => true,
            Self::Read(source)
            | Self::Write(source)
            | Self::Unreadable { source, .. }
            | Self::CacheUnavailable { source, .. } => may_pass(source),
            _ => false,
        }
    }

    pub(super) const fn invalid(reason: &'static str) -> Self {
        Self::InvalidCid { reason }
    }

    pub(super) const fn block(reason: &'static str) -> Self {
        Self::InvalidBlock { cid: None, reason }
    }

    pub(super) const fn car(reason: &'static str) -> Self {
        Self::InvalidCar { reason }
    }

    /// The same, with the id of the block where one is missing.
    pub(super) fn in_block(self, id: &Cid) -> Self {
        match self {
            Self::InvalidBlock { cid: None, reason } => {
                Self::InvalidBlock { cid: Some(id.clone()), reason }
            }
            other => other,
        }
    }

    pub(super) fn reading(source: io::Error) -> Self {
        Self::Read(Arc::new(source))
    }

    pub(super) fn sending(source: io::Error) -> Self {
        Self::Write(Arc::new(source))
    }

    pub(super) fn unreadable(path: &Path) -> impl Fn(io::Error) -> Self {
        |source| Self::Unreadable { path: path.to_path_buf(), source: Arc::new(source) }
    }

    /// The failure of a change to the cache at `path`.
    pub(super) fn writing(path: &Path) -> impl Fn(io::Error) -> Self {
        |source| {
            let (path, source) = (path.to_path_buf(), Arc::new(source));
            match source.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge => Self::DiskFull { path, source },
                _ => Self::CacheUnavailable { path, source },
            }
        }
    }
}

fn of(cid: Option<&Cid>) -> String {
    cid.map(|cid| format!(" {cid}")).unwrap_or_default()
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
