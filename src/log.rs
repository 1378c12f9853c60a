//! The log: one line for every error, with everything that an operator needs.
//!
//! # Invariants
//!
//! - **X2** Every refusal and fault is logged once, in the span of whoever asked. (`run_in` of the
//!   engines answers the host, which logs as it likes.)

use std::num::NonZeroU64;

use crate::{AccountId, Error, Refusal};

impl Error {
    /// Writes the one log line of this error (**X2**): `service` is the operation, `user_id` whom it
    /// was for.
    pub(crate) fn log(&self, service: &'static str, user_id: Option<&AccountId>) {
        let code = self.code();
        // What a batch met is told as if it had been asked alone.
        let refusal = match self {
            Self::Refused(Refusal::InBatch { refusal, .. }) => Some(&**refusal),
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        };
        let user_id = user_id.or(match refusal {
            Some(Refusal::InsufficientCredits { account, .. }) => Some(account),
            _ => None,
        });
        let user_id = user_id.map(AccountId::as_str);
        match refusal {
            Some(Refusal::InsufficientCredits { needed, available, .. }) => tracing::warn!(
                service,
                user_id,
                code,
                required_credits = needed.get(),
                available_credits = available.get(),
                action = "quota_exceeded",
                "{self}"
            ),
            Some(Refusal::RateLimited { endpoint, retry_after_ms, .. }) => tracing::warn!(
                service,
                user_id,
                code,
                endpoint = endpoint.as_str(),
                retry_after_ms = retry_after_ms.map(NonZeroU64::get),
                action = "rate_limited",
                "{self}"
            ),
            Some(Refusal::AccountFrozen { .. }) => {
                tracing::warn!(service, user_id, code, action = "account_frozen", "{self}");
            }
            Some(_) => tracing::warn!(service, user_id, code, action = "refused", "{self}"),
            None if matches!(self, Self::Webhook(_)) => {
                tracing::warn!(service, user_id, code, action = "refused", "{self}");
            }
            None => tracing::error!(service, user_id, code, action = "fault", "{self}"),
        }
    }
}
