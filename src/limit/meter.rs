//! The arithmetic of a policy: levels, spending, waiting, carrying over.
//!
//! Time is counted in parts of a microsecond such that one token is a whole number of parts, so
//! every rational rate is exact: 7 per minute is 7 per minute. What was spent is the *level*: for a
//! token bucket the parts until it is full again, for a window the requests in it. Spending is an
//! addition and a comparison, under either rule.
//!
//! # Invariants
//!
//! - **B2** A key never spends more than `capacity + tokens * elapsed / period` tokens; in windows,
//!   never more than `capacity` in each.
//! - **B3** A refused check spends nothing.
//! - **B4** A clock that steps back grants nothing, and locks nobody out for longer than a full
//!   refill (two windows).
//! - **B5** A caller who waits as long as he is told is admitted.
//!
//! Source: the generic cell rate algorithm, ITU-T I.371, annex A, virtual scheduling; the refill
//! rules are bucket4j's greedy and intervally.

use crate::limit::policy::{Align, Policy, Rule};

/// The highest level that one word of the table has room for, beside the time that it needs.
const FULL_MAX: u128 = 1 << 58;

/// The bits of a word that hold a value; the rest tell the policy's generation.
pub(crate) const WORD_BITS: u32 = 60;

/// A policy, ready to count.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Meter {
    pub(crate) rule: Rule,
    pub(crate) align: Align,
    /// Parts of a microsecond; 1 for windows.
    pub(crate) parts: u64,
    /// What one token adds to the level.
    pub(crate) unit: u64,
    /// The level of an empty bucket.
    pub(crate) full: u64,
    pub(crate) period_us: i64,
}

/// A bucket's state as rows keep it, which means something under one policy only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct State {
    /// Greedy: when it is full again, in whole microseconds. Window: when the window began.
    pub(crate) mark: i64,
    /// Greedy: the parts beyond the microsecond. Window: what was spent.
    pub(crate) rest: i64,
}

impl State {
    /// A bucket that nothing was spent of, at any time.
    pub(crate) const FULL: Self = Self { mark: i64::MIN, rest: 0 };
}

/// A bucket at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Level {
    /// What is spent, in units; at most [`Meter::full`].
    pub(crate) used: u64,
    /// When the window began that is in force. Greedy: unused.
    pub(crate) start_us: i64,
}

impl Meter {
    /// `None` if it could not count exactly.
    pub(crate) fn of(policy: &Policy) -> Option<Self> {
        let Policy { rule, align, tokens, capacity, period_us, .. } = *policy;
        Self::new(rule, align, tokens, capacity, period_us)
    }

    fn new(rule: Rule, align: Align, tokens: i64, capacity: i64, period_us: i64) -> Option<Self> {
        let (tokens, period) = (u64::try_from(tokens).ok()?, u64::try_from(period_us).ok()?);
        let capacity = u64::try_from(capacity).ok()?;
        // What a policy's own checks admit, for rows that were written by hand.
        let counts = [tokens, capacity].iter().all(|n| (1..=1 << 30).contains(n));
        if !counts || !(1..=1 << 45).contains(&period) {
            return None;
        }
        let common = gcd(tokens, period);
        let (parts, unit) = match rule {
            Rule::Greedy => (tokens / common, period / common),
            Rule::Window => (1, 1),
        };
        let full = u128::from(capacity) * u128::from(unit);
        let full = u64::try_from(full).ok().filter(|full| u128::from(*full) <= FULL_MAX)?;
        let meter = Self { rule, align, parts, unit, full, period_us };
        // A window's beginning is counted within four periods, beside what was spent in it.
        let needed = meter.used_bits() + 64 - (period * 4).leading_zeros();
        let fits = (rule, align) != (Rule::Window, Align::First) || needed <= WORD_BITS;
        fits.then_some(meter)
    }

    /// The bits that a window's requests take.
    pub(crate) fn used_bits(&self) -> u32 {
        64 - self.full.leading_zeros()
    }

    /// The most tokens that a bucket holds.
    pub(crate) fn capacity(&self) -> u64 {
        self.full / self.unit
    }

    /// How long an empty bucket takes to be full, in microseconds.
    pub(crate) fn fill_us(&self) -> u64 {
        match self.rule {
            Rule::Greedy => self.full.div_ceil(self.parts),
            Rule::Window => self.period_us.unsigned_abs(),
        }
    }

    /// The level of a bucket as it was kept. A mark further ahead than an empty bucket's was written
    /// by a clock that ran ahead (**B4**).
    pub(crate) fn level(&self, state: State, now_us: i64) -> Level {
        match self.rule {
            Rule::Greedy => {
                let parts = i128::from(self.parts);
                let rest = i128::from(state.rest).clamp(0, parts - 1);
                let ahead = (i128::from(state.mark) - i128::from(now_us)) * parts + rest;
                let used = ahead.clamp(0, i128::from(self.full));
                Level { used: u64::try_from(used).unwrap_or_default(), start_us: now_us }
            }
            Rule::Window => {
                let used = u64::try_from(state.rest).unwrap_or_default().min(self.full);
                self.window(state.mark, used, now_us)
            }
        }
    }

