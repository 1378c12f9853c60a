//! The concurrent table: lines in shards that grow, shrink and forget by themselves.
//!
//! A check looks its key up in an array that its thread remembers, without a lock. What is not found
//! there, or was moved, is settled under the shard's lock: the key gets a line, the array grows, or
//! idle lines are dropped. A bucket that is full again holds nothing worth keeping, so it may be
//! dropped at any time; one in debt never is.
//!
//! # Invariants
//!
//! - **Q4** The table holds at most as many lines as it was given; at that bound, new keys are
//!   refused and debts are kept.
//! - **Q5** Dropping a line gives nobody a token.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::{
    limit::{
        lines::{Array, Content, DIRTY, FROZEN, Found, LineKey, SLOTS},
        sync::lock,
        word::NO_WORD,
    },
    time::World,
};

/// Independent parts, each under a lock of its own.
pub(crate) const SHARDS: usize = 64;

/// The lines of a shard that has just begun.
const LINES_MIN: usize = 8;

/// How long a shard at the bound waits before it looks for idle lines again: looking costs as much
/// as it has lines, and an attacker would make it look for every key.
pub(crate) const FULL_US: i64 = 1_000_000;

/// Places that one newcomer may walk in other shards than his own; the next walks on from there.
const WALK_MAX: usize = 16_384;

/// Says whether a bucket is full: of which page and slot, under which word.
pub(crate) type IsFull<'f> = &'f dyn Fn(u8, usize, u64) -> bool;

/// The table.
#[derive(Debug)]
pub(crate) struct Table {
    serial: u64,
    seeds: [u64; 2],
    shards: Box<[Mutex<Shard>]>,
    lines: AtomicUsize,
    lines_max: usize,
    /// Which shard is walked next for idle lines.
    walk: AtomicUsize,
    /// Until when no shard is worth walking.
    full_until_us: AtomicI64,
}

/// One part of the table.
#[derive(Debug)]
pub(crate) struct Shard {
    array: Array,
    used: usize,
    /// Lines that were spent on since the last flush.
    dirty: Vec<u32>,
    /// The texts of keys that are not numbers, for whoever writes rows.
    names: HashMap<u128, Box<str>>,
    /// Until when it is not worth looking for idle lines.
    full_until_us: i64,
}

/// The table is full of buckets in debt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtCapacity;

