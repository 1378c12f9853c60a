//! The concurrent table's memory: one cache line a key, read and spent on without a lock.
//!
//! A line holds the whole 128-bit key, its flags and the words of five endpoints, so a check of a
//! known key touches 64 bytes. Lines are found by linear probing. Only the holder of the shard's
//! lock adds lines or moves them to another array; everyone else needs atomics alone.
//!
//! # Invariants
//!
//! - **Q1** No spending is lost: a word that was moved is never spent on again, and what was spent
//!   before arrives in the new array.
//! - **Q2** A key has one line in the array in force.
//! - **Q3** What was spent after a line's last flush is in the next one: the line is dirty, or is
//!   about to be marked by whoever spent.
//!
//! The file uses nothing but `sync`, so a model checker can put its own atomics there.

#![expect(
    clippy::cast_possible_truncation,
    reason = "keys are cut in pieces, positions fit 32 bits"
)]

use super::sync::{Arc, AtomicU32, AtomicU64, Ordering};

/// Endpoints in a line.
pub(crate) const SLOTS: usize = 5;

/// The value of a word that was moved away.
pub(crate) const MOVED_WORD: u64 = u64::MAX;

/// The line holds a key.
const READY: u64 = 1;
/// Its words were moved to another array.
const MOVED: u64 = 2;
/// The account is frozen: ask why.
pub(crate) const FROZEN: u64 = 4;
/// Something was spent since the last flush.
pub(crate) const DIRTY: u64 = 8;
/// The bits that tell keys apart: ready, the page and a quarter of the key.
const IDENTITY: u64 = 0xFFFF_FFFF_0000_FF00 | READY;

/// Whose line: a key and, where there are more endpoints than slots, which of its lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LineKey {
    pub(crate) id: u128,
    pub(crate) page: u8,
}

impl LineKey {
    #[inline]
    fn low(self) -> u64 {
        self.id as u64
    }

    #[inline]
    fn mid(self) -> u32 {
        (self.id >> 64) as u32
    }

    #[inline]
    fn identity(self) -> u64 {
        ((self.id >> 96) as u64) << 32 | u64::from(self.page) << 8 | READY
    }

    /// Where it belongs: a folded multiplication under seeds that nobody outside knows, so nobody
    /// can choose keys that meet in one place.
    #[inline]
    pub(crate) fn place(self, seeds: [u64; 2]) -> u64 {
        let page = u64::from(self.page).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let high = (self.id >> 64) as u64;
        let product = u128::from(self.low() ^ seeds[0]) * u128::from(high ^ seeds[1] ^ page);
        (product as u64) ^ ((product >> 64) as u64)
    }
}

/// One key's line.
#[repr(align(64))]
#[derive(Debug, Default)]
pub(crate) struct Line {
    meta: AtomicU64,
    low: AtomicU64,
    mid: AtomicU32,
    /// Requests, and above them refusals, since the last harvest. Kept without a locked instruction:
    /// two requests of one key at the same nanosecond may count as one.
    seen: AtomicU32,
    words: [AtomicU64; SLOTS],
}

/// A line's contents, taken out of an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content {
    pub(crate) key: LineKey,
    pub(crate) flags: u64,
    pub(crate) seen: u32,
    pub(crate) words: [u64; SLOTS],
}

impl Line {
    /// Whether the next flush will see it. Asked after spending; if not, whoever spent has it marked
    /// under the shard's lock (**Q3**).
    #[inline]
    pub(crate) fn is_marked(&self) -> bool {
        self.flags() & (DIRTY | MOVED) == DIRTY
    }

    /// The flags now.
    #[inline]
    fn flags(&self) -> u64 {
        self.meta.load(Ordering::SeqCst)
    }

    #[inline]
    pub(crate) fn word(&self, slot: usize) -> u64 {
        self.words[slot].load(Ordering::SeqCst)
    }

    /// Puts `new` in the place of `old`, or says what stands there now.
    #[inline]
    pub(crate) fn replace(&self, slot: usize, old: u64, new: u64) -> Result<(), u64> {
        let word = &self.words[slot];
        word.compare_exchange_weak(old, new, Ordering::SeqCst, Ordering::SeqCst).map(drop)
    }

    /// Counts a request for the busiest keys, up to 32,767 between two harvests.
    #[inline]
    pub(crate) fn count(&self, is_allowed: bool) {
        let seen = self.seen.load(Ordering::Relaxed);
        let refused = if is_allowed { 0 } else { 1 << 16 };
        if seen & 0x7FFF_0000 != 0x7FFF_0000 && seen & 0x7FFF != 0x7FFF {
            self.seen.store(seen + refused + 1, Ordering::Relaxed);
        }
    }

    fn key(&self) -> LineKey {
        let meta = self.meta.load(Ordering::Acquire);
        let mid = u128::from(self.mid.load(Ordering::Relaxed));
        let low = u128::from(self.low.load(Ordering::Relaxed));
        LineKey {
            id: u128::from(meta >> 32) << 96 | mid << 64 | low,
            page: u8::try_from(meta >> 8 & 0xFF).unwrap_or_default(),
        }
    }
}

