//! Work: what is due is consumed, by maintenance or by workers of the host's own.
//!
//! What is built in needs no claim: an attempt is one command, and hundreds of them one background
//! chunk. What a host handles is claimed first, because its handler may take long and call others.
//!
//! # Invariants
//!
//! - **H16** Of the events about one object, only the first that has not ended is given to a handler;
//!   events about other objects do not wait for it.
//! - **H17** A handler that panics has failed once, and nobody else with it.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use crate::{
    Error, FinalMile, Provider, Refusal, Timestamp,
    expiry::CHUNK,
    storage::{
        Command, Cursor, KeySet, Page, Reader, RowId, Rows, Scan, Store, StoreError, decoded,
    },
    time::Deadline,
    webhook::{
        Alert, Consumed, EventId, EventStatus, Outcome, Received, StoredBody, StoredEvent, Verdict,
        VerifiedEvent,
        attempt::Attempt,
        claim::{Claim, TakeEvent, abandoned},
        inbox::Inbox,
        plan::{Failed, Plan},
        record::Receive,
        retry::Retries,
    },
};

/// How long one chunk's bodies may take to read.
const READ: Duration = Duration::from_secs(60);

/// What was done about events that were due.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Worked {
    /// Those that came to a good end.
    pub ended: u64,
    /// Those that failed, and are tried again.
    pub retried: u64,
    /// Those that died.
    pub died: u64,
    /// Whether work is left: the time was over, or a fault that was logged kept something from ending.
    pub more: bool,
}

impl Worked {
    fn count(&mut self, inbox: &Inbox, consumed: &Consumed) {
        inbox.watch(consumed);
        match consumed.outcome {
            Outcome::Ok | Outcome::Ignored => self.ended += 1,
            Outcome::Retry => self.retried += 1,
            Outcome::Dead => self.died += 1,
            Outcome::Pending | Outcome::Duplicate | Outcome::Conflict => {}
        }
    }
}

/// An event that a worker has for a while.
#[derive(Debug)]
pub struct Claimed {
    lease: Claim,
    attempt: i64,
    event: VerifiedEvent,
}

impl Claimed {
    /// The event.
    #[must_use]
    pub const fn event(&self) -> &VerifiedEvent {
        &self.event
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub const fn attempt(&self) -> i64 {
        self.attempt
    }

    /// The command that ends it.
    pub(super) fn end(self, fm: &FinalMile, verdict: Verdict) -> Attempt {
        let (options, world) = (&fm.inbox().options, &**fm.store().world());
        let plan = verdict.plan(&self.event, options, world);
        let (key, retries) = (self.event.event_id().key(), Retries::new(options, world));
        Attempt { key, lease: Some(self.lease), plan, retries }
    }
}

/// Consumes what is due.
pub(crate) fn all(fm: &FinalMile, deadline: Deadline) -> Result<Worked, StoreError> {
    let (store, inbox) = (fm.store(), fm.inbox());
    let (mut worked, mut firsts) = (Worked::default(), Firsts::new());
    let mut cursor: Option<Cursor> = None;
    while !deadline.is_over() {
        let now = store.now();
        let scan = Scan::of::<StoredEvent>().by("fm_event_due").limit(CHUNK).after(cursor);
        let Page { mut rows, next, .. } = store.scan::<StoredEvent>(scan).wait()?;
        rows.retain(|event| event.is_due(now));
        tell_of_the_oldest(inbox, &rows, now);
        let is_last = rows.len() < CHUNK || next.is_none();
        let is_hosts = |event: &StoredEvent| inbox.handles(event);
        let (mut hosts, built_in): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_hosts);
        // A retry may be due before what came after it.
        hosts.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        attempt_all(fm, built_in, &mut worked)?;
        for event in hosts {
            if deadline.is_over() {
                return Ok(Worked { more: true, ..worked });
            }
            if let Some(claimed) = take_turn(fm, &event, &mut firsts, &mut worked)? {
                let consumed = handle(fm, claimed);
                consumed.iter().for_each(|consumed| worked.count(inbox, consumed));
                worked.more |= consumed.is_none();
            }
        }
        cursor = next;
        if is_last {
            return Ok(worked);
        }
    }
    Ok(Worked { more: true, ..worked })
}

