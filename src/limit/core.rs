//! The check itself: a key, a lane, the time; one line of memory and one atomic change.
//!
//! A *lane* is an endpoint with its rate. A thread remembers the lanes and the table's arrays
//! ([`Here`]), so a check reads nothing that others write but the line it spends on; what it
//! remembers is renewed when the lanes' version has moved or a line was found moved.

use std::{
    num::NonZeroU32,
    sync::{Arc, RwLock, atomic::AtomicU64, atomic::Ordering},
};

use crate::{
    limit::{
        counts::Counting,
        decision::{Decision, Quota, Reason},
        here::Here,
        lanes::Lanes,
        lines::{Array, FROZEN, Found, Line, LineKey, MOVED_WORD, SLOTS},
        meter::{Level, Meter, State},
        policy::Rule,
        table::{AtCapacity, FULL_US, Newcomer, Table},
        word::{Interval, NO_WORD, Spent},
    },
    time::{LiveClock, Precision, World},
};

/// The table with its lanes and its clock.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) table: Table,
    pub(crate) clock: LiveClock,
    pub(super) lanes: RwLock<Lanes>,
    /// Moves with every change of a lane.
    pub(super) version: AtomicU64,
    /// Where threads register what they count; `None`: nothing is counted.
    pub(crate) counting: Option<Counting>,
}

/// Who asks, and what is known of him.
pub(crate) struct Caller<'c> {
    pub(crate) id: u128,
    /// His text, if he is not a number.
    pub(crate) name: Option<&'c str>,
    /// Whether he is frozen, for whoever has no line yet.
    pub(crate) is_frozen: &'c dyn Fn(u128) -> bool,
}

/// What a check spent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spending {
    pub(crate) id: u128,
    pub(crate) lane: usize,
    /// So many units, of an empty bucket's.
    pub(crate) units: (u64, u64),
    /// When the window began that it was spent of.
    pub(crate) start_us: i64,
    /// The level after it, when that was, and what comes back in a microsecond.
    pub(crate) used: u64,
    pub(crate) at_us: i64,
    pub(crate) parts: u64,
}

/// Why a check is not an ordinary one.
#[derive(Clone, Copy)]
pub(crate) enum Trouble {
    /// What the thread remembers is old.
    Old,
    /// There is no such lane.
    Unknown,
    /// The lane limits nothing.
    Inactive,
    /// It asks for more than the bucket holds.
    Never,
    /// The lane's words end before this time.
    Rebase,
    /// The key has no line in the array that the thread remembers.
    Absent,
    /// The word is under another generation.
    Foreign,
    Frozen,
    Refused {
        time: Interval,
        level: Level,
        wait_us: u64,
    },
}

impl Core {
    pub(crate) fn new(
        world: Arc<dyn World>,
        precision: Precision,
        keys_max: usize,
        counts: bool,
    ) -> Self {
        Self {
            table: Table::new(&*world, keys_max),
            clock: LiveClock::new(world, precision),
            lanes: RwLock::default(),
            version: AtomicU64::new(1),
            counting: counts.then(Default::default),
        }
    }

    #[inline]
    pub(crate) fn interval(&self) -> Interval {
        let (low_us, high_us) = self.clock.interval();
        Interval { low_us, high_us }
    }

    /// An ordinary check by what this thread remembers. `FULL`: with freezes, counters and flushes;
    /// without, the bare bucket. What is no ordinary check is for [`Core::check_again`]; `None`: the
    /// thread remembers nothing.
    // Apart from the rest, so that the answer is built where it is wanted, not merged and copied.
    #[expect(clippy::inline_always, reason = "the answer is built where it is wanted, not copied")]
    #[inline(always)]
    pub(crate) fn try_check<const FULL: bool>(
        &self,
        lane: usize,
        id: u128,
        times: NonZeroU32,
    ) -> Result<Decision, Option<Trouble>> {
        let time = self.interval();
        let spent = self.here(move |here| {
            let (level, now_us) = self.spend::<FULL>(here, lane, id, times, time)?;
            Ok((here.lanes[lane].quota, level, now_us))
        });
        match spent {
            Some(Ok((quota, level, now_us))) => Ok(Decision::of(quota, level, now_us)),
            Some(Err(trouble)) => Err(Some(trouble)),
            None => Err(None),
        }
    }

    /// A check that turned out to be no ordinary one, if it is known why.
    #[cold]
    #[inline(never)]
    pub(crate) fn check_again<const FULL: bool>(
        &self,
        lane: usize,
        caller: &Caller<'_>,
        times: NonZeroU32,
        trouble: Option<Trouble>,
    ) -> Decision {
        let check = |here: &mut Here| match trouble {
            Some(trouble) => self.settle::<FULL>(here, lane, caller, times, trouble),
            None => self.check::<FULL>(here, lane, caller, times, self.interval()),
        };
        // A thread that remembers nothing looks everything up.
        self.here(check).unwrap_or_else(|| check(&mut Here::new(self)))
    }

