//! The index: what is known of the cached files, so that nobody has to look at all of them.
//!
//! It is advice. It may lag behind, be deleted or be damaged at any time: the files in the folder are
//! the truth, and whoever learns something from the index checks it against the file. What it must get
//! right is small: its totals, and what each process has claimed, are changed in the same transaction as
//! its rows, so that processes which share a folder agree on what is left of the limit.

use crate::time::Timestamp;

use super::super::cid::Cid;
use super::options::Kind;

/// What is known of one file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Row {
    pub(crate) cid: Cid,
    pub(crate) bytes: u64,
    pub(crate) kind: Kind,
    /// The marker in the folder decides; this spares a look at it.
    pub(crate) pinned: bool,
    /// How often it was put or found.
    pub(crate) uses: u32,
    /// The lowest goes first.
    pub(crate) priority: i64,
    pub(crate) put_at: Timestamp,
    /// The generation in which its bytes were last checked.
    pub(crate) generation: i64,
    /// Of the whole file, for content whose id cannot be computed from its bytes alone.
    pub(crate) digest: Option<[u8; 32]>,
}

/// What the rows of a kind come to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) pinned_bytes: u64,
}

/// A number that an index keeps beside its rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    /// Goes up with every unclean end.
    Generation,
    /// The priority of the last victim, or the ticks of a clock of uses.
    Inflation,
    /// Whether the rows are known to be those of the folder.
    Counted,
    /// When a process last ended cleanly, in microseconds since 1970.
    ClosedAt,
}

impl Mark {
    /// Its number in an index.
    #[must_use]
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Generation => 1,
            Self::Inflation => 2,
            Self::Counted => 3,
            Self::ClosedAt => 4,
        }
    }
}

/// Why an index did not answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// Another process holds it.
    Busy,
    /// The disk is full.
    Full,
    /// It is damaged or gone: make a new one.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "a folder is never damaged"))]
    Broken,
}

/// Where rows are kept. Between [`begin`](Self::begin) and [`commit`](Self::commit) no other process
/// changes them, and all that was done is done at once.
pub(crate) trait CacheIndex: Send {
    fn begin(&mut self) -> Result<(), Fault>;
    fn commit(&mut self) -> Result<(), Fault>;
    /// Undoes what was done since `begin`, as far as this index can.
    fn rollback(&mut self);

    fn find(&mut self, cid: &Cid) -> Result<Option<Row>, Fault>;
    /// Adds a row or replaces it; a pin that is there stays.
    fn put(&mut self, row: &Row) -> Result<(), Fault>;
    /// Changes uses, priority and generation of a row, if it is there.
    fn touch(&mut self, row: &Row) -> Result<(), Fault>;
    fn pin(&mut self, cid: &Cid, pinned: bool) -> Result<(), Fault>;
    fn remove(&mut self, cid: &Cid) -> Result<(), Fault>;

    /// Rows of a kind without a pin, from the lowest priority upwards; those after `after` alone.
    fn cheapest(
        &mut self,
        kind: Kind,
        after: Option<(i64, &Cid)>,
        count: usize,
    ) -> Result<Vec<Row>, Fault>;
    /// Of each kind, by its number. Costs no look at the rows.
    fn totals(&mut self) -> Result<[Totals; 2], Fault>;
    /// All ids. Costs a look at every row.
    fn cids(&mut self) -> Result<Vec<Cid>, Fault>;
    /// Sums the rows anew.
    fn recount(&mut self) -> Result<(), Fault>;

    /// What processes may write beyond what the rows come to, this one included.
    fn claims(&mut self) -> Result<Vec<(String, u64)>, Fault>;
    /// Sets what `process` may write; `None` forgets it.
    fn claim(&mut self, process: &str, bytes: Option<u64>) -> Result<(), Fault>;

    fn mark(&mut self, mark: Mark) -> Result<Option<i64>, Fault>;
    fn set_mark(&mut self, mark: Mark, value: i64) -> Result<(), Fault>;

    /// Whether it lies where it was opened.
    fn is_there(&self) -> bool;
}
