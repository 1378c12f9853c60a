//! SQLite: the embedded engine. One file, one writer, no server.
//!
//! Write-ahead log with `synchronous=FULL`, because an acknowledged credit must survive a power cut:
//! under `NORMAL` SQLite loses the last commits by design. Every write begins with `BEGIN IMMEDIATE`:
//! two transactions that read and then both want to write would fail with BUSY, and no timeout helps
//! them. Other processes may use the file at the same time; network file systems may not.
//!
//! A host's own tables may live in the same file: see [`FinalMile::transaction`] for changes that
//! commit together, and [`run_in`] for a transaction on a connection of the host's.
//!
//! # Invariants
//!
//! - **S1** A committed change survives the end of the process and of the power.
//! - **S2** A file of a newer schema, of a changed script, or that is no database is refused.
//! - **S3** A suspended engine holds no lock on any file.
//!
//! [`FinalMile::transaction`]: crate::FinalMile::transaction

#[cfg(feature = "ipfs")]
pub(crate) mod cache_index;
mod connect;
mod fault;
mod host;
mod log;
mod migrate;
mod read;
mod tx;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::Connection;

pub use host::{SqliteTx, run_in};

use crate::storage::{Backend, Capabilities, Engine, Readers, Schema, StoreError, Verdict, Work};
use fault::fault;
use log::LogMover;

/// A database file, to be opened by [`FinalMile::builder`](crate::FinalMile::builder).
#[derive(Clone, Debug)]
pub struct Sqlite {
    path: PathBuf,
    mobile: bool,
    /// Anything less than `FULL` loses acknowledged credits in a power cut.
    synchronous: &'static str,
    /// How many pages of log make a commit move them into the file. `None`: few on a phone, elsewhere as
    /// many as a thread of its own keeps moved.
    checkpoint_pages: Option<u32>,
    /// After how many written rows that thread moves the log; 0: there is none.
    log_rows: usize,
}

impl Sqlite {
    /// The file at `path`; it is made if it does not exist.
    #[must_use]
    pub fn file(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self {
            path,
            mobile: false,
            synchronous: "FULL",
            checkpoint_pages: None,
            log_rows: log::ROWS,
        }
    }

    /// With the small caches that suit a phone: half a megabyte of pages, no memory map, a log of at
    /// most 2 MiB.
    #[must_use]
    pub fn mobile(self) -> Self {
        Self { mobile: true, ..self }
    }

    /// With another `PRAGMA synchronous`, which breaks **S1**: the power-loss tests must notice.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    #[must_use]
    pub fn weakened_for_tests(self, synchronous: &'static str) -> Self {
        Self { synchronous, ..self }
    }

    /// With another `PRAGMA wal_autocheckpoint`, and by the writer alone: a small one brings checkpoints into
    /// a short test.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    #[must_use]
    pub fn checkpoint_pages_for_tests(self, checkpoint_pages: u32) -> Self {
        Self { checkpoint_pages: Some(checkpoint_pages), log_rows: 0, ..self }
    }
}

impl Sqlite {
    /// With another number of rows after which the log is moved: a small one for a short test.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    #[must_use]
    pub fn log_rows_for_tests(self, log_rows: usize) -> Self {
        Self { log_rows, ..self }
    }
}

impl Backend for Sqlite {
    fn is_inline(&self) -> bool {
        true
    }

    fn open(self: Box<Self>) -> Result<Box<dyn Engine>, StoreError> {
        let connection = Some(connect::writer(&self)?);
        let log = LogMover::default();
        Ok(Box::new(SqliteEngine { options: *self, log, connection, calm: 0 }))
    }
}

/// One open file and its writing connection; `None` while suspended.
pub(crate) struct SqliteEngine {
    options: Sqlite,
    // Dropped first: the last connection to close tidies up.
    log: LogMover,
    connection: Option<Connection>,
    /// How often the queue was empty since the log was looked at.
    calm: u32,
}

impl Engine for SqliteEngine {
    fn capabilities(&self) -> Capabilities {
        Capabilities { exclusive: true, inline: true, durable: true }
    }

    fn migrate(&mut self, schema: &Schema) -> Result<(), StoreError> {
        migrate::migrate(self.connection()?, schema)
    }

    fn transaction(&mut self, work: &mut Work<'_>) -> Result<(), StoreError> {
        let open = tx::Open::begin(self.connection()?)?;
        let mut rows = tx::SqlTx::new(open.connection);
        match work(&mut rows)? {
            Verdict::Commit => {
                let written = rows.written();
                open.commit()?;
                self.log.wrote(written, &self.options);
            }
            Verdict::Rollback => {}
        }
        Ok(())
    }

    fn readers(&self) -> Arc<dyn Readers> {
        Arc::new(read::SqliteReaders(self.options.clone()))
    }

    fn idle(&mut self) {
        // Looking at the log's size costs a system call, so not every idle moment does it.
        self.calm += 1;
        if self.calm >= 256 {
            self.calm = 0;
            if let Some(connection) = &self.connection {
                connect::shrink_log(connection, &self.options);
            }
        }
    }

    fn suspend(&mut self) -> Result<(), StoreError> {
        self.log.stop();
        if let Some(connection) = self.connection.take() {
            connect::empty_log(&connection);
            connection.close().map_err(|(connection, error)| {
                self.connection = Some(connection);
                fault(&error)
            })?;
        }
        Ok(())
    }

    fn resume(&mut self) -> Result<(), StoreError> {
        if self.connection.is_none() {
            self.connection = Some(connect::writer(&self.options)?);
        }
        Ok(())
    }
}

/// The texts of all statements on these tables, for a test that looks at their plans.
#[cfg(feature = "testing")]
#[doc(hidden)]
pub fn statements(
    tables: &[fn() -> &'static crate::storage::Table],
) -> Result<Vec<String>, StoreError> {
    crate::engines::sql::statements(tables, crate::engines::sql::Dialect::Sqlite)
}

impl SqliteEngine {
    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        self.connection.as_mut().ok_or(StoreError::Closed)
    }
}

impl Drop for SqliteEngine {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            // Keeps the planner's statistics fresh; a failure costs speed only.
            drop(connection.execute_batch("PRAGMA optimize"));
        }
    }
}

impl Sqlite {
    fn log_bytes_max(&self) -> u64 {
        if self.mobile { 2 << 20 } else { 48 << 20 }
    }

    /// Whether a thread of its own moves the log. A phone's is short, and its threads are few.
    fn moves_log(&self) -> bool {
        !self.mobile && self.log_rows > 0
    }

    /// How many pages of log the writer moves by itself. With the thread most of them are moved already,
    /// and it happens to less than one commit of a hundred.
    fn writers_pages(&self) -> u32 {
        self.checkpoint_pages.unwrap_or(if self.moves_log() { 8_000 } else { 500 })
    }

    fn log_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push("-wal");
        path.into()
    }
}
