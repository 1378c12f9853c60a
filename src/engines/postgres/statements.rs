//! Statements: what to say to the server to load a key set, and to apply the changes of a batch.
//!
//! Here is no connection, so the engine, the blocking driver and the async one share every word. One
//! row of a table is read and written by a plain statement, which is cheap to run; several by one
//! statement over arrays, whose text does not depend on how many they are.

use bytes::BytesMut;
use tokio_postgres::{
    Row,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};

use crate::{
    engines::sql::{self, Dialect},
    storage::{
        Column, Hold, Key, KeySet, Kind, RowId, Rows, StoreError, Table, Tallied, Value, Write,
    },
};

/// Keeps others from changing or removing a row, but not from referring to it.
const LOCK: &str = "FOR NO KEY UPDATE";

/// One statement with its parameters.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) text: String,
    pub(super) types: Vec<Type>,
    pub(super) params: Vec<Param>,
}

impl Call {
    /// A statement without parameters.
    pub(super) fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), types: vec![], params: vec![] }
    }

    /// A statement whose parameters are values, which say their types themselves; so null is not
    /// among them.
    pub(super) fn with(text: String, values: Key) -> Self {
        let kind = |value: &Value| match value {
            Value::Null | Value::Text(_) => Type::TEXT,
            Value::Int(_) => Type::INT8,
            Value::Blob(_) => Type::BYTEA,
        };
        let types = values.iter().map(kind).collect();
        Self { text, types, params: values.into_iter().map(Param::One).collect() }
    }

    /// A statement over one row, or some first columns of one.
    fn over(text: String, columns: &[Column], row: Vec<Value>) -> Self {
        let types = columns.iter().map(|column| one(column.kind)).collect();
        Self { text, types, params: row.into_iter().map(Param::One).collect() }
    }

    /// A statement over many rows: one array for each column.
    fn over_all(text: String, columns: &[Column], rows: Vec<Vec<Value>>) -> Self {
        let mut params: Vec<Param> =
            columns.iter().map(|column| Param::array(column.kind, rows.len())).collect();
        for row in rows {
            for (param, value) in params.iter_mut().zip(row) {
                param.push(value);
            }
        }
        let types = columns.iter().map(|column| array(column.kind)).collect();
        Self { text, types, params }
    }

    /// The parameters with their types, for a statement that is not prepared.
    pub(super) fn typed(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        let params = self.params.iter().map(|param| -> &(dyn ToSql + Sync) { param });
        params.zip(self.types.iter().cloned()).collect()
    }
}

/// Reads the clock, after the locks that were taken before it, and with it the transaction's id.
///
/// A lock on a row gives the transaction an id anyway; where nothing is locked, none is made.
pub(super) fn clock(owns: bool) -> Call {
    let id = if owns { "pg_current_xact_id()" } else { "pg_current_xact_id_if_assigned()" };
    Call::plain(&format!(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, {id}::text"
    ))
}

/// One statement of a load, and where its answer goes.
#[derive(Debug)]
pub(super) struct Load<'k> {
    pub(super) call: Call,
    table: &'static Table,
    range: Option<(&'k RowId, usize)>,
}

/// The statements that load `keys`: locks first, in the set's order, then what needs none, then the
/// ranges, whose parents are locked by then.
///
/// The rows of a range are locked too when the set owns anything, for a command may write them; in a
/// round of discovery it owns nothing.
pub(super) fn loads(keys: &KeySet) -> (Vec<Load<'_>>, bool) {
    let mut loads: Vec<Load<'_>> = Vec::new();
    for wanted in [Hold::Own, Hold::Peek] {
        let ids: Vec<&RowId> =
            keys.rows().filter(|(_, hold)| *hold == wanted).map(|(id, _)| id).collect();
        for group in ids.chunk_by(|a, b| a.table.name == b.table.name) {
            let table = group[0].table;
            let keys = group.iter().map(|id| id.key.clone()).collect();
            loads.push(Load { call: select(table, keys, wanted == Hold::Own), table, range: None });
        }
    }
    let owns = keys.rows().any(|(_, hold)| hold == Hold::Own);
    for (range, limit) in keys.ranges() {
        let text = sql::range(range.table, range.key.len(), Dialect::Postgres);
        let text = if owns { format!("{text} {LOCK}") } else { text };
        let mut call = Call::over(text, &range.table.columns[..range.key.len()], range.key.clone());
        call.types.push(Type::INT8);
        call.params.push(Param::One(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX))));
        loads.push(Load { call, table: range.table, range: Some((range, limit)) });
    }
    (loads, owns)
}

