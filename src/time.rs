//! Time and chance: the only place that reads a clock or draws a random number.
//!
//! Rules get the time as an argument. What they get comes from a [`World`], which a test replaces
//! by a [`Simulated`] one and then owns both.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::storage::int_field;

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

int_field!(Timestamp);

/// What a program cannot compute: the time, and chance.
pub trait World: fmt::Debug + Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;
    /// 64 random bits.
    fn random(&self) -> u64;
    /// Whether its time is the machine's, so that hot paths may read a faster clock of the machine
    /// instead.
    fn is_machine(&self) -> bool {
        false
    }
}

/// Sixteen random bytes.
pub(crate) fn sixteen(world: &dyn World) -> [u8; 16] {
    (u128::from(world.random()) << 64 | u128::from(world.random())).to_be_bytes()
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

    fn is_machine(&self) -> bool {
        true
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

/// How exactly the buckets in memory know the time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Precision {
    /// The processor's own counter, about 10 ns a reading.
    #[default]
    Precise,
    /// The kernel's last tick, half the price of a precise reading and up to 4 ms behind. A check
    /// reads the exact time before it refuses, and charges as if the next tick were over too, so it
    /// admits no more than the precise clock would, unless the machine held the kernel's own tick
    /// back for longer: then it gives what the rate gives in that time. Linux only; elsewhere it is
    /// precise.
    Coarse,
}

/// The clock of live buckets: microseconds that follow the world's time forwards and ignore its
/// steps back, in which nobody would be refilled.
#[derive(Debug)]
pub(crate) struct LiveClock {
    world: Arc<dyn World>,
    source: Source,
    /// What to add to the source's microseconds.
    offset_us: AtomicI64,
    /// How far this clock is ahead of the world's: what the world stepped back, and no jitter.
    ahead_us: AtomicI64,
    following: Mutex<()>,
}

enum Source {
    /// The processor's counter, from a first reading.
    Counter(quanta::Clock, u64),
    /// The kernel's tick; it is at most so many microseconds behind.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Kernel(i64),
    /// A world that is not this machine's: its last time.
    World(Mutex<i64>),
}

/// A step back of more than that is a step; less is the counter's drift.
const STEP_US: i64 = 1_000_000;

/// How far from 1970 a live clock goes, in microseconds: 146,000 years, with room to count beyond.
const FAR_US: i64 = 1 << 62;

impl LiveClock {
    pub(crate) fn new(world: Arc<dyn World>, precision: Precision) -> Self {
        let source = match precision {
            _ if !world.is_machine() => Source::World(Mutex::new(world.now().micros())),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Precision::Coarse => {
                use rustix::time::{ClockId, clock_getres};
                let tick = clock_getres(ClockId::MonotonicCoarse);
                // Twice, because a tick may come late.
                Source::Kernel(2 * (tick.tv_sec * 1_000_000 + tick.tv_nsec / 1_000) + 1)
            }
            _ => {
                let clock = quanta::Clock::new();
                let first = clock.raw();
                Source::Counter(clock, first)
            }
        };
        let (offset_us, ahead_us) = (AtomicI64::new(0), AtomicI64::new(0));
        let clock = Self { world, source, offset_us, ahead_us, following: Mutex::new(()) };
        let apart_us = clock.now_us().saturating_sub(clock.world.now().micros());
        clock.offset_us.store(apart_us.saturating_neg(), Ordering::Relaxed);
        clock
    }

    /// The ends of an interval in which it is now.
    #[inline]
    pub(crate) fn interval(&self) -> (i64, i64) {
        match &self.source {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Source::Kernel(tick_us) => {
                let offset = self.offset_us.load(Ordering::Relaxed);
                let low = kernel_us(rustix::time::ClockId::MonotonicCoarse) + offset;
                (low, low + tick_us)
            }
            _ => {
                let now = self.now_us();
                (now, now)
            }
        }
    }

    /// The time, exactly.
    #[inline]
    pub(crate) fn now_us(&self) -> i64 {
        let us = match &self.source {
            Source::Counter(clock, first) => {
                (clock.delta_as_nanos(*first, clock.raw()) / 1_000).cast_signed()
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Source::Kernel(_) => kernel_us(rustix::time::ClockId::Monotonic),
            Source::World(last) => return self.world_us(last),
        };
        us + self.offset_us.load(Ordering::Relaxed)
    }

    /// A world that steps back takes the offset along.
    fn world_us(&self, last: &Mutex<i64>) -> i64 {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.world.now().micros();
        if now < *last {
            self.offset_us.fetch_add(last.saturating_sub(now), Ordering::Relaxed);
        }
        *last = now;
        now.saturating_add(self.offset_us.load(Ordering::Relaxed)).clamp(-FAR_US, FAR_US)
    }

    /// How far this clock is ahead of the world's: 0, unless the world stepped back.
    pub(crate) fn ahead_us(&self) -> i64 {
        match self.source {
            Source::World(_) => self.offset_us.load(Ordering::Relaxed),
            _ => self.ahead_us.load(Ordering::Relaxed),
        }
    }

    /// Follows the world's time, from time to time: forwards always, as after a machine's sleep; back
    /// by no more than a clock drifts.
    pub(crate) fn follow(&self) {
        let _one_at_a_time = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(self.source, Source::World(_)) {
            return;
        }
        let apart_us = self.now_us().saturating_sub(self.world.now().micros());
        let beyond_us = apart_us.saturating_sub(self.ahead_us.load(Ordering::Relaxed));
        let adjusted = if beyond_us < STEP_US { &self.offset_us } else { &self.ahead_us };
        let change_us = if beyond_us < STEP_US { -beyond_us } else { beyond_us };
        adjusted.fetch_add(change_us, Ordering::Relaxed);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn kernel_us(clock: rustix::time::ClockId) -> i64 {
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter(..) => "Counter",
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Kernel(_) => "Kernel",
            Self::World(_) => "World",
        })
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
    fn live_clocks_ignore_steps_back_and_follow_steps_forward() {
        let hour = 3_600_000_000;
        let world = Arc::new(Simulated::new(Timestamp::from_micros(10 * hour), 1));
        let clock = LiveClock::new(world.clone(), Precision::Precise);
        assert_eq!(clock.now_us(), 10 * hour);
        world.set(Timestamp::from_micros(9 * hour));
        assert_eq!(clock.now_us(), 10 * hour);
        world.set(Timestamp::from_micros(9 * hour + 5));
        assert_eq!((clock.now_us(), clock.ahead_us()), (10 * hour + 5, hour));
        world.set(Timestamp::from_micros(20 * hour));
        assert_eq!(clock.now_us(), 21 * hour);
    }

    #[test]
    fn the_machines_clocks_agree_with_its_time() {
        for precision in [Precision::Precise, Precision::Coarse] {
            let clock = LiveClock::new(Arc::new(SystemWorld), precision);
            let before = clock.now_us();
            let (low, high) = clock.interval();
            let after = clock.now_us();
            assert!(low <= after, "{precision:?}: {low} {after}");
            // A machine that is held back has late ticks; a second would be another mistake.
            assert!(before <= high + 1_000_000, "{precision:?}: {before} {high}");
            assert_eq!(clock.ahead_us(), 0);
            clock.follow();
            assert_eq!(clock.ahead_us(), 0);
        }
    }

    #[test]
    fn times_saturate_instead_of_wrapping() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.after(Duration::MAX), end);
        assert_eq!(Timestamp::from_micros(5).micros_since(end), 0);
    }
}
