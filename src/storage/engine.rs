//! Engines: what a database has to do. Rows in, rows out, no rules.
//!
//! An [`Engine`] is one writer. It is used by one thread at a time; readers are opened beside it and
//! never wait for it. Everything here is dyn-compatible, so a host can bring an engine of its own.
//!
//! # Invariants
//!
//! - **G1** Nobody outside sees a transaction before it committed, or any of it if it did not.
//! - **G2** What `load` answered for an owned key stays true until the transaction ends.
//! - **G3** After `transaction` answers `Ok(())` for a commit, the change survives what the engine's
//!   documentation promises: a crash of the process at least, of the power with SQLite and
//!   PostgreSQL.

use std::{any::Any, path::Path, sync::Arc, time::Duration};

use crate::{
    storage::{Key, KeySet, Rows, Scan, Schema, StoreError, Table, Tallied, Tally, Value, tally},
    time::Timestamp,
};

/// How a transaction is to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a transaction ends in one of two ways")]
pub enum Verdict {
    /// Make the changes durable.
    Commit,
    /// Forget them: nothing was written, so nothing needs a sync.
    Rollback,
}

/// How an engine wants to be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capabilities {
    /// Whether its transactions exclude all other writers, so that rows once read hold still.
    pub exclusive: bool,
    /// Whether any thread may use it, for a short time: false if it must live on its own thread.
    pub inline: bool,
    /// Whether a commit survives the end of the process.
    pub durable: bool,
}

/// The work of one transaction.
pub type Work<'w> = dyn FnMut(&mut dyn EngineTx) -> Result<Verdict, StoreError> + 'w;

/// One writer of a database.
pub trait Engine: Any + Send {
    /// How it wants to be used.
    fn capabilities(&self) -> Capabilities;

    /// Brings the schema up to date: each script once, in order, one transaction each, its SHA-256
    /// remembered.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when the database has a newer schema or a script was changed.
    fn migrate(&mut self, schema: &Schema) -> Result<(), StoreError>;

    /// Runs `work` in a transaction and ends it as `work` says; any error rolls back.
    ///
    /// # Errors
    ///
    /// Those of `work`, or [`StoreError::Conflict`], `Busy`, `Full`, `Unknown` or `Backend` from the
    /// commit.
    fn transaction(&mut self, work: &mut Work<'_>) -> Result<(), StoreError>;

    /// What opens readers of the same database, also while this engine is at work.
    fn readers(&self) -> Arc<dyn Readers>;

    /// Called when the queue is empty: a moment for checkpoints. The default does nothing.
    fn idle(&mut self) {}

    /// Lets go of every file lock and connection, all work done. The default does nothing.
    ///
    /// # Errors
    ///
    /// Whatever hinders it; the engine then stays in use.
    fn suspend(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes up work again after `suspend`. The default does nothing.
    ///
    /// # Errors
    ///
    /// Whatever hinders it; the engine then stays suspended.
    fn resume(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// One open transaction of a backend: rows in, rows out, no rules.
pub trait EngineTx {
    /// Reads every row and range named in `keys` into `rows`, and keeps others from changing the
    /// owned ones until this transaction ends.
    ///
    /// A key with no row is remembered as absent: `rows.get` then answers `None`, and writing it is
    /// a plain insert, so that two transactions creating the same row cannot both succeed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] when another writer holds a row for too long. Nothing was read.
    fn load(&mut self, keys: &KeySet, rows: &mut Rows) -> Result<(), StoreError>;

    /// Applies every change in `rows`. An engine may report a failure only at the commit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when an inserted row exists; the transaction is then rolled back.
    fn apply(&mut self, rows: &Rows) -> Result<(), StoreError>;

    /// The time by the database's clock, after the last `load` had its locks, so that several
    /// instances agree. `None`: this process's clock will do.
    fn now(&self) -> Option<Timestamp> {
        None
    }
}

/// Opens connections that only read.
pub trait Readers: Send + Sync {
    /// Opens one. It sees every commit that was answered before it is asked.
    ///
    /// # Errors
    ///
    /// Whatever hinders the connection.
    fn open(&self) -> Result<Box<dyn Reader>, StoreError>;
}

/// A connection that only reads.
pub trait Reader: Send {
    /// One row by its key.
    ///
    /// # Errors
    ///
    /// Whatever hinders the read.
    fn get(&mut self, table: &'static Table, key: &Key) -> Result<Option<Vec<Value>>, StoreError>;

    /// One page of a declared index.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`] for an index that is not declared.
    fn scan(&mut self, scan: &Scan) -> Result<Vec<Vec<Value>>, StoreError>;

    /// Counts and adds up a part of a declared index: a line for each group, in no order; none where
    /// there is no row. The default reads the rows.
    ///
    /// # Errors
    ///
    /// As [`Reader::scan`].
    fn tally(&mut self, tally: &Tally) -> Result<Vec<Tallied>, StoreError> {
        tally::by_pages(self, tally)
    }

    /// All rows of a view, for dashboards: column names, then rows. `limit` bounds the rows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`] for an engine without views, or a name that is none.
    fn view(&mut self, name: &str, limit: usize) -> Result<ViewRows, StoreError>;

    /// Lets `work` read the database as it is at one moment. Past `deadline` its reads fail.
    ///
    /// # Errors
    ///
    /// Those of `work`; [`StoreError::Busy`] after the deadline.
    fn snapshot(
        &mut self,
        deadline: Duration,
        work: &mut dyn FnMut(&mut dyn Reader) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Copies the whole database into a new file while writers go on.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`] for an engine that has tools of its own for this, or an existing
    /// file.
    fn backup(&mut self, to: &Path) -> Result<(), StoreError> {
        let _ = to;
        Err(StoreError::Backend("this engine has backup tools of its own".to_owned()))
    }
}

/// What a view answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewRows {
    /// The names, in order.
    pub columns: Vec<String>,
    /// The rows, each with one cell a column.
    pub rows: Vec<Vec<Cell>>,
}

/// One cell of a view, which unlike a table's may be a fraction.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a view shows nothing else")]
pub enum Cell {
    /// A value as tables have it.
    Value(Value),
    /// A fraction: percentages, averages, gigabytes.
    Real(f64),
}

/// A database to be opened: what a host names when it builds a `FinalMile`.
pub trait Backend: Send + 'static {
    /// Whether its engine may be used by any thread, as [`Capabilities::inline`].
    fn is_inline(&self) -> bool;

    /// Opens the database. Called on the thread that will use the engine.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] for a file that is no database, `Backend` for what cannot be reached.
    fn open(self: Box<Self>) -> Result<Box<dyn Engine>, StoreError>;
}

impl Backend for Box<dyn Backend> {
    fn is_inline(&self) -> bool {
        (**self).is_inline()
    }

    fn open(self: Box<Self>) -> Result<Box<dyn Engine>, StoreError> {
        (*self).open()
    }
}
