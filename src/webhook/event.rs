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
use crate::{Provider, Refusal, Timestamp, id::checked};

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

/// The sender's name of events that [`Stripe`](super::Stripe) vouches for. Nobody else may bear it:
/// what such an event means is built in.
pub(super) const STRIPE: &str = "stripe";

/// Names an event: who sent it, and the sender's own name for it.
///
/// ```
/// # use finalmile::webhook::EventId;
/// assert_eq!(EventId::stripe("evt_1")?.to_string(), "stripe:evt_1");
/// # Ok::<(), finalmile::Refusal>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventId {
    sender: Provider,
    id: Box<str>,
}

impl EventId {
    /// The event that the sender calls `id`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] unless it has 1 to 255 bytes and no control character.
    pub fn new(sender: &Provider, id: &str) -> Result<Self, Refusal> {
        Ok(Self { sender: sender.clone(), id: checked("event", id)?.into() })
    }

    /// The event that Stripe calls `id`: `evt_…`.
    ///
    /// # Errors
    ///
    /// As [`EventId::new`].
    pub fn stripe(id: &str) -> Result<Self, Refusal> {
        Self::new(&Provider::ours(STRIPE), id)
    }

    /// Who sent it.
    #[must_use]
    pub const fn sender(&self) -> &Provider {
        &self.sender
    }

    /// The sender's name for it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of an event that is stored.
    pub(super) fn of(sender: &Provider, id: &str) -> Self {
        Self { sender: sender.clone(), id: id.into() }
    }

    /// Its key in the store.
    pub(crate) fn key(&self) -> (Provider, String) {
        (self.sender.clone(), self.id.to_string())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sender, self.id)
    }
}

/// An event whose signature was checked: there is no other way to have one.
///
/// ```compile_fail
/// let forged = finalmile::webhook::VerifiedEvent { id: "evt_1".into(), ..todo!() };
/// ```
#[derive(Clone, PartialEq)]
pub struct VerifiedEvent {
    id: EventId,
    kind: Box<str>,
    created: Timestamp,
    object: Value,
    body: Arc<str>,
}

impl VerifiedEvent {
    pub(super) fn of_stripe(body: &[u8], limits: &Limits) -> Result<Self, WebhookError> {
        let (body, mut all) = parsed(body)?;
        let id = text(&all, "id").ok_or(payload("it has no id"))?;
        let id = EventId { sender: Provider::ours(STRIPE), id };
        let kind = text(&all, "type").ok_or(payload("it has no type"))?;
        let created = all.get("created").and_then(Value::as_i64).filter(|n| *n >= 0);
        let created = created.ok_or(payload("it has no time"))?;
        let livemode = all.get("livemode").and_then(Value::as_bool);
        if limits.livemode.is_some() && livemode != limits.livemode {
            return Err(WebhookError::OtherMode);
        }
        let object = about(&mut all, true).ok_or(payload("it is about no object"))?;
        Ok(Self {
            id,
            kind,
            created: Timestamp::from_micros(created.saturating_mul(1_000_000)),
            object,
            body,
        })
    }

    pub(super) fn of_standard(
        sender: &Provider,
        id: &str,
        signed: i64,
        body: &[u8],
    ) -> Result<Self, WebhookError> {
        let (body, mut all) = parsed(body)?;
        let kind = text(&all, "type").ok_or(payload("it has no type"))?;
        let object = about(&mut all, false).unwrap_or_default();
        Ok(Self {
            id: EventId::new(sender, id).map_err(|_| payload("its id is no name"))?,
            kind,
            created: Timestamp::from_micros(signed.saturating_mul(1_000_000)),
            object,
            body,
        })
    }

    /// Its name; the same when it is sent again.
    #[must_use]
    pub const fn event_id(&self) -> &EventId {
        &self.id
    }

    /// The event that was stored: it was vouched for when it came.
    pub(super) fn again(
        id: EventId,
        kind: &str,
        created: Timestamp,
        body: &str,
    ) -> Result<Self, WebhookError> {
        let (body, mut all) = parsed(body.as_bytes())?;
        let object = about(&mut all, id.sender.as_str() == STRIPE).unwrap_or_default();
        Ok(Self { id, kind: kind.into(), created, object, body })
    }

    /// Who signed it.
    #[must_use]
    pub const fn sender(&self) -> &Provider {
        &self.id.sender
    }

    /// The sender's name for it: `evt_…`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id.id
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

    /// The name of what it happened to, if that has one.
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        self.object.get("id")?.as_str().filter(|id| name(id).is_some())
    }

    /// The bytes that were signed.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.as_bytes()
    }

    /// The same, as the text that JSON is.
    pub(super) fn text(&self) -> Arc<str> {
        self.body.clone()
    }

    /// SHA-256 of the bytes: the same id with another digest is another event under a used name.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.body()).into()
    }
}

/// Without the payload: it holds what customers told somebody else.
impl fmt::Debug for VerifiedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, kind, created, body, .. } = self;
        write!(f, "VerifiedEvent({id} {kind} {} of {} bytes)", created.micros(), body.len())
    }
}

const fn payload(why: &'static str) -> WebhookError {
    WebhookError::Payload { why }
}

fn parsed(body: &[u8]) -> Result<(Arc<str>, Value), WebhookError> {
    let why = "it is no JSON, too deep, or repeats a key";
    let text = std::str::from_utf8(body).map_err(|_| payload(why))?;
    let all = strict(text).map_err(|_| payload(why))?;
    if all.is_object() { Ok((text.into(), all)) } else { Err(payload("it is no object")) }
}

/// What the event is about.
fn about(all: &mut Value, is_stripe: bool) -> Option<Value> {
    let data = all.get_mut("data")?;
    if !is_stripe {
        return Some(data.take());
    }
    data.get_mut("object").filter(|object| object.is_object()).map(Value::take)
}

/// A text that can be a name in the store.
fn text(all: &Value, field: &str) -> Option<Box<str>> {
    all.get(field).and_then(Value::as_str).and_then(name).map(Into::into)
}

pub(super) fn name(text: &str) -> Option<&str> {
    checked("name", text).ok()
}
