//! SQL from descriptions: what both SQL engines say about a table.
//!
//! Texts differ only in how a parameter is written (`?1` or `$1`), so they are made here once.

use std::fmt::Write as _;

use crate::storage::{By, Key, Only, Scan, StoreError, Table, Tally};

/// How a database writes the n-th parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Dialect {
    fn parameter(self, n: usize) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => format!("?{n}"),
            #[cfg(feature = "postgres")]
            Self::Postgres => format!("${n}"),
        }
    }

    /// `a = ?1 AND b = ?2`, from the n-th parameter on.
    pub(crate) fn equal(self, columns: &[&str], from: usize) -> String {
        let each = columns.iter().enumerate();
        let each = each.map(|(i, column)| format!("{column} = {}", self.parameter(from + i)));
        each.collect::<Vec<_>>().join(" AND ")
    }

    /// A table, to be read in the order of that index. SQLite would take another that has the same
    /// columns in part and then sort; PostgreSQL knows what a page costs.
    fn from(self, table: &Table, index: Option<&str>) -> String {
        match (self, index) {
            #[cfg(feature = "sqlite")]
            (Self::Sqlite, Some(index)) => format!("{} INDEXED BY {index}", table.name),
            _ => table.name.to_owned(),
        }
    }

    fn parameters(self, from: usize, count: usize) -> String {
        let each = (from..from + count).map(|n| self.parameter(n));
        each.collect::<Vec<_>>().join(", ")
    }
}

/// A table's columns, all of them.
pub(crate) fn columns(table: &Table) -> Vec<&'static str> {
    table.columns.iter().map(|column| column.name).collect()
}

/// A table's key columns.
pub(crate) fn key(table: &Table) -> Vec<&'static str> {
    table.columns[..table.key_len].iter().map(|column| column.name).collect()
}

/// Reads one row by its key.
pub(crate) fn select(table: &Table, dialect: Dialect) -> String {
    let (columns, key) = (columns(table).join(", "), dialect.equal(&key(table), 1));
    format!("SELECT {columns} FROM {} WHERE {key}", table.name)
}

/// Inserts one row, all columns in order.
pub(crate) fn insert(table: &Table, dialect: Dialect) -> String {
    let names = columns(table);
    let values = dialect.parameters(1, names.len());
    format!("INSERT INTO {} ({}) VALUES ({values})", table.name, names.join(", "))
}

/// Replaces all columns but the key; the parameters are all columns in order.
pub(crate) fn update(table: &Table, dialect: Dialect) -> String {
    let names = columns(table);
    let (key, rest) = names.split_at(table.key_len);
    // A table of nothing but a key still needs an assignment.
    let set = if rest.is_empty() {
        dialect.equal(&key[..1], 1)
    } else {
        dialect.equal(rest, table.key_len + 1).replace(" AND ", ", ")
    };
    format!("UPDATE {} SET {set} WHERE {}", table.name, dialect.equal(key, 1))
}

/// Removes one row by its key.
pub(crate) fn delete(table: &Table, dialect: Dialect) -> String {
    format!("DELETE FROM {} WHERE {}", table.name, dialect.equal(&key(table), 1))
}

/// Reads the first rows under a parent; the last parameter is the limit.
pub(crate) fn range(table: &Table, prefix_len: usize, dialect: Dialect) -> String {
    let (names, key) = (columns(table).join(", "), key(table));
    let under = dialect.equal(&key[..prefix_len], 1);
    let (order, limit) = (key.join(", "), dialect.parameter(prefix_len + 1));
    format!("SELECT {names} FROM {} WHERE {under} ORDER BY {order} LIMIT {limit}", table.name)
}

/// Reads one page; with it, the values of its parameters, the limit excepted, which comes last.
pub(crate) fn scan(scan: &Scan, dialect: Dialect) -> Result<(String, Key), StoreError> {
    let table = scan.table;
    let order: Vec<&str> = scan.order()?.iter().map(|i| table.columns[*i].name).collect();
    let mut values = scan.prefix.clone();
    let mut conditions = Vec::new();
    let (under, rest) = order.split_at(scan.prefix.len());
    if !under.is_empty() {
        conditions.push(dialect.equal(under, 1));
    }
    if let Some(after) = scan.after.as_ref().filter(|_| !rest.is_empty()) {
        let compare = if scan.descending { "<" } else { ">" };
        let bound = dialect.parameters(values.len() + 1, rest.len());
        conditions.push(format!("({}) {compare} ({bound})", rest.join(", ")));
        values.extend_from_slice(&after[scan.prefix.len()..]);
    }
    if rest.is_empty() && scan.after.is_some() {
        // The prefix names one row, and the cursor is on it.
        conditions.push("1 = 0".to_owned());
    }
    conditions.extend(only(scan));
    let from = dialect.from(table, scan.index);
    let mut text = format!("SELECT {} FROM {from}", columns(table).join(", "));
    if !conditions.is_empty() {
        let _ = write!(text, " WHERE {}", conditions.join(" AND "));
    }
    let way = if scan.descending { " DESC" } else { "" };
    let order = order.iter().map(|c| format!("{c}{way}")).collect::<Vec<_>>().join(", ");
    let _ = write!(text, " ORDER BY {order} LIMIT {}", dialect.parameter(values.len() + 1));
    Ok((text, values))
}

