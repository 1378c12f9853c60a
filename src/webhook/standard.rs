//! Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,… v1,…`.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use std::time::Duration;

use data_encoding::BASE64;

use super::{
    Secret, VerifiedEvent, WebhookError,
    event::STRIPE,
    signature::{Endpoint, readable, seconds},
};
use crate::{Error, Provider, Refusal, SystemWorld, Timestamp, World as _};

/// An endpoint that somebody calls who keeps to Standard Webhooks: Svix and others. Secrets are
/// [`Secret::base64`].
#[derive(Clone, Debug)]
pub struct StandardWebhooks {
    endpoint: Endpoint,
    sender: Provider,
}

/// The three headers.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "the specification names these three")]
pub struct Headers<'h> {
    /// `webhook-id`.
    pub id: &'h str,
    /// `webhook-timestamp`.
    pub timestamp: &'h str,
    /// `webhook-signature`.
    pub signature: &'h str,
}

impl StandardWebhooks {
    /// With this secret, a tolerance of [`TOLERANCE`](super::TOLERANCE) and bodies of at most
    /// [`BODY_BYTES_MAX`](super::BODY_BYTES_MAX).
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self { endpoint: Endpoint::new(secret), sender: Provider::ours("standard") }
    }

    /// Under this name, so that two senders' events are told apart. Without it: `standard`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for `stripe`, whose events mean something here.
    pub fn sender(self, sender: Provider) -> Result<Self, Refusal> {
        if sender.as_str() == STRIPE {
            return Err(Refusal::Invalid { field: "sender", why: "it is Stripe's name" });
        }
        Ok(Self { sender, ..self })
    }

    /// Also with this secret, while it is being changed.
    #[must_use]
    pub fn or(mut self, secret: Secret) -> Self {
        self.endpoint.secrets.push(secret);
        self
    }

    /// With another tolerance, both ways, in whole seconds.
    #[must_use]
    pub fn tolerance(self, tolerance: Duration) -> Self {
        Self { endpoint: Endpoint { tolerance, ..self.endpoint }, ..self }
    }

    /// For bodies of at most so many bytes.
    #[must_use]
    pub fn body_bytes_max(mut self, body_bytes: usize) -> Self {
        self.endpoint.limits.body_bytes = body_bytes;
        self
    }

    /// Checks a body against its headers, by this machine's clock.
    ///
    /// # Errors
    ///
    /// [`Error::Webhook`] with what was wrong.
    pub fn verify(&self, body: &[u8], headers: Headers<'_>) -> Result<VerifiedEvent, Error> {
        self.verify_at(body, headers, SystemWorld.now())
    }

    /// The same, at another time.
    ///
    /// # Errors
    ///
    /// As [`StandardWebhooks::verify`].
    pub fn verify_at(
        &self,
        body: &[u8],
        headers: Headers<'_>,
        now: Timestamp,
    ) -> Result<VerifiedEvent, Error> {
        let event = self.checked(body, headers, now).map_err(Error::from);
        event.inspect_err(|error| error.log("verify-webhook", None))
    }

    fn checked(
        &self,
        body: &[u8],
        Headers { id, timestamp, signature }: Headers<'_>,
        now: Timestamp,
    ) -> Result<VerifiedEvent, WebhookError> {
        self.endpoint.limits.admit(body)?;
        [id, timestamp, signature].into_iter().try_for_each(readable)?;
        // A dot in the id could move the border between the parts that are signed.
        if id.contains('.') {
            return Err(WebhookError::Header { why: "its id holds a dot" });
        }
        let signed = seconds(timestamp)?;
        let candidates = signature.split(' ').filter_map(|one| one.strip_prefix("v1,"));
        let candidates: Vec<_> = candidates.filter_map(digest).collect();
        let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        self.endpoint.vouch(&parts, &candidates, signed, now)?;
        VerifiedEvent::of_standard(&self.sender, id, signed, body)
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text.as_bytes()).ok()?.try_into().ok()
}
