//! Why an operation did not happen, for three readers: the caller, the client and the log.
//!
//! The caller matches on [`Refusal`] and [`Error`]; a client gets a [`PublicError`] and nothing else;
//! the log gets every field, once, where the answer was made.
//!
//! # Invariants
//!
//! - **X1** What a client sees never holds an id, a balance or a payload.

use std::num::NonZeroU64;

use crate::{
    AccountId, Credits, EndpointName, PaymentReference, ShareId, Timestamp, UploadId,
    storage::StoreError, webhook::EventId,
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

    /// A body is no event of those who may send some. Nothing was stored.
    #[error(transparent)]
    Webhook(#[from] crate::webhook::WebhookError),

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
    /// The account has no such purchase. Nothing changed.
    #[error("no purchase {reference} of that account")]
    PurchaseUnknown {
        /// The provider's name for it.
        reference: PaymentReference,
    },
    /// More is asked back than is left of what was bought or settled. Nothing changed.
    #[error("{asked} were asked back of {left} that are left")]
    ExceedsOriginal {
        /// How much was asked back; 0: all, but nothing is left.
        asked: Credits,
        /// How much was not asked back yet.
        left: Credits,
    },
    /// The account is not as the caller last saw it. Nothing changed.
    #[error("{account} has changed meanwhile")]
    VersionConflict {
        /// Whose.
        account: AccountId,
    },
    /// An import would overwrite an account, or a purchase of one. Nothing of it was written.
    #[error("{account}, or a purchase of it, exists already")]
    AccountExists {
        /// Whose.
        account: AccountId,
    },
    /// An operation of a linked batch was refused. None of the batch happened.
    #[error("operation {index} of the batch: {refusal}")]
    InBatch {
        /// Which, from 0.
        index: usize,
        /// Why.
        refusal: Box<Self>,
    },
    /// No event of that name is known, or not any more. Nothing changed.
    #[error("no event {event}")]
    EventUnknown {
        /// Which.
        event: EventId,
    },
    /// The lease on the event was over, and somebody else took it. Nothing changed.
    #[error("the lease on event {event} is lost")]
    LeaseLost {
        /// Which.
        event: EventId,
    },
    /// Only dead events are purged. Nothing changed.
    #[error("event {event} is {status}")]
    EventNotDead {
        /// Which.
        event: EventId,
        /// How far it is.
        status: &'static str,
    },
    /// The viewer has no such media share. Nothing changed.
    #[error("no media share {share}")]
    ShareUnknown {
        /// Which.
        share: ShareId,
    },
    /// The pictures of the media share are made, or given up. Nothing changed.
    #[error("the pictures of media share {share} are {status}")]
    ProcessingEnded {
        /// Which.
        share: ShareId,
        /// How far they are.
        status: &'static str,
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

impl Refusal {
    const fn face(&self) -> Face {
        match self {
            Self::InBatch { refusal, .. } => refusal.face(),
            Self::Invalid { .. } => ("INVALID_REQUEST", 400, "The request is not valid"),
            Self::Unauthorized => ("UNAUTHORIZED", 401, "Authentication required"),
            Self::AccountUnknown { .. } => ("ACCOUNT_NOT_FOUND", 404, "Account not found"),
            Self::AccountFrozen { .. } => ACCOUNT_FROZEN,
            Self::RateLimited { .. } => RATE_LIMITED,
            Self::EndpointUnknown { .. } => ("ENDPOINT_NOT_FOUND", 404, "Unknown endpoint"),
            Self::InsufficientCredits { .. } => {
                ("STORAGE_LIMIT_REACHED", 403, "Storage limit reached")
            }
            Self::Conflict { .. } => {
                ("IDEMPOTENCY_CONFLICT", 409, "Already used for another request")
            }
            Self::PurchaseUnknown { .. } => ("PURCHASE_NOT_FOUND", 404, "Purchase not found"),
            Self::ExceedsOriginal { .. } => ("AMOUNT_TOO_LARGE", 409, "The amount is too large"),
            Self::VersionConflict { .. } => {
                ("VERSION_CONFLICT", 409, "The account has changed meanwhile")
            }
            Self::AccountExists { .. } => ("ACCOUNT_EXISTS", 409, "The account exists already"),
            Self::EventUnknown { .. } => ("EVENT_NOT_FOUND", 404, "Event not found"),
            Self::LeaseLost { .. } => ("LEASE_LOST", 409, "Somebody else took over"),
            Self::EventNotDead { .. } => ("EVENT_NOT_DEAD", 409, "The event is not dead"),
            Self::ShareUnknown { .. } => ("SHARE_NOT_FOUND", 404, "Media share not found"),
            Self::ProcessingEnded { .. } => {
                ("SHARE_NOT_PROCESSING", 409, "The media share is processed already")
            }
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
            Self::Webhook(error) => error.face().1,
            Self::Store(StoreError::Busy(_) | StoreError::Conflict(_) | StoreError::Closed) => 503,
            Self::Store(_) => 500,
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

    /// One of each refusal, full of what must not get out.
    fn refusals() -> Vec<Refusal> {
        let account = AccountId::new("secret-account").unwrap();
        let endpoint = EndpointName::new("secret-endpoint").unwrap();
        let upload = UploadId::from_bytes([0x5E; 16]);
        let event = EventId::stripe("secret-event").unwrap();
        let all = vec![
            Refusal::Invalid { field: "secret-field", why: "secret-why" },
            Refusal::Unauthorized,
            Refusal::AccountUnknown { account: account.clone() },
            Refusal::AccountFrozen {
                account: account.clone(),
                reason: "secret-reason".to_owned(),
                until: Some(Timestamp::from_millis(770_077)),
            },
            Refusal::RateLimited {
                key: "secret-key".to_owned(),
                endpoint: endpoint.clone(),
                retry_after_ms: NonZeroU64::new(770_077),
            },
            Refusal::EndpointUnknown { endpoint },
            Refusal::InsufficientCredits {
                account: account.clone(),
                needed: Credits::new(770_077),
                available: Credits::new(770_077),
            },
            Refusal::Conflict { what: "secret-what", field: "secret-field" },
            Refusal::PurchaseUnknown { reference: "secret-reference".parse().unwrap() },
            Refusal::ExceedsOriginal { asked: Credits::new(770_077), left: Credits::new(770_077) },
            Refusal::VersionConflict { account: account.clone() },
            Refusal::AccountExists { account: account.clone() },
            Refusal::InBatch {
                index: 770_077,
                refusal: Box::new(Refusal::AccountUnknown { account: account.clone() }),
            },
            Refusal::EventUnknown { event: event.clone() },
            Refusal::LeaseLost { event: event.clone() },
            Refusal::EventNotDead { event, status: "secret-status" },
            Refusal::ShareUnknown { share: ShareId::from_bytes([0x5E; 16]) },
            Refusal::ProcessingEnded {
                share: ShareId::from_bytes([0x5E; 16]),
                status: "secret-status",
            },
            Refusal::UploadUnknown { upload },
            Refusal::UploadEnded { upload, status: "secret-status" },
            Refusal::ReservationUnknown { account },
            Refusal::ReservationEnded { state: "secret-state" },
        ];
        // A new variant fails to compile here, and then belongs into the list above.
        let count = |refusal: &Refusal| match refusal {
            Refusal::Invalid { .. }
            | Refusal::Unauthorized
            | Refusal::AccountUnknown { .. }
            | Refusal::AccountFrozen { .. }
            | Refusal::RateLimited { .. }
            | Refusal::EndpointUnknown { .. }
            | Refusal::InsufficientCredits { .. }
            | Refusal::Conflict { .. }
            | Refusal::PurchaseUnknown { .. }
            | Refusal::ExceedsOriginal { .. }
            | Refusal::VersionConflict { .. }
            | Refusal::AccountExists { .. }
            | Refusal::InBatch { .. }
            | Refusal::EventUnknown { .. }
            | Refusal::LeaseLost { .. }
            | Refusal::EventNotDead { .. }
            | Refusal::ShareUnknown { .. }
            | Refusal::ProcessingEnded { .. }
            | Refusal::UploadUnknown { .. }
            | Refusal::UploadEnded { .. }
            | Refusal::ReservationUnknown { .. }
            | Refusal::ReservationEnded { .. } => 1,
        };
        assert_eq!(all.iter().map(count).sum::<usize>(), 22);
        all
    }

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

    #[test]
    fn two_refusals_never_share_a_code() {
        // A batch answers with the code of what it met.
        let in_batch = |refusal: &Refusal| matches!(refusal, Refusal::InBatch { .. });
        let own: Vec<_> = refusals().into_iter().filter(|refusal| !in_batch(refusal)).collect();
        let mut codes: Vec<_> = own.iter().map(Refusal::code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), own.len());
    }
}
