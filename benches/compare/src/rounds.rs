//! Rounds: two sides in turns, and what their rates say.

use std::{ops::Range, time::Duration};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often each side runs.
    pub rounds: usize,
    /// About how long one run takes.
    pub round: Duration,
    /// What a run's number of operations is a multiple of: a batch, where they come in batches.
    pub step: u64,
}

impl Pace {
    /// For figures that are kept.
    pub const FULL: Self = Self { rounds: 7, round: Duration::from_millis(1_500), step: 1 };
    /// For a look.
    pub const QUICK: Self = Self { rounds: 5, round: Duration::from_millis(200), step: 1 };
}

/// What one side's runs gave, one number a run.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    sorted: Vec<f64>,
    /// How many operations it did in all, those before the first run included.
    pub ops: u64,
}

impl Runs {
    /// Adds one run's figure.
    pub fn push(&mut self, figure: f64) {
        let at = self.sorted.partition_point(|known| *known < figure);
        self.sorted.insert(at, figure);
    }

    /// The middle figure.
    #[must_use]
    pub fn median(&self) -> f64 {
        let (low, high) = (self.sorted.len().saturating_sub(1) / 2, self.sorted.len() / 2);
        (self.at(low) + self.at(high)) / 2.0
    }

    /// What the figures come to, shared evenly.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sorted.iter().sum::<f64>() / self.sorted.len() as f64
    }

    /// The lowest figure.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.at(0)
    }

    /// The highest figure.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.at(self.sorted.len().saturating_sub(1))
    }

    /// The figure that so many percent of the others do not exceed.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> f64 {
        self.at((self.sorted.len() * percent).div_ceil(100).saturating_sub(1))
    }

    /// Whether the runs agree with each other within 10 %.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.max() - self.min() <= 0.1 * self.median()
    }

    fn at(&self, index: usize) -> f64 {
        self.sorted.get(index).copied().unwrap_or(f64::NAN)
    }
}

/// Does the operations of that range and says how long it took.
pub type Side<'s> = &'s mut dyn FnMut(Range<u64>) -> Duration;

/// Runs the sides in turns, and answers operations per second of each.
///
/// Each side first finds out how many operations fill a round; that many it does in every round.
pub fn in_turns<const N: usize>(pace: Pace, sides: [Side<'_>; N]) -> [Runs; N] {
    let mut sides = sides.map(|side| {
        let mut runs = Runs::default();
        let count = fitting(pace, side, &mut runs);
        (side, runs, count)
    });
    for _ in 0..pace.rounds {
        for (side, runs, count) in &mut sides {
            let took = next(*side, runs, *count);
            runs.push(per_second(*count, took));
        }
    }
    sides.map(|(_, runs, _)| runs)
}

/// How many operations fill a round: doubled until they take a quarter of it.
fn fitting(Pace { round, step, .. }: Pace, side: Side<'_>, runs: &mut Runs) -> u64 {
    let mut count = 64_u64.next_multiple_of(step);
    loop {
        let took = next(side, runs, count);
        if took * 4 >= round {
            let fit = u128::from(count) * round.as_nanos() / took.as_nanos().max(1);
            return u64::try_from(fit).unwrap_or(u64::MAX).max(1).next_multiple_of(step);
        }
        count *= 2;
    }
}

fn next(side: Side<'_>, runs: &mut Runs, count: u64) -> Duration {
    let from = runs.ops;
    runs.ops += count;
    side(from..runs.ops)
}

fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
