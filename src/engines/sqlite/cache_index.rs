//! The index of the content cache in an SQLite file of its own.
//!
//! The file is advice and may be lost, so commits do not wait for the disk (`synchronous=NORMAL`), which
//! the ledger's file must never do. Opening reads no rows: totals are kept by triggers, in the same
//! transaction as the rows, and victims come from an index in the order of their priorities. A file of
//! another form, or that is no database, is [`Fault::Broken`]: the cache makes a new one.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

use crate::ipfs::{
    Cid,
    index::{CacheIndex, Fault, Mark, Row, Totals},
    options::Kind,
};
use crate::time::Timestamp;

/// Goes up with every change of the tables.
const FORM: i64 = 1;
/// Others hold the file for as long as one eviction or one count takes.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE entry (
    id BLOB PRIMARY KEY, bytes INTEGER NOT NULL, kind INTEGER NOT NULL, pinned INTEGER NOT NULL,
    uses INTEGER NOT NULL, priority INTEGER NOT NULL, put_at INTEGER NOT NULL,
    generation INTEGER NOT NULL, digest BLOB
) WITHOUT ROWID;
CREATE INDEX entry_by_priority ON entry (kind, priority, id) WHERE pinned = 0;
CREATE TABLE total (
    kind INTEGER, pinned INTEGER, entries INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (kind, pinned)
) WITHOUT ROWID;
INSERT INTO total VALUES (0, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0), (1, 1, 0, 0);
CREATE TABLE claim (process TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE mark (number INTEGER PRIMARY KEY, value INTEGER NOT NULL);
CREATE TRIGGER entry_added AFTER INSERT ON entry BEGIN
    UPDATE total SET entries = entries + 1, bytes = bytes + new.bytes
    WHERE kind = new.kind AND pinned = new.pinned;
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entry BEGIN
    UPDATE total SET entries = entries - 1, bytes = bytes - old.bytes
    WHERE kind = old.kind AND pinned = old.pinned;
END;
CREATE TRIGGER entry_changed AFTER UPDATE OF bytes, kind, pinned ON entry
WHEN (new.bytes, new.kind, new.pinned) IS NOT (old.bytes, old.kind, old.pinned) BEGIN
    UPDATE total SET entries = entries - 1, bytes = bytes - old.bytes
    WHERE kind = old.kind AND pinned = old.pinned;
    UPDATE total SET entries = entries + 1, bytes = bytes + new.bytes
    WHERE kind = new.kind AND pinned = new.pinned;
END;
";

const COLUMNS: &str = "id, bytes, kind, pinned, uses, priority, put_at, generation, digest";

/// An open index.
pub(crate) struct SqliteIndex {
    connection: Connection,
    path: PathBuf,
    /// Tells the file that was opened from one that lies there later.
    file: Option<u64>,
}

impl SqliteIndex {
    /// Opens the index at `path`, making it if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
        connection.busy_timeout(BUSY).map_err(fault)?;
        connection.set_prepared_statement_cache_capacity(32);
        let set = || {
            connection.pragma_update(None, "trusted_schema", false)?;
            connection.pragma_update(None, "cell_size_check", true)?;
            connection.pragma_update(None, "temp_store", "MEMORY")?;
            connection.pragma_update(None, "cache_size", -1_000)?;
            connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0))
        };
        // Where there can be no such log, another process would wait for every look.
        if set().map_err(fault)? != "wal" {
            return Err(Fault::Broken);
        }
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(fault)?;
        let form =
            || connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        if form().map_err(fault)? == 0 {
            // Another process may make them at the same time.
            connection.execute_batch("BEGIN IMMEDIATE").map_err(fault)?;
            if form().map_err(fault)? == 0 {
                let made = format!("{TABLES} PRAGMA user_version = {FORM};");
                connection.execute_batch(&made).map_err(fault)?;
            }
            connection.execute_batch("COMMIT").map_err(fault)?;
        }
        if form().map_err(fault)? != FORM {
            return Err(Fault::Broken);
        }
        Ok(Self { connection, path: path.to_owned(), file: number_of(path) })
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), Fault> {
        let done = self.connection.prepare_cached(sql).and_then(|mut run| run.execute(values));
        done.map(drop).map_err(fault)
    }

    fn all<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: fn(&rusqlite::Row<'_>) -> rusqlite::Result<Option<T>>,
    ) -> Result<Vec<T>, Fault> {
        let mut query = self.connection.prepare_cached(sql).map_err(fault)?;
        let found = query.query_map(values, read).map_err(fault)?;
        // A row that says nothing sensible was not written by us.
        found.map(|row| row.map_err(fault)?.ok_or(Fault::Broken)).collect()
    }
}