impl Load<'_> {
    /// Gives what the statement answered to `rows`.
    pub(super) fn take(&self, answer: &[Row], rows: &mut Rows) -> Result<(), StoreError> {
        let found = answer.iter().map(|row| decode(self.table, row));
        match self.range {
            Some((range, limit)) => {
                rows.found_range(range, limit, found.collect::<Result<_, _>>()?)
            }
            None => found.into_iter().try_for_each(|row| rows.found(self.table, row?)),
        }
    }
}

/// One statement of the changes, and how many rows it must touch.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) call: Call,
    pub(super) table: &'static Table,
    pub(super) count: u64,
}

/// The statements that apply what changed in `rows`: a table after the other, in each what goes,
/// then what changes, then what comes.
pub(super) fn changes(rows: &Rows) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut writes = rows.writes().peekable();
    while let Some(table) = writes.peek().map(|(table, _)| *table) {
        let (mut deleted, mut updated, mut inserted) = (Vec::new(), Vec::new(), Vec::new());
        while let Some((_, write)) = writes.next_if(|(next, _)| next.name == table.name) {
            match write {
                Write::Delete(key) => deleted.push(key),
                Write::Update(row) => updated.push(row),
                Write::Insert(row) => inserted.push(row),
            }
        }
        let mut change = |rows: Vec<Vec<Value>>, statement: fn(&Table, Vec<Vec<Value>>) -> Call| {
            let count = rows.len() as u64;
            if count > 0 {
                changes.push(Change { call: statement(table, rows), table, count });
            }
        };
        change(deleted, delete);
        change(updated, update);
        change(inserted, insert);
    }
    changes
}

fn select(table: &Table, mut keys: Vec<Key>, lock: bool) -> Call {
    let columns = &table.columns[..table.key_len];
    if keys.len() == 1 {
        let text = sql::select(table, Dialect::Postgres);
        let text = if lock { format!("{text} {LOCK}") } else { text };
        return Call::over(text, columns, keys.swap_remove(0));
    }
    let key = sql::key(table);
    // Each wanted key is looked up in its turn, so rows are locked in the set's order. A join would
    // leave the choice to the planner, and a plan made while the table was small would later read
    // all of it; what is locked, or has an OFFSET, is not merged into the outer query.
    let each = format!(
        "SELECT {} FROM {} AS kept WHERE {} {}",
        prefixed("kept", &sql::columns(table)),
        table.name,
        matched("wanted", &key),
        if lock { LOCK } else { "OFFSET 0" },
    );
    let text = format!(
        "SELECT found.* FROM unnest({}) AS wanted({}) CROSS JOIN LATERAL ({each}) AS found",
        parameters(key.len()),
        key.join(", "),
    );
    Call::over_all(text, columns, keys)
}

fn insert(table: &Table, mut rows: Vec<Vec<Value>>) -> Call {
    if rows.len() == 1 {
        let text = sql::insert(table, Dialect::Postgres);
        return Call::over(text, table.columns, rows.swap_remove(0));
    }
    let names = sql::columns(table);
    let text = format!(
        "INSERT INTO {} ({}) SELECT * FROM unnest({})",
        table.name,
        names.join(", "),
        parameters(names.len()),
    );
    Call::over_all(text, table.columns, rows)
}

fn update(table: &Table, mut rows: Vec<Vec<Value>>) -> Call {
    if rows.len() == 1 {
        let text = sql::update(table, Dialect::Postgres);
        return Call::over(text, table.columns, rows.swap_remove(0));
    }
    let names = sql::columns(table);
    let (key, rest) = names.split_at(table.key_len);
    // A table of nothing but a key still needs an assignment.
    let set = if rest.is_empty() { &key[..1] } else { rest };
    let set: Vec<String> =
        set.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    // The rows are there and locked, so each of them conflicts and is replaced: an index look-up a
    // row, whatever the planner believes of the table.
    let text = format!(
        "INSERT INTO {} ({}) SELECT * FROM unnest({}) ON CONFLICT ({}) DO UPDATE SET {}",
        table.name,
        names.join(", "),
        parameters(names.len()),
        key.join(", "),
        set.join(", "),
    );
    Call::over_all(text, table.columns, rows)
}

fn delete(table: &Table, mut keys: Vec<Key>) -> Call {
    let columns = &table.columns[..table.key_len];
    if keys.len() == 1 {
        return Call::over(sql::delete(table, Dialect::Postgres), columns, keys.swap_remove(0));
    }
    let key = sql::key(table);
    // The arrays alone bound what is read; the join then takes exactly the wanted keys.
    let bounds = (1..).zip(&key).map(|(n, column)| format!("kept.{column} = ANY(${n})"));
    let text = format!(
        "DELETE FROM {} AS kept USING unnest({}) AS gone({}) WHERE {} AND {}",
        table.name,
        parameters(key.len()),
        key.join(", "),
        matched("gone", &key),
        bounds.collect::<Vec<_>>().join(" AND "),
    );
    Call::over_all(text, columns, keys)
}

