//! Replaying: a trace of requests through the eviction that the cache uses, without files.

use super::super::cid::{Cid, Codec};
use super::evict::{Push, Ranker, Removal, evict};
use super::index::{CacheIndex, Row};
use super::memory_index::MemoryIndex;
use super::options::{CacheOptions, Kind};
use crate::time::Timestamp;

/// A cache of numbers: what a real one would have kept.
#[derive(Debug)]
pub struct Replay {
    options: CacheOptions,
    index: MemoryIndex,
    ranker: Ranker,
    /// What was made free ahead, as a claim is.
    spare: u64,
}

impl Replay {
    /// An empty one.
    #[must_use]
    pub fn new(options: CacheOptions) -> Self {
        let ranker = Ranker::new(options.eviction);
        Self { options, index: MemoryIndex::default(), ranker, spare: 0 }
    }

    /// Asks for the file of that number and puts it if it is not there; whether it was.
    pub fn request(&mut self, number: u64, bytes: u64, kind: Kind) -> bool {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        let cid = Cid::of_digest(Codec::Raw, &digest);
        let Ok(found) = self.index.find(&cid) else { return false };
        if let Some(mut row) = found {
            row.uses = row.uses.saturating_add(1);
            row.priority = self.ranker.priority(row.uses, row.bytes);
            return self.index.touch(&row).is_ok();
        }
        if bytes <= self.options.kept_bytes_max() && self.make_room(bytes, kind) {
            let priority = self.ranker.priority(1, bytes);
            let (put_at, generation) = (Timestamp::default(), 0);
            let row = Row {
                cid,
                bytes,
                kind,
                pinned: false,
                uses: 1,
                priority,
                put_at,
                generation,
                digest: None,
            };
            drop(self.index.put(&row));
        }
        false
    }

    /// What is kept, in bytes.
    #[must_use]
    pub fn bytes(&mut self) -> u64 {
        self.index.totals().map_or(0, |totals| totals.iter().map(|kind| kind.bytes).sum())
    }

    fn make_room(&mut self, bytes: u64, kind: Kind) -> bool {
        if self.spare < bytes {
            let kept = self.bytes();
            let wanted = bytes + self.options.spare_bytes();
            let mut short = (kept + wanted).saturating_sub(self.options.limit_bytes);
            if short > 0 {
                let push = Push { bytes: short, kind, floor_bytes: self.options.floor_bytes() };
                let gone = &mut |_: &Row| Removal::Gone;
                let freed = evict(&mut self.index, push, &mut self.ranker, gone);
                short = short.saturating_sub(freed.unwrap_or_default());
            }
            self.spare = wanted.saturating_sub(short);
        }
        let fits = self.spare >= bytes;
        if fits {
            self.spare -= bytes;
        }
        fits
    }
}
