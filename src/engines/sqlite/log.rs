//! The log: its pages move into the file beside the writer.
//!
//! A commit appends to the log. Moving the log into the file (a checkpoint) takes as long as dozens of
//! commits, and whoever commits next would wait for it. So a thread of its own moves most of it, on a
//! connection of its own; the writer moves the little that is left, and rarely, so that the log begins
//! anew.
//!
//! # Invariants
//!
//! - **S4** Whoever moves the log syncs it before, and the file after: what **S1** promises holds at every
//!   moment of it. Where the thread cannot work, the writer moves everything itself.
//!
//! Source: SQLite, "Write-Ahead Logging", 2.1 Checkpointing and 3.1 Avoiding Excessively Large WAL Files.

use std::{
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;

use super::{Sqlite, connect};

/// After how many written rows the log is moved: about a thousand pages.
pub(super) const ROWS: usize = 400;

/// The thread that moves the log, once there is enough to move.
#[derive(Debug, Default)]
pub(super) struct LogMover {
    written: usize,
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
    /// No thread can be had: the writer does it all.
    gave_up: bool,
}

impl LogMover {
    /// So many rows were committed.
    pub(super) fn wrote(&mut self, rows: usize, options: &Sqlite) {
        self.written += rows;
        if self.written < options.log_rows || self.gave_up || !options.moves_log() {
            return;
        }
        self.written = 0;
        if self.thread.is_none() {
            self.thread = start(options.clone());
            self.gave_up = self.thread.is_none();
        }
        if let Some((bell, _)) = &self.thread {
            match bell.try_send(()) {
                // If it rings already, it will see these rows, too.
                Ok(()) | Err(TrySendError::Full(())) => {}
                Err(TrySendError::Disconnected(())) => self.gave_up = true,
            }
        }
    }

    /// Ends the thread; its connection is closed then.
    pub(super) fn stop(&mut self) {
        self.written = 0;
        if let Some((bell, thread)) = self.thread.take() {
            drop(bell);
            // Its panic would be SQLite's, and costs only this thread's work.
            drop(thread.join());
        }
    }
}

impl Drop for LogMover {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(options: Sqlite) -> Option<(SyncSender<()>, JoinHandle<()>)> {
    let (bell, rings) = sync_channel(1);
    let builder = thread::Builder::new().name("finalmile-log".to_owned());
    let thread = builder.spawn(move || {
        // Without a connection the writer's own limit moves the log.
        if let Ok(connection) = connect::mover(&options) {
            work(&connection, &rings);
        }
    });
    Some((bell, thread.ok()?))
}

fn work(connection: &Connection, rings: &Receiver<()>) {
    while rings.recv().is_ok() {
        // Passive: it waits for nobody, and nobody for it. What it leaves, the next one moves.
        drop(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
    }
}