/// `kept.a, kept.b`
fn prefixed(alias: &str, columns: &[&str]) -> String {
    let each: Vec<String> = columns.iter().map(|column| format!("{alias}.{column}")).collect();
    each.join(", ")
}

/// `kept.a = alias.a AND kept.b = alias.b`
fn matched(alias: &str, columns: &[&str]) -> String {
    let each = columns.iter().map(|column| format!("kept.{column} = {alias}.{column}"));
    each.collect::<Vec<_>>().join(" AND ")
}

/// `$1, $2`
fn parameters(count: usize) -> String {
    (1..=count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

fn one(kind: Kind) -> Type {
    match kind {
        Kind::Int => Type::INT8,
        Kind::Text => Type::TEXT,
        Kind::Blob => Type::BYTEA,
    }
}

fn array(kind: Kind) -> Type {
    match kind {
        Kind::Int => Type::INT8_ARRAY,
        Kind::Text => Type::TEXT_ARRAY,
        Kind::Blob => Type::BYTEA_ARRAY,
    }
}

/// A stored row as values of the table's columns.
pub(super) fn decode(table: &Table, row: &Row) -> Result<Vec<Value>, StoreError> {
    let cells = table.columns.iter().enumerate().map(|(i, column)| match column.kind {
        Kind::Int => cell(row, i, Value::Int),
        Kind::Text => cell(row, i, Value::Text),
        Kind::Blob => cell(row, i, Value::Blob),
    });
    cells.collect::<Result<_, _>>().map_err(|error| corrupt(table.name, &error))
}

/// A line of a tally, whose groups are of this kind.
pub(super) fn tallied(row: &Row, kind: Option<Kind>, table: &str) -> Result<Tallied, StoreError> {
    let group = match kind {
        None => Ok(Value::Null),
        Some(Kind::Int) => cell(row, 0, Value::Int),
        Some(Kind::Text) => cell(row, 0, Value::Text),
        Some(Kind::Blob) => cell(row, 0, Value::Blob),
    };
    let line = || Ok(Tallied { group: group?, count: row.try_get(1)?, sum: row.try_get(2)? });
    line().map_err(|error| corrupt(table, &error))
}

fn corrupt(table: &str, error: &tokio_postgres::Error) -> StoreError {
    StoreError::Corrupt(format!("{table}: a column is not of its kind: {error}"))
}

fn cell<'r, T: FromSql<'r>>(
    row: &'r Row,
    i: usize,
    wrap: fn(T) -> Value,
) -> Result<Value, tokio_postgres::Error> {
    Ok(row.try_get::<_, Option<T>>(i)?.map_or(Value::Null, wrap))
}

/// A parameter: one value, or a column of many.
#[derive(Debug)]
pub(super) enum Param {
    One(Value),
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Blobs(Vec<Option<Vec<u8>>>),
}

impl Param {
    fn array(kind: Kind, len: usize) -> Self {
        match kind {
            Kind::Int => Self::Ints(Vec::with_capacity(len)),
            Kind::Text => Self::Texts(Vec::with_capacity(len)),
            Kind::Blob => Self::Blobs(Vec::with_capacity(len)),
        }
    }

    /// Adds a value of the column's kind; a record's `encode` gives no other.
    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Ints(all), Value::Int(n)) => all.push(Some(n)),
            (Self::Texts(all), Value::Text(text)) => all.push(Some(text)),
            (Self::Blobs(all), Value::Blob(bytes)) => all.push(Some(bytes)),
            (Self::Ints(all), _) => all.push(None),
            (Self::Texts(all), _) => all.push(None),
            (Self::Blobs(all), _) => all.push(None),
            (Self::One(one), value) => *one = value,
        }
    }
}

impl ToSql for Param {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::One(Value::Null) => Ok(IsNull::Yes),
            Self::One(Value::Int(n)) => n.to_sql_checked(ty, out),
            Self::One(Value::Text(text)) => text.to_sql_checked(ty, out),
            Self::One(Value::Blob(bytes)) => bytes.to_sql_checked(ty, out),
            Self::Ints(all) => all.to_sql_checked(ty, out),
            Self::Texts(all) => all.to_sql_checked(ty, out),
            Self::Blobs(all) => all.to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Each value is checked when it is written.
        true
    }

    to_sql_checked!();
}