/// A power of two of lines. Clones are the same lines.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    lines: Arc<[Line]>,
}

/// What a look for a line found.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// The line, where it is, and its flags.
    Line(&'a Line, u32, u64),
    /// It is not in this array, or was moved: ask whoever holds the lock.
    Elsewhere,
}

impl Array {
    pub(crate) fn new(lines: usize) -> Self {
        Self { lines: (0..lines.next_power_of_two()).map(|_| Line::default()).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Finds a key's line.
    #[expect(clippy::inline_always, reason = "three words in memory cost more than the look")]
    #[inline(always)]
    pub(crate) fn find(&self, key: LineKey, place: u64) -> Found<'_> {
        let mask = self.lines.len() - 1;
        let mut at = place as usize & mask;
        let identity = key.identity();
        loop {
            let line = &self.lines[at];
            let meta = line.meta.load(Ordering::Acquire);
            if meta & IDENTITY == identity
                && line.low.load(Ordering::Relaxed) == key.low()
                && line.mid.load(Ordering::Relaxed) == key.mid()
            {
                return match meta & MOVED {
                    0 => Found::Line(line, at as u32, meta),
                    _ => Found::Elsewhere,
                };
            }
            if meta & READY == 0 {
                return Found::Elsewhere;
            }
            at = (at + 1) & mask;
        }
    }

    /// Brings the line near, so that a later look finds it in the cache.
    #[inline]
    pub(crate) fn touch(&self, place: u64) -> u64 {
        self.lines[place as usize & (self.lines.len() - 1)].meta.load(Ordering::Relaxed)
    }
}

// For the holder of the shard's lock.
impl Array {
    /// Adds a line that is not there yet (**Q2**). The array must have room.
    pub(crate) fn add(&self, content: &Content, place: u64) -> (&Line, u32) {
        let mask = self.lines.len() - 1;
        let mut at = place as usize & mask;
        while self.lines[at].meta.load(Ordering::Relaxed) & READY != 0 {
            at = (at + 1) & mask;
        }
        let line = &self.lines[at];
        line.low.store(content.key.low(), Ordering::Relaxed);
        line.mid.store(content.key.mid(), Ordering::Relaxed);
        line.seen.store(content.seen, Ordering::Relaxed);
        for (word, value) in line.words.iter().zip(content.words) {
            word.store(value, Ordering::Relaxed);
        }
        let flags = content.flags & (FROZEN | DIRTY);
        // Whoever sees it ready sees the key.
        line.meta.store(content.key.identity() | flags, Ordering::Release);
        (line, at as u32)
    }

    /// Takes a line's contents away for good: later spenders find it moved (**Q1**). `None`: it
    /// holds no key.
    pub(crate) fn take(&self, at: usize) -> Option<Content> {
        let line = &self.lines[at];
        if line.meta.load(Ordering::Acquire) & READY == 0 {
            return None;
        }
        line.meta.fetch_or(MOVED, Ordering::SeqCst);
        let mut words = [0; SLOTS];
        for (value, word) in words.iter_mut().zip(&line.words) {
            *value = word.swap(MOVED_WORD, Ordering::SeqCst);
        }
        // After the words: whoever spent before they were taken marked the line, or finds it moved.
        let flags = line.flags() & (FROZEN | DIRTY);
        let seen = line.seen.load(Ordering::Relaxed);
        Some(Content { key: line.key(), flags, seen, words })
    }

    /// A copy of every line's contents.
    pub(crate) fn contents(&self) -> impl Iterator<Item = (u32, Content)> {
        (0..self.lines.len() as u32).filter_map(|at| Some((at, self.content(at)?)))
    }

    fn content(&self, at: u32) -> Option<Content> {
        let line = &self.lines[at as usize];
        let flags = line.flags();
        let words = std::array::from_fn(|slot| line.word(slot));
        let seen = line.seen.load(Ordering::Relaxed);
        (flags & READY != 0).then(|| Content { key: line.key(), flags, seen, words })
    }

    /// The line at a position that this array gave.
    pub(crate) fn at(&self, at: u32) -> &Line {
        &self.lines[at as usize]
    }

    /// Marks a line as spent on since the last flush, after spending; whether it was clean.
    pub(crate) fn mark(&self, at: u32) -> bool {
        self.at(at).meta.fetch_or(DIRTY, Ordering::SeqCst) & DIRTY == 0
    }

    /// Cleans a line and copies it, with what was seen (**Q3**).
    pub(crate) fn harvest(&self, at: u32) -> Option<Content> {
        // Cleaned before it is read: whoever spends after the reading marks it again.
        self.at(at).meta.fetch_and(!DIRTY, Ordering::SeqCst);
        let content = self.content(at)?;
        self.at(at).seen.store(0, Ordering::Relaxed);
        Some(content)
    }

    /// Sets or clears a line's frozen flag.
    pub(crate) fn set_frozen(&self, at: u32, is_frozen: bool) {
        let meta = &self.at(at).meta;
        match is_frozen {
            true => meta.fetch_or(FROZEN, Ordering::SeqCst),
            false => meta.fetch_and(!FROZEN, Ordering::SeqCst),
        };
    }
}
