//! Exact counters without a shared cache line: each thread counts in a block of its own.
//!
//! A block counts each lane's requests by minute, in four places that take turns; only its thread
//! writes it, so counting is an ordinary addition. The collector sums what has been added since it
//! last looked.
//!
//! # Invariants
//!
//! - **Y1** Every check is counted once, whichever thread made it, and also after the thread ended.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering, fence},
    },
};

use crate::limit::sync::lock;

/// Minutes that a block tells apart. The collector looks far more often than that.
const MINUTES: usize = 4;

/// A minute in microseconds.
pub(crate) const MINUTE_US: i64 = 60_000_000;

/// Ten minutes, of which the busiest keys are told.
pub(crate) const SLOT_US: i64 = 10 * MINUTE_US;

/// One thread's counters.
#[derive(Debug)]
pub(crate) struct Counts {
    lanes: Box<[LaneCounts]>,
}

/// One lane's: allowed and refused, in each place.
#[repr(align(64))]
#[derive(Debug, Default)]
struct LaneCounts([[AtomicU64; 2]; MINUTES]);

impl Counts {
    fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes).map(|_| LaneCounts::default()).collect() }
    }

    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Counts one check. Called by the block's own thread only.
    #[inline]
    pub(crate) fn add(&self, lane: usize, now_us: i64, is_allowed: bool) {
        let Some(lane) = self.lanes.get(lane) else { return };
        let counter = &lane.0[place(now_us.div_euclid(MINUTE_US))][usize::from(!is_allowed)];
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

fn place(minute: i64) -> usize {
    usize::try_from(minute.rem_euclid(4)).unwrap_or_default()
}

/// What was counted: lane and minute, to allowed and refused.
pub(crate) type Counted = BTreeMap<(usize, i64), [u64; 2]>;

/// All threads' blocks.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    blocks: Mutex<Vec<Known>>,
}

/// A block, and what it held when last looked at.
#[derive(Debug)]
struct Known {
    counts: Arc<Counts>,
    before: Vec<[[u64; 2]; MINUTES]>,
}

impl Counting {
    /// A block for this thread.
    pub(crate) fn register(&self, lanes: usize) -> Arc<Counts> {
        let counts = Arc::new(Counts::new(lanes));
        let before = vec![[[0; 2]; MINUTES]; lanes];
        lock(&self.blocks).push(Known { counts: counts.clone(), before });
        counts
    }

    /// Adds what was counted since the last call to `into`, and forgets the blocks of threads that
    /// ended (**Y1**).
    pub(crate) fn collect(&self, now_us: i64, into: &mut Counted) {
        let minute = now_us.div_euclid(MINUTE_US);
        lock(&self.blocks).retain_mut(|known| {
            // Asked first: a thread that ends meanwhile has counted what is read below.
            let has_ended = Arc::strong_count(&known.counts) == 1;
            // With what it counted: the count of owners is read without any order.
            fence(Ordering::Acquire);
            for (lane, before) in known.before.iter_mut().enumerate() {
                // From the minute before last to the next, which a check may already have seen.
                for of in minute - 2..minute + 2 {
                    let counters = &known.counts.lanes[lane].0[place(of)];
                    let now = counters.each_ref().map(|counter| counter.load(Ordering::Relaxed));
                    let before = std::mem::replace(&mut before[place(of)], now);
                    let new = [now[0] - before[0], now[1] - before[1]];
                    if new != [0, 0] {
                        let sum = into.entry((lane, of)).or_default();
                        *sum = [sum[0] + new[0], sum[1] + new[1]];
                    }
                }
            }
            !has_ended
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn y1_what_threads_count_is_collected_once_even_after_they_ended() {
        let counting = Counting::default();
        let mut counted = Counted::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let counts = counting.register(2);
                    for i in 0..1_000 {
                        counts.add(1, 59_999_999 + i / 500, i % 10 != 0);
                        if i == 700 {
                            counting.collect(MINUTE_US, &mut Counted::new().clone());
                        }
                    }
                });
            }
        });
        counting.collect(2 * MINUTE_US, &mut counted);
        assert!(counted.keys().all(|(lane, minute)| *lane == 1 && (0..=1).contains(minute)));
        assert!(lock(&counting.blocks).is_empty());
    }
}
