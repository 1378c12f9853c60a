//! The folder itself as index, where there is no database.
//!
//! Rows are kept in memory, from one look at the folder, so uses are forgotten at the end and every file
//! is checked at its first hit. What processes claim lies in their homes. While several are open, and when one
//! has come or gone, the folder is looked at again when somebody needs room, so they agree on what is left,
//! at a price.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::SystemTime;

use super::super::cid::Cid;
use super::home;
use super::index::{CacheIndex, Fault, Mark, Row, Totals};
use super::memory_index::MemoryIndex;
use super::options::Kind;

/// Rows in memory, claims in homes.
#[derive(Debug)]
pub(super) struct FolderIndex {
    rows: MemoryIndex,
    /// `None`: the folder cannot be written, so nobody claims anything.
    base: Option<PathBuf>,
    alone: Option<File>,
    /// When a home was last made or removed, as far as is known.
    homes_changed: Option<SystemTime>,
}

impl FolderIndex {
    pub(super) fn new(base: Option<PathBuf>) -> Self {
        Self { rows: MemoryIndex::default(), base, alone: None, homes_changed: None }
    }
}

impl CacheIndex for FolderIndex {
    fn begin(&mut self) -> Result<(), Fault> {
        if let Some(base) = &self.base {
            self.alone = Some(home::alone(base).map_err(|_| Fault::Busy)?);
            let changed = fs::metadata(base).and_then(|meta| meta.modified()).ok();
            let is_known = changed.is_some() && changed == self.homes_changed;
            self.homes_changed = changed;
            if !is_known || home::count(base) > 1 {
                self.rows.set_mark(Mark::Counted, 0)?;
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Fault> {
        drop(self.alone.take());
        Ok(())
    }

    fn rollback(&mut self) {
        drop(self.alone.take());
    }

    fn find(&mut self, cid: &Cid) -> Result<Option<Row>, Fault> {
        self.rows.find(cid)
    }

    fn put(&mut self, row: &Row) -> Result<(), Fault> {
        self.rows.put(row)
    }

    fn touch(&mut self, row: &Row) -> Result<(), Fault> {
        self.rows.touch(row)
    }

    fn pin(&mut self, cid: &Cid, pinned: bool) -> Result<(), Fault> {
        self.rows.pin(cid, pinned)
    }

    fn remove(&mut self, cid: &Cid) -> Result<(), Fault> {
        self.rows.remove(cid)
    }

    fn cheapest(
        &mut self,
        kind: Kind,
        after: Option<(i64, &Cid)>,
        count: usize,
    ) -> Result<Vec<Row>, Fault> {
        self.rows.cheapest(kind, after, count)
    }

    fn totals(&mut self) -> Result<[Totals; 2], Fault> {
        self.rows.totals()
    }

    fn cids(&mut self) -> Result<Vec<Cid>, Fault> {
        self.rows.cids()
    }

    fn recount(&mut self) -> Result<(), Fault> {
        self.rows.recount()
    }

    fn claims(&mut self) -> Result<Vec<(String, u64)>, Fault> {
        Ok(self.base.as_deref().map(home::claims).unwrap_or_default())
    }

    fn claim(&mut self, process: &str, bytes: Option<u64>) -> Result<(), Fault> {
        match (&self.base, bytes) {
            (Some(base), Some(bytes)) => home::claim(base, process, bytes).map_err(|_| Fault::Full),
            // It goes with the home.
            _ => Ok(()),
        }
    }

    fn mark(&mut self, mark: Mark) -> Result<Option<i64>, Fault> {
        self.rows.mark(mark)
    }

    fn set_mark(&mut self, mark: Mark, value: i64) -> Result<(), Fault> {
        self.rows.set_mark(mark, value)
    }

    fn is_there(&self) -> bool {
        self.rows.is_there()
    }
}