    /// The same by a clock that is so far ahead of the one that the state was kept by.
    pub(crate) fn level_ahead(&self, state: State, now_us: i64, ahead_us: i64) -> Level {
        let Level { used, start_us } = self.level(state, now_us - ahead_us);
        Level { used, start_us: start_us + ahead_us }
    }

    /// What to keep of a level, by that other clock; `None`: the bucket is full.
    pub(crate) fn state_behind(&self, level: Level, now_us: i64, ahead_us: i64) -> Option<State> {
        let behind = Level { start_us: level.start_us - ahead_us, ..level };
        (level.used > 0).then(|| self.state(behind, now_us - ahead_us))
    }

    /// The window in force at a time, if the last one began at `start_us`. A clock that stepped back
    /// over a boundary finds a window ahead of it, which stays in force; one that stepped back
    /// further takes what was spent along, so nothing is granted twice (**B4**).
    pub(crate) fn window(&self, start_us: i64, used: u64, now_us: i64) -> Level {
        let current = self.beginning(now_us);
        let since = now_us.saturating_sub(start_us);
        if since >= self.period_us {
            Level { used: 0, start_us: current }
        } else if since < -self.period_us {
            Level { used, start_us: current }
        } else {
            Level { used, start_us }
        }
    }

    /// When a window begins that is opened now.
    fn beginning(&self, now_us: i64) -> i64 {
        match self.align {
            Align::Epoch => now_us.saturating_sub(now_us.rem_euclid(self.period_us)),
            Align::First => now_us,
        }
    }

    /// What to keep of a level.
    pub(crate) fn state(&self, level: Level, now_us: i64) -> State {
        match self.rule {
            Rule::Greedy => {
                let mark = now_us.saturating_add((level.used / self.parts).cast_signed());
                State { mark, rest: (level.used % self.parts).cast_signed() }
            }
            Rule::Window => State { mark: level.start_us, rest: level.used.cast_signed() },
        }
    }

    /// What two memories of one bucket have spent together, at least: of a token bucket the emptier;
    /// of two windows in force, the later beginning and what more was spent in one of them.
    pub(crate) fn emptier(&self, one: Level, other: Level) -> Level {
        match (one.used, other.used) {
            (_, 0) => one,
            (0, _) => other,
            (a, b) => Level { used: a.max(b), start_us: one.start_us.max(other.start_us) },
        }
    }

    /// The level after spending, or how many microseconds to wait for it.
    pub(crate) fn spend(&self, level: Level, now_us: i64, units: u64) -> Result<Level, u64> {
        // A window that nothing was spent in has not begun.
        let unbegun = self.rule == Rule::Window && self.align == Align::First && level.used == 0;
        let start_us = if unbegun { now_us } else { level.start_us };
        let used = level.used + units;
        if used <= self.full {
            return Ok(Level { used, start_us });
        }
        Err(self.wait_us(level, used - self.full, now_us))
    }

    /// Gives units back. What a window that has ended since had spent is gone with it.
    pub(crate) fn refund(&self, level: Level, units: u64) -> Level {
        Level { used: level.used.saturating_sub(units), ..level }
    }

    fn wait_us(&self, level: Level, over: u64, now_us: i64) -> u64 {
        match self.rule {
            Rule::Greedy => over.div_ceil(self.parts),
            Rule::Window => self.left_us(level, now_us),
        }
    }

    /// Microseconds until the bucket is full again.
    pub(crate) fn reset_us(&self, level: Level, now_us: i64) -> u64 {
        match self.rule {
            Rule::Greedy => level.used.div_ceil(self.parts),
            Rule::Window if level.used == 0 => 0,
            Rule::Window => self.left_us(level, now_us),
        }
    }

    fn left_us(&self, level: Level, now_us: i64) -> u64 {
        let end = level.start_us.saturating_add(self.period_us);
        u64::try_from(end.saturating_sub(now_us)).unwrap_or_default()
    }

    /// The same share of a bucket spent, under a policy that replaced `old` at `at_us`. Rounded up:
    /// a change of policy gives nobody a token.
    pub(crate) fn carry(&self, old: &Self, state: State, at_us: i64) -> State {
        let spent = old.level(state, at_us).used;
        if spent == 0 {
            return State::FULL;
        }
        let used = (u128::from(spent) * u128::from(self.full)).div_ceil(u128::from(old.full));
        let used = u64::try_from(used).unwrap_or(u64::MAX).min(self.full);
        self.state(Level { used, start_us: self.beginning(at_us) }, at_us)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