    /// Spends, or says why not.
    #[inline]
    pub(crate) fn check<const FULL: bool>(
        &self,
        here: &mut Here,
        lane: usize,
        caller: &Caller<'_>,
        times: NonZeroU32,
        time: Interval,
    ) -> Decision {
        match self.spend::<FULL>(here, lane, caller.id, times, time) {
            Ok((level, now_us)) => Decision::of(here.lanes[lane].quota, level, now_us),
            Err(trouble) => self.settle::<FULL>(here, lane, caller, times, trouble),
        }
    }

    /// An ordinary check: answers the level after it, and when.
    #[inline]
    pub(super) fn spend<const FULL: bool>(
        &self,
        here: &Here,
        lane_at: usize,
        id: u128,
        times: NonZeroU32,
        mut time: Interval,
    ) -> Result<(Level, i64), Trouble> {
        if here.version != self.version.load(Ordering::Acquire) {
            return Err(Trouble::Old);
        }
        let Some(lane) = here.lanes.get(lane_at) else { return Err(Trouble::Unknown) };
        if lane.quota.meter.is_none() {
            return Err(Trouble::Inactive);
        }
        if !lane.rate.covers(time) {
            return Err(Trouble::Rebase);
        }
        let units = match times.get() {
            1 => lane.units,
            times => lane.units.saturating_mul(u64::from(times)),
        };
        if units > lane.rate.meter.full {
            return Err(Trouble::Never);
        }
        let (key, slot) = (LineKey { id, page: lane.page }, lane.slot);
        let (shard, place) = self.table.place(key);
        let array = &here.arrays[shard];
        let Found::Line(line, _, flags) = array.find(key, place) else {
            return Err(Trouble::Absent);
        };
        if FULL && flags & FROZEN != 0 {
            return Err(Trouble::Frozen);
        }
        let mut word = line.word(slot);
        loop {
            if word == MOVED_WORD {
                return Err(Trouble::Absent);
            }
            if lane.rate.is_foreign(word) {
                return Err(Trouble::Foreign);
            }
            match lane.rate.spend(word, time, units) {
                Spent::Yes(new, level) => match line.replace(slot, word, new) {
                    Ok(()) => {
                        if FULL {
                            here.count(lane_at, time.low_us, true);
                            self.note(line, key, true);
                        }
                        return Ok((level, time.low_us));
                    }
                    Err(now) => word = now,
                },
                Spent::Unclear => {
                    time = Interval::exactly(self.clock.now_us());
                    if !lane.rate.covers(time) {
                        return Err(Trouble::Rebase);
                    }
                }
                Spent::No(wait_us, level) => {
                    if FULL {
                        self.note(line, key, false);
                    }
                    return Err(Trouble::Refused { time, level, wait_us });
                }
            }
        }
    }

    /// Counts the request for the busiest keys, and lets the next flush see the line.
    #[inline]
    fn note(&self, line: &Line, key: LineKey, is_allowed: bool) {
        line.count(is_allowed);
        if !line.is_marked() {
            self.mark(key);
        }
    }

    /// Lets the next flush see a key's line.
    #[cold]
    pub(crate) fn mark(&self, key: LineKey) {
        let (shard, place) = self.table.place(key);
        self.table.shard(shard).mark(key, place);
    }

    /// Everything that is not an ordinary day.
    #[cold]
    #[inline(never)]
    fn settle<const FULL: bool>(
        &self,
        here: &mut Here,
        lane_at: usize,
        caller: &Caller<'_>,
        times: NonZeroU32,
        mut trouble: Trouble,
    ) -> Decision {
        let decision = loop {
            let Some(quota) = here.lanes.get(lane_at).map(|lane| lane.quota) else {
                here.renew(self);
                if here.lanes.len() > lane_at {
                    continue;
                }
                return Decision::untouched(Quota::of("", None), self.clock.now_us())
                    .denied(Reason::CostExceedsBurst, None);
            };
            // Who is frozen is told so, whatever else he asked too much of.
            let is_frozen = FULL && (caller.is_frozen)(caller.id);
            if is_frozen && !matches!(trouble, Trouble::Old | Trouble::Unknown) {
                break self.peek(caller.id, lane_at).denied(Reason::Frozen, None);
            }
            match trouble {
                Trouble::Old | Trouble::Unknown => here.renew(self),
                Trouble::Rebase => self.rebase(lane_at),
                Trouble::Absent => match self.admit(lane_at, caller) {
                    Ok((shard, array)) => here.arrays[shard] = array,
                    Err(AtCapacity) => {
                        let wait_us = Some(FULL_US.unsigned_abs());
                        break self.untouched(quota).denied(Reason::AtCapacity, wait_us);
                    }
                },
                Trouble::Foreign => self.convert(lane_at, caller.id),
                Trouble::Inactive => break self.untouched(quota),
                Trouble::Never => {
                    break self.peek(caller.id, lane_at).denied(Reason::CostExceedsBurst, None);
                }
                Trouble::Frozen => {
                    // The freeze is over: whoever lifts it asks again, and is counted then.
                    return self.peek(caller.id, lane_at).denied(Reason::Frozen, None);
                }
                Trouble::Refused { time, level, wait_us } => {
                    break Decision::of(quota, level, time.low_us)
                        .denied(Reason::RateLimited, Some(wait_us));
                }
            }
            match self.spend::<FULL>(here, lane_at, caller.id, times, self.interval()) {
                Ok((level, now_us)) => {
                    return Decision::of(here.lanes[lane_at].quota, level, now_us);
                }
                Err(other) => trouble = other,
            }
        };
        if FULL {
            here.count(lane_at, self.clock.now_us(), decision.is_allowed());
        }
        decision
    }

