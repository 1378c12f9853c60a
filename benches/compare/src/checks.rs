//! Checks by the million: several sides in turns, nanoseconds of each.
//!
//! Processor time where one thread works, so that what else the machine does stays out; the time
//! that passes where two threads wait for each other.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::{args::Args, rounds::Runs};

/// Does that many checks.
pub type Side<'s> = &'s mut dyn FnMut(u64);

/// How many checks a round has: a fifth of a second's, or less for a look.
#[must_use]
pub fn a_round(args: &Args) -> u64 {
    if args.quick { 1_000_000 } else { 2_000_000 }
}

/// Runs the sides in turns, `count` checks each, and answers nanoseconds per check. Each goes once
/// before anything counts, so every key is known.
pub fn in_turns<const N: usize>(
    args: &Args,
    clock: ClockId,
    count: u64,
    mut sides: [Side<'_>; N],
) -> [Runs; N] {
    let mut all = [(); N].map(|()| Runs::default());
    for (side, runs) in sides.iter_mut().zip(&mut all) {
        side(count);
        runs.ops += count;
    }
    let rounds = if args.quick { 3 } else { args.pace().rounds };
    for _ in 0..rounds {
        for (side, runs) in sides.iter_mut().zip(&mut all) {
            let before = reading(clock);
            side(count);
            let took = reading(clock) - before;
            runs.push(took.as_secs_f64() * 1e9 / count as f64);
            runs.ops += count;
        }
    }
    all
}

/// What a clock of the system shows.
#[must_use]
#[inline]
pub fn reading(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}
