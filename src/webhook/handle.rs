//! Handling: a host's own handlers and workers, who have an event to themselves for a while.
//!
//! # Invariants
//!
//! - **H16** Of the events about one object, only the first that has not ended is given to a handler;
//!   events about other objects do not wait for it.
//! - **H17** A handler that panics has failed once, and nobody else with it.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    Error, FinalMile, Provider, Refusal, Timestamp,
    expiry::CHUNK,
    storage::{Pending, Scan, Store, StoreError},
    webhook::{
        Consumed, Effect, EventId, EventStatus, Outcome, Received, StoredEvent, Verdict,
        VerifiedEvent,
        attempt::Attempt,
        claim::{Claim, TakeEvent, abandoned},
        options::Route,
        plan::{Failed, Plan},
        retry::Retries,
        work::{READ, Worked, attempts, body},
    },
};

/// An event that a worker has for a while.
#[derive(Debug)]
pub struct Claimed {
    lease: Claim,
    until: Timestamp,
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

    /// When another worker may take it over, by the store's clock.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// The command that ends it.
    pub(super) fn end(self, fm: &FinalMile, verdict: Verdict) -> Attempt {
        let (options, world) = (&fm.inbox().options, &**fm.store().world());
        let plan = verdict.plan(&self.event, options, world);
        Attempt::under(self.lease, plan, Retries::new(options, world))
    }
}

/// The first event that has not ended, of each object that was looked at: whatever waits behind it is
/// passed over without another look.
pub(super) type Firsts = HashMap<(Provider, String), String>;

/// Takes a due event, if it is its turn (**H16**).
pub(super) fn take_turn(
    fm: &FinalMile,
    event: &StoredEvent,
    firsts: &mut Firsts,
    worked: &mut Worked,
) -> Result<Option<Claimed>, StoreError> {
    let lane = event.lane();
    let known = firsts.remove(&lane);
    let first = match known.clone() {
        None => first_of_object(fm.store(), event)?,
        known => known,
    };
    if first.as_ref() != Some(&event.id) {
        // Without one, it has ended meanwhile.
        firsts.extend(first.map(|first| (lane, first)));
        return Ok(None);
    }
    // Somebody was passed over for this one, and may go on when it has ended.
    worked.more |= known.is_some();
    take(fm, event, worked)
}

/// The name of the first event about the same object that has not ended.
fn first_of_object(store: &Store, event: &StoredEvent) -> Result<Option<String>, StoreError> {
    let scan = Scan::of::<StoredEvent>().by("fm_event_open").under(&event.lane()).limit(1);
    Ok(store.scan::<StoredEvent>(scan).wait()?.rows.pop().map(|first| first.id))
}

/// Takes a due event whose turn it is. One that killed its workers too often is buried instead.
fn take(
    fm: &FinalMile,
    event: &StoredEvent,
    worked: &mut Worked,
) -> Result<Option<Claimed>, StoreError> {
    let (store, inbox) = (fm.store(), fm.inbox());
    let retries = Retries::new(&inbox.options, &**store.world());
    let mut bury = |lease, failed| -> Result<_, StoreError> {
        // Refused: its worker answered after all, or another has it.
        if let Ok(dead) = store.submit(Attempt::under(lease, Plan::Fail(failed), retries)).wait()? {
            worked.count(inbox, &dead);
        }
        Ok(None)
    };
    let tries = i64::from(inbox.options.max_retries) + 1;
    if event.status == EventStatus::Working && event.attempts >= tries {
        let failed = Failed { is_hopeless: true, ..abandoned() };
        return bury(Claim::last(event), failed);
    }
    let take = TakeEvent::new(event, inbox.options.lease, retries);
    let Ok(Some(lease)) = store.submit(take).wait()? else { return Ok(None) };
    let until = store.now().after(inbox.options.lease);
    let stored = event.clone();
    match store.snapshot(READ, move |reader| body(reader, &stored)).wait()? {
        Ok(read) => Ok(Some(Claimed { lease, until, attempt: event.attempts + 1, event: read })),
        Err(failed) => bury(lease, failed),
    }
}

/// Lets the host's handler judge, and ends the attempt. `None`: it was logged why not.
pub(super) fn handle(fm: &FinalMile, claimed: Claimed) -> Option<Consumed> {
    let lease = claimed.lease.clone();
    let judge = || match fm.inbox().route_of(&claimed.event) {
        Some(Route::Handler(handler)) => handler(&claimed.event),
        Some(Route::Worker) | None => Verdict::Done(Effect::built_in()),
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
            match fm.store().submit(Attempt::under(lease, plan, retries)).wait() {
                Ok(Ok(consumed)) => return Some(consumed),
                Ok(Err(refusal)) => refusal.into(),
                Err(fault) => fault.into(),
            }
        }
    };
    fault.log("complete-event", None);
    None
}

/// The next event that is due and that the host's workers claim.
pub(super) fn claim(fm: &FinalMile) -> Result<Option<Claimed>, StoreError> {
    let (mut cursor, mut firsts, mut worked) = (None, Firsts::new(), Worked::default());
    loop {
        let now = fm.store().now();
        let scan = Scan::of::<StoredEvent>().by("fm_event_due").limit(CHUNK).after(cursor);
        let page = fm.store().scan::<StoredEvent>(scan).wait()?;
        let is_last = !page.rows.iter().any(|event| event.is_due(now));
        for event in page.rows.iter().filter(|event| event.is_due(now)) {
            if matches!(fm.inbox().route(event), Some(Route::Worker))
                && let Some(claimed) = take_turn(fm, event, &mut firsts, &mut worked)?
            {
                return Ok(Some(claimed));
            }
        }
        cursor = page.next;
        if is_last || cursor.is_none() {
            return Ok(None);
        }
    }
}

/// What follows when an event that the host has a handler for was stored: its handler, if it is its
/// turn.
pub(super) fn received(
    fm: &FinalMile,
    event: &EventId,
    received: Pending<Result<Received, Refusal>, StoreError>,
) -> Result<Consumed, Error> {
    let outcome = match received.wait()?? {
        Received::Stored => Outcome::Pending,
        Received::Duplicate => Outcome::Duplicate,
        Received::Conflict => Outcome::Conflict,
    };
    again(fm, event, outcome)
}

/// Attempts a stored event now. Otherwise it is answered what it was before.
pub(super) fn again(
    fm: &FinalMile,
    event: &EventId,
    otherwise: Outcome,
) -> Result<Consumed, Error> {
    let (store, inbox) = (fm.store(), fm.inbox());
    let unknown = || Refusal::EventUnknown { event: event.clone() };
    let row = store.get::<StoredEvent>(&event.key()).wait()?.ok_or_else(unknown)?;
    let mut consumed = Consumed::new(&row, otherwise);
    if otherwise != Outcome::Conflict && row.is_due(store.now()) {
        match inbox.route(&row) {
            Some(Route::Handler(_)) => {
                let claimed = take_turn(fm, &row, &mut Firsts::new(), &mut Worked::default())?;
                if let Some(done) = claimed.and_then(|claimed| handle(fm, claimed)) {
                    consumed = done;
                }
            }
            Some(Route::Worker) => {}
            None => {
                let mut answers = store.submit(attempts(fm, vec![row])?).wait()?;
                consumed = answers.pop().unwrap_or_else(|| Err(unknown()))?;
            }
        }
    }
    inbox.watch(&consumed);
    Ok(consumed)
}