impl Table {
    pub(crate) fn new(world: &dyn World, lines_max: usize) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let shard = || {
            Mutex::new(Shard {
                array: Array::new(LINES_MIN),
                used: 0,
                dirty: Vec::new(),
                names: HashMap::new(),
                full_until_us: i64::MIN,
            })
        };
        Self {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            seeds: [world.random() | 1, world.random() | 1],
            shards: (0..SHARDS).map(|_| shard()).collect(),
            lines: AtomicUsize::new(0),
            lines_max,
            walk: AtomicUsize::new(0),
            full_until_us: AtomicI64::new(i64::MIN),
        }
    }

    /// Tells tables apart in this process.
    #[inline]
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// A key's place: its shard, and where it belongs in the shard's array.
    #[inline]
    pub(crate) fn place(&self, key: LineKey) -> (usize, u64) {
        let place = key.place(self.seeds);
        ((place >> 58) as usize % SHARDS, place)
    }

    pub(crate) fn arrays(&self) -> Vec<Array> {
        self.shards.iter().map(|shard| lock(shard).array.clone()).collect()
    }

    pub(crate) fn shard(&self, shard: usize) -> MutexGuard<'_, Shard> {
        lock(&self.shards[shard])
    }

    /// How many lines are held, and how many there is memory for.
    pub(crate) fn size(&self) -> (usize, usize) {
        let memory = self.shards.iter().map(|shard| lock(shard).array.len()).sum();
        (self.lines.load(Ordering::Relaxed), memory)
    }

    /// Makes sure that the key has a line in the array that it answers.
    pub(crate) fn admit(
        &self,
        new: &Newcomer<'_>,
        now_us: i64,
        is_full: IsFull<'_>,
    ) -> Result<Array, AtCapacity> {
        match self.admit_here(new, now_us, is_full) {
            // His own shard had nothing to drop, but one with idle lines may be elsewhere.
            Err(AtCapacity) if self.reclaim(now_us, is_full) => {
                self.admit_here(new, now_us, is_full)
            }
            answer => answer,
        }
    }

    fn admit_here(
        &self,
        new: &Newcomer<'_>,
        now_us: i64,
        is_full: IsFull<'_>,
    ) -> Result<Array, AtCapacity> {
        let (shard, place) = self.place(new.key);
        let mut shard = self.shard(shard);
        if let Found::Line(..) = shard.array.find(new.key, place) {
            return Ok(shard.array.clone());
        }
        // Taken before it is used: others add to other shards meanwhile (**Q4**).
        let at_bound = !self.reserve();
        if at_bound || shard.used >= room(shard.array.len()) {
            self.make_room(&mut shard, at_bound, now_us, is_full)?;
        }
        if at_bound && !self.reserve() {
            return Err(AtCapacity);
        }
        // Under the lock: whoever freezes after this finds the line, whoever froze before is seen.
        let flags = if (new.is_frozen)() { FROZEN } else { 0 };
        shard.array.add(&Content { key: new.key, flags, seen: 0, words: new.words }, place);
        if let Some(name) = new.name {
            shard.names.insert(new.key.id, name.into());
        }
        shard.used += 1;
        Ok(shard.array.clone())
    }

    /// Counts a line that is about to be added, unless there are as many as may be.
    fn reserve(&self) -> bool {
        let one_more = |lines| (lines < self.lines_max).then_some(lines + 1);
        self.lines.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// Drops the idle lines of some shard; whether there were any.
    fn reclaim(&self, now_us: i64, is_full: IsFull<'_>) -> bool {
        if now_us < self.full_until_us.load(Ordering::Relaxed) {
            return false;
        }
        let mut walked = 0;
        for _ in 0..SHARDS {
            if walked > WALK_MAX {
                return false;
            }
            let mut shard = self.shard(self.walk.fetch_add(1, Ordering::Relaxed) % SHARDS);
            if now_us >= shard.full_until_us {
                walked += shard.array.len();
            }
            if self.make_room(&mut shard, true, now_us, is_full).is_ok() {
                return true;
            }
        }
        self.full_until_us.store(now_us.saturating_add(FULL_US), Ordering::Relaxed);
        false
    }

    fn make_room(
        &self,
        shard: &mut Shard,
        at_bound: bool,
        now_us: i64,
        is_full: IsFull<'_>,
    ) -> Result<(), AtCapacity> {
        if at_bound {
            if now_us < shard.full_until_us {
                return Err(AtCapacity);
            }
            // Moving a whole shard for a handful of lines is not worth it.
            let busy = shard.busy(is_full);
            if shard.used - busy <= shard.used / 32 {
                shard.full_until_us = now_us.saturating_add(FULL_US);
                return Err(AtCapacity);
            }
        }
        self.rebuild(shard, is_full);
        Ok(())
    }

    /// Moves the lines in debt to a new array with room for more, and drops the idle ones.
    fn rebuild(&self, shard: &mut Shard, is_full: IsFull<'_>) {
        // Judged when nobody can spend on them any more.
        let taken = (0..shard.array.len()).filter_map(|at| shard.array.take(at));
        let kept: Vec<Content> = taken.filter(|line| is_busy(line, is_full)).collect();
        let mut lines = LINES_MIN;
        while room(lines) <= kept.len() + kept.len() / 4 {
            lines *= 2;
        }
        let array = Array::new(lines);
        shard.dirty.clear();
        for content in &kept {
            let (_, at) = array.add(content, self.place(content.key).1);
            if content.flags & DIRTY != 0 {
                shard.dirty.push(at);
            }
        }
        if !shard.names.is_empty() {
            let ids: HashSet<u128> = kept.iter().map(|line| line.key.id).collect();
            shard.names.retain(|id, _| ids.contains(id));
            shard.names.shrink_to_fit();
        }
        self.lines.fetch_sub(shard.used - kept.len(), Ordering::Relaxed);
        shard.used = kept.len();
        shard.array = array;
    }

    /// Sets or clears the flag of a key's line, if it has one.
    pub(crate) fn set_frozen(&self, key: LineKey, is_frozen: bool) {
        let (shard, place) = self.place(key);
        let shard = self.shard(shard);
        if let Found::Line(_, at, _) = shard.array.find(key, place) {
            shard.array.set_frozen(at, is_frozen);
        }
    }

    /// Gives memory back: a shard whose lines are mostly idle is built anew. Costs a walk of it.
    pub(crate) fn tidy(&self, shard: usize, is_full: IsFull<'_>) {
        let mut shard = self.shard(shard);
        if shard.array.len() > LINES_MIN && shard.busy(is_full) * 4 < room(shard.array.len()) {
            self.rebuild(&mut shard, is_full);
        }
    }
}

/// A key that may have no line yet.
pub(crate) struct Newcomer<'n> {
    pub(crate) key: LineKey,
    pub(crate) name: Option<&'n str>,
    pub(crate) words: [u64; SLOTS],
    pub(crate) is_frozen: &'n dyn Fn() -> bool,
}

impl Shard {
    /// Lines with a bucket in debt.
    fn busy(&self, is_full: IsFull<'_>) -> usize {
        self.array.contents().filter(|(_, line)| is_busy(line, is_full)).count()
    }

    /// Lets the next flush see a line that was spent on.
    pub(crate) fn mark(&mut self, key: LineKey, place: u64) {
        if let Found::Line(_, at, _) = self.array.find(key, place)
            && self.array.mark(at)
        {
            self.dirty.push(at);
        }
    }

    /// What was spent on since the last call, each with its text if it has one.
    pub(crate) fn harvest(&mut self) -> Vec<(Content, Option<Box<str>>)> {
        let dirty = std::mem::take(&mut self.dirty);
        let contents = dirty.into_iter().filter_map(|at| self.array.harvest(at));
        contents.map(|line| (line, self.names.get(&line.key.id).cloned())).collect()
    }

    /// Its array, which nobody replaces while this is borrowed.
    pub(crate) fn array(&self) -> &Array {
        &self.array
    }
}

/// Lines that an array of that length may hold: beyond five eighths, looking gets long.
fn room(lines: usize) -> usize {
    lines / 8 * 5
}

/// Whether one of a line's buckets is in debt (**Q5**).
fn is_busy(line: &Content, is_full: IsFull<'_>) -> bool {
    let words = line.words.iter().enumerate();
    words.into_iter().any(|(slot, word)| *word != NO_WORD && !is_full(line.key.page, slot, *word))
}
