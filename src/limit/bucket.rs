//! Token buckets: how often a key may act.
//!
//! A bucket holds up to `capacity` tokens. Its state is one moment: for a greedy bucket the time at
//! which it will be full again, for a window the window's number with what was spent in it. A check
//! is a comparison and a write.
//!
//! Time is counted in parts of a microsecond such that one token is a whole number of parts, so
//! every rational rate is exact: 7 per minute is 7 per minute.
//!
//! # Invariants
//!
//! - **B2** A key never spends more than `capacity + tokens * elapsed / period` tokens.
//! - **B3** A refused check spends nothing; it changes the state only to put right what a clock that
//!   ran ahead had written.
//! - **B4** A clock that steps back grants nothing, and locks nobody out for longer than a full
//!   refill (two windows).
//! - **B5** A caller who waits as long as he is told is admitted.
//!
//! Source: the generic cell rate algorithm, ITU-T I.371, annex A, virtual scheduling.

use std::num::NonZeroU64;

use crate::{
    Timestamp,
    limit::policy::{Policy, Rule},
    record,
};

/// What is kept of one key at one endpoint. A full bucket needs no row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) endpoint: crate::EndpointName,
    pub(crate) key: String,
    /// Greedy: when it is full again, in whole microseconds. Window: the window's number.
    pub(crate) mark: i64,
    /// Greedy: the parts beyond the microsecond. Window: what was spent.
    pub(crate) rest: i64,
    /// When it was last written, for cleanup.
    pub(crate) touched_at: Timestamp,
}

record! {
    Bucket: "fm_bucket",
    key: (key: String, endpoint: crate::EndpointName),
    columns: (mark, rest, touched_at),
    shard: key,
    indexes: [("fm_bucket_idle", (touched_at))],
}

/// A bucket's state, as [`Bucket`] keeps it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct State {
    pub(crate) mark: i64,
    pub(crate) rest: i64,
}

/// The answer to a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a check has exactly two answers")]
pub enum Decision {
    /// The tokens were spent.
    Allow {
        /// Whole tokens left.
        remaining: u32,
    },
    /// Nothing was spent.
    Deny {
        /// Until the same check can pass. `None`: never, it asks for more than the capacity.
        retry_after_ms: Option<NonZeroU64>,
    },
}

/// Spends `cost` tokens, or says when that will be possible; with it, the state to keep.
pub(crate) fn step(
    policy: &Policy,
    state: Option<State>,
    now: Timestamp,
    cost: i64,
) -> (State, Decision) {
    let state = state.unwrap_or_default();
    if cost > policy.capacity || cost < 1 {
        return (state, Decision::Deny { retry_after_ms: None });
    }
    match policy.rule {
        Rule::Greedy => greedy(policy, state, now, cost),
        Rule::Window => window(policy, state, now, cost),
    }
}

fn greedy(policy: &Policy, state: State, now: Timestamp, cost: i64) -> (State, Decision) {
    let common = gcd(policy.tokens, policy.period_us);
    // Parts of a microsecond, and how many of them one token takes to come back.
    let parts = i128::from(policy.tokens / common);
    let token = i128::from(policy.period_us / common);
    let now = i128::from(now.micros()) * parts;
    let full = i128::from(policy.capacity) * token;
    // A mark further ahead than an empty bucket's was written by a clock that ran ahead (**B4**). A
    // rest beyond the parts was written under another policy.
    let rest = i128::from(state.rest).min(parts - 1);
    let mark = (i128::from(state.mark) * parts + rest).clamp(now, now + full);
    let at = |mark: i128| State {
        mark: narrow(mark.div_euclid(parts)),
        rest: narrow(mark.rem_euclid(parts)),
    };
    let next = mark + i128::from(cost) * token;
    let over = next - now - full;
    if over > 0 {
        let retry_after_ms = NonZeroU64::new(millis(over, parts));
        return (at(mark), Decision::Deny { retry_after_ms });
    }
    let spent = at(next);
    let remaining = u32::try_from(-over / token).unwrap_or(u32::MAX);
    (spent, Decision::Allow { remaining })
}

