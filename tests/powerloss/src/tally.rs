//! The tally of many trials, and the one line that it comes to.

use std::{collections::BTreeMap, fmt};

use crate::{Outcome, panics, say};

/// What many trials came to.
#[derive(Debug, Default)]
pub struct Tally {
    name: &'static str,
    /// How many trials met what was to go wrong.
    pub struck: u64,
    /// In how many of them something was lost, half done or stuck.
    pub losses: u64,
    harmed: u64,
    acknowledged: u64,
    lives: u64,
    stuck: u64,
    faults: BTreeMap<&'static str, u64>,
    first: Vec<String>,
}

/// How many losses are told in full.
const TOLD: usize = 5;

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// Adds a trial; whether it met what was to go wrong.
    pub fn add(&mut self, trial: impl fmt::Debug, outcome: &Outcome) -> bool {
        if outcome.harmed > 0 {
            self.struck += 1;
            self.harmed += outcome.harmed;
            self.acknowledged += outcome.acknowledged;
            self.lives += outcome.lives;
            self.stuck += outcome.stuck;
            for (fault, count) in &outcome.faults {
                *self.faults.entry(fault).or_default() += count;
            }
        }
        if !outcome.findings.is_empty() {
            self.losses += 1;
            if self.first.len() < TOLD {
                self.first.push(format!("{trial:?}: {:#?}", outcome.findings));
            }
        }
        outcome.harmed > 0
    }

    /// Says the line.
    pub fn say(&self) {
        let Self { name, struck, losses, harmed, acknowledged, lives, stuck, faults, .. } = self;
        say(&format!(
            "{name}: {struck} trials struck {harmed} times in {lives} lives, {acknowledged} \
             acknowledged calls checked, {losses} losses, {stuck} handles stuck, answers {faults:?}"
        ));
    }

    /// Says the line, and fails if anything was lost.
    ///
    /// # Panics
    ///
    /// With the first losses.
    pub fn expect_no_loss(&self) {
        self.say();
        assert_eq!(self.losses, 0, "{}", self.first.join("\n"));
        assert_eq!(self.stuck, 0, "a handle is stuck");
        assert_eq!(panics(), 0, "the disk itself panicked");
    }
}
