//! Why an operation did not happen, for three readers: the caller, the client and the log.
//!
//! The caller matches on [`Refusal`] and [`Error`]; a client gets a [`PublicError`] and nothing else;
//! the log gets every field, once, where the answer was made.
//!
//! # Invariants
//!
//! - **X1** What a client sees never holds an id, a balance or a payload.
//! - **X2** Every refusal and fault is logged once.

use std::num::NonZeroU64;

use crate::{
    AccountId, Credits, EndpointName, Timestamp, UploadId,
    storage::StoreError,
};

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

    /// The picture could not be made small. Nothing was written.
    #[cfg(feature = "thumb")]
    #[error(transparent)]
    Thumb(#[from] crate::thumb::ThumbError),

    /// The content could not be identified or kept. Nothing was written.
    #[cfg(feature = "ipfs")]
    #[error(transparent)]
    Ipfs(#[from] crate::ipfs::IpfsError),
}

/// Why the rules said no: an ordinary answer, which commits like any other.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A value that no rule accepts. Nothing changed.
    #[error("{field}: {why}")]
    Invalid {
        /// What was wrong.
        field: &'static str,
        /// In which way.
        why: &'static str,
    },
    /// Nobody is signed in. For a host's own authorisation: this crate never asks who somebody is.
    #[error("nobody is signed in")]
    Unauthorized,
    /// Nobody of that name has an account. Nothing changed.
    #[error("no account {account}")]
    AccountUnknown {
        /// Who.
        account: AccountId,
    },
    /// The account is frozen. Nothing changed.
    #[error("{account} is frozen: {reason}")]
    AccountFrozen {
        /// Who.
        account: AccountId,
        /// What the admin wrote.
        reason: String,
        /// When it ends by itself; `None`: when an admin says so.
        until: Option<Timestamp>,
    },
    /// The bucket is empty. Nothing was spent.
    #[error("{key} asked {endpoint} too often")]
    RateLimited {
        /// Whose bucket.
        key: String,
        /// Which limit.
        endpoint: EndpointName,
        /// Until the same check can pass. `None`: never, it asks for more than the bucket holds.
        retry_after_ms: Option<NonZeroU64>,
    },
    /// No such limit is configured. Nothing changed.
    #[error("no endpoint {endpoint}")]
    EndpointUnknown {
        /// Which.
        endpoint: EndpointName,
    },
    /// The account cannot cover the amount. Nothing was reserved.
    #[error("{account} needs {needed} but has {available} free")]
    InsufficientCredits {
        /// Who asked.
        account: AccountId,
        /// What the operation costs.
        needed: Credits,
        /// Balance less reservations.
        available: Credits,
    },
    /// The key was used before with other content. Nothing changed; the first use stands.
    #[error("the {what} was used before with another {field}")]
    Conflict {
        /// Which kind of key.
        what: &'static str,
        /// The first field that differs.
        field: &'static str,
    },
    /// The viewer has no such upload. Nothing changed.
    #[error("no upload {upload}")]
    UploadUnknown {
        /// Which.
        upload: UploadId,
    },
    /// The upload has ended. Nothing changed.
    #[error("upload {upload} is {status}")]
    UploadEnded {
        /// Which.
        upload: UploadId,
        /// How it ended.
        status: &'static str,
    },
    /// The account has no such reservation. Nothing changed.
    #[error("{account} has no such reservation")]
    ReservationUnknown {
        /// Who.
        account: AccountId,
    },
    /// The reservation has ended. Nothing changed.
    #[error("the reservation is {state}")]
    ReservationEnded {
        /// How it ended.
        state: &'static str,
    },
}

/// What a client may see, and the only form that is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(clippy::exhaustive_structs, reason = "a client sees these two and never more")]
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

impl Refusal {
    /// The stable public name, its HTTP status and its sentence.
    const fn face(&self) -> (&'static str, u16, &'static str) {
        match self {
            Self::Invalid { .. } => ("INVALID_REQUEST", 400, "The request is not valid"),
            Self::Unauthorized => ("UNAUTHORIZED", 401, "Authentication required"),
            Self::AccountUnknown { .. } => ("ACCOUNT_NOT_FOUND", 404, "Account not found"),
            Self::AccountFrozen { .. } => ("ACCOUNT_FROZEN", 403, "This account is suspended"),
            Self::RateLimited { .. } => ("RATE_LIMIT_EXCEEDED", 429, "Too many requests"),
            Self::EndpointUnknown { .. } => ("ENDPOINT_NOT_FOUND", 404, "Unknown endpoint"),
            Self::InsufficientCredits { .. } => {
                ("STORAGE_LIMIT_REACHED", 403, "Storage limit reached")
            }
            Self::Conflict { .. } => ("IDEMPOTENCY_CONFLICT", 409, "Already used for another request"),
            Self::UploadUnknown { .. } => ("UPLOAD_NOT_FOUND", 404, "Upload not found"),
            Self::UploadEnded { .. } => ("UPLOAD_NOT_PENDING", 409, "The upload has already ended"),
            Self::ReservationUnknown { .. } => {
                ("RESERVATION_NOT_FOUND", 404, "Reservation not found")
            }
            Self::ReservationEnded { .. } => {
                ("RESERVATION_NOT_PENDING", 409, "The reservation has already ended")
            }
        }
    }

    /// The stable public name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.face().0
    }
}

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
            Self::Store(StoreError::Busy(_) | StoreError::Closed) => 503,
            Self::Store(_) => 500,
            #[cfg(feature = "thumb")]
            Self::Thumb(error) => if error.is_retryable() { 503 } else { 422 },
            #[cfg(feature = "ipfs")]
            Self::Ipfs(error) => if error.is_retryable() { 503 } else { 422 },
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
            Self::Store(StoreError::Busy(_) | StoreError::Closed) => ("BUSY", "Try again later"),
            Self::Store(_) => ("INTERNAL_ERROR", "An error occurred"),
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
            Self::Refused(_) => false,
            Self::Store(error) => error.is_retryable(),
            #[cfg(feature = "thumb")]
            Self::Thumb(error) => error.is_retryable(),
            #[cfg(feature = "ipfs")]
            Self::Ipfs(error) => error.is_retryable(),
        }
    }

    /// Writes the one log line of this error (**X2**): `service` is the operation, `user_id` whom it
    /// was for.
    pub(crate) fn log(&self, service: &'static str, user_id: Option<&AccountId>) {
        let user_id = user_id.map(AccountId::as_str);
        let code = self.code();
        match self {
            Self::Refused(Refusal::InsufficientCredits { needed, available, .. }) => tracing::warn!(
                service, user_id, code, required_credits = needed.get(),
                available_credits = available.get(), action = "quota_exceeded", "{self}"
            ),
            Self::Refused(Refusal::RateLimited { endpoint, retry_after_ms, .. }) => tracing::warn!(
                service, user_id, code, endpoint = endpoint.as_str(),
                retry_after_ms = retry_after_ms.map(NonZeroU64::get), action = "rate_limited",
                "{self}"
            ),
            Self::Refused(Refusal::AccountFrozen { .. }) => {
                tracing::warn!(service, user_id, code, action = "account_frozen", "{self}");
            }
            Self::Refused(_) => tracing::warn!(service, user_id, code, action = "refused", "{self}"),
            _ => tracing::error!(service, user_id, code, action = "fault", "{self}"),
        }
    }
}
