//! Limits as a slow and obvious model: tokens are fractions that are refilled as time passes, a
//! window is a beginning and a counter.

#![allow(dead_code, reason = "each test uses a part")]

use std::{num::NonZeroU32, time::Duration};

use finalmile::{
    Simulated, Timestamp, World as _,
    limit::{Align, Decision, Policy, Reason},
};

/// A policy in plain numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) tokens: u32,
    pub(crate) period_us: u64,
    pub(crate) rule: Rule,
    pub(crate) cost: u32,
}

/// How its tokens come back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    Greedy { burst: u32 },
    Window(Align),
}

pub(crate) const fn greedy(tokens: u32, period_s: u64, burst: u32) -> Spec {
    Spec { tokens, period_us: period_s * 1_000_000, rule: Rule::Greedy { burst }, cost: 1 }
}

pub(crate) const fn window(requests: u32, period_s: u64, align: Align) -> Spec {
    Spec { tokens: requests, period_us: period_s * 1_000_000, rule: Rule::Window(align), cost: 1 }
}

impl Spec {
    pub(crate) const fn cost(self, cost: u32) -> Self {
        Self { cost, ..self }
    }

    pub(crate) const fn every(self, period_us: u64) -> Self {
        Self { period_us, ..self }
    }

    pub(crate) fn policy(&self, name: &str) -> Policy {
        let (name, period) = (name.parse().unwrap(), Duration::from_micros(self.period_us));
        let policy = match self.rule {
            Rule::Greedy { burst } => {
                Policy::greedy(name, self.tokens, period).unwrap().burst(burst)
            }
            Rule::Window(align) => {
                Policy::window(name, self.tokens, period).unwrap().aligned(align)
            }
        };
        policy.unwrap().cost(self.cost).unwrap()
    }

    pub(crate) fn capacity(&self) -> u32 {
        match self.rule {
            Rule::Greedy { burst } => burst,
            Rule::Window(_) => self.tokens,
        }
    }

    /// Until an empty bucket is full.
    pub(crate) fn fill_us(&self) -> u64 {
        match self.rule {
            Rule::Greedy { burst } => {
                (u64::from(burst) * self.period_us).div_ceil(u64::from(self.tokens))
            }
            Rule::Window(_) => self.period_us,
        }
    }
}

/// An answer, as a caller sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) reason: Option<Reason>,
    pub(crate) remaining: u32,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) reset_after: Duration,
}

impl Answer {
    pub(crate) fn of(decision: &Decision) -> Self {
        assert_eq!(decision.is_allowed(), decision.reason().is_none());
        Self {
            reason: decision.reason(),
            remaining: decision.remaining().unwrap(),
            retry_after: decision.retry_after(),
            reset_after: decision.reset_after(),
        }
    }
}

/// A fraction, exactly.
#[derive(Clone, Copy, Debug)]
struct Fraction {
    over: i128,
    under: i128,
}

impl Fraction {
    const fn whole(number: i128) -> Self {
        Self { over: number, under: 1 }
    }

    const fn new(over: i128, under: i128) -> Self {
        Self { over, under }
    }

    fn plus(self, other: Self) -> Self {
        if self.under == other.under {
            return Self::new(self.over + other.over, self.under);
        }
        Self::new(self.over * other.under + other.over * self.under, self.under * other.under)
    }

    fn minus(self, other: Self) -> Self {
        self.plus(Self::new(-other.over, other.under))
    }

    fn times(self, other: Self) -> Self {
        Self::new(self.over * other.over, self.under * other.under)
    }

    fn is_less(self, other: Self) -> bool {
        self.over * other.under < other.over * self.under
    }

    fn clamp(self, low: Self, high: Self) -> Self {
        if self.is_less(low) {
            low
        } else if high.is_less(self) {
            high
        } else {
            self
        }
    }

    fn floor(self) -> i128 {
        self.over.div_euclid(self.under)
    }

    fn ceil(self) -> i128 {
        -Self::new(-self.over, self.under).floor()
    }
}

fn micros(number: i128) -> Duration {
    Duration::from_micros(u64::try_from(number).unwrap())
}

/// What one key may do, by the book.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    spec: Spec,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    New,
    /// So many tokens were left then. Under the period, always.
    Left {
        tokens: Fraction,
        at: i64,
    },
    /// So many were spent in the window that began then.
    Spent {
        tokens: u32,
        start: i64,
    },
}

impl Oracle {
    pub(crate) fn new(spec: Spec) -> Self {
        Self { spec, state: State::New }
    }

    pub(crate) fn check(&mut self, now: Timestamp, times: NonZeroU32) -> Answer {
        let cost = self.spec.cost * times.get();
        let (state, mut answer) = match self.spec.rule {
            Rule::Greedy { .. } => self.check_bucket(now.micros(), cost),
            Rule::Window(align) => self.check_window(now.micros(), cost, align),
        };
        if cost > self.spec.capacity() {
            answer.reason = Some(Reason::CostExceedsBurst);
            answer.retry_after = None;
            return answer;
        }
        self.state = state;
        answer
    }

