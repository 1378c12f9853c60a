//! Lanes: the endpoints in memory, changed live.
//!
//! Each change of a rate gives it a new generation, which its words bear. Whoever meets a word of
//! another generation converts it first; a walk of the table converts those that nobody meets.
//! Whoever holds the lanes may take a shard's lock, and beneath it ask who is frozen; never the other
//! way round, and never the lanes twice.
//!
//! # Invariants
//!
//! - **Q6** A change of policy gives nobody a token: words keep their spent share, each converted
//!   once, by whoever meets it first.

use std::{
    collections::VecDeque,
    sync::{RwLockReadGuard, RwLockWriteGuard, atomic::Ordering},
};

use crate::limit::{
    core::{Core, line_key, page_and_slot},
    decision::Quota,
    lines::{Found, Line, MOVED_WORD, SLOTS},
    meter::{Level, Meter},
    policy::Policy,
    sync::{read, write},
    table::SHARDS,
    word::{NO_WORD, Rate},
};

/// An endpoint in memory.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) quota: &'static Quota,
    pub(crate) rate: Rate,
    /// Where its words are: in which of a key's lines, and where there.
    pub(crate) page: u8,
    pub(crate) slot: usize,
    /// What one check costs, in units.
    pub(crate) units: u64,
    /// The policy's version in the store.
    pub(crate) version: i64,
    /// Since when the rate is in force.
    pub(crate) since_us: i64,
}

/// The lanes, and the rates that some words may still be under.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) list: Vec<Lane>,
    past: Vec<VecDeque<Rate>>,
}

/// The most lanes: 256 pages of five.
const LANES_MAX: usize = 256 * SLOTS;

/// Rates of the past to remember: those of words that a sleeping thread may yet write.
const PAST_MAX: usize = 12;

/// What a lane is to be.
#[derive(Clone, Debug)]
pub(crate) struct NewLane {
    pub(crate) meter: Meter,
    pub(crate) quota: &'static Quota,
    pub(crate) units: u64,
    pub(crate) version: i64,
}

impl NewLane {
    /// Of a policy, which cannot be one that does not count.
    pub(crate) fn of(policy: &Policy) -> Option<Self> {
        let meter = Meter::of(policy)?;
        let units = policy.cost.unsigned_abs().saturating_mul(meter.unit);
        Some(Self { meter, quota: policy.quota(), units, version: policy.version })
    }
}

impl Lanes {
    fn past_rate(&self, lane: usize, word: u64) -> Option<&Rate> {
        self.past.get(lane)?.iter().find(|rate| !rate.is_foreign(word))
    }

    /// Gives a lane a rate of the next generation, in force from now on.
    fn replace_rate(&mut self, at: usize, meter: Meter, now_us: i64) {
        let Some((lane, past)) = self.list.get_mut(at).zip(self.past.get_mut(at)) else { return };
        let rate = Rate::new(meter, Some(&lane.rate), now_us);
        past.push_front(std::mem::replace(&mut lane.rate, rate));
        past.truncate(PAST_MAX);
        lane.since_us = now_us;
    }

    /// Brings a line's word to the lane's generation.
    fn convert(&self, line: &Line, lane: usize, slot: usize) {
        let Some(Lane { rate, since_us, .. }) = self.list.get(lane) else { return };
        let mut word = line.word(slot);
        while word != MOVED_WORD && rate.is_foreign(word) {
            let new = match self.past_rate(lane, word) {
                _ if word == NO_WORD => rate.fresh(),
                Some(old) => rate.carry(old, word, *since_us),
                // Older than anything remembered: nobody gets a token from that.
                None => rate.pack(Level { used: rate.meter.full, start_us: *since_us }, *since_us),
            };
            match line.replace(slot, word, new) {
                Ok(()) => return,
                Err(now) => word = now,
            }
        }
    }

    /// What a word of a lane says, whatever generation it is of.
    pub(crate) fn level(&self, lane: usize, word: u64, now_us: i64) -> Option<Level> {
        let known = self.list.get(lane)?;
        if word == NO_WORD || !known.rate.is_foreign(word) {
            return Some(known.rate.level(word, now_us));
        }
        let full = Level { used: known.rate.meter.full, start_us: now_us };
        let Some(old) = self.past_rate(lane, word) else { return Some(full) };
        let word = known.rate.carry(old, word, known.since_us);
        Some(known.rate.level(word, now_us))
    }
}

