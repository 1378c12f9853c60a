//! One word a bucket: a level laid out in 60 bits, and the generation of the policy it is under.
//!
//! | policy | the 60 bits |
//! |---|---|
//! | token bucket | when it is full again, in parts of a microsecond since the rate's base |
//! | window | when it began since the base (epoch windows: in periods), then what was spent |
//!
//! A word of nothing but a generation is a bucket that nothing was spent of. One that is nobody's, 0,
//! is too; but nothing is spent of that, because whoever was about to, and slept through more changes
//! than there are generations, would find it as he left it, and write a word that is misread.
//!
//! The base moves: before time runs out of the bits, the rate gets a new generation with a later
//! base, and words are carried over when they are next met, exactly as after a change of policy.

use crate::limit::{
    meter::{Level, Meter, WORD_BITS},
    policy::{Align, Rule},
};

/// The bits of a word that say its generation, 1 to 15 and round again. No word outlives two changes:
/// each change walks the table.
const GENERATION: u64 = (1 << (64 - WORD_BITS)) - 1;

/// The word that is nobody's.
pub(crate) const NO_WORD: u64 = 0;

/// A moment that is known to lie between two readings; equal when the clock is precise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval {
    pub(crate) low_us: i64,
    pub(crate) high_us: i64,
}

impl Interval {
    pub(crate) fn exactly(now_us: i64) -> Self {
        Self { low_us: now_us, high_us: now_us }
    }
}

/// A meter with the layout of its words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) meter: Meter,
    pub(crate) generation: u64,
    base_us: i64,
    /// The moments that words can be counted at: from, until.
    pub(crate) from_us: i64,
    pub(crate) until_us: i64,
}

/// What came of spending on a word. Levels come last in each, so that they share their registers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spent {
    /// The word to put in its place, and the level that it says.
    Yes(u64, Level),
    /// How many microseconds to wait, and the level.
    No(u64, Level),
    /// The clock is too coarse to tell.
    Unclear,
}

impl Rate {
    /// Lays words out around `now_us`, for the first generation or the one after `before`.
    pub(crate) fn new(meter: Meter, before: Option<&Self>, now_us: i64) -> Self {
        let generation = before.map_or(0, |rate| rate.generation % GENERATION) + 1;
        let room = (1_u64 << WORD_BITS) - 2;
        let years = 1_i64 << 57;
        let (base_us, from_us, until_us) = match meter.rule {
            Rule::Greedy => {
                let span = ((room - meter.full) / meter.parts).cast_signed().min(years);
                let base = now_us.saturating_sub(span / 4);
                (base, base, base.saturating_add(span))
            }
            Rule::Window => {
                let tick = tick(&meter);
                let ticks = room >> meter.used_bits();
                let span = tick.saturating_mul(ticks.cast_signed()).min(years);
                let base = now_us.saturating_sub(2 * meter.period_us);
                let base = base - base.rem_euclid(tick);
                // A window in force began at most a period before, and at most a period after now.
                let from = base.saturating_add(meter.period_us);
                (base, from, base.saturating_add(span - meter.period_us))
            }
        };
        Self { meter, generation, base_us, from_us, until_us }
    }

    /// Whether words can be counted at that moment; otherwise the rate needs another base.
    #[inline]
    pub(crate) fn covers(&self, time: Interval) -> bool {
        self.from_us <= time.low_us && time.high_us < self.until_us
    }

    /// Whether this word is under another generation, or nobody's.
    #[inline]
    pub(crate) fn is_foreign(&self, word: u64) -> bool {
        word & GENERATION != self.generation
    }

    /// A bucket that nothing was spent of: a mark before every moment, or a window that is over at
    /// every moment that words can be counted at.
    pub(crate) fn fresh(&self) -> u64 {
        self.word(0)
    }

    /// Spends on a word of this generation.
    #[inline]
    pub(crate) fn spend(&self, word: u64, time: Interval, units: u64) -> Spent {
        match self.meter.rule {
            Rule::Greedy => self.spend_greedy(word, time, units),
            Rule::Window => self.spend_window(word, time, units),
        }
    }

