//! A batch and its second tries: what happens when others are in the way, or a command is poisoned.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use crate::{
    storage::{
        Engine, StoreError,
        decide::{self, Fate, Job},
    },
    time::World,
};

/// How often a batch that met contention is decided again.
pub const RETRIES_MAX: u32 = 8;
/// How often a batch waits again for a writer of another process.
const BUSY_MAX: u32 = 2;

/// The answers of a batch, collected before anybody is woken.
pub(super) struct Run {
    pub(super) answers: Vec<(Box<dyn Job>, Option<StoreError>)>,
    /// Commands that the next batch has to decide.
    pub(super) again: Vec<Box<dyn Job>>,
}

impl Run {
    /// Decides `jobs` in one transaction, or in several where that fails.
    pub(super) fn run(
        &mut self,
        engine: &mut dyn Engine,
        world: &dyn World,
        mut jobs: Vec<Box<dyn Job>>,
        attempt: u32,
    ) {
        let capabilities = engine.capabilities();
        let mut fates = Vec::new();
        let done = catch_unwind(AssertUnwindSafe(|| {
            engine.transaction(&mut |tx| {
                let decided = decide::batch(tx, &mut jobs, capabilities, world)?;
                fates = decided.0;
                Ok(decided.1)
            })
        }));
        let done =
            done.unwrap_or_else(|_| Err(StoreError::Backend("the engine panicked".to_owned())));
        match done {
            Ok(()) => {
                for (job, fate) in jobs.into_iter().zip(fates) {
                    match fate {
                        Fate::Decided => self.answers.push((job, None)),
                        Fate::Failed(fault) => self.answers.push((job, Some(fault))),
                        Fate::Again => self.again.push(job),
                    }
                }
            }
            // Where writers exclude each other, somebody else's transaction kept this one out as a
            // whole, and the engine has waited for it already.
            Err(fault @ StoreError::Busy(_)) if capabilities.exclusive => {
                if attempt < BUSY_MAX {
                    self.run(engine, world, jobs, attempt + 1);
                } else {
                    self.all(jobs, &fault);
                }
            }
            Err(fault) if fault.is_contention() && attempt < RETRIES_MAX => {
                pause(attempt, world.random());
                let rest = jobs.split_off(jobs.len().div_ceil(2));
                self.run(engine, world, jobs, attempt + 1);
                if !rest.is_empty() {
                    self.run(engine, world, rest, attempt + 1);
                }
            }
            // The outcome belongs to the whole batch, or nothing can be decided at all.
            Err(fault @ (StoreError::Unknown(_) | StoreError::Closed)) => self.all(jobs, &fault),
            Err(_) if jobs.len() > 1 => {
                for job in jobs {
                    self.run(engine, world, vec![job], attempt);
                }
            }
            Err(fault) => self.all(jobs, &fault),
        }
    }

    /// One answer for all of them.
    pub(super) fn all(&mut self, jobs: Vec<Box<dyn Job>>, fault: &StoreError) {
        self.answers.extend(jobs.into_iter().map(|job| (job, Some(fault.clone()))));
    }
}

/// Lets others finish: up to 1, 2, 4, … 128 ms, at random so that two instances do not meet again.
fn pause(attempt: u32, random: u64) {
    let most_us = 1_000_u64 << attempt.min(7);
    thread::sleep(Duration::from_micros(random % most_us));
}
