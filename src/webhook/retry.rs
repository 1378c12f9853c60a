//! Retries: how long a failed event waits.
//!
//! # Invariants
//!
//! - **H12** An event is tried once and then at most `max_retries` times by itself; before the n-th
//!   retry it waits at most `min(backoff_max, backoff * 2^(n-1))`, drawn evenly from nothing on.
//!
//! Source: "full jitter", M. Brooker, Exponential Backoff and Jitter (AWS Architecture Blog, 2015).

use std::time::Duration;

use crate::{
    Timestamp, World,
    storage::Rows,
    webhook::{Failure, StoredEvent, WebhookOptions, plan::Failed},
};

/// How an attempt may fail: the options, and chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    max_retries: u32,
    backoff: Duration,
    backoff_max: Duration,
    /// 64 random bits: a rule draws none itself.
    dice: u64,
}

/// How long the operator's text may be.
const TEXT_BYTES_MAX: usize = 1_000;

impl Retries {
    pub(crate) fn new(options: &WebhookOptions, world: &dyn World) -> Self {
        let WebhookOptions { max_retries, backoff, backoff_max, .. } = options;
        let (max_retries, dice) = (*max_retries, world.random());
        Self { max_retries, backoff: *backoff, backoff_max: *backoff_max, dice }
    }

    /// When an event that failed its `attempts`-th attempt is tried again; `None`: never.
    pub(super) fn next(&self, attempts: i64, now: Timestamp) -> Option<Timestamp> {
        (attempts <= i64::from(self.max_retries)).then(|| now.after(self.wait(attempts)))
    }

    /// Evenly between nothing and the most it may wait (**H12**).
    fn wait(&self, attempts: i64) -> Duration {
        let doublings = attempts.saturating_sub(1).clamp(0, 63);
        let most = u128::from(1_u64 << doublings).saturating_mul(self.backoff.as_micros());
        let most = most.min(self.backoff_max.as_micros()).min(u128::from(u64::MAX) >> 1);
        // The product's high half.
        let wait = ((most + 1) * u128::from(self.dice)) >> 64;
        Duration::from_micros(u64::try_from(wait).unwrap_or(u64::MAX))
    }

    /// Writes a failure down: one row an event.
    pub(super) fn note(
        &self,
        rows: &mut Rows,
        event: &StoredEvent,
        failed: &Failed,
        next_retry: Option<Timestamp>,
        now: Timestamp,
    ) {
        let first = rows.get::<Failure>(&(event.sender.clone(), event.id.clone()));
        let (count, note) = first.map_or((0, None), |one| (one.failure_count, one.note.clone()));
        rows.put(Failure {
            sender: event.sender.clone(),
            id: event.id.clone(),
            failure_count: count + 1,
            last_failure: now,
            error_message: short(&failed.text),
            next_retry,
            max_retries: self.max_retries.into(),
            note,
            over_at: None,
        });
    }
}

/// A text that fits and can be stored.
pub(super) fn short(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= TEXT_BYTES_MAX;
    text.char_indices().take_while(fits).map(|(_, c)| plain(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(dice: u64) -> Retries {
        let (backoff, backoff_max) = (Duration::from_secs(60), Duration::from_secs(3_600));
        Retries { max_retries: 3, backoff, backoff_max, dice }
    }

    #[test]
    fn h12_each_wait_is_drawn_from_twice_the_one_before_up_to_the_most() {
        let most = |attempts| retries(u64::MAX).wait(attempts).as_secs_f64();
        assert_eq!([1, 2, 3, 6].map(most), [60.0, 120.0, 240.0, 1_920.0]);
        assert_eq!([7, 8, 64, 65, i64::MAX].map(most), [3_600.0; 5]);
        assert_eq!([1, 7].map(|n| retries(0).wait(n)), [Duration::ZERO; 2]);
        assert_eq!(retries(1 << 63).wait(1).as_secs(), 30);
        let forever = Retries { backoff: Duration::MAX, backoff_max: Duration::MAX, ..retries(7) };
        assert!(forever.wait(64) < Duration::MAX);
    }

    #[test]
    fn h12_the_fourth_failure_is_the_last() {
        let now = Timestamp::from_millis(1_000);
        let tried_again = |attempts| retries(0).next(attempts, now).is_some();
        assert_eq!([1, 2, 3, 4].map(tried_again), [true, true, true, false]);
    }

    #[test]
    fn what_a_host_says_is_cut_and_cleaned() {
        assert_eq!(short("a\0b\n"), "a b ");
        assert_eq!(short(&"ü".repeat(600)).len(), 1_000);
    }
}
