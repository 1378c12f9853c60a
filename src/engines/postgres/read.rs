//! Readers: sessions that only read, each seeing the last commit.

use std::{panic::AssertUnwindSafe, time::Duration};

use tokio_postgres::{SimpleQueryMessage, types::Type};

use super::{
    Postgres,
    connect::Purpose,
    session::Session,
    statements::{self, Call},
};
use crate::{
    engines::sql::{self, Dialect},
    storage::{
        By, Cell, Key, Kind, Reader, Readers, Scan, StoreError, Table, Tallied, Tally, Value,
        ViewRows,
    },
    time::Deadline,
};

pub(super) struct PgReaders(pub(super) Postgres);

impl Readers for PgReaders {
    fn open(&self) -> Result<Box<dyn Reader>, StoreError> {
        let session = Session::open(&self.0, Purpose::Read)?;
        Ok(Box::new(PgReader { options: self.0.clone(), session, deadline: None }))
    }
}

struct PgReader {
    options: Postgres,
    session: Session,
    /// Set while a snapshot is open.
    deadline: Option<Deadline>,
}

impl PgReader {
    /// Reads, on a new session if the old one is lost. A snapshot ends with its session.
    fn read<T>(
        &mut self,
        read: impl Fn(&mut Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(deadline) = self.deadline {
            if deadline.is_over() {
                return Err(late());
            }
            let left = deadline.left().as_millis().clamp(1, i32::MAX as u128);
            self.session.say(&format!("SET LOCAL statement_timeout = {left}"))?;
            return read(&mut self.session)
                .map_err(|fault| if deadline.is_over() { late() } else { fault });
        }
        let answer = read(&mut self.session);
        if answer.is_ok() || !self.session.is_lost() {
            return answer;
        }
        self.session = Session::open(&self.options, Purpose::Read)?;
        read(&mut self.session)
    }

    fn ask(&mut self, table: &Table, call: &Call) -> Result<Vec<Vec<Value>>, StoreError> {
        let answer = self.read(|session| session.ask(call))?;
        answer.rows.iter().map(|row| statements::decode(table, row)).collect()
    }
}

impl Reader for PgReader {
    fn get(&mut self, table: &'static Table, key: &Key) -> Result<Option<Vec<Value>>, StoreError> {
        let call = Call::with(sql::select(table, Dialect::Postgres), key.clone());
        Ok(self.ask(table, &call)?.into_iter().next())
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Vec<Value>>, StoreError> {
        let (text, mut values) = sql::scan(scan, Dialect::Postgres)?;
        values.push(Value::Int(i64::try_from(scan.limit).unwrap_or(i64::MAX)));
        self.ask(scan.table, &Call::with(text, values))
    }

    fn tally(&mut self, tally: &Tally) -> Result<Vec<Tallied>, StoreError> {
        let (text, values) = sql::tally(tally)?;
        let kind = match tally.by {
            None => None,
            Some(By::Span(..)) => Some(Kind::Int),
            Some(By::Value(column)) => Some(tally.table.columns[tally.table.position(column)].kind),
        };
        let call = Call::with(text, values);
        let answer = self.read(|session| session.ask(&call))?;
        let line = |row| statements::tallied(row, kind, tally.table.name);
        let lines = answer.rows.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        // Over no rows, one line says so.
        Ok(lines.into_iter().filter(|line| line.count > 0).collect())
    }

    fn view(&mut self, name: &str, limit: usize) -> Result<ViewRows, StoreError> {
        let text = format!("{}{limit}", sql::view(name)?);
        self.read(|session| {
            // The types come from a description and the values as text, which every type has.
            let described = session.describe(&text)?;
            let columns = described.columns().iter().map(|column| column.name().to_owned());
            let columns: Vec<String> = columns.collect();
            let types: Vec<&Type> = described.columns().iter().map(|c| c.type_()).collect();
            let mut rows = Vec::new();
            for message in session.simple(&text)? {
                if let SimpleQueryMessage::Row(row) = message {
                    let cells = types.iter().enumerate().map(|(i, ty)| cell(ty, row.get(i)));
                    rows.push(cells.collect::<Option<_>>().ok_or_else(|| unreadable(name))?);
                }
            }
            Ok(ViewRows { columns, rows })
        })
    }

    fn snapshot(
        &mut self,
        deadline: Duration,
        work: &mut dyn FnMut(&mut dyn Reader) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // The first statement takes the snapshot; it holds until the transaction ends.
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";
        self.read(|session| session.say(begin))?;
        self.deadline = Some(Deadline::after(deadline));
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| work(self)));
        self.deadline = None;
        self.session.dismiss("ROLLBACK");
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn late() -> StoreError {
    StoreError::Busy("the snapshot's time is over".to_owned())
}

fn unreadable(view: &str) -> StoreError {
    StoreError::Backend(format!("{view}: a cell cannot be read"))
}

/// A cell from its text. Types that no table of ours has, such as dates, stay text.
fn cell(ty: &Type, text: Option<&str>) -> Option<Cell> {
    let Some(text) = text else { return Some(Cell::Value(Value::Null)) };
    Some(match *ty {
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => {
            Cell::Value(Value::Int(text.parse().ok()?))
        }
        Type::BOOL => Cell::Value(Value::Int(i64::from(text == "t"))),
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => Cell::Real(text.parse().ok()?),
        Type::BYTEA => Cell::Value(Value::Blob(bytes(text.strip_prefix("\\x")?)?)),
        _ => Cell::Value(Value::Text(text.to_owned())),
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