fn window(policy: &Policy, state: State, now: Timestamp, cost: i64) -> (State, Decision) {
    let current = now.micros().div_euclid(policy.period_us);
    // A clock that stepped back over a boundary finds a window ahead of it, which stays in force; one
    // that stepped back further takes what was spent along, so nothing is granted twice (**B4**).
    let (mark, used) = match state.mark - current {
        0 | 1 => (state.mark, state.rest),
        2.. => (current, state.rest),
        _ => (current, 0),
    };
    if used + cost > policy.capacity {
        let wait = (mark + 1).saturating_mul(policy.period_us).saturating_sub(now.micros());
        let retry_after_ms = NonZeroU64::new(millis(i128::from(wait), 1));
        return (State { mark, rest: used }, Decision::Deny { retry_after_ms });
    }
    let remaining = u32::try_from(policy.capacity - used - cost).unwrap_or(u32::MAX);
    (State { mark, rest: used + cost }, Decision::Allow { remaining })
}

/// Parts of a microsecond as milliseconds, rounded up: told to wait, a caller never comes too early
/// (**B5**).
fn millis(over: i128, parts: i128) -> u64 {
    let unit = parts * 1_000;
    u64::try_from((over + unit - 1) / unit).unwrap_or(u64::MAX)
}

fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn policy(tokens: u32, period_s: u64, burst: u32) -> Policy {
        let name = "search".parse().unwrap();
        let policy = Policy::greedy(name, tokens, Duration::from_secs(period_s)).unwrap();
        policy.burst(burst).unwrap()
    }

    fn allowed(decision: Decision) -> bool {
        matches!(decision, Decision::Allow { .. })
    }

    /// Checks at each of these microseconds and says which passed.
    fn run(policy: &Policy, times: impl IntoIterator<Item = i64>) -> Vec<bool> {
        let mut state = None;
        let at = |us| {
            let (next, decision) = step(policy, state, Timestamp::from_micros(us), 1);
            state = Some(next);
            allowed(decision)
        };
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
        let policy = policy(1, 1, 1);
        let now = Timestamp::from_millis(10_000);
        let (spent, _) = step(&policy, None, now, 1);
        let (after, decision) = step(&policy, Some(spent), now, 1);
        assert_eq!((after, allowed(decision)), (spent, false));
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
        for (tokens, period, burst) in [(7, 60, 3), (1_000, 60, 2_000), (999, 3_600, 1)] {
            let policy = policy(tokens, period, burst);
            let mut now = Timestamp::from_micros(1_800_000_000_000_001);
            let mut state = None;
            for _ in 0..10_000 {
                let (next, decision) = step(&policy, state, now, 1);
                match decision {
                    Decision::Allow { .. } => state = Some(next),
                    Decision::Deny { retry_after_ms } => {
                        let wait = retry_after_ms.unwrap().get();
                        now = now.after(Duration::from_millis(wait));
                        let (next, decision) = step(&policy, state, now, 1);
                        assert!(allowed(decision), "{tokens} in {period} s");
                        state = Some(next);
                    }
                }
            }
        }
    }

    #[test]
    fn a_window_resets_at_its_boundary() {
        let name = "begin-upload".parse().unwrap();
        let policy = Policy::window(name, 2, Duration::from_secs(10)).unwrap();
        let times = [1, 2, 3, 9_999_999, 10_000_000, 10_000_001, 10_000_002, 5_000_000];
        assert_eq!(run(&policy, times), [true, true, false, false, true, true, false, false]);
    }

    #[test]
    fn a_cost_above_the_capacity_is_never_possible() {
        let (_, decision) = step(&policy(1, 1, 3), None, Timestamp::default(), 4);
        assert_eq!(decision, Decision::Deny { retry_after_ms: None });
    }
}