/// Maintenance is late, or does not keep up.
fn tell_of_the_oldest(inbox: &Inbox, due: &[StoredEvent], now: Timestamp) {
    let long = now.before(inbox.options.patience);
    let waiting = due.iter().filter(|event| event.received_at <= long);
    if let Some(oldest) = waiting.min_by_key(|event| event.received_at) {
        let (event, since) = (oldest.event_id(), oldest.received_at);
        inbox.alarm.raise(Alert::Waiting { event, since });
    }
}

/// Attempts at what is built in, as one piece of background work.
struct Chunk(Vec<Attempt>);

impl Command for Chunk {
    type Out = Vec<Result<Consumed, Refusal>>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.0.keys(seen, keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        self.0.decide(rows, now)
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }

    fn is_background(&self) -> bool {
        true
    }
}

/// Attempts each once, those that look others up as commands of their own. If all together are a fault
/// for good, each is tried alone.
fn attempt_all(
    fm: &FinalMile,
    events: Vec<StoredEvent>,
    worked: &mut Worked,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let attempts = attempts(fm, events.clone())?;
    let (alone, together): (Vec<_>, Vec<_>) =
        attempts.into_iter().partition(|one: &Attempt| one.plan.looks_up());
    let together = fm.store().submit(Chunk(together));
    let alone: Vec<_> = alone.into_iter().map(|one| fm.store().submit(one)).collect();
    let answers = together.wait().and_then(|mut answers| {
        for one in alone {
            answers.push(one.wait()?);
        }
        Ok(answers)
    });
    match answers {
        Ok(answers) => {
            answers.iter().flatten().for_each(|one| worked.count(fm.inbox(), one));
            Ok(())
        }
        Err(fault) if fault.is_retryable() || fault == StoreError::Closed => Err(fault),
        Err(fault) if events.len() == 1 => {
            Error::from(fault).log("webhook-work", None);
            worked.more = true;
            Ok(())
        }
        Err(_) => events.into_iter().try_for_each(|one| attempt_all(fm, vec![one], worked)),
    }
}

/// Reads the events' bodies, one after the other, and keeps what they ask for.
fn attempts(fm: &FinalMile, events: Vec<StoredEvent>) -> Result<Vec<Attempt>, StoreError> {
    let (inbox, world) = (fm.inbox().clone(), fm.store().world().clone());
    let read = fm.store().snapshot(READ, move |reader| {
        let attempt = |event: &StoredEvent| {
            let plan = match body(reader, event)? {
                Ok(event) => Plan::built_in(&event, &inbox.options, &*world),
                Err(failed) => Plan::Fail(failed),
            };
            let retries = Retries::new(&inbox.options, &*world);
            Ok(Attempt { key: event.event_id().key(), lease: None, plan, retries })
        };
        events.iter().map(attempt).collect()
    });
    read.wait()
}

/// A stored event as it came.
fn body(
    reader: &mut dyn Reader,
    event: &StoredEvent,
) -> Result<Result<VerifiedEvent, Failed>, StoreError> {
    let id = RowId::of::<StoredBody>(&(event.sender.clone(), event.id.clone(), event.digest));
    let gone = || Failed::hopeless("PAYLOAD_INVALID", "its body is gone");
    let Some(row) = reader.get(id.table, &id.key)? else { return Ok(Err(gone())) };
    let StoredBody { payload, .. } = decoded(row)?;
    let again = VerifiedEvent::again(event.event_id(), &event.kind, event.created, &payload);
    Ok(again.map_err(|why| Failed::hopeless("PAYLOAD_INVALID", why.to_string())))
}

