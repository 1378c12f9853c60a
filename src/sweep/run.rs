//! A run: what is due, kind by kind, until the budget is used up.

use super::{Budget, ReservedHigh, SweepReport, clock::Doubt};
use crate::{
    Actor, Day, Error, FinalMile,
    expiry::{Expiry, FEW, Left, expire},
    ledger::{Reservation, ReservationState, high_reserved},
    limit::{
        Bucket, LogRow,
        retention::{Kept, Names, Purge, is_over},
        rows::{Minute, TopKey},
    },
    storage::{Command as _, Rows, StoreError},
    time::Timestamp,
    trash::{Item, PurgeItem},
    upload::{
        AbandonUpload, ForgetRefusals, Lapse, MediaShare, Process, ProcessingEvent,
        REFUSALS_KEPT_DAYS, RefusalDay, UPLOAD_TTL, Upload, UploadEvent, UploadStatus,
    },
    webhook::{
        Failure, StoredEvent, Worked,
        retention::{Forget, Forgive},
        work,
    },
};

impl Expiry for AbandonUpload {
    const CHUNK: usize = FEW;
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
    const CHUNK: usize = FEW;
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

/// One call of maintenance.
struct Run<'a> {
    fm: &'a FinalMile,
    left: Left,
    report: SweepReport,
    /// The first fault of any kind; it keeps nobody from the next.
    fault: Option<StoreError>,
}

pub(super) fn sweep(fm: &FinalMile, budget: Budget) -> Result<SweepReport, StoreError> {
    let (left, at) = (budget.begin(), fm.store().now());
    let report = SweepReport { at, ..SweepReport::default() };
    let mut run = Run { fm, left, report, fault: None };
    run.report.doubts_clock = fm.store().submit(Doubt { trusts: budget.trusts_clock }).wait()?;
    let built_in = work::built_in(fm, &run.left);
    run.worked(built_in);
    run.uploads();
    run.limits();
    if run.report.doubts_clock {
        run.report.more = true;
        tracing::warn!(
            service = "maintain",
            action = "clock_doubted",
            "the clock is more than two days ahead of the last call; nothing that is kept for weeks is removed for an hour"
        );
    } else {
        run.webhooks();
        run.items();
        run.refusals();
    }
    run.reserved();
    // Last, because a host's handlers may take their time.
    let handled = work::handled(fm, &run.left);
    run.worked(handled);
    run.fault.map_or(Ok(run.report), Err)
}