    /// Charges from the later end and tests at the earlier one, which can only err against the
    /// caller; where that would refuse, the clock is read again.
    #[inline]
    fn spend_greedy(&self, word: u64, time: Interval, units: u64) -> Spent {
        // Nothing wraps: the rate covers both.
        let parts = |us: i64| us.wrapping_sub(self.base_us).cast_unsigned() * self.meter.parts;
        let (low, high) = (parts(time.low_us), parts(time.high_us));
        let full = self.meter.full;
        // A mark beyond an empty bucket's was written by a clock that ran ahead.
        let mark = (word >> (64 - WORD_BITS)).clamp(high, high + full);
        let used = mark + units - low;
        let level = |used| Level { used, start_us: time.low_us };
        if used <= full {
            return Spent::Yes(self.word(mark + units), level(used));
        }
        if low != high {
            return Spent::Unclear;
        }
        Spent::No((used - full).div_ceil(self.meter.parts), level(mark - low))
    }

    // Inline, or what comes of a greedy spending is put in memory too, for both to lie in one place.
    #[inline]
    fn spend_window(&self, word: u64, time: Interval, units: u64) -> Spent {
        let level = self.level(word, time.high_us);
        if time.low_us != time.high_us && self.level(word, time.low_us) != level {
            return Spent::Unclear;
        }
        match self.meter.spend(level, time.high_us, units) {
            Ok(level) => Spent::Yes(self.pack(level, time.high_us), level),
            Err(_) if time.low_us != time.high_us => Spent::Unclear,
            Err(wait_us) => Spent::No(wait_us, level),
        }
    }

    /// What a word of this generation says.
    pub(crate) fn level(&self, word: u64, now_us: i64) -> Level {
        let value = word >> (64 - WORD_BITS);
        match self.meter.rule {
            Rule::Greedy => {
                let used = value.saturating_sub(self.parts(now_us)).min(self.meter.full);
                Level { used, start_us: now_us }
            }
            Rule::Window => {
                let used = value & ((1 << self.meter.used_bits()) - 1);
                let since = (value >> self.meter.used_bits()).cast_signed();
                let start = self.base_us.saturating_add(since.saturating_mul(tick(&self.meter)));
                self.meter.window(start, used.min(self.meter.full), now_us)
            }
        }
    }

    /// The word of a level.
    pub(crate) fn pack(&self, level: Level, now_us: i64) -> u64 {
        if level.used == 0 {
            return NO_WORD;
        }
        match self.meter.rule {
            Rule::Greedy => self.word(self.parts(now_us).saturating_add(level.used)),
            Rule::Window => {
                let since = (level.start_us - self.base_us).div_euclid(tick(&self.meter));
                let since = u64::try_from(since).unwrap_or_default();
                self.word((since << self.meter.used_bits()) | level.used)
            }
        }
    }

    /// A word of `old` under this rate, which replaced it at `at_us`.
    pub(crate) fn carry(&self, old: &Self, word: u64, at_us: i64) -> u64 {
        if old.meter == self.meter {
            return self.pack(old.level(word, at_us), at_us);
        }
        let state = old.meter.state(old.level(word, at_us), at_us);
        let carried = self.meter.carry(&old.meter, state, at_us);
        self.pack(self.meter.level(carried, at_us), at_us)
    }

    #[inline]
    fn parts(&self, now_us: i64) -> u64 {
        let since = now_us.saturating_sub(self.base_us).max(0).cast_unsigned();
        since.saturating_mul(self.meter.parts)
    }

    #[inline]
    fn word(&self, value: u64) -> u64 {
        (value << (64 - WORD_BITS)) | self.generation
    }
}

/// In what a window's beginning is counted.
fn tick(meter: &Meter) -> i64 {
    match meter.align {
        Align::Epoch => meter.period_us,
        Align::First => 1,
    }
}
