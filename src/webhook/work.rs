//! Work: what is due is consumed, by maintenance or when the host likes.
//!
//! What is built in needs no claim: an attempt is one command, and hundreds of them one background
//! chunk. It comes first, because a handler of the host's may take its time.

use std::time::Duration;

use crate::{
    Error, FinalMile, Refusal, Timestamp,
    expiry::{CHUNK, Left},
    storage::{Command, Cursor, KeySet, Page, Reader, RowId, Rows, Scan, StoreError, decoded},
    webhook::{
        Alert, Consumed, EventId, EventStatus, Outcome, StoredBody, StoredEvent, VerifiedEvent,
        attempt::Attempt,
        handle::{Firsts, handle, take_turn},
        inbox::Inbox,
        options::Route,
        plan::{Failed, Plan},
        retry::Retries,
    },
};

/// How long one chunk's bodies may take to read.
pub(super) const READ: Duration = Duration::from_secs(60);

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
    /// Whether work is left: the time was over, something that comes before it ended only now, or a
    /// fault that was logged kept something from ending.
    pub more: bool,
}

impl Worked {
    pub(super) fn count(&mut self, inbox: &Inbox, consumed: &Consumed) {
        inbox.watch(consumed);
        match consumed.outcome {
            Outcome::Ok | Outcome::Ignored => self.ended += 1,
            Outcome::Retry => self.retried += 1,
            Outcome::Dead => self.died += 1,
            Outcome::Pending | Outcome::Duplicate | Outcome::Conflict => {}
        }
    }

    fn fail(&mut self, fault: StoreError) {
        Error::from(fault).log("webhook-work", None);
        self.more = true;
    }

    /// The sum of two passes.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            ended: self.ended + other.ended,
            retried: self.retried + other.retried,
            died: self.died + other.died,
            more: self.more || other.more,
        }
    }
}

/// Consumes what is due and built in.
pub(crate) fn built_in(fm: &FinalMile, left: &Left) -> Result<Worked, StoreError> {
    let (mut worked, mut longest) = (Worked::default(), None);
    let done = each_page(fm, left, |mut rows| {
        // Of all that wait, whoever deals with them: this pass sees them first.
        longest = longest.take().into_iter().chain(rows.iter().filter_map(waiting)).min();
        rows.retain(|row| fm.inbox().route(row).is_none());
        attempt_all(fm, rows, &mut worked)
    });
    worked.more |= !done?;
    tell_of(fm, longest);
    Ok(worked)
}

/// Lets the host's handlers judge what is due.
pub(crate) fn handled(fm: &FinalMile, left: &Left) -> Result<Worked, StoreError> {
    let (mut worked, mut firsts) = (Worked::default(), Firsts::new());
    let inbox = fm.inbox();
    let done = each_page(fm, left, |mut rows| {
        rows.retain(|row| matches!(inbox.route(row), Some(Route::Handler(_))));
        // A retry may be due before what came after it.
        rows.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        for row in rows {
            if left.is_over() {
                worked.more = true;
                return Ok(());
            }
            if let Some(claimed) = take_turn(fm, &row, &mut firsts, &mut worked)? {
                let consumed = handle(fm, claimed);
                consumed.iter().for_each(|consumed| worked.count(inbox, consumed));
                worked.more |= consumed.is_none();
            }
        }
        Ok(())
    });
    worked.more |= !done?;
    Ok(worked)
}

