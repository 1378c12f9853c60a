//! SQLite by hand: one transaction per call on one connection.
//!
//! Every statement is compiled once. The balance is checked and changed by one `UPDATE` instead of a
//! read and a write. The settings are those of our engine's writer.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, config::DbConfig, params};

use crate::transfer::{self, FEE, Moved, SCHEMA, Transfer};

const SETTINGS: &str = "
    PRAGMA page_size = 4096;
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA journal_size_limit = 16777216;
    PRAGMA wal_autocheckpoint = 1000;
    PRAGMA cache_size = -16000;
    PRAGMA mmap_size = 268435456;
    PRAGMA temp_store = MEMORY;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA optimize = 0x10002;";

/// A new file with the tables.
///
/// # Errors
///
/// Whatever hinders SQLite.
pub fn create(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path)?;
    SCHEMA.sqlite.iter().try_for_each(|script| connection.execute_batch(script))?;
    Ok(connection)
}

/// A file, made if it does not exist.
///
/// # Errors
///
/// Whatever hinders SQLite.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.execute_batch(SETTINGS)?;
    Ok(connection)
}

/// One transfer in a transaction of its own.
///
/// # Errors
///
/// Whatever hinders SQLite; the transaction is then still open, and so is the question.
pub fn transfer(connection: &Connection, transfer: &Transfer) -> rusqlite::Result<Moved> {
    let run = |text| connection.prepare_cached(text)?.execute([]).map(drop);
    run("BEGIN IMMEDIATE")?;
    let moved = inside(connection, transfer)?;
    run(if moved == Moved::Now { "COMMIT" } else { "ROLLBACK" })?;
    Ok(moved)
}

fn inside(connection: &Connection, transfer: &Transfer) -> rusqlite::Result<Moved> {
    let known: Option<[u8; 32]> = connection
        .prepare_cached("SELECT digest FROM bench_once WHERE key = ?1")?
        .query_row([&transfer.key], |row| row.get(0))
        .optional()?;
    if let Some(digest) = known {
        return Ok(if digest == transfer.digest { Moved::Before } else { Moved::Never });
    }
    let took = connection
        .prepare_cached(
            "UPDATE bench_account SET balance = balance - ?2 WHERE id = ?1 AND balance >= ?2",
        )?
        .execute([transfer.from, transfer.amount + FEE])?;
    if took == 0 {
        return Ok(Moved::Never);
    }
    connection
        .prepare_cached("UPDATE bench_account SET balance = balance + ?2 WHERE id = ?1")?
        .execute([transfer.to, transfer.amount])?;
    connection
        .prepare_cached("INSERT INTO bench_once (key, digest) VALUES (?1, ?2)")?
        .execute(params![&transfer.key, &transfer.digest])?;
    Ok(Moved::Now)
}

/// Compares the file that a side left with the model.
///
/// # Errors
///
/// Whatever hinders SQLite.
pub fn check(side: &str, path: &Path, count: u64) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    let mut statement = connection.prepare("SELECT balance FROM bench_account ORDER BY id")?;
    let balances: Vec<i64> =
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let keys = connection.query_row("SELECT count(*) FROM bench_once", [], |row| row.get(0))?;
    transfer::check(side, count, &balances, keys);
    Ok(())
}