impl CacheIndex for SqliteIndex {
    fn begin(&mut self) -> Result<(), Fault> {
        if !self.is_there() {
            return Err(Fault::Broken);
        }
        self.run("BEGIN IMMEDIATE", [])
    }

    fn commit(&mut self) -> Result<(), Fault> {
        self.run("COMMIT", [])
    }

    fn rollback(&mut self) {
        if !self.connection.is_autocommit() {
            drop(self.run("ROLLBACK", []));
        }
    }

    fn find(&mut self, cid: &Cid) -> Result<Option<Row>, Fault> {
        let sql = format!("SELECT {COLUMNS} FROM entry WHERE id = ?");
        Ok(self.all(&sql, [cid.as_bytes()], row)?.pop())
    }

    fn put(&mut self, row: &Row) -> Result<(), Fault> {
        self.run(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
                bytes = excluded.bytes, kind = excluded.kind, pinned = max(pinned, excluded.pinned),
                uses = excluded.uses, priority = excluded.priority, put_at = excluded.put_at,
                generation = excluded.generation, digest = excluded.digest",
            params![
                row.cid.as_bytes(),
                row.bytes.min(i64::MAX.cast_unsigned()).cast_signed(),
                code(row.kind),
                row.pinned,
                row.uses,
                row.priority,
                row.put_at.micros(),
                row.generation,
                row.digest,
            ],
        )
    }

    fn touch(&mut self, row: &Row) -> Result<(), Fault> {
        self.run(
            "UPDATE entry SET uses = ?2, priority = ?3, generation = ?4 WHERE id = ?1",
            params![row.cid.as_bytes(), row.uses, row.priority, row.generation],
        )
    }

    fn pin(&mut self, cid: &Cid, pinned: bool) -> Result<(), Fault> {
        self.run("UPDATE entry SET pinned = ?2 WHERE id = ?1", params![cid.as_bytes(), pinned])
    }

    fn remove(&mut self, cid: &Cid) -> Result<(), Fault> {
        self.run("DELETE FROM entry WHERE id = ?", [cid.as_bytes()])
    }

