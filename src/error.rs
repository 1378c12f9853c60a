//! Why an operation did not happen, for three readers: the caller, the client and the log.
//!
//! The caller matches on [`Refusal`] and [`Error`]; a client gets a [`PublicError`] and nothing else;
//! the log gets every field, once, where the answer was made.
//!
//! # Invariants
//!
//! - **X1** What a client sees never holds an id, a balance or a payload.

use crate::{Refusal, storage::StoreError};

/// Why an operation did not happen.
///
/// `Display` carries the detail an operator wants; a client gets [`Error::public`] and nothing else.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The rules said no. What was refused changed nothing, except that a refused check may have
    /// been counted.
    #[error(transparent)]
    Refused(#[from] Refusal),

    /// The store could not answer. Nothing changed, unless it says [`StoreError::Unknown`].
    #[error(transparent)]
    Store(#[from] StoreError),

    /// A body is no event of those who may send some. Nothing was stored.
    #[error(transparent)]
    Webhook(#[from] crate::webhook::WebhookError),

    /// Something could not be fetched. Nothing changed.
    #[error(transparent)]
    Fetch(#[from] crate::fetch::FetchError),

    /// The picture could not be made small. Nothing was written.
    #[cfg(feature = "thumb")]
    #[error(transparent)]
    Thumb(#[from] crate::thumb::ThumbError),

    /// The content could not be identified or kept. Nothing was written.
    #[cfg(feature = "ipfs")]
    #[error(transparent)]
    Ipfs(#[from] crate::ipfs::IpfsError),
}

/// What a client may see, and the only form that is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PublicError {
    /// One friendly sentence, without any detail.
    pub error: &'static str,
    /// The stable name that programs match on.
    pub code: &'static str,
}

impl PublicError {
    /// `{"error":…,"code":…}`
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!({ "error": self.error, "code": self.code }).to_string()
    }
}

/// A stable public name, its HTTP status and its sentence.
pub(crate) type Face = (&'static str, u16, &'static str);

/// Also the faces of a [`Decision`](crate::limit::Decision).
pub(crate) const ACCOUNT_FROZEN: Face = ("ACCOUNT_FROZEN", 403, "This account is suspended");
pub(crate) const RATE_LIMITED: Face = ("RATE_LIMIT_EXCEEDED", 429, "Too many requests");

impl Error {
    /// The stable public name, such as `STORAGE_LIMIT_REACHED`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.public().code
    }

    /// The status of an HTTP answer.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Refused(refusal) => refusal.face().1,
            Self::Webhook(error) => error.face().1,
            Self::Store(StoreError::Busy(_) | StoreError::Conflict(_) | StoreError::Closed) => 503,
            Self::Store(_) => 500,
            Self::Fetch(_) => 502,
            #[cfg(feature = "thumb")]
            Self::Thumb(error) => {
                if error.is_retryable() {
                    503
                } else {
                    422
                }
            }
            #[cfg(feature = "ipfs")]
            Self::Ipfs(error) => {
                if error.is_retryable() {
                    503
                } else {
                    422
                }
            }
        }
    }

    /// What a client may see (**X1**).
    #[must_use]
    pub fn public(&self) -> PublicError {
        let (code, error) = match self {
            Self::Refused(refusal) => {
                let (code, _, error) = refusal.face();
                (code, error)
            }
            Self::Webhook(error) => {
                let (code, _, error) = error.face();
                (code, error)
            }
            Self::Store(StoreError::Busy(_) | StoreError::Conflict(_) | StoreError::Closed) => {
                ("BUSY", "Try again later")
            }
            Self::Store(_) => ("INTERNAL_ERROR", "An error occurred"),
            Self::Fetch(_) => ("FETCH_FAILED", "Another service could not be reached"),
            #[cfg(feature = "thumb")]
            Self::Thumb(error) => (error.code(), error.public_text()),
            #[cfg(feature = "ipfs")]
            Self::Ipfs(error) => (error.code(), error.public_text()),
        };
        PublicError { error, code }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused(Refusal::RateLimited { retry_after_ms, .. }) => retry_after_ms.is_some(),
            Self::Refused(_) | Self::Webhook(_) => false,
            Self::Store(error) => error.is_retryable(),
            Self::Fetch(error) => error.is_retryable(),
            #[cfg(feature = "thumb")]
            Self::Thumb(error) => error.is_retryable(),
            #[cfg(feature = "ipfs")]
            Self::Ipfs(error) => error.is_retryable(),
        }
    }
}

/// Whether a failure to read or write may pass by itself, so that the same call may work later.
pub(crate) fn may_pass(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, ResourceBusy, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | ResourceBusy | TimedOut | WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::tests::refusals;

    fn faults() -> Vec<StoreError> {
        let secret = || "secret-detail 770077".to_owned();
        vec![
            StoreError::Busy(secret()),
            StoreError::Conflict(secret()),
            StoreError::Closed,
            StoreError::Full(secret()),
            StoreError::Unknown(secret()),
            StoreError::Schema(secret()),
            StoreError::Corrupt(secret()),
            StoreError::Backend(secret()),
        ]
    }

    #[test]
    fn x1_what_a_client_sees_holds_no_detail() {
        let errors = refusals().into_iter().map(Error::from);
        let transport = crate::fetch::FetchError::Transport("secret-detail 770077".to_owned());
        let errors = errors.chain([Error::from(transport)]);
        for error in errors.chain(faults().into_iter().map(Error::from)) {
            let seen = error.public().to_json();
            for detail in ["secret", "770", "5e5e", "{", "}"] {
                let inner = seen.trim_start_matches('{').trim_end_matches('}');
                assert!(!inner.contains(detail), "{seen}");
            }
            let code = error.code();
            assert!(code.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{code}");
            assert!((400..600).contains(&error.http_status()));
        }
    }

    #[test]
    fn the_documents_codes_have_their_statuses() {
        let face = |refusal: &Refusal| (refusal.face().0, refusal.face().1);
        let faces: Vec<_> = refusals().iter().map(face).collect();
        for expected in [
            ("UNAUTHORIZED", 401),
            ("RATE_LIMIT_EXCEEDED", 429),
            ("ACCOUNT_FROZEN", 403),
            ("STORAGE_LIMIT_REACHED", 403),
        ] {
            assert!(faces.contains(&expected), "{expected:?}");
        }
        let internal = Error::from(StoreError::Backend(String::new()));
        assert_eq!((internal.code(), internal.http_status()), ("INTERNAL_ERROR", 500));
    }
}
