//! Why a body is no event.

use crate::error::Face;

/// Why a body was not accepted as an event. Nothing was stored.
///
/// `Display` says which check failed, for the log; whoever sent it gets
/// [`Error::public`](crate::Error::public) and a status.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The signature's header is not readable.
    #[error("the signature's header: {why}")]
    Header {
        /// What is wrong with it.
        why: &'static str,
    },
    /// No signature is one of ours: the body was changed, the secret is another, or it is forged. A
    /// run of them usually means that a secret was rolled.
    #[error("no signature matches")]
    NoMatch,
    /// The signature is right, but was made too long ago: it may be a recording.
    #[error("the signature is {seconds} seconds old")]
    TooOld {
        /// How old.
        seconds: i64,
    },
    /// The signature is right, but was made in the future: a clock is wrong, here or there.
    #[error("the signature is {seconds} seconds ahead")]
    TooNew {
        /// How far.
        seconds: i64,
    },
    /// The body is longer than the endpoint takes. It was not read.
    #[error("the body has {bytes} bytes")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// The body was signed, but is no event that can be read.
    #[error("the event: {why}")]
    Payload {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A test event came to an endpoint for live ones, or the reverse.
    #[error("the event is of another mode, live or test, than the endpoint")]
    OtherMode,
}

impl WebhookError {
    /// What whoever sent it may see. It is the same for all that concern the signature.
    pub(crate) const fn face(self) -> Face {
        match self {
            Self::Header { .. } | Self::NoMatch | Self::TooOld { .. } | Self::TooNew { .. } => {
                ("SIGNATURE_INVALID", 400, "The signature is not valid")
            }
            Self::TooLarge { .. } => ("PAYLOAD_TOO_LARGE", 413, "The payload is too large"),
            Self::Payload { .. } | Self::OtherMode => {
                ("PAYLOAD_INVALID", 400, "The payload is not valid")
            }
        }
    }
}