    fn cheapest(
        &mut self,
        kind: Kind,
        after: Option<(i64, &Cid)>,
        count: usize,
    ) -> Result<Vec<Row>, Fault> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let (priority, id) = after.map_or((i64::MIN, &[][..]), |(at, cid)| (at, cid.as_bytes()));
        let sql = format!(
            "SELECT {COLUMNS} FROM entry WHERE pinned = 0 AND kind = ?1 AND (priority, id) > (?2, ?3)
             ORDER BY priority, id LIMIT ?4"
        );
        self.all(&sql, params![code(kind), priority, id, count], row)
    }

    fn totals(&mut self) -> Result<[Totals; 2], Fault> {
        let mut totals = [Totals::default(); 2];
        let read = |row: &rusqlite::Row<'_>| {
            let kind = kind(row.get(0)?);
            let (entries, bytes) = (u64::try_from(row.get::<_, i64>(2)?), row.get::<_, i64>(3)?);
            let sensible = (kind, entries.ok(), u64::try_from(bytes).ok());
            let (Some(kind), Some(entries), Some(bytes)) = sensible else { return Ok(None) };
            Ok(Some((kind, row.get::<_, bool>(1)?, entries, bytes)))
        };
        for (kind, pinned, entries, bytes) in
            self.all("SELECT kind, pinned, entries, bytes FROM total", [], read)?
        {
            let totals = &mut totals[kind.number()];
            totals.entries += entries;
            totals.bytes = totals.bytes.saturating_add(bytes);
            totals.pinned_bytes += if pinned { bytes } else { 0 };
        }
        Ok(totals)
    }

    fn cids(&mut self) -> Result<Vec<Cid>, Fault> {
        self.all("SELECT id FROM entry", [], |row| {
            Ok(Cid::from_bytes(row.get_ref(0)?.as_blob()?).ok())
        })
    }

    fn recount(&mut self) -> Result<(), Fault> {
        let sql = "UPDATE total SET (entries, bytes) = (SELECT count(*), coalesce(sum(bytes), 0)
                   FROM entry WHERE entry.kind = total.kind AND entry.pinned = total.pinned)";
        self.run(sql, [])
    }

    fn claims(&mut self) -> Result<Vec<(String, u64)>, Fault> {
        self.all("SELECT process, bytes FROM claim", [], |row| {
            let bytes: i64 = row.get(1)?;
            Ok((bytes >= 0).then_some((row.get(0)?, bytes.cast_unsigned())))
        })
    }

    fn claim(&mut self, process: &str, bytes: Option<u64>) -> Result<(), Fault> {
        let Some(bytes) = bytes else {
            return self.run("DELETE FROM claim WHERE process = ?", [process]);
        };
        let bytes = bytes.min(i64::MAX.cast_unsigned()).cast_signed();
        self.run("INSERT OR REPLACE INTO claim VALUES (?, ?)", params![process, bytes])
    }

    fn mark(&mut self, mark: Mark) -> Result<Option<i64>, Fault> {
        let sql = "SELECT value FROM mark WHERE number = ?";
        let mut query = self.connection.prepare_cached(sql).map_err(fault)?;
        query.query_row([mark.number()], |row| row.get(0)).optional().map_err(fault)
    }

    fn set_mark(&mut self, mark: Mark, value: i64) -> Result<(), Fault> {
        self.run("INSERT OR REPLACE INTO mark VALUES (?, ?)", [mark.number(), value])
    }

    fn is_there(&self) -> bool {
        self.file.is_none() || self.file == number_of(&self.path)
    }
}

/// Reads the columns of [`COLUMNS`]; `None` for what makes no sense.
fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Row>> {
    let kind = kind(row.get(2)?);
    let bytes = u64::try_from(row.get::<_, i64>(1)?);
    let (Ok(cid), Ok(bytes), Some(kind)) =
        (Cid::from_bytes(row.get_ref(0)?.as_blob()?), bytes, kind)
    else {
        return Ok(None);
    };
    Ok(Some(Row {
        cid,
        bytes,
        kind,
        pinned: row.get(3)?,
        uses: row.get(4)?,
        priority: row.get(5)?,
        put_at: Timestamp::from_micros(row.get(6)?),
        generation: row.get(7)?,
        digest: row.get(8)?,
    }))
}

const fn code(kind: Kind) -> i64 {
    match kind {
        Kind::Thumbnail => 0,
        Kind::Media => 1,
    }
}

fn kind(number: i64) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| code(*kind) == number)
}

#[expect(clippy::needless_pass_by_value, reason = "to be named in `map_err`")]
fn fault(error: rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Fault::Busy,
        Some(ErrorCode::DiskFull) => Fault::Full,
        _ => Fault::Broken,
    }
}

/// What the file system calls the file, where it calls it by a number.
fn number_of(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Some(fs::metadata(path).map_or(0, |meta| meta.ino()))
    }
    #[cfg(not(unix))]
    {
        // Elsewhere a file that is open is not removed.
        fs::metadata(path).ok().and(None)
    }
}
