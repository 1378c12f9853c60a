//! Eviction: what a file's uses are worth, and which files go when room is needed.
//!
//! Priorities are whole numbers. Under GDSF one is `L + uses / sqrt(bytes)`, where `L` is the priority of
//! the last victim: whatever is used afterwards starts above it, so that yesterday's favourites age without
//! anybody going over them. Bytes beyond 256 KiB do not count, so that videos yield to thumbnails by their
//! size and to each other by their uses. Under LRU it is the tick of the last use. Both go from the lowest
//! upwards, which an index finds without looking at the others.
//!
//! # Invariants
//!
//! - **C21** Media never push thumbnails below their floor; thumbnails below it push media first.
//! - **C26** What goes has the lowest priority of all that may go.

use std::collections::VecDeque;

use super::index::{CacheIndex, Fault, Row};
use super::options::{Eviction, Kind};

/// Uses beyond that many say nothing new.
const USES_MAX: u32 = 1 << 20;
/// Larger files count as that large. (Without it more objects are found, and fewer bytes: the bench shows both.)
const WEIGHED_BYTES: u64 = 256 << 10;
/// How many rows of a kind are looked at together.
const PAGE: usize = 32;

/// Turns uses into priorities.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranker {
    eviction: Eviction,
    /// The priority of the last victim (GDSF), or the last tick (LRU).
    pub(super) inflation: i64,
}

impl Ranker {
    pub(super) const fn new(eviction: Eviction) -> Self {
        Self { eviction, inflation: 0 }
    }

    /// The priority of a file that is used now, for that many times in all.
    pub(super) fn priority(&mut self, uses: u32, bytes: u64) -> i64 {
        match self.eviction {
            Eviction::Gdsf => {
                // The root keeps eight binary places, so that small files differ too.
                let root =
                    u128::from(bytes.clamp(1, WEIGHED_BYTES)).saturating_mul(1 << 16).isqrt();
                let worth = (u128::from(uses.min(USES_MAX)) << 40) / root.max(1);
                self.inflation.saturating_add(i64::try_from(worth).unwrap_or(i64::MAX))
            }
            Eviction::Lru => {
                self.inflation = self.inflation.saturating_add(1);
                self.inflation
            }
        }
    }

    /// Takes note of a victim.
    pub(super) fn evicted(&mut self, priority: i64) {
        if self.eviction == Eviction::Gdsf {
            self.inflation = self.inflation.max(priority);
        }
    }
}

/// What became of a victim's file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Removal {
    /// It is not there any more.
    Gone,
    /// Its marker says that it stays.
    Pinned,
    /// The system would not let it go.
    Stuck,
}

/// For whom room is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Push {
    /// What has to be freed.
    pub(super) bytes: u64,
    /// What pushes. Thumbnails may push thumbnails, below the floor too, if there is nothing else.
    pub(super) kind: Kind,
    /// What is the thumbnails' own.
    pub(super) floor_bytes: u64,
}

/// Removes files until that much is freed, in an open transaction; how much it was.
pub(super) fn evict(
    index: &mut dyn CacheIndex,
    push: Push,
    ranker: &mut Ranker,
    remove: &mut dyn FnMut(&Row) -> Removal,
) -> Result<u64, Fault> {
    let [thumbnails, _] = index.totals()?;
    let mut thumbnail_bytes = thumbnails.bytes;
    let mut queues = Kind::ALL.map(Queue::new);
    let mut freed = 0_u64;
    while freed < push.bytes {
        let [thumbnails, media] = &mut queues;
        let (thumbnail, media) = (thumbnails.front(index)?, media.front(index)?);
        let is_above = |row: &Row| thumbnail_bytes.saturating_sub(row.bytes) >= push.floor_bytes;
        let kind = match (thumbnail, media) {
            (Some(thumbnail), Some(media)) if is_above(thumbnail) => {
                let order = |row: &Row| (row.priority, row.kind);
                if order(thumbnail) < order(media) { Kind::Thumbnail } else { Kind::Media }
            }
            (_, Some(_)) => Kind::Media,
            (Some(thumbnail), None) if push.kind == Kind::Thumbnail || is_above(thumbnail) => {
                Kind::Thumbnail
            }
            (_, None) => break,
        };
        let Some(row) = queues.iter_mut().find(|queue| queue.kind == kind).and_then(Queue::pop)
        else {
            break;
        };
        match remove(&row) {
            Removal::Gone => {
                index.remove(&row.cid)?;
                ranker.evicted(row.priority);
                freed = freed.saturating_add(row.bytes);
                if kind == Kind::Thumbnail {
                    thumbnail_bytes = thumbnail_bytes.saturating_sub(row.bytes);
                }
            }
            Removal::Pinned => index.pin(&row.cid, true)?,
            Removal::Stuck => {}
        }
    }
    Ok(freed)
}

/// The files of a kind, cheapest first, a page at a time.
struct Queue {
    kind: Kind,
    page: VecDeque<Row>,
    last: Option<Row>,
    is_over: bool,
}

impl Queue {
    const fn new(kind: Kind) -> Self {
        Self { kind, page: VecDeque::new(), last: None, is_over: false }
    }

    fn front(&mut self, index: &mut dyn CacheIndex) -> Result<Option<&Row>, Fault> {
        if self.page.is_empty() && !self.is_over {
            let after = self.last.as_ref().map(|row| (row.priority, &row.cid));
            self.page = index.cheapest(self.kind, after, PAGE)?.into();
            self.is_over = self.page.len() < PAGE;
        }
        Ok(self.page.front())
    }

    fn pop(&mut self) -> Option<Row> {
        let row = self.page.pop_front()?;
        self.last = Some(row.clone());
        Some(row)
    }
}
