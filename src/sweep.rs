//! Maintenance: every expiry in one call.
//!
//! A page of keys is read beside the writer; then commands in chunks, which re-check each key and
//! travel through the same queue as everything else, one chunk a batch, so a live writer never
//! stalls. Expiry is also enforced when things are read: what is too old cannot be settled or
//! finalized, whether or not a sweep has run. A sweep that never runs costs space, and leaves the
//! credits of lapsed reservations set aside.
//!
//! # Invariants
//!
//! - **M1** A sweep may stop anywhere, run twice, or run on two instances at once.
//! - **M2** It ends within its budget, give or take one chunk.

use std::time::Duration;

use crate::{
    Error, FinalMile,
    ledger::{Reservation, ReservationState},
    limit::{
        Bucket, LimitOptions, LogRow,
        retention::{Kept, Names, Purge, is_over},
        rows::{Minute, TopKey},
    },
    storage::{Command, Cursor, KeySet, Page, Pending, Record, Rows, Scan, Store, StoreError},
    time::{Deadline, Timestamp},
    upload::{
        AbandonUpload, Lapse, MediaShare, PROCESSING_TTL, Process, ProcessingEvent, UPLOAD_TTL,
        Upload, UploadEvent, UploadStatus,
    },
};

/// How many items one chunk changes: a longer one would make live writers wait for it.
pub(crate) const CHUNK: usize = 500;

/// How long maintenance may take.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    time: Duration,
}

impl Budget {
    /// About so many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self { time: Duration::from_secs(seconds) }
    }
}

/// What maintenance did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SweepReport {
    /// Uploads that nobody finished within two hours, failed, their credits freed.
    pub uploads_failed: u64,
    /// Reservations of the host's that were too old, their credits freed.
    pub reservations_expired: u64,
    /// Media shares whose small pictures nobody made within two hours, failed.
    pub processing_failed: u64,
    /// Rows of buckets that nobody spent from for long: windows after 24 hours, others after 30 days,
    /// or what [`LimitOptions`] says.
    pub buckets_removed: u64,
    /// Rows of the limiter's log and counters, after 7 days.
    pub log_rows_removed: u64,
    /// Whether work is left: the budget ended before it, or a fault that was logged kept something
    /// from ending.
    pub more: bool,
}

/// Several expiries of one kind, decided as one piece of background work.
struct Chunk<C>(Vec<C>);

impl<C: Expiry> Command for Chunk<C> {
    /// How many really ended.
    type Out = u64;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.0.iter().for_each(|one| one.keys(seen, keys));
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> u64 {
        self.0.iter().map(|one| u64::from(one.expire(rows, now))).sum()
    }

    fn size_bytes(&self) -> usize {
        self.0.len() * 256
    }

    fn is_background(&self) -> bool {
        true
    }
}

/// One thing that may be due. It checks again, because its page of keys is old by now.
pub(crate) trait Expiry: Command {
    /// Ends it if it is due; whether it did.
    fn expire(&self, rows: &mut Rows, now: Timestamp) -> bool;
}

impl Expiry for AbandonUpload {
    fn expire(&self, rows: &mut Rows, now: Timestamp) -> bool {
        let id = (self.account.clone(), self.upload);
        let is_pending = |rows: &Rows| {
            rows.get::<Upload>(&id).is_some_and(|upload| upload.status == UploadStatus::Pending)
        };
        let was_pending = is_pending(rows);
        let done = rows.attempt(|rows| self.decide(rows, now));
        done.is_ok() && was_pending && !is_pending(rows)
    }
}

impl Expiry for Lapse {
    fn expire(&self, rows: &mut Rows, now: Timestamp) -> bool {
        let id = (self.account.clone(), self.id);
        let is_pending = |rows: &Rows| {
            rows.get::<Reservation>(&id).is_some_and(|held| held.state == ReservationState::Pending)
        };
        let was_pending = is_pending(rows);
        self.decide(rows, now).is_ok() && was_pending && !is_pending(rows)
    }
}

impl Expiry for Process {
    fn expire(&self, rows: &mut Rows, now: Timestamp) -> bool {
        self.decide(rows, now).is_ok()
    }
}

impl FinalMile {
    /// Does everything that is due: fails uploads that were begun more than two hours ago, frees
    /// reservations that are too old, fails small pictures that nobody made, and removes rows of the
    /// limiter that nobody needs any more. Call it hourly, or as often as you like. It works on a
    /// thread of its own.
    ///
    /// ```
    /// # use finalmile::{Budget, FinalMile, engines::Memory};
    /// # let fm = FinalMile::builder(Memory::new()).open()?;
    /// assert_eq!(fm.maintain(Budget::seconds(5)).wait()?.uploads_failed, 0);
    /// # Ok::<(), finalmile::Error>(())
    /// ```
    pub fn maintain(&self, budget: Budget) -> Pending<SweepReport> {
        let (store, limits) = (self.store().clone(), self.keeper().live().options);
        let fault = Self::fault("maintain", None);
        Pending::on_thread("finalmile-sweep", move || {
            sweep(&store, limits, Deadline::after(budget.time)).map_err(fault)
        })
    }
}