/// The first event about the same object that has not ended.
fn first_of_object(store: &Store, event: &StoredEvent) -> Result<Option<StoredEvent>, StoreError> {
    let lane = (event.sender.clone(), event.object.clone());
    let scan = Scan::of::<StoredEvent>().by("fm_event_open").under(&lane).limit(1);
    Ok(store.scan::<StoredEvent>(scan).wait()?.rows.pop())
}

/// The first event that has not ended, of each object that was looked at: whatever waits behind it is
/// passed over without another look.
type Firsts = HashMap<(Provider, String), String>;

/// Takes a due event, if it is its turn (**H16**).
fn take_turn(
    fm: &FinalMile,
    event: &StoredEvent,
    firsts: &mut Firsts,
    worked: &mut Worked,
) -> Result<Option<Claimed>, StoreError> {
    let lane = (event.sender.clone(), event.object.clone());
    let first = match firsts.remove(&lane) {
        None => first_of_object(fm.store(), event)?.map(|first| first.id),
        known => known,
    };
    match first {
        Some(first) if first == event.id => take(fm, event, worked),
        Some(first) => {
            firsts.insert(lane, first);
            Ok(None)
        }
        // It has ended meanwhile.
        None => Ok(None),
    }
}

/// Takes a due event whose turn it is.
fn take(
    fm: &FinalMile,
    event: &StoredEvent,
    worked: &mut Worked,
) -> Result<Option<Claimed>, StoreError> {
    let (store, inbox) = (fm.store(), fm.inbox());
    let world = &**store.world();
    let retries = Retries::new(&inbox.options, world);
    let tries = i64::from(inbox.options.max_retries) + 1;
    if event.status == EventStatus::Working && event.attempts >= tries {
        let plan = Plan::Fail(Failed { is_hopeless: true, ..abandoned() });
        let buried = Attempt { key: event.event_id().key(), lease: None, plan, retries };
        if let Ok(buried) = store.submit(buried).wait()? {
            worked.count(inbox, &buried);
        }
        return Ok(None);
    }
    let take = TakeEvent::new(event, inbox.options.lease, retries);
    let Ok(Some(lease)) = store.submit(take).wait()? else { return Ok(None) };
    let stored = event.clone();
    let read = store.snapshot(READ, move |reader| body(reader, &stored)).wait()?;
    let attempt = event.attempts + 1;
    match read {
        Ok(event) => Ok(Some(Claimed { lease, attempt, event })),
        Err(failed) => {
            let (key, plan) = (event.event_id().key(), Plan::Fail(failed));
            if let Ok(dead) =
                store.submit(Attempt { key, lease: Some(lease), plan, retries }).wait()?
            {
                worked.count(inbox, &dead);
            }
            Ok(None)
        }
    }
}

/// Lets the host's handler judge, and ends the attempt. `None`: it was logged why not.
fn handle(fm: &FinalMile, claimed: Claimed) -> Option<Consumed> {
    let (key, lease) = (claimed.event.event_id().key(), claimed.lease.clone());
    let (sender, kind) = (claimed.event.sender().as_str(), claimed.event.kind());
    let judge = || match fm.inbox().options.handler(sender, kind) {
        Some(handler) => handler(&claimed.event),
        None => Verdict::Done(super::Effect::built_in()),
    };
    let verdict = catch_unwind(AssertUnwindSafe(judge));
    let verdict = verdict.unwrap_or_else(|_| Verdict::Retry("the handler panicked".to_owned()));
    let fault: Error = match fm.store().submit(claimed.end(fm, verdict)).wait() {
        Ok(Ok(consumed)) => return Some(consumed),
        Ok(Err(refusal)) => refusal.into(),
        Err(fault) if fault.is_retryable() => fault.into(),
        Err(fault) => {
            // Its effect cannot even be asked for its rows.
            let plan = Plan::Fail(Failed::later("HANDLER_FAILED", fault.to_string()));
            let retries = Retries::new(&fm.inbox().options, &**fm.store().world());
            let failed = Attempt { key, lease: Some(lease), plan, retries };
            match fm.store().submit(failed).wait() {
                Ok(Ok(consumed)) => return Some(consumed),
                Ok(Err(refusal)) => refusal.into(),
                Err(fault) => fault.into(),
            }
        }
    };
    fault.log("complete-event", None);
    None
}

