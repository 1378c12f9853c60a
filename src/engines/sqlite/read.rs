//! Readers: connections that only read, each seeing the last commit.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, backup::Backup, types::ValueRef};

use super::{
    Sqlite, connect,
    fault::fault,
    tx::{Parameter, query, value},
};
use crate::{
    engines::sql::{self, Dialect},
    storage::{
        Cell, Key, Reader, Readers, Scan, StoreError, Table, Tallied, Tally, Value, ViewRows,
        tally::{Sums, saturated},
    },
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
    fn refuse_late(&self) -> Result<(), StoreError> {
        if self.deadline.is_some_and(Deadline::is_over) {
            return Err(StoreError::Busy("the snapshot's time is over".to_owned()));
        }
        Ok(())
    }

    fn ask(
        &self,
        table: &Table,
        text: &str,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        self.refuse_late()?;
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

    fn tally(&mut self, tally: &Tally) -> Result<Vec<Tallied>, StoreError> {
        self.refuse_late()?;
        let (part, values) = sql::part(tally, Dialect::Sqlite)?;
        let summand = tally.sum.unwrap_or("0");
        let Some(by) = tally.by else {
            // Its own sum ends with an error where 63 bits do; the sums of the halves do not.
            let halves = format!("sum({summand} >> 32), sum({summand} & 4294967295)");
            let text = format!("SELECT count(*), {halves} {part}");
            let read = || {
                let mut statement = self.connection.prepare_cached(&text)?;
                statement.query_row(params(&values), |row| {
                    let half = |i| row.get(i).map(|sum: Option<i64>| i128::from(sum.unwrap_or(0)));
                    Ok((row.get(0)?, saturated((half(1)? << 32) + half(2)?)))
                })
            };
            let (count, sum): (i64, i64) = read().map_err(|e| fault(&e))?;
            let line = Tallied { group: Value::Null, count, sum };
            return Ok(if count > 0 { vec![line] } else { vec![] });
        };
        // SQLite would sort the rows to tell groups apart, which takes twice as long.
        let text = format!("SELECT {}, {summand} {part}", sql::group(by));
        let read = || -> rusqlite::Result<Sums> {
            let mut statement = self.connection.prepare_cached(&text)?;
            let mut found = statement.query(params(&values))?;
            let mut sums = Sums::default();
            while let Some(row) = found.next()? {
                sums.add(value(row.get_ref(0)?), row.get(1)?);
            }
            Ok(sums)
        };
        read().map(Sums::lines).map_err(|e| fault(&e))
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

fn params(values: &[Value]) -> impl rusqlite::Params {
    rusqlite::params_from_iter(values.iter().map(Parameter))
}

fn cell(cell: ValueRef<'_>) -> Cell {
    match cell {
        ValueRef::Real(x) => Cell::Real(x),
        other => Cell::Value(value(other)),
    }
}
