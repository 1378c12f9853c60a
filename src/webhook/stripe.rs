//! Stripe's signatures: `Stripe-Signature: t=1800000000,v1=5257a8…`.
//!
//! Source: <https://docs.stripe.com/webhooks/signature>.
//!
//! # Invariants
//!
//! - **H3** Any `v1` under any of the endpoint's secrets will do, because Stripe sends several while a
//!   secret is being rolled; other schemes never do.

use std::time::Duration;

use data_encoding::HEXLOWER;

use super::{
    Secret, VerifiedEvent, WebhookError,
    signature::{Endpoint, readable, seconds},
};
use crate::{Error, SystemWorld, Timestamp, World as _};

/// An endpoint that Stripe calls.
///
/// ```
/// # use finalmile::{Timestamp, webhook::{Secret, Stripe}};
/// let stripe = Stripe::new(Secret::text("whsec_test_secret_of_ours")?);
/// // As it came: not parsed, not printed again.
/// let body = br#"{"id":"evt_1","object":"event","type":"plan.created","created":1800000000,
///     "livemode":false,"data":{"object":{"id":"plan_1"}}}"#;
/// # let header = stripe.sign_for_tests(body, 1_800_000_000);
/// # let now = Timestamp::from_millis(1_800_000_010_000);
/// let event = stripe.verify_at(body, &header, now)?;      // or verify(body, header), now
/// assert_eq!((event.id(), event.kind()), ("evt_1", "plan.created"));
/// assert!(stripe.verify_at(b"{}", &header, now).is_err());
/// # Ok::<(), finalmile::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stripe(Endpoint);

impl Stripe {
    /// With this secret, a tolerance of [`TOLERANCE`](super::TOLERANCE) and bodies of at most
    /// [`BODY_BYTES_MAX`](super::BODY_BYTES_MAX).
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self(Endpoint::new(secret))
    }

    /// Also with this secret: the old one, while Stripe is changing over to the new.
    #[must_use]
    pub fn or(mut self, secret: Secret) -> Self {
        self.0.secrets.push(secret);
        self
    }

    /// With another tolerance, both ways, in whole seconds.
    #[must_use]
    pub fn tolerance(self, tolerance: Duration) -> Self {
        Self(Endpoint { tolerance, ..self.0 })
    }

    /// For live events only, or for test events only.
    #[must_use]
    pub fn livemode(mut self, livemode: bool) -> Self {
        self.0.limits.livemode = Some(livemode);
        self
    }

    /// For bodies of at most so many bytes.
    #[must_use]
    pub fn body_bytes_max(mut self, body_bytes: usize) -> Self {
        self.0.limits.body_bytes = body_bytes;
        self
    }

    /// Checks a body against the header `Stripe-Signature`, by this machine's clock.
    ///
    /// # Errors
    ///
    /// [`Error::Webhook`] with what was wrong.
    pub fn verify(&self, body: &[u8], header: &str) -> Result<VerifiedEvent, Error> {
        self.verify_at(body, header, SystemWorld.now())
    }

    /// The same, at another time.
    ///
    /// # Errors
    ///
    /// As [`Stripe::verify`].
    pub fn verify_at(
        &self,
        body: &[u8],
        header: &str,
        now: Timestamp,
    ) -> Result<VerifiedEvent, Error> {
        let event = self.checked(body, header, now).map_err(Error::from);
        event.inspect_err(|error| error.log("verify-webhook", None))
    }

    fn checked(
        &self,
        body: &[u8],
        header: &str,
        now: Timestamp,
    ) -> Result<VerifiedEvent, WebhookError> {
        self.0.limits.admit(body)?;
        readable(header)?;
        let (mut time, mut candidates) = (None, Vec::new());
        for part in header.split(',') {
            // As Stripe's libraries split it: what follows a second sign is nobody's.
            let mut words = part.split('=');
            match (words.next(), words.next()) {
                (Some("t"), Some(text)) if time.is_none() => time = Some(text),
                // One that is not 64 lower-case digits matches nothing.
                (Some("v1"), Some(text)) => candidates.extend(digest(text)),
                // Other schemes, such as the v0 of test events.
                _ => {}
            }
        }
        let time = time.ok_or(WebhookError::Header { why: "it names no time" })?;
        let signed = seconds(time)?;
        self.0.vouch(&[time.as_bytes(), b".", body], &candidates, signed, now)?;
        VerifiedEvent::of_stripe(body, &self.0.limits)
    }

    /// The header that Stripe would send at that time, for tests of a host's own endpoint.
    #[cfg(any(test, feature = "testing"))]
    #[doc(hidden)]
    #[must_use]
    pub fn sign_for_tests(&self, body: &[u8], seconds: i64) -> String {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let mut all = format!("t={seconds}");
        for secret in &self.0.secrets {
            let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()) else {
                continue;
            };
            mac.update(seconds.to_string().as_bytes());
            mac.update(b".");
            mac.update(body);
            let signature: [u8; 32] = mac.finalize().into_bytes().into();
            all = format!("{all},v1={}", HEXLOWER.encode(&signature));
        }
        all
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
