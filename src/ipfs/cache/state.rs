//! What a process knows without asking the index: the files it met lately, and what is left of its claim.
//!
//! Hits and puts are noted here and written to the index together, every few seconds. What is noted here
//! alone is covered by the process's claim: `used` bytes of `granted`, the latter written down in the index.
//! A file's bytes pass from the claim to the index's totals in the transaction that adds its row.

use std::time::Duration;

use lru::LruCache;

use crate::time::Timestamp;

use super::super::cid::Cid;
use super::evict::Ranker;
use super::index::Row;
use super::memory::Hot;
use super::options::{CacheOptions, Kind};

/// How many files are remembered after a flush, about 200 bytes each.
const KNOWN: usize = 8_192;
/// How many changes are noted before somebody has to write them down.
pub(super) const CHANGES: usize = 4_096;
/// How long the system may take to write a file to the disk: what was put so shortly before a clean end is
/// checked again as well.
const UNSYNCED: Duration = Duration::from_secs(60);

/// Hits, misses and evictions since the cache was opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) hits: [u64; 2],
    pub(super) misses: u64,
    pub(super) evictions: [u64; 2],
}

/// A file that was met.
#[derive(Debug)]
struct Known {
    row: Row,
    /// What of the claim covers it until its row is written.
    claimed: u64,
    /// Whether the index lacks it, or has it otherwise.
    is_new: bool,
    is_noted: bool,
}

/// What is to be written to the index.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Rows, whether they are more than touched, and what of the claim covers them.
    pub(super) rows: Vec<(Row, bool, u64)>,
    /// Files that were missing when they were looked for.
    pub(super) vanished: Vec<Cid>,
    /// What leaves the claim with them.
    pub(super) claimed: u64,
}

/// How the index's last clean end and this start lie in time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Session {
    pub(super) generation: i64,
    pub(super) closed_at: Timestamp,
    pub(super) opened_at: Timestamp,
}

impl Session {
    /// Whether a row's bytes need no new look.
    fn trusts(&self, row: &Row) -> bool {
        let is_old = row.put_at <= self.closed_at.before(UNSYNCED);
        row.generation == self.generation
            && self.generation != 0
            && (is_old || row.put_at >= self.opened_at)
    }
}

/// What became of a look at a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Look {
    /// It is what it was when it was checked.
    Hit { uses: u32 },
    /// Nothing is known of it.
    Unknown,
    /// It has to be checked; with what is known of it.
    Unchecked(Box<Row>),
    /// Its time is over.
    Expired,
}

/// The memory of one process.
pub(super) struct State {
    known: LruCache<Cid, Known>,
    noted: Vec<Cid>,
    vanished: Vec<Cid>,
    pub(super) ranker: Ranker,
    pub(super) granted: u64,
    pub(super) used: u64,
    /// Whether something was put since the last look.
    pub(super) is_busy: bool,
    pub(super) session: Session,
    pub(super) counts: Counts,
    pub(super) hot: Hot,
    pub(super) has_flusher: bool,
}

impl State {
    pub(super) fn new(options: &CacheOptions) -> Self {
        Self {
            known: LruCache::unbounded(),
            noted: Vec::new(),
            vanished: Vec::new(),
            ranker: Ranker::new(options.eviction),
            granted: 0,
            used: 0,
            is_busy: false,
            session: Session::default(),
            counts: Counts::default(),
            hot: Hot::new(options.memory_bytes),
            has_flusher: false,
        }
    }

