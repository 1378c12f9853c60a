//! Dead letters: what an admin does about events that cannot be processed.
//!
//! # Invariants
//!
//! - **H18** Only a dead event is purged; whatever an admin does to an event leaves a row of audit under
//!   `event:` and its name.

use crate::{
    Actor, Provider, Refusal, Timestamp, audit,
    storage::{Command, KeySet, Rows},
    webhook::{
        EventId, EventStatus, Failure, Progress, StoredBody, StoredEvent, next_status,
        record::BODIES_MAX,
    },
};

/// What an admin does to one event.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    pub(crate) event: EventId,
    pub(crate) actor: Actor,
    pub(crate) reason: String,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// It is to be tried again.
    Replay,
    /// It is removed, with its bodies. The reason stays in the audit.
    Purge,
    /// The reason is what is to be known about it.
    Note,
}

/// The events of which an admin speaks. Each that is given has to fit.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Who sent them.
    pub sender: Option<Provider>,
    /// What happened.
    pub kind: Option<String>,
    /// The public code of their last failure.
    pub code: Option<String>,
    /// From when on they came.
    pub received_from: Option<Timestamp>,
    /// Before when they came.
    pub received_before: Option<Timestamp>,
}

impl EventFilter {
    /// Whether an event is one of them.
    pub(super) fn admits(&self, event: &StoredEvent) -> bool {
        self.sender.as_ref().is_none_or(|sender| *sender == event.sender)
            && self.kind.as_ref().is_none_or(|kind| *kind == event.kind)
            && self.code.as_ref().is_none_or(|code| Some(code) == event.code.as_ref())
            && self.received_from.is_none_or(|from| from <= event.received_at)
            && self.received_before.is_none_or(|before| event.received_at < before)
    }
}

impl Deed {
    fn key(&self) -> (Provider, String) {
        self.event.key()
    }

    fn subject(&self) -> String {
        format!("event:{}", self.event)
    }
}

impl Command for Deed {
    /// Whether anything was to do.
    type Out = Result<bool, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Failure>(&self.key());
        audit::keys(&self.subject(), keys);
        if self.what == What::Purge {
            keys.children::<StoredBody, StoredEvent>(&self.key(), BODIES_MAX);
        } else {
            keys.own::<StoredEvent>(&self.key());
        }
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let unknown = || Refusal::EventUnknown { event: self.event.clone() };
        let event = rows.get::<StoredEvent>(&self.key()).cloned().ok_or_else(unknown)?;
        let failure = rows.get::<Failure>(&self.key()).cloned();
        let action = match self.what {
            What::Replay => {
                let next = next_status(event.status, Progress::Replay);
                // It waits already, or was done.
                let Some(status) = next else { return Ok(false) };
                let due_at = Some(now);
                if let Some(failure) = failure {
                    rows.put(Failure { next_retry: due_at, over_at: None, ..failure });
                }
                rows.put(StoredEvent { status, due_at, processed_at: None, attempts: 0, ..event });
                "replay-event"
            }
            What::Purge => {
                if event.status != EventStatus::Dead {
                    let (event, status) = (self.event.clone(), event.status.as_str());
                    return Err(Refusal::EventNotDead { event, status });
                }
                remove(rows, &self.key());
                "purge-event"
            }
            What::Note => {
                let Some(failure) = failure else { return Ok(false) };
                rows.put(Failure { note: Some(self.reason.clone()), ..failure });
                "note-event"
            }
        };
        audit::note(rows, &self.subject(), &self.actor, action, &self.reason, now);
        Ok(true)
    }

    fn size_bytes(&self) -> usize {
        // Bodies are read before they are removed.
        if self.what == What::Purge { 64 << 10 } else { 256 }
    }
}

/// Removes an event, its bodies and its failures.
pub(super) fn remove(rows: &mut Rows, key: &(Provider, String)) {
    let (bodies, _) = rows.children::<StoredBody>(key, BODIES_MAX);
    let digests: Vec<_> = bodies.iter().map(|body| body.digest).collect();
    for digest in digests {
        rows.remove::<StoredBody>(&(key.0.clone(), key.1.clone(), digest));
    }
    rows.remove::<Failure>(key);
    rows.remove::<StoredEvent>(key);
}
