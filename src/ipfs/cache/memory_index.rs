//! An index in memory: for a folder without one of its own, and for measuring evictions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::cid::Cid;
use super::index::{CacheIndex, Fault, Mark, Row, Totals};
use super::options::Kind;

/// Rows in a map, and those without a pin in the order of their priorities.
#[derive(Debug, Default)]
pub(super) struct MemoryIndex {
    rows: HashMap<Cid, Row>,
    ranked: [BTreeSet<(i64, Cid)>; 2],
    totals: [Totals; 2],
    claims: BTreeMap<String, u64>,
    marks: BTreeMap<i64, i64>,
}

impl MemoryIndex {
    /// Takes a row out of the order and the totals.
    fn take(&mut self, cid: &Cid) -> Option<Row> {
        let row = self.rows.remove(cid)?;
        let kind = row.kind.number();
        self.ranked[kind].remove(&(row.priority, row.cid.clone()));
        let totals = &mut self.totals[kind];
        totals.entries -= 1;
        totals.bytes = totals.bytes.saturating_sub(row.bytes);
        if row.pinned {
            totals.pinned_bytes = totals.pinned_bytes.saturating_sub(row.bytes);
        }
        Some(row)
    }

    fn insert(&mut self, row: Row) {
        let kind = row.kind.number();
        let totals = &mut self.totals[kind];
        totals.entries += 1;
        totals.bytes = totals.bytes.saturating_add(row.bytes);
        if row.pinned {
            totals.pinned_bytes = totals.pinned_bytes.saturating_add(row.bytes);
        } else {
            self.ranked[kind].insert((row.priority, row.cid.clone()));
        }
        self.rows.insert(row.cid.clone(), row);
    }
}

impl CacheIndex for MemoryIndex {
    fn begin(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn rollback(&mut self) {}

    fn find(&mut self, cid: &Cid) -> Result<Option<Row>, Fault> {
        Ok(self.rows.get(cid).cloned())
    }

    fn put(&mut self, row: &Row) -> Result<(), Fault> {
        let known = self.take(&row.cid);
        let pinned = row.pinned || known.is_some_and(|known| known.pinned);
        self.insert(Row { pinned, ..row.clone() });
        Ok(())
    }

    fn touch(&mut self, row: &Row) -> Result<(), Fault> {
        if let Some(known) = self.take(&row.cid) {
            let Row { uses, priority, generation, .. } = *row;
            self.insert(Row { uses, priority, generation, ..known });
        }
        Ok(())
    }

    fn pin(&mut self, cid: &Cid, pinned: bool) -> Result<(), Fault> {
        if let Some(known) = self.take(cid) {
            self.insert(Row { pinned, ..known });
        }
        Ok(())
    }

    fn remove(&mut self, cid: &Cid) -> Result<(), Fault> {
        self.take(cid);
        Ok(())
    }

    fn cheapest(
        &mut self,
        kind: Kind,
        after: Option<(i64, &Cid)>,
        count: usize,
    ) -> Result<Vec<Row>, Fault> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = match after {
            Some((priority, cid)) => Excluded((priority, cid.clone())),
            None => Unbounded,
        };
        let ranked = self.ranked[kind.number()].range((from, Unbounded)).take(count);
        Ok(ranked.filter_map(|(_, cid)| self.rows.get(cid).cloned()).collect())
    }

    fn totals(&mut self) -> Result<[Totals; 2], Fault> {
        Ok(self.totals)
    }

    fn cids(&mut self) -> Result<Vec<Cid>, Fault> {
        Ok(self.rows.keys().cloned().collect())
    }

    fn recount(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn claims(&mut self) -> Result<Vec<(String, u64)>, Fault> {
        Ok(self.claims.iter().map(|(process, bytes)| (process.clone(), *bytes)).collect())
    }

    fn claim(&mut self, process: &str, bytes: Option<u64>) -> Result<(), Fault> {
        match bytes {
            Some(bytes) => _ = self.claims.insert(process.to_owned(), bytes),
            None => _ = self.claims.remove(process),
        }
        Ok(())
    }

    fn mark(&mut self, mark: Mark) -> Result<Option<i64>, Fault> {
        Ok(self.marks.get(&mark.number()).copied())
    }

    fn set_mark(&mut self, mark: Mark, value: i64) -> Result<(), Fault> {
        self.marks.insert(mark.number(), value);
        Ok(())
    }

    fn is_there(&self) -> bool {
        true
    }
}
