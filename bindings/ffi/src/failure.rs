//! Failures, as every language sees them: a code and a sentence.

use finalmile::{ipfs::IpfsError, thumb::ThumbError};

/// Why a call did not do what it should. It names no path, no id and no address (**B3**).
///
/// There is one variant, so that each language has one exception to catch; `code` tells them apart.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error, uniffi::Error)]
#[expect(clippy::exhaustive_enums, reason = "codes tell failures apart, not variants")]
pub enum Failure {
    /// The call failed.
    #[error("{code}: {reason}")]
    Failed {
        /// The stable public name, such as `CONTENT_NOT_FOUND`.
        code: String,
        /// One sentence for the user.
        reason: String,
        /// Whether the same call may work later.
        retryable: bool,
    },
}

impl Failure {
    pub(crate) fn new(code: &str, reason: &str, retryable: bool) -> Self {
        Self::Failed { code: code.to_owned(), reason: reason.to_owned(), retryable }
    }

    /// The call was given up.
    pub(crate) fn cancelled() -> Self {
        Self::new("CANCELLED", "This was cancelled", true)
    }

    /// A fault of ours.
    pub(crate) fn internal() -> Self {
        Self::new("INTERNAL_ERROR", "Something went wrong. Please try again", true)
    }

    /// An argument that no call takes.
    pub(crate) fn argument(reason: &str) -> Self {
        Self::new("INVALID_ARGUMENT", reason, false)
    }
}

impl From<ThumbError> for Failure {
    fn from(error: ThumbError) -> Self {
        Self::new(error.code(), error.public_text(), error.is_retryable())
    }
}

impl From<IpfsError> for Failure {
    fn from(error: IpfsError) -> Self {
        Self::new(error.code(), error.public_text(), error.is_retryable())
    }
}

/// What the host's own code (a decoder, a network) answers when it fails.
#[derive(Clone, Debug, thiserror::Error, uniffi::Error)]
#[expect(clippy::exhaustive_enums, reason = "it carries whatever the host says")]
pub enum HostFailure {
    /// It failed.
    #[error("{reason}")]
    Failed {
        /// A sentence for the log.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for HostFailure {
    /// Something was thrown that is none of ours.
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: error.reason }
    }
}
