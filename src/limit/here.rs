//! What a thread remembers: the lanes, the table's arrays, and where it counts.
//!
//! A thread remembers the few cores that it used last. An array that was replaced stays in memory
//! until the threads that remember it check again or end.

use std::{
    cell::RefCell,
    sync::{Arc, atomic::Ordering},
};

use crate::limit::{
    core::{Core, line_key},
    counts::Counts,
    lanes::Lane,
    lines::Array,
    policy::Rule,
};

/// What a thread remembers of one core.
#[derive(Debug)]
pub(crate) struct Here {
    serial: u64,
    pub(super) version: u64,
    pub(super) lanes: Vec<Lane>,
    pub(super) arrays: Vec<Array>,
    pub(super) counts: Option<Arc<Counts>>,
}

/// The cores that a thread used last.
struct Pocket {
    latest: Here,
    others: Vec<Here>,
}

impl Pocket {
    const EMPTY: Self = Self {
        latest: Here { serial: 0, version: 0, lanes: Vec::new(), arrays: Vec::new(), counts: None },
        others: Vec::new(),
    };
}

thread_local! {
    /// The cores that this thread used last, the latest first.
    static POCKET: RefCell<Pocket> = const { RefCell::new(Pocket::EMPTY) };
}

/// Cores that a thread remembers at once.
const POCKET_MAX: usize = 4;

impl Here {
    pub(super) fn new(core: &Core) -> Self {
        let mut here = Self {
            serial: core.table.serial(),
            version: 0,
            lanes: Vec::new(),
            arrays: core.table.arrays(),
            counts: None,
        };
        here.renew(core);
        here
    }

    #[cold]
    pub(super) fn renew(&mut self, core: &Core) {
        let lanes = core.lanes();
        self.version = core.version.load(Ordering::Acquire);
        self.lanes.clone_from(&lanes.list);
        if let Some(counting) = &core.counting
            && self.counts.as_ref().is_none_or(|counts| counts.lanes() < self.lanes.len())
        {
            self.counts = Some(counting.register(self.lanes.len()));
        }
    }

    /// What a check costs, of what an empty bucket lacks, and what comes back in a microsecond;
    /// nothing where nothing is limited.
    pub(super) fn units(&self, lane: usize) -> (u64, u64, u64) {
        let lane = self.lanes.get(lane).filter(|lane| lane.quota.meter.is_some());
        lane.map_or((0, 1, 0), |lane| {
            let meter = &lane.rate.meter;
            let parts = if meter.rule == Rule::Greedy { meter.parts } else { 0 };
            (lane.units, meter.full, parts)
        })
    }

    /// Counts a check.
    #[inline]
    pub(super) fn count(&self, lane: usize, now_us: i64, is_allowed: bool) {
        if let Some(counts) = &self.counts {
            counts.add(lane, now_us, is_allowed);
        }
    }

    /// Brings the lines of a batch of callers near.
    pub(crate) fn touch(&self, core: &Core, id: u128, lane: usize) -> u64 {
        let (shard, place) = core.table.place(line_key(id, lane).0);
        self.arrays[shard].touch(place)
    }
}

impl Core {
    /// Runs `work` on what this thread remembers of this core. `None`: it remembers nothing, because
    /// it is ending, or is inside a clock of the host's that itself asks the limiter.
    #[expect(clippy::inline_always, reason = "the answer is built where it is wanted, not copied")]
    #[inline(always)]
    pub(crate) fn here<T>(&self, work: impl FnOnce(&mut Here) -> T) -> Option<T> {
        let done = POCKET.try_with(|pocket| {
            let mut pocket = pocket.try_borrow_mut().ok()?;
            if pocket.latest.serial != self.table.serial() {
                self.fetch(&mut pocket);
            }
            Some(work(&mut pocket.latest))
        });
        done.ok().flatten()
    }

    #[cold]
    fn fetch(&self, pocket: &mut Pocket) {
        let known = pocket.others.iter().position(|here| here.serial == self.table.serial());
        let here = known.map_or_else(|| Here::new(self), |at| pocket.others.remove(at));
        let before = std::mem::replace(&mut pocket.latest, here);
        if before.serial != 0 {
            pocket.others.insert(0, before);
        }
        pocket.others.truncate(POCKET_MAX);
    }
}
