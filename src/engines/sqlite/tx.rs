//! A write transaction: rows in, rows out.

use std::{
    collections::BTreeMap,
    ptr,
    sync::{Arc, PoisonError, RwLock},
};

use rusqlite::{
    CachedStatement, Connection, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::fault::{commit_fault, fault};
use crate::{
    engines::sql::{self, Dialect},
    storage::{EngineTx, KeySet, Rows, StoreError, Table, Value, Write},
};

/// An open transaction of the writer's; dropped without a commit, it rolls back.
pub(super) struct Open<'c> {
    pub(super) connection: &'c Connection,
}

impl<'c> Open<'c> {
    pub(super) fn begin(connection: &'c Connection) -> Result<Self, StoreError> {
        run(connection, "BEGIN IMMEDIATE").map_err(|e| fault(&e))?;
        Ok(Self { connection })
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        run(self.connection, "COMMIT").map_err(|e| commit_fault(&e))
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            // SQLite has already rolled back if this fails.
            drop(run(self.connection, "ROLLBACK"));
        }
    }
}

fn run(connection: &Connection, text: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(text)?.execute([]).map(drop)
}

/// The transaction that is open on a connection, whoever opened it.
pub(super) struct SqlTx<'c> {
    connection: &'c Connection,
    written: usize,
}

impl<'c> SqlTx<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, written: 0 }
    }

    /// How many rows were written.
    pub(super) fn written(&self) -> usize {
        self.written
    }
}

impl EngineTx for SqlTx<'_> {
    fn load(&mut self, keys: &KeySet, rows: &mut Rows) -> Result<(), StoreError> {
        let mut select = Statement::new(self.connection, &SELECT);
        for (id, _) in keys.rows() {
            let statement = select.of(id.table)?;
            let found = query(statement, id.table, &id.key).map_err(|e| fault(&e))?;
            if let Some(row) = found.into_iter().next() {
                rows.found(id.table, row)?;
            }
        }
        for (range, limit) in keys.ranges() {
            let text = sql::range(range.table, range.key.len(), Dialect::Sqlite);
            let mut statement = self.connection.prepare_cached(&text).map_err(|e| fault(&e))?;
            let limit_value = Value::Int(i64::try_from(limit).unwrap_or(i64::MAX));
            let values = [&range.key[..], &[limit_value]].concat();
            let found = query(&mut statement, range.table, &values).map_err(|e| fault(&e))?;
            rows.found_range(range, limit, found)?;
        }
        Ok(())
    }

    fn apply(&mut self, rows: &Rows) -> Result<(), StoreError> {
        let mut insert = Statement::new(self.connection, &INSERT);
        let mut update = Statement::new(self.connection, &UPDATE);
        let mut delete = Statement::new(self.connection, &DELETE);
        for (table, write) in rows.writes() {
            let (statement, values) = match &write {
                Write::Insert(row) => (insert.of(table)?, row),
                Write::Update(row) => (update.of(table)?, row),
                Write::Delete(key) => (delete.of(table)?, key),
            };
            let parameters = rusqlite::params_from_iter(values.iter().map(Parameter));
            self.written += 1;
            let changed = statement.execute(parameters).map_err(|e| fault(&e))?;
            if changed != 1 {
                return Err(StoreError::Corrupt(format!("{}: a row went astray", table.name)));
            }
        }
        Ok(())
    }
}

static SELECT: Texts = Texts::new(sql::select);
static INSERT: Texts = Texts::new(sql::insert);
static UPDATE: Texts = Texts::new(sql::update);
static DELETE: Texts = Texts::new(sql::delete);

/// The texts of one kind of statement, each made when its table is first met: made anew for every
/// batch, they would take a tenth of a lone command's time.
struct Texts {
    make: fn(&Table, Dialect) -> String,
    /// By the address of the table's description, of which there is one.
    made: RwLock<BTreeMap<usize, Arc<str>>>,
}

impl Texts {
    const fn new(make: fn(&Table, Dialect) -> String) -> Self {
        Self { make, made: RwLock::new(BTreeMap::new()) }
    }

    fn of(&self, table: &'static Table) -> Arc<str> {
        let address = ptr::from_ref(table).addr();
        let known = self.made.read().unwrap_or_else(PoisonError::into_inner).get(&address).cloned();
        known.unwrap_or_else(|| {
            let text: Arc<str> = (self.make)(table, Dialect::Sqlite).into();
            let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
            made.entry(address).or_insert(text).clone()
        })
    }
}

/// The statement of one kind for the table at hand. Rows come ordered by table, so one compiled
/// statement serves many rows in turn.
struct Statement<'c> {
    connection: &'c Connection,
    texts: &'static Texts,
    current: Option<(&'static Table, CachedStatement<'c>)>,
}

impl<'c> Statement<'c> {
    fn new(connection: &'c Connection, texts: &'static Texts) -> Self {
        Self { connection, texts, current: None }
    }

    fn of(&mut self, table: &'static Table) -> Result<&mut CachedStatement<'c>, StoreError> {
        let fits = self.current.as_ref().is_some_and(|(known, _)| ptr::eq(*known, table));
        if !fits {
            let text = self.texts.of(table);
            let statement = self.connection.prepare_cached(&text).map_err(|e| fault(&e))?;
            self.current = Some((table, statement));
        }
        match &mut self.current {
            Some((_, statement)) => Ok(statement),
            None => Err(StoreError::Backend("no statement".to_owned())),
        }
    }
}

/// All rows that a statement answers, as values of the table's columns.
pub(super) fn query(
    statement: &mut CachedStatement<'_>,
    table: &Table,
    values: &[Value],
) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut found = Vec::new();
    let mut rows = statement.query(rusqlite::params_from_iter(values.iter().map(Parameter)))?;
    while let Some(row) = rows.next()? {
        // Collecting results would not know how many there are.
        let mut cells = Vec::with_capacity(table.columns.len());
        for i in 0..table.columns.len() {
            cells.push(value(row.get_ref(i)?));
        }
        found.push(cells);
    }
    Ok(found)
}

/// A cell as the tables have it. They are STRICT, so no table of ours holds a fraction.
pub(super) fn value(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        // Damaged text is no text of anybody's: whoever decodes it finds it corrupt.
        ValueRef::Text(text) => String::from_utf8(text.to_vec())
            .map_or_else(|damaged| Value::Blob(damaged.into_bytes()), Value::Text),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// A value on its way into a statement.
pub(super) struct Parameter<'v>(pub(super) &'v Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(n) => ValueRef::Integer(*n),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
