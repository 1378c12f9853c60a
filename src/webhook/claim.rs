//! Claims: a worker has an event to itself, for a while.
//!
//! Handlers that call others cannot run inside a transaction. A worker claims an event, does what it
//! has to, and completes it; what a worker that died had claimed is due again when its lease is over.
//!
//! # Invariants
//!
//! - **H14** No two workers have an event, or two events about one object, at the same time; each claim
//!   bears a greater number than the one before.
//! - **H15** A claim counts as an attempt, so an event that kills its workers dies in the end.

use std::time::Duration;

use crate::{
    Provider, Refusal, Timestamp, record,
    storage::{Command, KeySet, Rows},
    webhook::{
        EventId, EventStatus, Failure, Progress, StoredEvent, next_status, plan::Failed,
        retry::Retries,
    },
};

/// Who works on an object now: events about one are worked on one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) sender: Provider,
    pub(crate) object: String,
    /// The event that has it.
    holder: String,
    /// When the lease is over.
    until: Timestamp,
}

impl Lane {
    /// Lets the next event about the object be worked on.
    pub(super) fn leave(rows: &mut Rows, lane: &(Provider, String), id: &str) {
        if rows.get::<Self>(lane).is_some_and(|lane| lane.holder == id) {
            rows.remove::<Self>(lane);
        }
    }
}

record! {
    Lane: "fm_event_lane",
    key: (sender: Provider, object: String),
    columns: (holder, until),
    shard: object,
    indexes: [],
}

/// A lease on an event.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) lane: (Provider, String),
    pub(crate) token: i64,
    pub(crate) id: String,
}

impl Claim {
    /// The last one that there was on an event.
    pub(super) fn last(event: &StoredEvent) -> Self {
        Self { lane: event.lane(), token: event.token, id: event.id.clone() }
    }

    /// Which event it is on.
    pub(super) fn key(&self) -> (Provider, String) {
        (self.lane.0.clone(), self.id.clone())
    }
}

/// Takes an event for a while.
pub(crate) struct TakeEvent {
    key: (Provider, String),
    lane: (Provider, String),
    lease: Duration,
    retries: Retries,
}

/// What is said of an event whose worker died.
pub(super) fn abandoned() -> Failed {
    Failed::later("HANDLER_FAILED", "its worker never answered")
}

impl TakeEvent {
    pub(crate) fn new(event: &StoredEvent, lease: Duration, retries: Retries) -> Self {
        Self { key: event.event_id().key(), lane: event.lane(), lease, retries }
    }
}

impl Command for TakeEvent {
    /// `None`: it has ended, it is not its time, or somebody has it or another of its object.
    type Out = Result<Option<Claim>, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<StoredEvent>(&self.key);
        keys.own::<Failure>(&self.key);
        keys.own::<Lane>(&self.lane);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let (sender, id) = &self.key;
        let unknown = || Refusal::EventUnknown { event: EventId::of(sender, id) };
        let event = rows.get::<StoredEvent>(&self.key).cloned().ok_or_else(unknown)?;
        let is_free = |lane: &Lane| lane.until <= now || (lane.holder == *id && event.is_due(now));
        let is_free = rows.get::<Lane>(&self.lane).is_none_or(is_free);
        let next = next_status(event.status, Progress::Claim).filter(|_| event.is_due(now));
        let Some(status) = next.filter(|_| is_free) else { return Ok(None) };
        if event.status == EventStatus::Working {
            self.retries.note(rows, &event, &abandoned(), None, now);
        }
        let until = now.after(self.lease);
        let (attempts, token) = (event.attempts + 1, event.token + 1);
        let (sender, object) = self.lane.clone();
        rows.put(Lane { sender, object, holder: id.clone(), until });
        rows.put(StoredEvent { status, attempts, token, due_at: Some(until), ..event });
        Ok(Some(Claim { lane: self.lane.clone(), token, id: id.clone() }))
    }
}