/// What makes a row one of the scanned index's.
fn only(scan: &Scan) -> Option<String> {
    Some(match scan.index.and_then(|name| scan.table.index(name)).and_then(|index| index.only)? {
        Only::Equals(column, text) => format!("{column} = '{text}'"),
        Only::Present(column) => format!("{column} IS NOT NULL"),
        Only::Absent(column) => format!("{column} IS NULL"),
    })
}

/// The part of a table that a tally is over, and the values of its parameters.
pub(crate) fn part(tally: &Tally, dialect: Dialect) -> Result<(String, Key), StoreError> {
    let (scan, table) = (tally.scan(), tally.table);
    let order: Vec<&str> = scan.order()?.iter().map(|i| table.columns[*i].name).collect();
    let (under, rest) = order.split_at(scan.prefix.len());
    let mut values = scan.prefix.clone();
    let mut conditions = Vec::new();
    if !under.is_empty() {
        conditions.push(dialect.equal(under, 1));
    }
    for (bound, compare) in [(&tally.beyond, ">"), (&tally.until, "<=")] {
        if let (Some(bound), Some(next)) = (bound, rest.first()) {
            values.push(bound.clone());
            conditions.push(format!("{next} {compare} {}", dialect.parameter(values.len())));
        }
    }
    conditions.extend(only(&scan));
    let mut text = format!("FROM {}", dialect.from(table, tally.index));
    if !conditions.is_empty() {
        let _ = write!(text, " WHERE {}", conditions.join(" AND "));
    }
    Ok((text, values))
}

/// What a tally tells apart, as an expression.
pub(crate) fn group(by: By) -> String {
    match by {
        By::Value(column) => column.to_owned(),
        By::Span(column, width) => format!("{column} / {width}"),
    }
}

/// A whole tally where groups are told apart by hashing: group, count, sum.
#[cfg(feature = "postgres")]
pub(crate) fn tally(tally: &Tally) -> Result<(String, Key), StoreError> {
    let (part, values) = part(tally, Dialect::Postgres)?;
    let greatest = i64::MAX;
    let sum = tally.sum.map_or("0::bigint".to_owned(), |column| {
        format!("greatest(least(coalesce(sum({column}), 0), {greatest}), -{greatest})::bigint")
    });
    let select = |group: &str| format!("SELECT {group}, count(*), {sum} {part}");
    let text =
        tally.by.map_or_else(|| select("NULL"), |by| format!("{} GROUP BY 1", select(&group(by))));
    Ok((text, values))
}

/// Refuses a view's name that is not one: views cannot be parameters.
pub(crate) fn view(name: &str) -> Result<String, StoreError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(StoreError::Backend("a view's name is letters, digits and _".to_owned()));
    }
    Ok(format!("SELECT * FROM {name} LIMIT "))
}

/// Every shape of statement that reads or changes a table's rows, for a test that looks at plans: by
/// key, under a parent, and pages of each index.
#[cfg(feature = "testing")]
pub(crate) fn statements(
    tables: &[fn() -> &'static Table],
    dialect: Dialect,
) -> Result<Vec<String>, StoreError> {
    let mut texts = Vec::new();
    for table in tables.iter().map(|table| table()) {
        texts.extend([select, update, delete].map(|make| make(table, dialect)));
        if let Some(parent) = table.parent {
            texts.push(range(table, parent().key_len, dialect));
        }
        let names = table.indexes.iter().map(|index| Some(index.name));
        for index in names.chain([None]) {
            for descending in [false, true] {
                let page =
                    |prefix: Key, after| Scan { table, index, prefix, after, limit: 1, descending };
                let any = || crate::storage::Value::Int(0);
                let order = page(vec![], None).order()?.len();
                let after = || vec![any(); order];
                texts.push(scan(&page(vec![], Some(after())), dialect)?.0);
                texts.push(scan(&page(vec![any()], None), dialect)?.0);
                texts.push(scan(&page(vec![any()], Some(after())), dialect)?.0);
            }
        }
    }
    Ok(texts)
}
