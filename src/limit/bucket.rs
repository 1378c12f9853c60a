//! One bucket: a policy and what was spent under it.
//!
//! [`Bucket`] is the row that a database keeps; [`TokenBucket`] is the same without one, for
//! simulations and for trying a policy on yesterday's traffic.

use std::num::NonZeroU32;

use crate::{
    EndpointName, Timestamp,
    limit::{
        decision::{Decision, Quota, Reason},
        meter::{Meter, State},
        policy::{Align, Policy, Rule},
    },
    record,
    storage::Only,
};

/// What is kept of one key at one endpoint, with the meter that gives it its meaning: under another
/// policy it is carried over when it is next seen. A full bucket needs no row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) key: String,
    pub(crate) endpoint: EndpointName,
    pub(crate) rule: Rule,
    pub(crate) align: Align,
    pub(crate) parts: i64,
    pub(crate) unit: i64,
    pub(crate) full_units: i64,
    pub(crate) period_us: i64,
    pub(crate) mark: i64,
    pub(crate) rest: i64,
    /// When it was last written.
    pub(crate) touched_at: Timestamp,
}

record! {
    Bucket: "fm_bucket",
    key: (key: String, endpoint: EndpointName),
    columns: (mark, rest, touched_at, rule, align, parts, unit, full_units, period_us),
    shard: key,
    indexes: [
        ("fm_bucket_idle", (touched_at), Only::Equals("rule", "greedy")),
        ("fm_window_idle", (touched_at), Only::Equals("rule", "window")),
    ],
}

impl Bucket {
    pub(crate) fn new(
        (key, endpoint): (String, EndpointName),
        meter: &Meter,
        state: State,
        now: Timestamp,
    ) -> Self {
        let Meter { rule, align, parts, unit, full, period_us } = *meter;
        let [parts, unit, full_units] = [parts, unit, full].map(u64::cast_signed);
        let (State { mark, rest }, touched_at) = (state, now);
        Self {
            key,
            endpoint,
            rule,
            align,
            parts,
            unit,
            full_units,
            period_us,
            mark,
            rest,
            touched_at,
        }
    }

    /// Its state under the policy in force (**Q6**).
    pub(crate) fn state(&self, policy: &Policy, meter: &Meter) -> State {
        let state = State { mark: self.mark, rest: self.rest };
        let Self { rule, align, period_us, .. } = *self;
        let [parts, unit, full] = [self.parts, self.unit, self.full_units].map(i64::unsigned_abs);
        let written = Meter { rule, align, parts, unit, full, period_us };
        // A row that somebody wrote by hand may say anything; nothing may be divided by it.
        let counts = parts > 0 && unit > 0 && full > 0 && period_us > 0;
        match written == *meter || !counts {
            true => state,
            false => meter.carry(&written, state, policy.updated_at.micros()),
        }
    }
}

/// A bucket on its own, in memory.
///
/// ```
/// # use finalmile::{Timestamp, limit::{Policy, TokenBucket}};
/// # use std::{num::NonZeroU32, time::Duration};
/// let policy = Policy::greedy("search".parse()?, 60, Duration::from_secs(60))?.burst(120)?;
/// let mut bucket = TokenBucket::new(&policy);
/// let decision = bucket.check(Timestamp::from_millis(0), NonZeroU32::MIN);
/// assert_eq!(decision.remaining(), Some(119));
/// # Ok::<(), finalmile::Refusal>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenBucket {
    quota: &'static Quota,
    cost: u64,
    state: State,
}

impl TokenBucket {
    /// A full one.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        // Since ever: before 1970 too.
        let state = State::FULL;
        Self { quota: policy.quota(), cost: policy.cost.unsigned_abs(), state }
    }

    /// Spends what `times` checks cost, or nothing. Times may go backwards.
    pub fn check(&mut self, now: Timestamp, times: NonZeroU32) -> Decision {
        let tokens = self.cost * u64::from(times.get());
        let (state, decision) = step(self.quota, self.state, now, tokens);
        self.state = state;
        decision
    }
}

