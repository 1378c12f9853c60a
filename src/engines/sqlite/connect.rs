//! Connections: how a file is opened, and why each setting is what it is.

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{Sqlite, fault::fault};
use crate::storage::StoreError;

/// Marks a file that finalmile made: "FMIL". A host's own file keeps its own mark.
pub(super) const APPLICATION_ID: i64 = 0x464D_494C;

/// How long to wait for other processes: inside this one, the queue is the only writer.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);
/// How many compiled statements a connection keeps: four for each table, and some scans.
const STATEMENTS: usize = 128;

/// Opens the one connection that writes.
pub(super) fn writer(options: &Sqlite) -> Result<Connection, StoreError> {
    // NO_MUTEX: each connection has one owner at a time, so SQLite's own locks would only cost.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&options.path, flags).map_err(|e| fault(&e))?;
    settings(&connection, options).map_err(|e| fault(&e))?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))
        .map_err(|e| fault(&e))?;
    if mode != "wal" {
        let text = format!("no write-ahead log on this file system: journal_mode={mode}");
        return Err(StoreError::Backend(text));
    }
    durable(&connection, options).map_err(|e| fault(&e))?;
    Ok(connection)
}

/// Opens a connection that reads.
pub(super) fn reader(options: &Sqlite) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&options.path, flags).map_err(|e| fault(&e))?;
    let set = || {
        common(&connection, options)?;
        connection.pragma_update(None, "query_only", true)
    };
    set().map_err(|e| fault(&e))?;
    Ok(connection)
}

/// Opens a connection that moves the log.
pub(super) fn mover(options: &Sqlite) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&options.path, flags).map_err(|e| fault(&e))?;
    let set = || {
        common(&connection, options)?;
        // It moves pages from file to file, and keeps none.
        connection.pragma_update(None, "cache_size", -100)?;
        synced(&connection, options)
    };
    set().map_err(|e| fault(&e))?;
    Ok(connection)
}

fn settings(connection: &Connection, options: &Sqlite) -> rusqlite::Result<()> {
    common(connection, options)?;
    let made: i64 = connection.pragma_query_value(None, "schema_version", |row| row.get(0))?;
    if made == 0 {
        // Both must be set before the first table is made.
        connection.pragma_update(None, "page_size", 4096)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    Ok(())
}

fn common(connection: &Connection, options: &Sqlite) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A crafted schema must not run functions or touch SQLite's own tables.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Else INSERT OR REPLACE would go round the triggers that keep entries as they are.
    connection.pragma_update(None, "recursive_triggers", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Negative: kibibytes. A phone's memory map would count against the app.
    let (cache, map) = if options.mobile { (-500, 0) } else { (-16_000, 256 << 20) };
    connection.pragma_update(None, "cache_size", cache)?;
    connection.query_row(&format!("PRAGMA mmap_size={map}"), [], |_| Ok(())).or_else(none)
}

/// A build without memory maps answers no row.
fn none(error: rusqlite::Error) -> rusqlite::Result<()> {
    if error == rusqlite::Error::QueryReturnedNoRows { Ok(()) } else { Err(error) }
}

fn synced(connection: &Connection, options: &Sqlite) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", options.synchronous)?;
    if cfg!(target_vendor = "apple") {
        // fsync on Apple's systems leaves the data in the drive's cache.
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    }
    Ok(())
}

fn durable(connection: &Connection, options: &Sqlite) -> rusqlite::Result<()> {
    synced(connection, options)?;
    let limit = i64::try_from(options.log_bytes_max()).unwrap_or(i64::MAX);
    connection.query_row(&format!("PRAGMA journal_size_limit={limit}"), [], |_| Ok(()))?;
    let pages = options.writers_pages();
    connection.query_row(&format!("PRAGMA wal_autocheckpoint={pages}"), [], |_| Ok(()))?;
    // What a process wrote to the log and died before syncing looks committed to the next one. A
    // checkpoint syncs it, before anybody is answered by it.
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    // 0x10002: also look at tables that this connection has not queried yet.
    // Costs speed only if it fails.
    drop(connection.execute_batch("PRAGMA optimize=0x10002"));
    Ok(())
}

/// Empties the log if readers let it grow past its limit.
pub(super) fn shrink_log(connection: &Connection, options: &Sqlite) {
    let log = std::fs::metadata(options.log_path()).map_or(0, |file| file.len());
    if log > options.log_bytes_max() {
        // Without patience: whoever waits for an answer would wait for the readers too.
        drop(connection.busy_timeout(std::time::Duration::ZERO));
        empty_log(connection);
        drop(connection.busy_timeout(BUSY));
    }
}

/// Moves the log into the file and empties it. A reader may hinder it; then it happens later.
pub(super) fn empty_log(connection: &Connection) {
    drop(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
}
