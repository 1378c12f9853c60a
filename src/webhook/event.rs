//! Events: what a checked signature vouches for.
//!
//! # Invariants
//!
//! - **H4** Only a checked signature makes a [`VerifiedEvent`]; whatever else its bytes are, too long,
//!   too deep, no JSON, repeated keys, they are a typed refusal and never a panic.

use std::{fmt, sync::Arc};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{WebhookError, json::strict};
use crate::{ID_BYTES_MAX, Timestamp};

/// The longest body that is looked at, unless the endpoint says otherwise. Stripe's have less than
/// 256 KiB.
pub const BODY_BYTES_MAX: usize = 512 << 10;

/// What an endpoint takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) body_bytes: usize,
    pub(super) livemode: Option<bool>,
}

impl Limits {
    /// Refuses a body before anything is computed over it.
    pub(super) fn admit(&self, body: &[u8]) -> Result<(), WebhookError> {
        if body.len() > self.body_bytes {
            return Err(WebhookError::TooLarge { bytes: body.len() });
        }
        Ok(())
    }
}

/// Who signs events in which way.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// [`Stripe`](super::Stripe).
    Stripe,
    /// [`StandardWebhooks`](super::StandardWebhooks).
    Standard,
}

/// An event whose signature was checked: there is no other way to have one.
///
/// ```compile_fail
/// let forged = finalmile::webhook::VerifiedEvent { id: "evt_1".into(), ..todo!() };
/// ```
#[derive(Clone, PartialEq)]
pub struct VerifiedEvent {
    source: Source,
    id: Box<str>,
    kind: Box<str>,
    created: Timestamp,
    object: Value,
    body: Arc<[u8]>,
}

impl VerifiedEvent {
    pub(super) fn of_stripe(body: &[u8], limits: &Limits) -> Result<Self, WebhookError> {
        let mut all = parsed(body)?;
        let id = text(&all, "id").ok_or(payload("it has no id"))?;
        let kind = text(&all, "type").ok_or(payload("it has no type"))?;
        let created = all.get("created").and_then(Value::as_i64).filter(|n| *n >= 0);
        let created = created.ok_or(payload("it has no time"))?;
        let livemode = all.get("livemode").and_then(Value::as_bool);
        if limits.livemode.is_some() && livemode != limits.livemode {
            return Err(WebhookError::OtherMode);
        }
        let object = all.get_mut("data").and_then(|data| data.get_mut("object"));
        let object = object.filter(|object| object.is_object()).map(Value::take);
        let object = object.ok_or(payload("it is about no object"))?;
        Ok(Self {
            source: Source::Stripe,
            id,
            kind,
            created: Timestamp::from_micros(created.saturating_mul(1_000_000)),
            object,
            body: body.into(),
        })
    }

    pub(super) fn of_standard(id: &str, signed: i64, body: &[u8]) -> Result<Self, WebhookError> {
        let mut all = parsed(body)?;
        let kind = text(&all, "type").ok_or(payload("it has no type"))?;
        let object = all.get_mut("data").map(Value::take).unwrap_or_default();
        Ok(Self {
            source: Source::Standard,
            id: name(id).ok_or(payload("its id is no name"))?,
            kind,
            created: Timestamp::from_micros(signed.saturating_mul(1_000_000)),
            object,
            body: body.into(),
        })
    }

    /// Who signed it.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// The sender's name for it: `evt_…`; the same when it is sent again.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What happened: `checkout.session.completed`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// When it happened, by the sender's clock, to the second; of Standard Webhooks, when it was sent.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// What it happened to: Stripe's `data.object`, `data` of Standard Webhooks.
    #[must_use]
    pub const fn object(&self) -> &Value {
        &self.object
    }

    /// The bytes that were signed.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// SHA-256 of the bytes: the same id with another digest is another event under a used name.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.body).into()
    }
}

/// Without the payload: it holds what customers told somebody else.
impl fmt::Debug for VerifiedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, id, kind, created, body, .. } = self;
        write!(
            f,
            "VerifiedEvent({source:?} {id} {kind} {} of {} bytes)",
            created.micros(),
            body.len()
        )
    }
}

const fn payload(why: &'static str) -> WebhookError {
    WebhookError::Payload { why }
}

fn parsed(body: &[u8]) -> Result<Value, WebhookError> {
    let all = strict(body).map_err(|_| payload("it is no JSON, too deep, or repeats a key"))?;
    if all.is_object() { Ok(all) } else { Err(payload("it is no object")) }
}

/// A text that can be a name in the store.
fn text(all: &Value, field: &str) -> Option<Box<str>> {
    all.get(field).and_then(Value::as_str).and_then(name)
}

fn name(text: &str) -> Option<Box<str>> {
    let fits = (1..=ID_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then(|| text.into())
}