/// Spends tokens, or says when that will be possible; with it, the state to keep.
pub(crate) fn step(
    quota: &'static Quota,
    state: State,
    now: Timestamp,
    tokens: u64,
) -> (State, Decision) {
    let now_us = now.micros();
    let Some(meter) = &quota.meter else { return (state, Decision::untouched(quota, now_us)) };
    let level = meter.level(state, now_us);
    let units = tokens.checked_mul(meter.unit).filter(|units| *units <= meter.full);
    let Some(units) = units else {
        let decision = Decision::of(quota, level, now_us);
        return (state, decision.denied(Reason::CostExceedsBurst, None));
    };
    match meter.spend(level, now_us, units) {
        Ok(level) => (meter.state(level, now_us), Decision::of(quota, level, now_us)),
        Err(wait_us) => {
            let decision = Decision::of(quota, level, now_us);
            // The level, not the state as it was: a clock that ran ahead is put right.
            let state = if level.used == 0 { state } else { meter.state(level, now_us) };
            (state, decision.denied(Reason::RateLimited, Some(wait_us)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limit::meter::Level;

    fn policy(tokens: u32, period_s: u64, burst: u32) -> Policy {
        let name = "search".parse().unwrap();
        let policy = Policy::greedy(name, tokens, Duration::from_secs(period_s)).unwrap();
        policy.burst(burst).unwrap()
    }

    fn window(requests: u32, period_s: u64, align: Align) -> Policy {
        let name = "begin-upload".parse().unwrap();
        let policy = Policy::window(name, requests, Duration::from_secs(period_s)).unwrap();
        policy.aligned(align).unwrap()
    }

    /// Checks at each of these microseconds and says which passed.
    fn run(policy: &Policy, times: impl IntoIterator<Item = i64>) -> Vec<bool> {
        let mut bucket = TokenBucket::new(policy);
        let at = |us| bucket.check(Timestamp::from_micros(us), NonZeroU32::MIN).is_allowed();
        times.into_iter().map(at).collect()
    }

    #[test]
    fn b2_seven_per_minute_are_exactly_seven_thousand_in_a_thousand_minutes() {
        let policy = policy(7, 60, 1);
        let start = 1_800_000_000_000_000;
        let end = start + 60_000_000_000;
        // Every millisecond, so each token is taken within a millisecond of its time.
        let taken = run(&policy, (start..end).step_by(1_000)).into_iter().filter(|ok| *ok).count();
        assert!((6_990..=7_001).contains(&taken), "{taken}");
    }

    #[test]
    fn b3_a_refused_check_changes_nothing() {
        let mut bucket = TokenBucket::new(&policy(1, 1, 1));
        let now = Timestamp::from_millis(10_000);
        assert!(bucket.check(now, NonZeroU32::MIN).is_allowed());
        let before = bucket.state;
        assert!(!bucket.check(now, NonZeroU32::MIN).is_allowed());
        assert_eq!(bucket.state, before);
    }

    #[test]
    fn b4_a_clock_set_back_an_hour_grants_nothing_and_locks_nobody_out() {
        let policy = policy(60, 60, 2);
        let hour = 3_600_000_000;
        let start = 1_800_000_000_000_000;
        let taken = run(&policy, [start, start, start, start - hour, start - hour + 1_000_000]);
        assert_eq!(taken, [true, true, false, false, true]);
    }

    #[test]
    fn b5_waiting_as_told_is_admitted() {
        let windows = [window(3, 7, Align::Epoch), window(5, 9, Align::First)];
        let buckets = [policy(7, 60, 3), policy(1_000, 60, 2_000), policy(999, 3_600, 1)];
        for policy in windows.iter().chain(&buckets) {
            let mut now = Timestamp::from_micros(1_800_000_000_000_001);
            let mut bucket = TokenBucket::new(policy);
            for _ in 0..10_000 {
                let Some(wait) = bucket.check(now, NonZeroU32::MIN).retry_after() else { continue };
                let early = now.after(wait).before(Duration::from_micros(1));
                assert!(!bucket.clone().check(early, NonZeroU32::MIN).is_allowed());
                now = now.after(wait);
                assert!(bucket.check(now, NonZeroU32::MIN).is_allowed(), "{policy:?}");
            }
        }
    }

    #[test]
    fn a_window_resets_at_its_boundary() {
        let times = [1, 2, 3, 9_999_999, 10_000_000, 10_000_001, 10_000_002, 5_000_000];
        let passed = run(&window(2, 10, Align::Epoch), times);
        assert_eq!(passed, [true, true, false, false, true, true, false, false]);
    }

    #[test]
    fn a_window_may_begin_with_its_first_request() {
        let times = [7_000_000, 16_999_999, 16_999_999, 17_000_000, 26_999_999, 27_000_000];
        let passed = run(&window(2, 10, Align::First), times);
        assert_eq!(passed, [true, true, false, true, true, true]);
        let late = run(&window(1, 10, Align::First), [0, 25_000_000, 34_999_999, 35_000_000]);
        assert_eq!(late, [true, true, false, true]);
    }

    #[test]
    fn a_cost_above_the_capacity_is_never_possible() {
        let mut bucket = TokenBucket::new(&policy(1, 1, 3));
        let four = NonZeroU32::new(4).unwrap();
        let decision = bucket.check(Timestamp::default(), four);
        assert_eq!(decision.reason(), Some(Reason::CostExceedsBurst));
        assert_eq!(decision.retry_after(), None);
    }

    #[test]
    fn half_spent_stays_half_spent_under_another_policy() {
        let at = 1_800_000_000_000_000;
        let [old, new] =
            [policy(60, 60, 120), policy(7, 3_600, 14)].map(|p| Meter::of(&p).unwrap());
        let hour = Meter::of(&window(50, 3_600, Align::Epoch)).unwrap();
        let half = old.state(Level { used: old.full / 2, start_us: 0 }, at);
        let carried = new.carry(&old, half, at);
        assert_eq!(new.level(carried, at).used, new.full / 2);
        let carried = hour.carry(&new, carried, at);
        assert_eq!(hour.level(carried, at).used, 25);
        assert_eq!(old.level(old.carry(&hour, carried, at), at).used, old.full / 2);
    }
}