impl Core {
    pub(crate) fn lanes(&self) -> RwLockReadGuard<'_, Lanes> {
        read(&self.lanes)
    }

    fn lanes_mut(&self) -> RwLockWriteGuard<'_, Lanes> {
        write(&self.lanes)
    }

    /// Runs `work` with the lanes, the time and a function that knows which words are full buckets.
    pub(crate) fn with_judge<T>(
        &self,
        work: impl FnOnce(&Lanes, i64, &dyn Fn(u8, usize, u64) -> bool) -> T,
    ) -> T {
        let now_us = self.clock.now_us();
        let lanes = self.lanes();
        let is_full = |page: u8, slot: usize, word: u64| {
            let at = usize::from(page) * SLOTS + slot;
            lanes.level(at, word, now_us).is_none_or(|level| level.used == 0)
        };
        work(&lanes, now_us, &is_full)
    }

    /// Adds a lane, or changes the one of that name; answers its number. `None`: there are as many as a
    /// line's page has numbers for.
    pub(crate) fn set_lane(&self, new: &NewLane) -> Option<usize> {
        let now_us = self.clock.now_us();
        let mut lanes = self.lanes_mut();
        let NewLane { meter, quota, units, version } = *new;
        let Some(at) = lanes.list.iter().position(|lane| lane.quota.name == quota.name) else {
            if lanes.list.len() >= LANES_MAX {
                return None;
            }
            let rate = Rate::new(meter, None, now_us);
            let since_us = now_us;
            let (page, slot) = page_and_slot(lanes.list.len());
            let lane = Lane { quota, rate, page, slot, units, version, since_us };
            lanes.list.push(lane);
            lanes.past.push(VecDeque::new());
            self.version.fetch_add(1, Ordering::Release);
            return Some(lanes.list.len() - 1);
        };
        let known = &lanes.list[at];
        if known.version > version {
            return Some(at);
        }
        let is_same = std::ptr::eq(known.quota, quota);
        let lane = &mut lanes.list[at];
        (lane.quota, lane.units, lane.version) = (quota, units, version);
        if !is_same {
            lanes.replace_rate(at, meter, now_us);
        }
        self.version.fetch_add(1, Ordering::Release);
        drop(lanes);
        if !is_same {
            self.convert_all(at);
        }
        Some(at)
    }

    /// Gives the lane's words another base if they do not reach to now.
    #[cold]
    pub(crate) fn rebase(&self, lane: usize) {
        let covers =
            self.lanes().list.get(lane).is_none_or(|lane| lane.rate.covers(self.interval()));
        if !covers {
            self.rebase_now(lane);
        }
    }

    /// The same long before it is needed, off the checks' path.
    pub(crate) fn rebase_in_time(&self, lane: usize) {
        let is_late = self.lanes().list.get(lane).is_some_and(|lane| {
            let left_us = lane.rate.until_us.saturating_sub(self.clock.now_us());
            left_us < lane.rate.until_us.saturating_sub(lane.rate.from_us) / 4
        });
        if is_late {
            self.rebase_now(lane);
        }
    }

    /// Unless somebody just did.
    fn rebase_now(&self, lane: usize) {
        let before = self.lanes().list[lane].rate;
        {
            let mut lanes = self.lanes_mut();
            if lanes.list[lane].rate.generation != before.generation {
                return;
            }
            lanes.replace_rate(lane, before.meter, self.clock.now_us());
            self.version.fetch_add(1, Ordering::Release);
        }
        self.convert_all(lane);
    }

    /// Walks the table, so that no word is ever more than one change behind (**Q6**).
    fn convert_all(&self, lane: usize) {
        let (page, slot) = page_and_slot(lane);
        for shard in 0..SHARDS {
            let lanes = self.lanes();
            let shard = self.table.shard(shard);
            for (at, content) in shard.array().contents() {
                if content.key.page == page && content.words[slot] != NO_WORD {
                    lanes.convert(shard.array().at(at), lane, slot);
                }
            }
        }
    }

    /// Converts one word that a check met.
    pub(super) fn convert(&self, lane: usize, id: u128) {
        let (key, slot) = line_key(id, lane);
        let (shard, place) = self.table.place(key);
        let lanes = self.lanes();
        let shard = self.table.shard(shard);
        if let Found::Line(line, ..) = shard.array().find(key, place) {
            lanes.convert(line, lane, slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, sync::Arc, time::Duration};

    use super::*;
    use crate::{
        Simulated, Timestamp,
        limit::{
            Precision,
            core::{Caller, Trouble},
            here::Here,
            word::{Interval, Spent},
        },
    };

    #[test]
    fn q6_a_spender_who_slept_through_any_number_of_changes_finds_another_word() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let policy = |tokens| {
            let policy = Policy::greedy("search".parse().unwrap(), tokens, Duration::from_secs(60));
            NewLane::of(&policy.unwrap().burst(5_000).unwrap()).unwrap()
        };
        let caller = Caller { id: 1, name: None, is_frozen: &|_| false };
        for changes in 1..100 {
            let core =
                Core::new(Arc::new(Simulated::new(now, 1)), Precision::Precise, 1_000, false);
            core.set_lane(&policy(60)).unwrap();
            // He has a line, has read its word, and sleeps before he spends.
            core.admit(0, &caller).unwrap();
            let (key, slot) = line_key(caller.id, 0);
            let (shard, place) = core.table.place(key);
            let array = core.table.shard(shard).array().clone();
            let Found::Line(line, ..) = array.find(key, place) else { panic!("no line") };
            let (word, rate) = (line.word(slot), core.lanes().list[0].rate);
            let time = Interval::exactly(now.micros());
            let units = core.lanes().list[0].units;
            let Spent::Yes(spent, _) = rate.spend(word, time, units) else { panic!("refused") };
            for change in 0..changes {
                core.set_lane(&policy([7, 1_000, 60][change % 3])).unwrap();
            }
            assert_ne!(line.word(slot), word, "{changes} changes");
            assert!(line.replace(slot, word, spent).is_err());
            // And whoever thinks that he is of the rate in force is told what the word is.
            let mut here = Here::new(&core);
            here.lanes[0].rate = rate;
            let trouble = core.spend::<false>(&here, 0, 1, NonZeroU32::MIN, time);
            assert!(matches!(trouble, Err(Trouble::Foreign)), "{changes} changes");
        }
    }
}
