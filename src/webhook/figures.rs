//! Figures: what a dashboard shows of the inbox.

use std::time::Duration;

use crate::{
    Timestamp,
    storage::{Scan, Store, StoreError},
    webhook::{EventStatus, StoredEvent},
};

/// How far back the figures of ended events go.
const LAST: Duration = Duration::from_secs(3_600);

/// The inbox in figures: what waits, and how the last hour went.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct WebhookFigures {
    /// How many wait for their first attempt.
    pub pending: u64,
    /// How many a worker has.
    pub working: u64,
    /// How many failed and wait for their next attempt.
    pub retry: u64,
    /// How many are dead.
    pub dead: u64,
    /// When the oldest came that has not ended and is not dead.
    pub oldest_received_at: Option<Timestamp>,
    /// How many ended well in the last hour, with or without an effect.
    pub ended_last_hour: u64,
    /// Of these, how many took one attempt, two, three, four, more.
    pub attempts: [u64; 5],
    /// From arrival to end, of half of these: at most so many milliseconds.
    pub lag_p50_ms: u64,
    /// The same of 99 in 100.
    pub lag_p99_ms: u64,
}

impl WebhookFigures {
    pub(super) fn read(store: &Store) -> Result<Self, StoreError> {
        let mut figures = Self::default();
        let open = Scan::of::<StoredEvent>().by("fm_event_due");
        store.for_each(&open, |event: StoredEvent| {
            match event.status {
                EventStatus::Working => figures.working += 1,
                EventStatus::Retry => figures.retry += 1,
                EventStatus::Pending
                | EventStatus::Ok
                | EventStatus::Ignored
                | EventStatus::Dead => figures.pending += 1,
            }
            let oldest = figures.oldest_received_at.unwrap_or(event.received_at);
            figures.oldest_received_at = Some(oldest.min(event.received_at));
            true
        })?;
        store.for_each(&Scan::of::<StoredEvent>().by("fm_event_dead"), |_: StoredEvent| {
            figures.dead += 1;
            true
        })?;
        let since = store.now().before(LAST);
        let mut lags = Vec::new();
        let ended = Scan::of::<StoredEvent>().by("fm_event_ended").descending();
        store.for_each(&ended, |event: StoredEvent| {
            let Some(at) = event.processed_at.filter(|at| *at > since) else { return false };
            lags.push(at.micros_since(event.received_at).unsigned_abs());
            let tries = usize::try_from(event.attempts.clamp(1, 5)).unwrap_or(1);
            figures.attempts[tries - 1] += 1;
            true
        })?;
        lags.sort_unstable();
        let part = |percent: usize| lags.get((lags.len() * percent).div_ceil(100).max(1) - 1);
        figures.ended_last_hour = lags.len() as u64;
        let millis = |percent| part(percent).copied().unwrap_or_default().div_ceil(1_000);
        (figures.lag_p50_ms, figures.lag_p99_ms) = (millis(50), millis(99));
        Ok(figures)
    }
}
