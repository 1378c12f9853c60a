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
//! - **M2** It ends within its budget of time, give or take one chunk, and ends no more rows than its
//!   budget of rows, but for events: give or take a page.
//! - **M3** A clock that jumps ahead removes nothing that is kept for weeks: see [`Budget::trust_clock`].

mod clock;
mod run;

use std::time::Duration;

pub(crate) use clock::CleanupClock;

use crate::{
    AccountId, FinalMile, Timestamp, expiry::Left, storage::Pending, upload::PROCESSING_TTL,
};

/// How long maintenance may take, and how much it may do.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    time: Duration,
    rows: u64,
    trusts_clock: bool,
}

impl Budget {
    /// About so many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self { time: Duration::from_secs(seconds), rows: u64::MAX, trusts_clock: false }
    }

    /// And at most so many rows that end or go.
    #[must_use]
    pub const fn rows(self, rows: u64) -> Self {
        Self { rows, ..self }
    }

    /// Believes the clock. Otherwise, when the clock is more than two days ahead of the call before, what is
    /// kept for weeks (deleted items, events, failures, counts of refusals) stays for another hour: a clock
    /// that jumped can be set right, and what was purged by it is gone. Say so when the service has really
    /// rested for days, or when it calls more rarely.
    #[must_use]
    pub const fn trust_clock(self) -> Self {
        Self { trusts_clock: true, ..self }
    }

    pub(crate) fn begin(self) -> Left {
        Left::new(self.time, self.rows)
    }
}

/// What a host may choose about maintenance.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SweepOptions {
    /// After what time small pictures that nobody made have failed.
    /// [Two hours](crate::upload::PROCESSING_TTL), as for uploads.
    pub processing_ttl: Duration,
    /// From what share of its balance on an account is reported, in percent. 80.
    pub reserved_percent: i64,
}

impl Default for SweepOptions {
    fn default() -> Self {
        Self { processing_ttl: PROCESSING_TTL, reserved_percent: 80 }
    }
}

/// What maintenance did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SweepReport {
    /// When it began.
    pub at: Timestamp,
    /// Uploads that nobody finished within two hours, failed, their credits freed.
    pub uploads_failed: u64,
    /// Reservations of the host's that were too old, their credits freed.
    pub reservations_expired: u64,
    /// Media shares whose small pictures nobody made in time, failed.
    pub processing_failed: u64,
    /// Rows of buckets that nobody spent from for long: windows after 24 hours, others after 30 days,
    /// or what [`LimitOptions`](crate::limit::LimitOptions) says.
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
    /// Accounts that have at least [so much](SweepOptions::reserved_percent) of their balance set aside, the
    /// fullest first; each is logged, too (`action = "reserved_high"`).
    pub reserved_high: Vec<ReservedHigh>,
    /// Whether the clock is doubted: what is kept for weeks was not looked at. It is logged, too
    /// (`action = "clock_doubted"`).
    pub doubts_clock: bool,
    /// Whether work is left: the budget ended before it, or a fault that was logged kept something
    /// from ending.
    pub more: bool,
}

/// An account that has much of its balance set aside.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "it is who and how much")]
pub struct ReservedHigh {
    /// Who.
    pub account: AccountId,
    /// How much of the balance, in percent.
    pub reserved_percent: i64,
}

/// What maintenance did to one table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a line of the documents' cleanup has three columns")]
pub struct CleanedTable {
    /// Which.
    pub table_name: &'static str,
    /// How many of its rows ended or went.
    pub deleted_count: u64,
    /// When maintenance began.
    pub cleanup_date: Timestamp,
}

impl SweepReport {
    /// How many rows of which table ended or went, those of none left out: the documents' cleanup.
    pub fn tables(&self) -> impl Iterator<Item = CleanedTable> {
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
        let cleanup_date = self.at;
        all.into_iter().filter(|(_, count)| *count > 0).map(move |(table_name, deleted_count)| {
            CleanedTable { table_name, deleted_count, cleanup_date }
        })
    }
}

impl FinalMile {
    /// Does everything that is due: fails uploads that were begun more than two hours ago, frees
    /// reservations that are too old, fails small pictures that nobody made, consumes events that wait
    /// for their next attempt, and removes what nobody needs any more. Call it every minute or hour, or as
    /// often as you like. It works on a thread of its own.
    ///
    /// ```
    /// # use finalmile::{Budget, FinalMile, engines::Memory};
    /// # let fm = FinalMile::builder(Memory::new()).open()?;
    /// assert_eq!(fm.maintain(Budget::seconds(5)).wait()?.uploads_failed, 0);
    /// # Ok::<(), finalmile::Error>(())
    /// ```
    pub fn maintain(&self, budget: Budget) -> Pending<SweepReport> {
        let (fm, fault) = (self.clone(), Self::fault("maintain", None));
        Pending::on_thread("finalmile-sweep", move || run::sweep(&fm, budget).map_err(fault))
    }
}
