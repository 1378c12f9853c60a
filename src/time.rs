//! Time and chance: the only place that reads a clock or draws a random number.
//!
//! Rules get the time as an argument. What they get comes from a [`World`], which a test replaces
//! by a [`Simulated`] one and then owns both.

use std::{
    fmt,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::storage::{Field, Kind, Value};

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// That many microseconds after 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// That many milliseconds after 1970; saturates at the ends of time.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This much later; saturates at the end of time.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This much earlier; saturates at the beginning of time.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// From `earlier` to this, in microseconds; 0 if the clock stepped back.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> i64 {
        let span = self.0.saturating_sub(earlier.0);
        if span < 0 { 0 } else { span }
    }
}

impl Field for Timestamp {
    const KIND: Kind = Kind::Int;
    fn to_value(&self) -> Value {
        Value::Int(self.0)
    }
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(Self)
    }
}

/// What a program cannot compute: the time, and chance.
pub trait World: fmt::Debug + Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;
    /// 64 random bits.
    fn random(&self) -> u64;
}

/// The machine's clock and the operating system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemWorld;

impl World for SystemWorld {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().after(since)
    }

    fn random(&self) -> u64 {
        // Ids and jitter want numbers that differ, not secrets; without the system's source the
        // hasher's per-thread seed still differs.
        getrandom::u64().unwrap_or_else(|_| {
            use std::hash::{BuildHasher, RandomState};
            RandomState::new().hash_one(0)
        })
    }
}

/// A clock that stands until it is set, and numbers that follow from a seed.
#[derive(Debug)]
pub struct Simulated {
    micros: AtomicI64,
    seed: AtomicU64,
}

impl Simulated {
    /// Starts at `now` with the numbers of `seed`.
    #[must_use]
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self { micros: AtomicI64::new(now.micros()), seed: AtomicU64::new(seed) }
    }

    /// Moves the clock on.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().after(span));
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.micros.store(now.micros(), Ordering::SeqCst);
    }
}

impl World for Simulated {
    fn now(&self) -> Timestamp {
        Timestamp(self.micros.load(Ordering::SeqCst))
    }

    fn random(&self) -> u64 {
        // SplitMix64 (Steele, Lea and Flood 2014): every seed has the full period.
        let step = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.seed.fetch_add(step, Ordering::SeqCst).wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Ends a wait: real time, because threads really wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// That long from now.
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    pub(crate) fn after(span: Duration) -> Self {
        Self(Instant::now().checked_add(span))
    }

    /// What is left; zero once it has passed.
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    pub(crate) fn left(self) -> Duration {
        self.0.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether it has passed.
    pub(crate) fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_world_repeats_itself() {
        let draw = || {
            let world = Simulated::new(Timestamp::from_millis(5), 7);
            world.advance(Duration::from_secs(1));
            (world.now().micros(), world.random(), world.random())
        };
        assert_eq!(draw(), draw());
        assert_eq!(draw().0, 1_005_000);
    }

    #[test]
    fn times_saturate_instead_of_wrapping() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.after(Duration::MAX), end);
        assert_eq!(Timestamp::from_micros(5).micros_since(end), 0);
    }
}