    fn check_bucket(&self, now: i64, cost: u32) -> (State, Answer) {
        let period = i128::from(self.spec.period_us);
        let rate = Fraction::new(self.spec.tokens.into(), period);
        let us_a_token = Fraction::new(period, self.spec.tokens.into());
        let parts = |tokens: u32| Fraction::new(i128::from(tokens) * period, period);
        let (empty, full, cost) = (parts(0), parts(self.spec.capacity()), parts(cost));
        let left = match self.state {
            State::Left { tokens, at } => {
                // A clock that steps back takes away what it had brought.
                let passed = Fraction::whole((now - at).into());
                tokens.plus(rate.times(passed)).clamp(empty, full)
            }
            _ => full,
        };
        let (reason, left, wait) = if left.is_less(cost) {
            let wait = cost.minus(left).times(us_a_token).ceil();
            (Some(Reason::RateLimited), left, Some(micros(wait)))
        } else {
            (None, left.minus(cost), None)
        };
        let answer = Answer {
            reason,
            remaining: u32::try_from(left.floor()).unwrap(),
            retry_after: wait,
            reset_after: micros(full.minus(left).times(us_a_token).ceil()),
        };
        (State::Left { tokens: left, at: now }, answer)
    }

    fn check_window(&self, now: i64, cost: u32, align: Align) -> (State, Answer) {
        let period = i64::try_from(self.spec.period_us).unwrap();
        let begin = match align {
            Align::First => now,
            _ => now.div_euclid(period) * period,
        };
        let (spent, start) = match self.state {
            State::Spent { tokens, start } if now - start < -period => (tokens, begin),
            State::Spent { tokens, start } if now - start < period => (tokens, start),
            _ => (0, begin),
        };
        let left = micros((start + period - now).into());
        let capacity = self.spec.capacity();
        let (reason, spent) = match spent + cost {
            more if more <= capacity => (None, more),
            _ => (Some(Reason::RateLimited), spent),
        };
        let answer = Answer {
            reason,
            remaining: capacity - spent,
            retry_after: reason.map(|_| left),
            reset_after: if spent == 0 { Duration::ZERO } else { left },
        };
        (State::Spent { tokens: spent, start }, answer)
    }
}

/// What was admitted, and whether that was too much.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    spec: Spec,
    /// Admitted in all.
    admitted: i128,
    /// The least of `admitted before - rate * time` over all times so far, in parts of a token.
    least: i128,
    /// When the window began that was last spent in, and how much.
    window: Option<(i64, u64)>,
}

impl Ledger {
    pub(crate) fn new(spec: Spec) -> Self {
        Self { spec, admitted: 0, least: i128::MAX, window: None }
    }

    /// Notes what was admitted now: over every interval that ends here it must not be too much.
    pub(crate) fn admit(&mut self, now: Timestamp, times: NonZeroU32) {
        let (now, cost) = (now.micros(), u64::from(self.spec.cost * times.get()));
        match self.spec.rule {
            Rule::Greedy { burst } => {
                let period = i128::from(self.spec.period_us);
                let refilled = i128::from(self.spec.tokens) * i128::from(now);
                self.least = self.least.min(self.admitted * period - refilled);
                self.admitted += i128::from(cost);
                let most = self.admitted * period - refilled - self.least;
                assert!(most <= i128::from(burst) * period, "over-admitted: {self:?}");
            }
            Rule::Window(align) => {
                let period = i64::try_from(self.spec.period_us).unwrap();
                let begin = match (align, self.window) {
                    (Align::First, Some((start, _))) if now < start + period => start,
                    (Align::First, _) => now,
                    _ => now.div_euclid(period) * period,
                };
                let before = self.window.filter(|(start, _)| *start == begin).map_or(0, |w| w.1);
                self.window = Some((begin, before + cost));
                assert!(before + cost <= u64::from(self.spec.tokens), "over-admitted: {self:?}");
            }
        }
    }
}

/// Ten years: thousands of steps stay far from the end of time.
const GAP_MAX_US: u64 = 10 * 366 * 86_400_000_000;

/// Chance that follows from a seed.
pub(crate) struct Dice(Simulated);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Simulated::new(Timestamp::default(), seed))
    }

    /// A number below that one.
    pub(crate) fn below(&self, sides: u64) -> u64 {
        self.0.random() % sides
    }

    /// Of that many, one.
    pub(crate) fn pick<T: Copy>(&self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    /// How long until the next check: often nothing, often exactly as long as was told, or a
    /// microsecond less.
    pub(crate) fn gap(&self, spec: &Spec, told: Option<Duration>) -> Duration {
        let fill_us = spec.fill_us().min(GAP_MAX_US);
        let a_token = (spec.fill_us() / u64::from(spec.capacity())).clamp(1, GAP_MAX_US);
        match (self.below(16), told) {
            (0..4, _) => Duration::ZERO,
            (4..9, Some(told)) => told,
            (9, Some(told)) => told.saturating_sub(Duration::from_micros(1)),
            (10, _) => Duration::from_micros(1),
            (11, _) => Duration::from_micros(self.below(fill_us * 3) + 1),
            (12, _) => Duration::from_micros(self.below(fill_us) + 1),
            _ => Duration::from_micros(self.below(a_token * 2) + 1),
        }
    }

    /// How many checks in one: mostly one, sometimes more than will ever pass.
    pub(crate) fn times(&self, spec: &Spec) -> NonZeroU32 {
        let most = u64::from(spec.capacity() / spec.cost);
        let times = match self.below(16) {
            0..10 => 1,
            10..13 => self.below(3.min(most)) + 1,
            13..15 => self.below(most) + 1,
            _ => most + self.below(2),
        };
        NonZeroU32::new(u32::try_from(times).unwrap()).unwrap()
    }
}
