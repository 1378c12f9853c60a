//! Key sets: what a command says it will need, before it decides.
//!
//! Rows are named by table and key, ordered by table name and then by key. Engines lock in that
//! order, so two batches that want the same rows meet in the same place and never in a circle.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    hash::{Hash, Hasher},
};

use crate::storage::{Key, KeyParts, Record, Table};

/// Names one row.
#[derive(Clone, Debug)]
pub struct RowId {
    /// Where it lives.
    pub table: &'static Table,
    /// Its key, one value for each key column.
    pub key: Key,
}

impl RowId {
    /// The row of `R` with that key.
    #[must_use]
    pub fn of<R: Record>(key: &R::Key) -> Self {
        Self { table: R::table(), key: key.parts() }
    }
}

impl PartialEq for RowId {
    fn eq(&self, other: &Self) -> bool {
        let same = std::ptr::eq(self.table, other.table) || self.table.name == other.table.name;
        same && self.key == other.key
    }
}

impl Eq for RowId {}

impl Hash for RowId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The length tells most tables apart, and costs no pass over the name.
        self.table.name.len().hash(state);
        self.key.hash(state);
    }
}

impl PartialOrd for RowId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RowId {
    fn cmp(&self, other: &Self) -> Ordering {
        let tables = if std::ptr::eq(self.table, other.table) {
            Ordering::Equal
        } else {
            self.table.name.cmp(other.table.name)
        };
        tables.then_with(|| self.key.cmp(&other.key))
    }
}

/// How a row is read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "an engine must handle both")]
pub enum Hold {
    /// Read without a lock: configuration, or a round of discovery. May not be written.
    Peek,
    /// Read and kept from others until the transaction ends. May be written.
    Own,
}

/// The rows and ranges that a batch asks for.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// In order and each once, unless something was added since [`KeySet::settle`].
    rows: Vec<(RowId, Hold)>,
    /// A range is named by its child table and the parent's key: a prefix of the child's.
    ranges: BTreeMap<RowId, usize>,
    loose: bool,
}

impl KeySet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a row that may be written.
    pub fn own<R: Record>(&mut self, key: &R::Key) {
        self.insert(RowId::of::<R>(key), Hold::Own);
    }

    /// Asks for a row that is only read, and need not hold still: configuration.
    pub fn peek<R: Record>(&mut self, key: &R::Key) {
        self.insert(RowId::of::<R>(key), Hold::Peek);
    }

    /// Asks for the first `limit` rows of `C` under the row `parent` of `P`, which is owned with
    /// them. Whoever adds or removes such a row owns the parent too, so the range has no phantoms.
    ///
    /// # Panics
    ///
    /// When `C` does not name `P` as its parent. Inside a command, this fails the command alone.
    pub fn children<C: Record, P: Record>(&mut self, parent: &P::Key, limit: usize) {
        let named = C::table().parent.map(|table| table().name);
        assert_eq!(named, Some(P::table().name), "{} is no child", C::table().name);
        self.own::<P>(parent);
        let range = RowId { table: C::table(), key: parent.parts() };
        let most = self.ranges.entry(range).or_default();
        *most = limit.max(*most);
    }

    fn insert(&mut self, id: RowId, hold: Hold) {
        self.rows.push((id, hold));
        self.loose = true;
    }

    /// Puts the rows in order, each once, with the strongest hold that was asked for. An engine is
    /// only given settled sets.
    pub(crate) fn settle(&mut self) {
        if std::mem::take(&mut self.loose) {
            // The stronger hold of a row comes first and stays.
            self.rows.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
            self.rows.dedup_by(|next, kept| next.0 == kept.0);
        }
    }

    /// The rows, in the order in which to lock them.
    pub fn rows(&self) -> impl Iterator<Item = (&RowId, Hold)> {
        debug_assert!(!self.loose, "a set is settled before it is read");
        self.rows.iter().map(|(id, hold)| (id, *hold))
    }

    /// The ranges: child table with the parent's key, and how many rows at most.
    pub fn ranges(&self) -> impl Iterator<Item = (&RowId, usize)> {
        self.ranges.iter().map(|(id, limit)| (id, *limit))
    }

    /// How many rows and ranges it names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() + self.ranges.len()
    }

    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.ranges.is_empty()
    }

    /// What `self` asks for and `known` does not, or asks for more weakly. Both are settled.
    pub(crate) fn beyond(&self, known: &Self) -> Self {
        let held = |id: &RowId| {
            let found = known.rows.binary_search_by(|(known, _)| known.cmp(id));
            found.ok().map(|at| known.rows[at].1)
        };
        let rows = self.rows.iter().filter(|(id, hold)| held(id) < Some(*hold));
        let ranges = self.ranges.iter().filter(|(id, limit)| known.ranges.get(id) < Some(limit));
        Self {
            rows: rows.cloned().collect(),
            ranges: ranges.map(|(id, limit)| (id.clone(), *limit)).collect(),
            loose: false,
        }
    }

    /// The same rows, asked for without locks.
    pub(crate) fn unlocked(mut self) -> Self {
        self.rows.iter_mut().for_each(|(_, hold)| *hold = Hold::Peek);
        self
    }

    /// Adds everything that `other` asks for, and settles the set.
    pub(crate) fn merge(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
        } else {
            self.rows.extend(other.rows);
            self.loose = true;
            for (id, limit) in other.ranges {
                let most = self.ranges.entry(id).or_default();
                *most = limit.max(*most);
            }
        }
        self.settle();
    }
}