    /// Takes `bytes` of what is granted; `false` when it is too little.
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        let fits = self.granted.saturating_sub(self.used) >= bytes;
        if fits {
            self.used += bytes;
            self.is_busy = true;
        }
        fits
    }

    /// Gives back what was taken.
    pub(super) fn give_back(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Gives back what was taken and granted.
    pub(super) fn hand_over(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
        self.granted = self.granted.saturating_sub(bytes);
    }

    /// A file of `bytes` bytes was found under that name. `now` is given where files expire.
    #[inline]
    pub(super) fn look(
        &mut self,
        cid: &Cid,
        bytes: u64,
        now: Option<(Timestamp, Duration)>,
    ) -> Look {
        let Some(known) = self.known.get_mut(cid) else { return Look::Unknown };
        let row = &mut known.row;
        if let Some((now, ttl)) = now
            && !row.pinned
        {
            if row.put_at > now {
                // The clock stepped back: the file's time begins anew, or it might never end.
                row.put_at = now;
                known.is_new = true;
            } else if row.put_at.after(ttl) <= now {
                return Look::Expired;
            }
        }
        if row.bytes != bytes || row.generation != self.session.generation {
            return Look::Unchecked(Box::new(row.clone()));
        }
        row.uses = row.uses.saturating_add(1);
        row.priority = self.ranker.priority(row.uses, row.bytes);
        self.counts.hits[row.kind.number()] += 1;
        let uses = row.uses;
        if !known.is_noted {
            known.is_noted = true;
            self.noted.push(cid.clone());
        }
        Look::Hit { uses }
    }

    /// What is known of a file.
    pub(super) fn row(&self, cid: &Cid) -> Option<&Row> {
        self.known.peek(cid).map(|known| &known.row)
    }

    /// Takes over what the index knows of a file. It counts as checked if nothing happened since.
    pub(super) fn learn(&mut self, mut row: Row) {
        if !self.session.trusts(&row) {
            row.generation = 0;
        }
        if !self.known.contains(&row.cid) {
            let known = Known { claimed: 0, is_new: false, is_noted: false, row };
            self.known.put(known.row.cid.clone(), known);
        }
    }

    /// A file was put, or one that the index lacks was found right. `claimed` is what covers it.
    pub(super) fn add(&mut self, mut row: Row, claimed: u64) {
        row.generation = self.session.generation;
        let before = self.known.pop(&row.cid);
        if let Some(before) = before {
            row.uses = before.row.uses.saturating_add(1);
            row.pinned |= before.row.pinned;
            row.kind = row.kind.min(before.row.kind);
            // The file that it covered has been replaced.
            self.give_back(before.claimed);
        }
        row.priority = self.ranker.priority(row.uses, row.bytes);
        self.noted.push(row.cid.clone());
        let known = Known { claimed, is_new: true, is_noted: true, row };
        self.known.put(known.row.cid.clone(), known);
    }

    /// A file was checked and is right.
    pub(super) fn checked(&mut self, cid: &Cid, bytes: u64) {
        if let Some(known) = self.known.get_mut(cid) {
            known.row.generation = self.session.generation;
            known.is_new |= known.row.bytes != bytes;
            known.row.bytes = bytes;
        }
    }

    /// A pin was set or removed.
    pub(super) fn pin(&mut self, cid: &Cid, pinned: bool) {
        if let Some(known) = self.known.peek_mut(cid) {
            known.row.pinned = pinned;
        }
    }

    /// A file is gone; its row has to go as well.
    pub(super) fn forget(&mut self, cid: &Cid) {
        self.evicted(cid);
        // Beyond that nobody writes: it is learned again when it matters.
        if self.vanished.len() < 2 * CHANGES {
            self.vanished.push(cid.clone());
        }
    }

    /// A file is gone, and its row with it.
    pub(super) fn evicted(&mut self, cid: &Cid) {
        if let Some(known) = self.known.pop(cid) {
            self.give_back(known.claimed);
        }
        self.hot.remove(cid);
    }

    /// Everything is gone.
    pub(super) fn clear(&mut self) {
        while let Some((_, known)) = self.known.pop_lru() {
            self.give_back(known.claimed);
        }
        self.noted.clear();
        self.vanished.clear();
        self.hot.clear();
    }

    /// How many changes wait.
    pub(super) const fn waiting(&self) -> usize {
        self.noted.len() + self.vanished.len()
    }

    /// What waits to be written. It has to be given to [`written`](Self::written) or
    /// [`not_written`](Self::not_written) afterwards.
    pub(super) fn changes(&mut self) -> Changes {
        let vanished = std::mem::take(&mut self.vanished);
        let mut changes = Changes { vanished, ..Changes::default() };
        for cid in std::mem::take(&mut self.noted) {
            // It may be gone, or noted twice.
            let Some(known) = self.known.peek_mut(&cid).filter(|known| known.is_noted) else {
                continue;
            };
            known.is_noted = false;
            let claimed = std::mem::take(&mut known.claimed);
            changes.claimed = changes.claimed.saturating_add(claimed);
            changes.rows.push((known.row.clone(), known.is_new, claimed));
        }
        changes
    }

    /// The index has them: their bytes are in its totals now.
    pub(super) fn written(&mut self, changes: &Changes) {
        self.hand_over(changes.claimed);
        for (row, ..) in &changes.rows {
            if let Some(known) = self.known.peek_mut(&row.cid) {
                // Unless it was changed again meanwhile.
                known.is_new &= known.is_noted;
            }
        }
        while self.known.len() > KNOWN && self.noted.len() < KNOWN {
            let Some((_, known)) = self.known.pop_lru() else { break };
            if known.is_noted {
                self.known.put(known.row.cid.clone(), known);
            }
        }
    }

    /// The index could not take them: they wait again.
    pub(super) fn not_written(&mut self, changes: Changes) {
        self.vanished.extend(changes.vanished);
        for (row, is_new, claimed) in changes.rows {
            match self.known.peek_mut(&row.cid) {
                Some(known) => {
                    known.claimed = known.claimed.saturating_add(claimed);
                    known.is_new |= is_new;
                    if !known.is_noted {
                        known.is_noted = true;
                        self.noted.push(row.cid);
                    }
                }
                None => self.give_back(claimed),
            }
        }
    }

    /// So many of a kind were evicted.
    pub(super) fn count_eviction(&mut self, kind: Kind) {
        self.counts.evictions[kind.number()] += 1;
    }
}
