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
    Actor, Day, FinalMile,
    expiry::{Expiry, expire},
    ledger::{Reservation, ReservationState},
    limit::{
        Bucket, LimitOptions, LogRow,
        retention::{Kept, Names, Purge, is_over},
        rows::{Minute, TopKey},
    },
    storage::{Command as _, Pending, Rows, Store, StoreError},
    time::{Deadline, Timestamp},
    trash::{Item, PurgeItem},
    upload::{
        AbandonUpload, ForgetRefusals, Lapse, MediaShare, PROCESSING_TTL, Process, ProcessingEvent,
        REFUSALS_KEPT_DAYS, RefusalDay, UPLOAD_TTL, Upload, UploadEvent, UploadStatus,
    },
    webhook::{
        Failure, StoredEvent,
        retention::{Forget, Forgive},
        work,
    },
};

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

    /// When it is over, from now on.
    pub(crate) fn deadline(self) -> Deadline {
        Deadline::after(self.time)
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
    /// Events that were due and came to a good end.
    pub events_processed: u64,
    /// Events that were due and failed, for now or for good.
    pub events_failed: u64,
    /// Events, with their payloads, that ended longer ago than
    /// [`WebhookOptions::events_kept`](crate::webhook::WebhookOptions::events_kept).
    pub events_removed: u64,
    /// What was known of failures, of events that came to a good end longer ago than
    /// [`WebhookOptions::failures_kept`](crate::webhook::WebhookOptions::failures_kept).
    pub failures_removed: u64,
    /// Deleted items whose date had come, gone for good.
    pub items_purged: u64,
    /// Users and days whose refusals for want of credits were counted
    /// [more than 90 days ago](crate::upload::REFUSALS_KEPT_DAYS).
    pub refusals_removed: u64,
    /// Whether work is left: the budget ended before it, or a fault that was logged kept something
    /// from ending.
    pub more: bool,
}

impl SweepReport {
    /// How many rows of which table ended or went, those of none left out: what the documents' cleanup
    /// answers, with the date of the call.
    pub fn tables(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [
            ("uploads", self.uploads_failed),
            ("reservations", self.reservations_expired),
            ("media_shares", self.processing_failed),
            ("rate_limits", self.buckets_removed),
            ("rate_limit_log", self.log_rows_removed),
            ("stripe_events", self.events_removed),
            ("webhook_failures", self.failures_removed),
            ("items", self.items_purged),
            ("storage_limit_reached", self.refusals_removed),
        ];
        all.into_iter().filter(|(_, count)| *count > 0)
    }
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
    /// reservations that are too old, fails small pictures that nobody made, consumes events that wait
    /// for their next attempt, and removes what nobody needs any more. Call it every minute or hour, or as often as you like. It works on a
    /// thread of its own.
    ///
    /// ```
    /// # use finalmile::{Budget, FinalMile, engines::Memory};
    /// # let fm = FinalMile::builder(Memory::new()).open()?;
    /// assert_eq!(fm.maintain(Budget::seconds(5)).wait()?.uploads_failed, 0);
    /// # Ok::<(), finalmile::Error>(())
    /// ```
    pub fn maintain(&self, budget: Budget) -> Pending<SweepReport> {
        let (fm, fault) = (self.clone(), Self::fault("maintain", None));
        Pending::on_thread("finalmile-sweep", move || sweep(&fm, budget.deadline()).map_err(fault))
    }
}

fn sweep(fm: &FinalMile, deadline: Deadline) -> Result<SweepReport, StoreError> {
    let (store, limits, webhooks) = (fm.store(), fm.keeper().live().options, &fm.inbox().options);
    let now = store.now();
    let events = work::built_in(fm, deadline);
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
    let (events_kept, failures_kept) = (webhooks.events_kept, webhooks.failures_kept);
    let forgotten = expire(
        store,
        deadline,
        Some("fm_event_ended"),
        |event: &StoredEvent| event.processed_at.is_some_and(|at| at <= now.before(events_kept)),
        |event| Forget { key: (event.sender, event.id), kept: events_kept },
    );
    let forgiven = expire(
        store,
        deadline,
        Some("fm_event_failure_over"),
        |failure: &Failure| failure.over_at.is_some_and(|at| at <= now.before(failures_kept)),
        |failure| Forgive { key: (failure.sender, failure.id), kept: failures_kept },
    );
    let purged = expire(
        store,
        deadline,
        Some("fm_item_purge"),
        |item: &Item| item.purge_at.is_some_and(|at| at <= now),
        |item| PurgeItem {
            id: item.id,
            actor: Actor::ours("maintenance"),
            reason: "its date has come".to_owned(),
            kinds: fm.kinds().clone(),
        },
    );
    let refusals = expire(
        store,
        deadline,
        None,
        |row: &RefusalDay| row.day <= Day::of(now).before(REFUSALS_KEPT_DAYS),
        |row| ForgetRefusals { key: (row.day, row.account), kept_days: REFUSALS_KEPT_DAYS },
    );
    // Last, because a host's handlers may take their time.
    let handled = work::handled(fm, deadline);
    // A fault of one keeps nobody from the next.
    let events = events?.and(handled?);
    let all = [
        uploads?,
        reservations?,
        processing?,
        buckets?,
        windows?,
        log?,
        minutes?,
        top?,
        forgotten?,
        forgiven?,
        purged?,
        refusals?,
    ];
    let [
        uploads,
        reservations,
        processing,
        buckets,
        windows,
        log,
        minutes,
        top,
        forgotten,
        forgiven,
        purged,
        refusals,
    ] = all.map(|(count, _)| count);
    Ok(SweepReport {
        uploads_failed: uploads,
        reservations_expired: reservations,
        processing_failed: processing,
        buckets_removed: buckets + windows,
        log_rows_removed: log + minutes + top,
        events_processed: events.ended,
        events_failed: events.retried + events.died,
        events_removed: forgotten,
        failures_removed: forgiven,
        items_purged: purged,
        refusals_removed: refusals,
        more: events.more || all.iter().any(|(_, more)| *more),
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