impl Run<'_> {
    /// Notes how many of one kind ended.
    fn note(
        &mut self,
        field: fn(&mut SweepReport) -> &mut u64,
        done: Result<(u64, bool), StoreError>,
    ) {
        match done {
            Ok((count, more)) => {
                *field(&mut self.report) += count;
                self.report.more |= more;
            }
            Err(fault) => self.fault = self.fault.take().or(Some(fault)),
        }
    }

    fn worked(&mut self, done: Result<Worked, StoreError>) {
        let failed = |worked: &Worked| worked.retried + worked.died;
        let counts = |count: fn(&Worked) -> u64| {
            done.as_ref().map(|worked| (count(worked), worked.more)).map_err(Clone::clone)
        };
        self.note(|report| &mut report.events_processed, counts(|worked| worked.ended));
        self.note(
            |report| &mut report.events_failed,
            done.map(|worked| (failed(&worked), worked.more)),
        );
    }

    fn uploads(&mut self) {
        let (store, left, now) = (self.fm.store(), &self.left, self.report.at);
        let before = now.before(UPLOAD_TTL);
        let uploads = expire(
            store,
            left,
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
            left,
            Some("fm_reservation_due"),
            |held: &Reservation| held.expires_at <= now,
            |held| Lapse { account: held.account, id: held.id },
        );
        let ttl = self.fm.sweeps().processing_ttl;
        let waited = now.before(ttl);
        let processing = expire(
            store,
            left,
            Some("fm_media_share_waiting"),
            |share: &MediaShare| share.waiting_since.is_some_and(|since| since <= waited),
            |share| Process { share: share.id, event: ProcessingEvent::Expire, ttl },
        );
        self.note(|report| &mut report.uploads_failed, uploads);
        self.note(|report| &mut report.reservations_expired, reservations);
        self.note(|report| &mut report.processing_failed, processing);
    }

    fn limits(&mut self) {
        let buckets = |run: &Self, index| {
            run.purge(Some(index), |bucket: &Bucket| (bucket.key.clone(), bucket.endpoint.clone()))
        };
        let idle = buckets(self, "fm_bucket_idle");
        let windows = buckets(self, "fm_window_idle");
        let log =
            self.purge(Some("fm_limit_log_at"), |row: &LogRow| (row.key.clone(), row.at, row.id));
        let minutes =
            self.purge(None, |row: &Minute| (row.minute, row.endpoint.clone(), row.instance));
        let top = self.purge(None, |row: &TopKey| (row.slot, row.key.clone(), row.instance));
        for done in [idle, windows] {
            self.note(|report| &mut report.buckets_removed, done);
        }
        for done in [log, minutes, top] {
            self.note(|report| &mut report.log_rows_removed, done);
        }
    }

    fn webhooks(&mut self) {
        let (store, left, now) = (self.fm.store(), &self.left, self.report.at);
        let options = &self.fm.inbox().options;
        let (events_kept, failures_kept) = (options.events_kept, options.failures_kept);
        let forgotten = expire(
            store,
            left,
            Some("fm_event_ended"),
            |event: &StoredEvent| {
                event.processed_at.is_some_and(|at| at <= now.before(events_kept))
            },
            |event| Forget { key: (event.sender, event.id), kept: events_kept },
        );
        let forgiven = expire(
            store,
            left,
            Some("fm_event_failure_over"),
            |failure: &Failure| failure.over_at.is_some_and(|at| at <= now.before(failures_kept)),
            |failure| Forgive { key: (failure.sender, failure.id), kept: failures_kept },
        );
        self.note(|report| &mut report.events_removed, forgotten);
        self.note(|report| &mut report.failures_removed, forgiven);
    }

    fn items(&mut self) {
        let now = self.report.at;
        let purged = expire(
            self.fm.store(),
            &self.left,
            Some("fm_item_purge"),
            |item: &Item| item.purge_at.is_some_and(|at| at <= now),
            |item| PurgeItem {
                id: item.id,
                actor: Actor::ours("maintenance"),
                reason: "its date has come".to_owned(),
                kinds: self.fm.kinds().clone(),
            },
        );
        self.note(|report| &mut report.items_purged, purged);
    }

    fn refusals(&mut self) {
        let last = Day::of(self.report.at).before(REFUSALS_KEPT_DAYS);
        let refusals = expire(
            self.fm.store(),
            &self.left,
            None,
            |row: &RefusalDay| row.day <= last,
            |row| ForgetRefusals { key: (row.day, row.account), kept_days: REFUSALS_KEPT_DAYS },
        );
        self.note(|report| &mut report.refusals_removed, refusals);
    }

    /// Removes the limiter's rows of one kind whose time is over.
    fn purge<R: Kept>(
        &self,
        index: Option<&'static str>,
        key: impl Fn(&R) -> R::Key,
    ) -> Result<(u64, bool), StoreError>
    where
        R::Key: Names<Row = R>,
    {
        let (now, options) = (self.report.at, self.fm.keeper().live().options);
        let is_over = |row: &R| is_over(row, &options, now);
        let purge = |row: R| Purge { key: key(&row), options };
        expire(self.fm.store(), &self.left, index, is_over, purge)
    }

    /// Reports who has much set aside.
    fn reserved(&mut self) {
        let percent = self.fm.sweeps().reserved_percent;
        let found = high_reserved(self.fm.store(), percent, || !self.left.is_over());
        let accounts = found.unwrap_or_else(|fault| {
            Error::from(fault).log("maintain", None);
            self.report.more = true;
            Vec::new()
        });
        for account in accounts {
            let reserved_percent = account.reserved_percent();
            tracing::warn!(
                service = "maintain",
                user_id = account.id.as_str(),
                reserved_percent,
                action = "reserved_high",
                "most of the balance is set aside"
            );
            let account = account.id;
            self.report.reserved_high.push(ReservedHigh { account, reserved_percent });
        }
    }
}