/// The next event that is due, claimed.
pub(super) fn claim(fm: &FinalMile) -> Result<Option<Claimed>, StoreError> {
    let (mut cursor, mut firsts) = (None, Firsts::new());
    loop {
        let now = fm.store().now();
        let scan = Scan::of::<StoredEvent>().by("fm_event_due").after(cursor);
        let page = fm.store().scan::<StoredEvent>(scan).wait()?;
        for event in page.rows {
            if !event.is_due(now) {
                return Ok(None);
            }
            if let Some(claimed) = take_turn(fm, &event, &mut firsts, &mut Worked::default())? {
                return Ok(Some(claimed));
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(None);
        }
    }
}

/// Stores an event, and claims it if it is its turn.
struct Admit {
    receive: Receive,
    take: Option<TakeEvent>,
}

impl Command for Admit {
    type Out = Result<(Received, Option<Claim>), Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.receive.keys(seen, keys);
        self.take.iter().for_each(|take| take.keys(seen, keys));
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let received = self.receive.decide(rows, now)?;
        let take = self.take.as_ref().filter(|_| received != Received::Conflict);
        Ok((received, take.map_or(Ok(None), |take| take.decide(rows, now))?))
    }

    fn size_bytes(&self) -> usize {
        self.receive.size_bytes()
    }
}

/// Stores an event that the host has a handler for, and lets it be handled at once if it is its turn.
pub(super) fn one(fm: &FinalMile, event: &VerifiedEvent) -> Result<Consumed, Error> {
    let (store, inbox) = (fm.store(), fm.inbox());
    let receive = Receive::new(event);
    let row = receive.event().clone();
    let place = |event: &StoredEvent| (event.created, event.id.clone());
    let first = first_of_object(store, &row)?;
    let is_its_turn = first.is_none_or(|first| place(&row) <= place(&first));
    let retries = Retries::new(&inbox.options, &**store.world());
    let take = is_its_turn.then(|| TakeEvent::new(&row, inbox.options.lease, retries));
    let outcome = match store.submit(Admit { receive, take }).wait()?? {
        (_, Some(lease)) => {
            let claimed = Claimed { lease, attempt: 1, event: event.clone() };
            let consumed = handle(fm, claimed);
            let consumed = consumed.unwrap_or_else(|| Consumed::new(&row, Outcome::Pending));
            inbox.watch(&consumed);
            return Ok(consumed);
        }
        (Received::Stored, None) => Outcome::Pending,
        (Received::Duplicate, None) => Outcome::Duplicate,
        (Received::Conflict, None) => Outcome::Conflict,
    };
    let consumed = Consumed::new(&row, outcome);
    inbox.watch(&consumed);
    Ok(consumed)
}

/// Attempts a stored event now, whoever asked for it.
pub(super) fn again(fm: &FinalMile, event: &EventId) -> Result<Consumed, Error> {
    let unknown = || Refusal::EventUnknown { event: event.clone() };
    let row = fm.store().get::<StoredEvent>(&event.key()).wait()?.ok_or_else(unknown)?;
    if fm.inbox().handles(&row) {
        let mut worked = Worked::default();
        let claimed = take_turn(fm, &row, &mut Firsts::new(), &mut worked)?;
        let consumed = claimed.and_then(|claimed| handle(fm, claimed));
        let consumed = consumed.unwrap_or_else(|| Consumed::new(&row, Outcome::Pending));
        fm.inbox().watch(&consumed);
        return Ok(consumed);
    }
    let attempts = attempts(fm, vec![row])?;
    let mut answers = fm.store().submit(attempts).wait()?;
    let consumed = answers.pop().unwrap_or_else(|| Err(unknown()))?;
    fm.inbox().watch(&consumed);
    Ok(consumed)
}