fn sweep(
    store: &Store,
    limits: LimitOptions,
    deadline: Deadline,
) -> Result<SweepReport, StoreError> {
    let now = store.now();
    let before = now.before(UPLOAD_TTL);
    let uploads = expire(
        store,
        deadline,
        Some("fm_upload_stuck"),
        |upload: &Upload| upload.created_at <= before,
        |upload| AbandonUpload {
            account: upload.account,
            upload: upload.id,
            reason: "not finished in time".to_owned(),
            event: UploadEvent::Expire,
        },
    );
    let reservations = expire(
        store,
        deadline,
        Some("fm_reservation_due"),
        |held: &Reservation| held.expires_at <= now,
        |held| Lapse { account: held.account, id: held.id },
    );
    let waited = now.before(PROCESSING_TTL);
    let processing = expire(
        store,
        deadline,
        Some("fm_media_share_waiting"),
        |share: &MediaShare| share.waiting_since.is_some_and(|since| since <= waited),
        |share| Process { share: share.id, event: ProcessingEvent::Expire },
    );
    let buckets = purge(store, limits, deadline, Some("fm_bucket_idle"), |b: &Bucket| {
        (b.key.clone(), b.endpoint.clone())
    });
    let windows = purge(store, limits, deadline, Some("fm_window_idle"), |b: &Bucket| {
        (b.key.clone(), b.endpoint.clone())
    });
    let log = purge(store, limits, deadline, Some("fm_limit_log_at"), |row: &LogRow| {
        (row.key.clone(), row.at, row.id)
    });
    let minutes = purge(store, limits, deadline, None, |row: &Minute| {
        (row.minute, row.endpoint.clone(), row.instance)
    });
    let top = purge(store, limits, deadline, None, |row: &TopKey| {
        (row.slot, row.key.clone(), row.instance)
    });
    // A fault of one keeps nobody from the next.
    let all = [uploads?, reservations?, processing?, buckets?, windows?, log?, minutes?, top?];
    let [uploads, reservations, processing, buckets, windows, log, minutes, top] =
        all.map(|(count, _)| count);
    Ok(SweepReport {
        uploads_failed: uploads,
        reservations_expired: reservations,
        processing_failed: processing,
        buckets_removed: buckets + windows,
        log_rows_removed: log + minutes + top,
        more: all.iter().any(|(_, more)| *more),
    })
}

/// Removes the rows of one kind whose time is over.
fn purge<R: Kept>(
    store: &Store,
    options: LimitOptions,
    deadline: Deadline,
    index: Option<&'static str>,
    key: impl Fn(&R) -> R::Key,
) -> Result<(u64, bool), StoreError>
where
    R::Key: Names<Row = R>,
{
    let now = store.now();
    let is_over = |row: &R| is_over(row, &options, now);
    expire(store, deadline, index, is_over, |row| Purge { key: key(&row), options })
}

/// Ends what is due in the order of `index`, which begins with the time: how many, and whether time
/// ran out.
fn expire<R: Record, C: Expiry + Clone>(
    store: &Store,
    deadline: Deadline,
    index: Option<&'static str>,
    is_due: impl Fn(&R) -> bool,
    expiry: impl Fn(R) -> C,
) -> Result<(u64, bool), StoreError> {
    let (mut ended, mut left) = (0, false);
    let mut cursor: Option<Cursor> = None;
    while !deadline.is_over() {
        let scan = Scan { index, ..Scan::of::<R>() };
        let scan = scan.limit(CHUNK).after(cursor);
        let Page { rows, next, .. } = store.scan::<R>(scan).wait()?;
        let chunk: Vec<C> = rows.into_iter().take_while(&is_due).map(&expiry).collect();
        let short = chunk.len() < CHUNK;
        let (count, all) = end_all(store, chunk)?;
        ended += count;
        left |= !all;
        cursor = next;
        if short || cursor.is_none() {
            return Ok((ended, left));
        }
    }
    Ok((ended, true))
}

/// Ends what is due of one chunk. A poisoned one must not keep the rest from ending, now and in
/// every later run: then each is tried alone, and what fails is logged and left. How many ended,
/// and whether none was left.
fn end_all<C: Expiry + Clone>(store: &Store, chunk: Vec<C>) -> Result<(u64, bool), StoreError> {
    if chunk.is_empty() {
        return Ok((0, true));
    }
    match store.submit(Chunk(chunk.clone())).wait() {
        Err(fault) if !fault.is_retryable() && fault != StoreError::Closed => {}
        done => return done.map(|count| (count, true)),
    }
    let (mut ended, mut all) = (0, true);
    for one in chunk {
        match store.submit(Chunk(vec![one])).wait() {
            Ok(count) => ended += count,
            Err(StoreError::Closed) => return Err(StoreError::Closed),
            Err(fault) => {
                Error::from(fault).log("maintain", None);
                all = false;
            }
        }
    }
    Ok((ended, all))
}
