//! The log's rows on their way to the store: bounded, and what was dropped is counted.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::limit::{LogMode, rows::LogRow, sync::lock};

/// The most rows that wait, unless every one must be kept.
const WAITING_MAX: usize = 10_000;

/// Rows that wait to be written.
#[derive(Debug)]
pub(crate) struct Journal {
    mode: LogMode,
    waiting: Mutex<Vec<LogRow>>,
    seen: AtomicU64,
    dropped: AtomicU64,
    is_full: AtomicBool,
    /// The last attempt to write failed: who checks does not try again, the keeper does.
    is_stuck: AtomicBool,
}

impl Journal {
    pub(crate) fn new(mode: LogMode) -> Self {
        Self {
            mode,
            waiting: Mutex::default(),
            seen: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            is_stuck: AtomicBool::new(false),
        }
    }

    /// Whether a request of that outcome is to be logged.
    #[inline]
    pub(crate) fn wants(&self, is_allowed: bool) -> bool {
        match self.mode {
            LogMode::All => true,
            _ if !is_allowed => true,
            LogMode::Refusals => false,
            LogMode::Sampled(one_in) => {
                let seen = self.seen.fetch_add(1, Ordering::Relaxed);
                seen.is_multiple_of(u64::from(one_in.max(1)))
            }
        }
    }

    /// Takes a row.
    pub(crate) fn note(&self, row: impl FnOnce() -> LogRow) {
        let mut waiting = lock(&self.waiting);
        if waiting.len() < WAITING_MAX || self.mode == LogMode::All {
            waiting.push(row());
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if self.mode == LogMode::All && waiting.len() >= WAITING_MAX {
            self.is_full.store(true, Ordering::Relaxed);
        }
    }

    /// Whether so many rows wait, none of which may be dropped, that the caller must write them.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed) && !self.is_stuck.load(Ordering::Relaxed)
    }

    /// Takes what waits, to be written.
    pub(crate) fn take(&self) -> Vec<LogRow> {
        let mut waiting = lock(&self.waiting);
        self.is_full.store(false, Ordering::Relaxed);
        self.is_stuck.store(false, Ordering::Relaxed);
        std::mem::take(&mut *waiting)
    }

    /// Puts back, in front, what could not be written.
    pub(crate) fn put_back(&self, mut rows: Vec<LogRow>) {
        let mut waiting = lock(&self.waiting);
        self.is_stuck.store(true, Ordering::Relaxed);
        rows.append(&mut waiting);
        *waiting = rows;
        if self.mode != LogMode::All && waiting.len() > WAITING_MAX {
            let over = waiting.len() - WAITING_MAX;
            waiting.truncate(WAITING_MAX);
            self.dropped.fetch_add(over as u64, Ordering::Relaxed);
        }
    }

    /// How many rows were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