/// Goes through what is due, page by page; whether to the end.
fn each_page(
    fm: &FinalMile,
    left: &Left,
    mut work: impl FnMut(Vec<StoredEvent>) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let mut cursor: Option<Cursor> = None;
    while !left.is_over() {
        let now = fm.store().now();
        let scan = Scan::of::<StoredEvent>().by("fm_event_due").limit(CHUNK).after(cursor);
        let Page { mut rows, next, .. } = fm.store().scan::<StoredEvent>(scan).wait()?;
        rows.retain(|event| event.is_due(now));
        let is_last = rows.is_empty();
        left.spend(rows.len() as u64);
        work(rows)?;
        cursor = next;
        if is_last || cursor.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Since when an event could have been worked on, and its name.
fn waiting(event: &StoredEvent) -> Option<(Timestamp, EventId)> {
    event.due_at.map(|due| (due, event.event_id()))
}

/// Maintenance is late, or does not keep up.
fn tell_of(fm: &FinalMile, longest: Option<(Timestamp, EventId)>) {
    let long = fm.store().now().before(fm.inbox().options.patience);
    if let Some((since, event)) = longest.filter(|(since, _)| *since <= long) {
        fm.inbox().alarm.raise(Alert::Waiting { event, since });
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

/// Attempts each once, those that look others up as commands of their own. If all the rest together
/// are a fault for good, each is tried alone.
fn attempt_all(
    fm: &FinalMile,
    events: Vec<StoredEvent>,
    worked: &mut Worked,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let (store, inbox) = (fm.store(), fm.inbox());
    let attempts = attempts(fm, events.clone())?;
    let (alone, together): (Vec<_>, Vec<_>) =
        events.into_iter().zip(attempts).partition(|(_, attempt)| attempt.plan.looks_up());
    let (events, together): (Vec<_>, Vec<_>) = together.into_iter().unzip();
    let together = store.submit(Chunk(together));
    let alone: Vec<_> = alone.into_iter().map(|(_, attempt)| store.submit(attempt)).collect();
    let mut fault = None;
    // All of them are waited for: what one met must not hide what became of the others.
    for one in alone {
        match one.wait() {
            Ok(answer) => answer.iter().for_each(|one| worked.count(inbox, one)),
            Err(why) if why.is_final() => worked.fail(why),
            Err(why) => fault = Some(why),
        }
    }
    match together.wait() {
        Ok(answers) => answers.iter().flatten().for_each(|one| worked.count(inbox, one)),
        Err(why) if !why.is_final() => fault = Some(why),
        Err(why) if events.len() <= 1 => worked.fail(why),
        Err(_) => events.into_iter().try_for_each(|one| attempt_all(fm, vec![one], worked))?,
    }
    fault.map_or(Ok(()), Err)
}

/// Reads the events' bodies, one after the other, and keeps what they ask for.
pub(super) fn attempts(
    fm: &FinalMile,
    events: Vec<StoredEvent>,
) -> Result<Vec<Attempt>, StoreError> {
    let (inbox, world) = (fm.inbox().clone(), fm.store().world().clone());
    let read = fm.store().snapshot(READ, move |reader| {
        let attempt = |event: &StoredEvent| {
            let plan = match body(reader, event)? {
                Ok(event) => Plan::built_in(&event, &inbox.options, &*world),
                Err(failed) => Plan::Fail(failed),
            };
            let retries = Retries::new(&inbox.options, &*world);
            let is_taken = event.status == EventStatus::Working;
            let lane = is_taken.then(|| event.lane());
            Ok(Attempt { key: event.event_id().key(), lane, lease: None, plan, retries })
        };
        events.iter().map(attempt).collect()
    });
    read.wait()
}

/// A stored event as it came. One that cannot be read must not keep the others.
pub(super) fn body(
    reader: &mut dyn Reader,
    event: &StoredEvent,
) -> Result<Result<VerifiedEvent, Failed>, StoreError> {
    let id = RowId::of::<StoredBody>(&(event.sender.clone(), event.id.clone(), event.digest));
    let row = match reader.get(id.table, &id.key).and_then(|row| row.map(decoded).transpose()) {
        Err(fault) if !fault.is_final() => return Err(fault),
        Err(fault) => return Ok(Err(Failed::later("INTERNAL_ERROR", fault.to_string()))),
        Ok(None) => return Ok(Err(Failed::hopeless("PAYLOAD_INVALID", "its body is gone"))),
        Ok(Some(row)) => row,
    };
    let StoredBody { payload, .. } = row;
    let again = VerifiedEvent::again(event.event_id(), &event.kind, event.created, &payload);
    Ok(again.map_err(|why| Failed::hopeless("PAYLOAD_INVALID", why.to_string())))
}
