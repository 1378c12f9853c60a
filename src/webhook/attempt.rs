//! Attempts: an event's plan is carried out, and what came of it is written down.
//!
//! # Invariants
//!
//! - **H13** Whoever lost its lease changes nothing: an attempt counts only under the token of the last
//!   claim, or without one while nobody has the event.

use crate::{
    Credits, Provider, Refusal, Timestamp,
    storage::{Command, KeySet, Rows},
    webhook::{
        EventId, EventStatus, Failure, Progress, Received, StoredEvent,
        claim::{Claim, Lane},
        next_status,
        plan::{Done, Failed, Plan},
        record::Receive,
        retry::{Retries, short},
    },
};

/// What became of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an event comes to one of these")]
pub enum Outcome {
    /// Its effect is in the books.
    Ok,
    /// There was nothing to do.
    Ignored,
    /// It is stored; another event about its object comes first, or its worker did not end.
    Pending,
    /// It had come before. Nothing changed.
    Duplicate,
    /// Another body had come under its name. Nothing changed; this one is kept for a look.
    Conflict,
    /// It did not work, and is tried again.
    Retry,
    /// It cannot work, or failed too often: an admin has to look.
    Dead,
}

impl Outcome {
    /// The name in logs and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Ignored => "ignored",
            Self::Pending => "pending",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Retry => "retry",
            Self::Dead => "dead",
        }
    }
}

/// What consuming an event came to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Consumed {
    /// Which event.
    pub event: EventId,
    /// What happened: `checkout.session.completed`.
    pub kind: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The public name of why it was ignored, or failed.
    pub code: Option<&'static str>,
    /// What failed, for the operator. Not for whoever sent it.
    pub reason: Option<String>,
    /// How many credits came; negative: were taken back.
    pub credited: Credits,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
}

impl Consumed {
    pub(super) fn new(event: &StoredEvent, outcome: Outcome) -> Self {
        Self {
            event: event.event_id(),
            kind: event.kind.clone(),
            outcome,
            code: (outcome == Outcome::Conflict).then_some("EVENT_CONFLICT"),
            reason: None,
            credited: Credits::ZERO,
            retry_at: None,
        }
    }
}

/// One attempt at a stored event.
pub(crate) struct Attempt {
    pub(crate) key: (Provider, String),
    /// The event's lane, if its worker may have left it taken.
    pub(crate) lane: Option<(Provider, String)>,
    /// The lease that it was made under.
    pub(crate) lease: Option<Claim>,
    pub(crate) plan: Plan,
    pub(crate) retries: Retries,
}

impl Attempt {
    /// One under a lease.
    pub(super) fn under(lease: Claim, plan: Plan, retries: Retries) -> Self {
        let (key, lane) = (lease.key(), Some(lease.lane.clone()));
        Self { key, lane, lease: Some(lease), plan, retries }
    }

    /// The event, if this attempt may end it; else what to answer instead.
    fn event(&self, rows: &Rows, now: Timestamp) -> Result<Result<StoredEvent, Consumed>, Refusal> {
        let name = || EventId::of(&self.key.0, &self.key.1);
        let found = rows.get::<StoredEvent>(&self.key).cloned();
        let event = found.ok_or_else(|| Refusal::EventUnknown { event: name() })?;
        match &self.lease {
            // It was done before, or somebody is at it, or it is not its time.
            None if !event.is_due(now) => Ok(Err(Consumed::new(&event, Outcome::Duplicate))),
            Some(lease) if event.status != EventStatus::Working || event.token != lease.token => {
                Err(Refusal::LeaseLost { event: name() })
            }
            _ => Ok(Ok(event)),
        }
    }

    /// Writes down what came of the event.
    fn end(
        &self,
        rows: &mut Rows,
        event: StoredEvent,
        done: Result<Done, Failed>,
        now: Timestamp,
    ) -> Consumed {
        // A claim has counted its attempt already.
        let attempts = event.attempts + i64::from(self.lease.is_none());
        let retry_at = match &done {
            Err(failed) if !failed.is_hopeless => self.retries.next(attempts, now),
            _ => None,
        };
        let (progress, outcome) = match &done {
            Ok(Done::Applied(_)) => (Progress::Finish, Outcome::Ok),
            Ok(Done::Ignored(_)) => (Progress::Ignore, Outcome::Ignored),
            Err(_) if retry_at.is_some() => (Progress::Fail, Outcome::Retry),
            Err(_) => (Progress::Bury, Outcome::Dead),
        };
        let status = next_status(event.status, progress).unwrap_or(event.status);
        let mut consumed = Consumed { retry_at, ..Consumed::new(&event, outcome) };
        let mut event = StoredEvent { status, attempts, due_at: retry_at, ..event };
        match done {
            Ok(done) => {
                event.processed_at = Some(now);
                match done {
                    Done::Applied(credits) => consumed.credited = credits,
                    Done::Ignored(code) => consumed.code = Some(code),
                }
                event.credited = consumed.credited;
                (event.code, event.error) = (consumed.code.map(str::to_owned), None);
                if let Some(failure) = rows.get::<Failure>(&self.key).cloned() {
                    rows.put(Failure { next_retry: None, over_at: Some(now), ..failure });
                }
            }
            Err(failed) => {
                self.retries.note(rows, &event, &failed, retry_at, now);
                consumed.code = Some(failed.code);
                consumed.reason = Some(short(&failed.text));
                (event.code, event.error) = (Some(failed.code.to_owned()), consumed.reason.clone());
            }
        }
        rows.put(event);
        consumed
    }
}

impl Command for Attempt {
    type Out = Result<Consumed, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        keys.own::<StoredEvent>(&self.key);
        keys.own::<Failure>(&self.key);
        if let Some(lane) = &self.lane {
            keys.own::<Lane>(lane);
        }
        self.plan.keys(seen, keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let event = match self.event(rows, now)? {
            Ok(event) => event,
            Err(answer) => return Ok(answer),
        };
        let done = self.plan.carry_out(rows, now);
        if let Some(lane) = &self.lane {
            Lane::leave(rows, lane, &event.id);
        }
        Ok(self.end(rows, event, done, now))
    }

    fn size_bytes(&self) -> usize {
        1_024
    }
}

/// Stores an event and carries its plan out, in one transaction: the command behind
/// [`Webhooks::consume`](super::Webhooks::consume), for a host's own transaction.
pub struct ConsumeEvent {
    pub(crate) receive: Receive,
    pub(crate) attempt: Attempt,
}

impl Command for ConsumeEvent {
    type Out = Result<Consumed, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.receive.keys(seen, keys);
        self.attempt.keys(seen, keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        match self.receive.decide(rows, now)? {
            Received::Conflict => Ok(Consumed::new(self.receive.event(), Outcome::Conflict)),
            // One that was stored and not done yet is done now.
            Received::Stored | Received::Duplicate => self.attempt.decide(rows, now),
        }
    }

    fn size_bytes(&self) -> usize {
        self.receive.size_bytes() + self.attempt.size_bytes()
    }
}

impl std::fmt::Debug for ConsumeEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ConsumeEvent").field(&self.receive.event().event_id()).finish()
    }
}