    fn untouched(&self, quota: &'static Quota) -> Decision {
        Decision::untouched(quota, self.clock.now_us())
    }

    /// Makes sure that a caller has a line; answers its shard and the array that it is in.
    pub(super) fn admit(
        &self,
        lane: usize,
        caller: &Caller<'_>,
    ) -> Result<(usize, Array), AtCapacity> {
        let (key, slot) = line_key(caller.id, lane);
        let is_frozen = || (caller.is_frozen)(caller.id);
        let array = self.with_judge(|lanes, now_us, is_full| {
            let mut words = [NO_WORD; SLOTS];
            words[slot] = lanes.list.get(lane).map_or(NO_WORD, |lane| lane.rate.fresh());
            let new = Newcomer { key, name: caller.name, words, is_frozen: &is_frozen };
            self.table.admit(&new, now_us, is_full)
        })?;
        Ok((self.table.place(key).0, array))
    }

    /// How a caller's bucket stands, without spending and without making a line for him.
    pub(crate) fn peek(&self, id: u128, lane: usize) -> Decision {
        self.rebase(lane);
        let lanes = self.lanes();
        let now_us = self.clock.now_us();
        let Some(known) = lanes.list.get(lane) else {
            return Decision::untouched(Quota::of("", None), now_us);
        };
        let (key, slot) = line_key(id, lane);
        let (shard, place) = self.table.place(key);
        let shard = self.table.shard(shard);
        let word = match shard.array().find(key, place) {
            Found::Line(line, ..) => line.word(slot),
            Found::Elsewhere => NO_WORD,
        };
        match lanes.level(lane, word, now_us) {
            Some(level) => Decision::of(known.quota, level, now_us),
            None => Decision::untouched(known.quota, now_us),
        }
    }

    /// Gives back what was spent, if its window is still in force; under another policy the same
    /// share of a bucket, rounded down.
    pub(crate) fn refund(&self, spent: &Spending) {
        let (units, full) = spent.units;
        // What has come back by itself since is not given back again.
        let since_us = self.clock.now_us().saturating_sub(spent.at_us).max(0).unsigned_abs();
        let left = spent.used.saturating_sub(since_us.saturating_mul(spent.parts));
        self.change(spent.id, spent.lane, |meter, level| {
            let is_over = meter.rule == Rule::Window && level.start_us != spent.start_us;
            let share = u128::from(units.min(left)) * u128::from(meter.full) / u128::from(full);
            let share = u64::try_from(share).unwrap_or(0);
            (!is_over).then(|| meter.refund(level, share))
        });
    }

    /// Gives everything back.
    pub(crate) fn clear(&self, id: u128, lane: usize) {
        self.change(id, lane, |_, level| Some(Level { used: 0, ..level }));
    }

    /// Takes in a bucket as a row kept it; `false`: there is no room.
    pub(crate) fn load(&self, lane_at: usize, caller: &Caller<'_>, state: State) -> bool {
        if self.admit(lane_at, caller).is_err() {
            return false;
        }
        let (now_us, ahead_us) = (self.clock.now_us(), self.clock.ahead_us());
        self.change(caller.id, lane_at, |meter, level| {
            let stored = meter.level_ahead(state, now_us, ahead_us);
            Some(meter.emptier(level, stored))
        });
        true
    }

    /// Changes a known caller's level, and lets the next flush see it.
    fn change(&self, id: u128, lane_at: usize, change: impl Fn(&Meter, Level) -> Option<Level>) {
        self.rebase(lane_at);
        let lanes = self.lanes();
        let Some(lane) = lanes.list.get(lane_at) else { return };
        let (key, slot) = line_key(id, lane_at);
        let (shard, place) = self.table.place(key);
        let mut shard = self.table.shard(shard);
        let array = shard.array().clone();
        let Found::Line(line, ..) = array.find(key, place) else { return };
        loop {
            let (word, now_us) = (line.word(slot), self.clock.now_us());
            let Some(level) = lanes.level(lane_at, word, now_us) else { return };
            let Some(level) = change(&lane.rate.meter, level) else { return };
            if line.replace(slot, word, lane.rate.pack(level, now_us)).is_ok() {
                return shard.mark(key, place);
            }
        }
    }
}

pub(crate) fn page_and_slot(lane: usize) -> (u8, usize) {
    (u8::try_from(lane / SLOTS).unwrap_or(u8::MAX), lane % SLOTS)
}

#[inline]
pub(crate) fn line_key(id: u128, lane: usize) -> (LineKey, usize) {
    let (page, slot) = page_and_slot(lane);
    (LineKey { id, page }, slot)
}
