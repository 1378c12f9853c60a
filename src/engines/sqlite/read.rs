//! Readers: connections that only read, each seeing the last commit.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, backup::Backup, types::ValueRef};

use super::{
    Sqlite, connect,
    fault::fault,
    tx::{query, value},
};
use crate::{
    engines::sql::{self, Dialect},
    storage::{Cell, Key, Reader, Readers, Scan, StoreError, Table, Value, ViewRows},
    time::Deadline,
};

pub(super) struct SqliteReaders(pub(super) Sqlite);

impl Readers for SqliteReaders {
    fn open(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(SqliteReader { connection: connect::reader(&self.0)?, deadline: None }))
    }
}

struct SqliteReader {
    connection: Connection,
    /// Set while a snapshot is open.
    deadline: Option<Deadline>,
}

impl SqliteReader {
    fn ask(
        &self,
        table: &Table,
        text: &str,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        if self.deadline.is_some_and(Deadline::is_over) {
            return Err(StoreError::Busy("the snapshot's time is over".to_owned()));
        }
        let mut statement = self.connection.prepare_cached(text).map_err(|e| fault(&e))?;
        query(&mut statement, table, values).map_err(|e| fault(&e))
    }
}

impl Reader for SqliteReader {
    fn get(&mut self, table: &'static Table, key: &Key) -> Result<Option<Vec<Value>>, StoreError> {
        let text = sql::select(table, Dialect::Sqlite);
        Ok(self.ask(table, &text, key)?.into_iter().next())
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Vec<Value>>, StoreError> {
        let (text, mut values) = sql::scan(scan, Dialect::Sqlite)?;
        values.push(Value::Int(i64::try_from(scan.limit).unwrap_or(i64::MAX)));
        self.ask(scan.table, &text, &values)
    }

    fn view(&mut self, name: &str, limit: usize) -> Result<ViewRows, StoreError> {
        let text = format!("{}{limit}", sql::view(name)?);
        let read = || -> rusqlite::Result<ViewRows> {
            let mut statement = self.connection.prepare_cached(&text)?;
            let columns = statement.column_names().map(str::to_owned).collect();
            let count = statement.column_count();
            let mut rows = Vec::new();
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                let cells = (0..count).map(|i| row.get_ref(i).map(cell));
                rows.push(cells.collect::<Result<_, _>>()?);
            }
            Ok(ViewRows { columns, rows })
        };
        read().map_err(|e| fault(&e))
    }

    fn snapshot(
        &mut self,
        deadline: Duration,
        work: &mut dyn FnMut(&mut dyn Reader) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // The first read takes the snapshot; it holds until the transaction ends.
        let began = self.connection.execute_batch("BEGIN").map_err(|e| fault(&e));
        let read = "SELECT 1 FROM sqlite_schema LIMIT 1";
        began.and_then(|()| {
            self.connection.execute_batch(read).map_err(|e| {
                // An open transaction would see this moment for ever.
                drop(self.connection.execute_batch("ROLLBACK"));
                fault(&e)
            })
        })?;
        self.deadline = Some(Deadline::after(deadline));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(self)));
        self.deadline = None;
        let ended = self.connection.execute_batch("ROLLBACK").map_err(|e| fault(&e));
        match done {
            Ok(done) => done.and(ended),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn backup(&mut self, to: &Path) -> Result<(), StoreError> {
        // `create_new` refuses a file that is there, also one that appears meanwhile.
        let made = std::fs::File::create_new(to);
        made.map_err(|e| StoreError::Backend(format!("the copy cannot be made: {e}")))?;
        let copy = || -> rusqlite::Result<()> {
            let mut target = Connection::open(to)?;
            let backup = Backup::new(&self.connection, &mut target)?;
            // All in one step: between two, a commit would make it begin anew. Readers and the writer
            // go on, as the log lets them.
            backup.run_to_completion(i32::MAX, Duration::from_millis(1), None)
        };
        copy().map_err(|error| {
            drop(std::fs::remove_file(to));
            fault(&error)
        })
    }
}

fn cell(cell: ValueRef<'_>) -> Cell {
    match cell {
        ValueRef::Real(x) => Cell::Real(x),
        other => Cell::Value(value(other)),
    }
}
