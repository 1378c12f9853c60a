//! The inbox's rows: an event, the bodies that came under its name, its failures.
//!
//! A body lies in a row of its own, which never changes: what becomes of an event rewrites some
//! hundred bytes, not its 256 KiB.
//!
//! # Invariants
//!
//! - **H7** An event is stored once, however often it comes; another body under its name is kept
//!   beside it and changes nothing.

use std::{fmt, sync::Arc};

use crate::{
    Credits, Provider, Refusal, Timestamp, record,
    storage::{Command, KeySet, Only, Rows},
    webhook::{EventId, EventStatus, VerifiedEvent},
};

/// How many bodies under one name are kept: its own, and eight others for a look. More are only
/// refused.
pub(super) const BODIES_MAX: usize = 9;

/// An event as the inbox keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoredEvent {
    /// Who sent it.
    pub sender: Provider,
    /// The sender's name for it.
    pub id: String,
    /// What happened: `invoice.payment_succeeded`.
    pub kind: String,
    /// When it happened, by the sender's clock.
    pub created: Timestamp,
    /// What it is about, by the sender's name; the event itself where that is not said.
    pub object: String,
    /// SHA-256 of its body.
    pub digest: [u8; 32],
    /// How far it is.
    pub status: EventStatus,
    /// When it came.
    pub received_at: Timestamp,
    /// When it ended, well; of a dead one, `None`.
    pub processed_at: Option<Timestamp>,
    /// When somebody may work on it next: while a worker has it, when the lease is over. `None`: it
    /// has ended.
    pub due_at: Option<Timestamp>,
    /// How often it was tried since it came, or since its last replay.
    pub attempts: i64,
    /// The number of its last lease.
    pub token: i64,
    /// How many credits it brought; negative: took back.
    pub credited: Credits,
    /// The public code of its last failure.
    pub code: Option<String>,
    /// What failed last, for the operator.
    pub error: Option<String>,
    /// How many different bodies came under its name.
    pub bodies: i64,
}

record! {
    StoredEvent: "fm_event",
    key: (sender: Provider, id: String),
    columns: (
        kind, created, object, digest, status, received_at, processed_at, due_at, attempts, token,
        credited, code, error, bodies
    ),
    version: bodies,
    shard: id,
    indexes: [
        ("fm_event_due", (due_at), Only::Present("due_at")),
        ("fm_event_open", (sender, object, created), Only::Present("due_at")),
        ("fm_event_ended", (processed_at), Only::Present("processed_at")),
        ("fm_event_dead", (received_at), Only::Equals("status", "dead")),
    ],
}

impl StoredEvent {
    /// Its name.
    #[must_use]
    pub fn event_id(&self) -> EventId {
        EventId::of(&self.sender, &self.id)
    }

    /// Whether somebody may work on it now. One that nobody tried yet is due whatever the time: the
    /// clock may have been set back since it came.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let is_new = self.status == EventStatus::Pending && self.attempts == 0;
        self.due_at.is_some_and(|due| is_new || due <= now)
    }

    /// What its order is kept in.
    pub(super) fn lane(&self) -> (Provider, String) {
        (self.sender.clone(), self.object.clone())
    }
}

/// One body that came under an event's name. Never changes.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoredBody {
    /// Who sent it.
    pub sender: Provider,
    /// The sender's name for the event.
    pub id: String,
    /// SHA-256 of the text.
    pub digest: [u8; 32],
    /// The bytes that were signed.
    pub payload: String,
    /// When it came.
    pub at: Timestamp,
}

record! {
    StoredBody: "fm_event_payload",
    key: (sender: Provider, id: String, digest: [u8; 32]),
    columns: (payload, at),
    parent: StoredEvent,
    shard: id,
    indexes: [],
}

/// Without the payload: it holds what customers told somebody else.
impl fmt::Debug for StoredBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredBody({}:{} of {} bytes)", self.sender, self.id, self.payload.len())
    }
}

/// How an event fails: one row an event, from its first failure on.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    /// Who sent it.
    pub sender: Provider,
    /// The sender's name for the event.
    pub id: String,
    /// How often it failed, in all.
    pub failure_count: i64,
    /// When it failed last.
    pub last_failure: Timestamp,
    /// What failed last, for the operator.
    pub error_message: String,
    /// When it will be tried again; `None`: not by itself.
    pub next_retry: Option<Timestamp>,
    /// How often it is tried again by itself.
    pub max_retries: i64,
    /// What an admin wrote down about it.
    pub note: Option<String>,
    /// When the event came to a good end after all.
    pub over_at: Option<Timestamp>,
}

record! {
    Failure: "fm_event_failure",
    key: (sender: Provider, id: String),
    columns: (failure_count, last_failure, error_message, next_retry, max_retries, note, over_at),
    shard: id,
    indexes: [("fm_event_failure_over", (over_at), Only::Present("over_at"))],
}

/// What became of an event at the door.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an arrival is one of these three")]
pub enum Received {
    /// It is new, and stored.
    Stored,
    /// It was stored before.
    Duplicate,
    /// Another body came under its name before. The first one stands; this one is kept for a look.
    Conflict,
}

/// Stores an event, pending.
pub(crate) struct Receive {
    event: StoredEvent,
    payload: Arc<str>,
}

impl Receive {
    pub(crate) fn new(event: &VerifiedEvent) -> Self {
        let (sender, id) = event.event_id().key();
        let object = event.object_id().unwrap_or(&id).to_owned();
        let event_row = StoredEvent {
            sender,
            id,
            kind: event.kind().to_owned(),
            created: event.created(),
            object,
            digest: event.digest(),
            status: EventStatus::Pending,
            received_at: Timestamp::default(),
            processed_at: None,
            due_at: None,
            attempts: 0,
            token: 0,
            credited: Credits::ZERO,
            code: None,
            error: None,
            bodies: 1,
        };
        Self { event: event_row, payload: event.text() }
    }

    /// The event as it is stored if it is new.
    pub(crate) const fn event(&self) -> &StoredEvent {
        &self.event
    }

    fn key(&self) -> (Provider, String) {
        (self.event.sender.clone(), self.event.id.clone())
    }

    fn body(&self, at: Timestamp) -> StoredBody {
        let StoredEvent { sender, id, digest, .. } = self.event.clone();
        StoredBody { sender, id, digest, payload: self.payload.to_string(), at }
    }
}

impl Command for Receive {
    type Out = Result<Received, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        let (sender, id) = self.key();
        keys.own::<StoredEvent>(&(sender.clone(), id.clone()));
        keys.own::<StoredBody>(&(sender, id, self.event.digest));
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let Some(first) = rows.get::<StoredEvent>(&self.key()).cloned() else {
            rows.put(StoredEvent { received_at: now, due_at: Some(now), ..self.event.clone() });
            rows.put(self.body(now));
            return Ok(Received::Stored);
        };
        if first.digest == self.event.digest {
            return Ok(Received::Duplicate);
        }
        let (sender, id) = self.key();
        let is_known = rows.get::<StoredBody>(&(sender, id, self.event.digest)).is_some();
        let is_room = usize::try_from(first.bodies).is_ok_and(|bodies| bodies < BODIES_MAX);
        if !is_known && is_room {
            rows.put(StoredEvent { bodies: first.bodies + 1, ..first });
            rows.put(self.body(now));
        }
        Ok(Received::Conflict)
    }

    fn size_bytes(&self) -> usize {
        1_024 + self.payload.len()
    }
}
