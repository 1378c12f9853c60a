//! Tables: each is described once, and every engine derives its reading and writing from that.
//!
//! A [`Record`] is a struct that is one row. [`record!`](crate::record) writes the description:
//! name, key, columns, parent and indexes. Indexes, checks, triggers and views live in the numbered
//! migrations; a test compares the two.
//!
//! # Invariants
//!
//! - **D1** A description and the migrated schema name the same columns, of the same kinds, in the
//!   same order, with the same key.

use std::{any::Any, fmt::Debug, sync::Arc};

use crate::storage::{Columns, Field, Key, KeyParts, Kind, StoreError, Value};

/// What an engine must know of a table.
#[derive(Debug)]
pub struct Table {
    /// Its name, `fm_` first.
    pub name: &'static str,
    /// Its columns; the key columns come first.
    pub columns: &'static [Column],
    /// How many of them are the key.
    pub key_len: usize,
    /// The column that counts changes, if the row guards children.
    pub version: Option<&'static str>,
    /// The table whose row guards this one's rows: its key is the first columns of this key.
    pub parent: Option<fn() -> &'static Self>,
    /// The orders it can be scanned in, besides its key.
    pub indexes: &'static [Index],
    /// The key column by which a distributed engine should spread the rows.
    pub shard: &'static str,
    /// Turns a stored row into its record.
    pub decode: Decode,
}

/// Turns a stored row's values, in the description's order, into its record.
pub type Decode = fn(Vec<Value>) -> Result<Arc<dyn Row>, StoreError>;

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may hold nothing.
    pub nullable: bool,
}

/// An order in which a table can be scanned: by these columns, then by its key.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// Its name in the migrations.
    pub name: &'static str,
    /// Its columns. None of them is null in an indexed row.
    pub columns: &'static [&'static str],
    /// The rows it holds; all if `None`.
    pub only: Option<Only>,
}

/// The condition of a partial index.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an engine must handle both")]
pub enum Only {
    /// Rows whose text column equals the text.
    Equals(&'static str, &'static str),
    /// Rows whose column is not null.
    Present(&'static str),
    /// Rows whose column is null.
    Absent(&'static str),
}

impl Table {
    /// The position of a column.
    ///
    /// # Panics
    ///
    /// When the description names a column that it does not have, which its test would have found.
    #[must_use]
    pub fn position(&self, column: &str) -> usize {
        let found = self.columns.iter().position(|c| c.name == column);
        found.unwrap_or_else(|| panic!("{} has no column {column}", self.name))
    }

    /// The index of that name; `None` is the key itself.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<&Index> {
        self.indexes.iter().find(|index| index.name == name)
    }

    /// The columns that order a scan: the index's, then the key's that it does not name.
    #[must_use]
    pub fn order(&self, index: Option<&Index>) -> Vec<usize> {
        let named = index.map_or(&[][..], |index| index.columns);
        let mut order: Vec<usize> = named.iter().map(|c| self.position(c)).collect();
        order.extend((0..self.key_len).filter(|i| !named.contains(&self.columns[*i].name)));
        order
    }

    /// Whether a stored row belongs to a partial index.
    #[must_use]
    pub fn admits(&self, only: Only, row: &[Value]) -> bool {
        match only {
            Only::Equals(column, text) => {
                matches!(&row[self.position(column)], Value::Text(found) if found == text)
            }
            Only::Present(column) => row[self.position(column)] != Value::Null,
            Only::Absent(column) => row[self.position(column)] == Value::Null,
        }
    }
}

/// A struct that is one row of a table. Write it with [`record!`](crate::record).
pub trait Record: Clone + Debug + Send + Sync + 'static {
    /// What names a row: the key's field, or a tuple of them.
    type Key: KeyParts;
    /// The description.
    fn table() -> &'static Table;
    /// The key's values.
    fn key_parts(&self) -> Key;
    /// All columns, in the description's order.
    fn encode(&self) -> Vec<Value>;
    /// The number that counts the row's changes, if the description names one.
    fn changes(&self) -> Option<i64> {
        let table = Self::table();
        let position = table.position(table.version?);
        i64::from_value(self.encode().swap_remove(position))
    }
    /// The reverse of `encode`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when a column holds what it cannot hold.
    fn decode(columns: &mut Columns) -> Result<Self, StoreError>;
}

/// The record of a stored row's values.
pub(crate) fn decoded<R: Record>(values: Vec<Value>) -> Result<R, StoreError> {
    R::decode(&mut Columns::new(R::table().name, values))
}

/// A record whose type is not known: what [`Rows`](crate::storage::Rows) keeps.
pub trait Row: Any + Debug + Send + Sync {
    /// All columns, in the description's order.
    fn encode_row(&self) -> Vec<Value>;
    /// The number that counts the row's changes, if it has one.
    fn version(&self) -> Option<i64>;
}

impl<R: Record> Row for R {
    fn encode_row(&self) -> Vec<Value> {
        self.encode()
    }
    fn version(&self) -> Option<i64> {
        self.changes()
    }
}

/// A set of tables with the scripts that make them, per dialect.
///
/// The core's own is [`CORE`](crate::CORE); a host or a test can bring more,
/// each with its own numbering.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Names the numbering.
    pub name: &'static str,
    /// The tables' descriptions, for engines that need no scripts.
    pub tables: &'static [fn() -> &'static Table],
    /// The scripts for SQLite, in order; the first is number 1.
    pub sqlite: &'static [&'static str],
    /// The scripts for PostgreSQL.
    pub postgres: &'static [&'static str],
}

/// The kind and nullability of the field that `_get` reads; `record!` asks for each column.
#[must_use]
pub const fn column<R, T: Field>(name: &'static str, _get: fn(&R) -> &T) -> Column {
    Column { name, kind: T::KIND, nullable: T::NULLABLE }
}

/// Describes a struct as one row of a table.
///
/// ```
/// use finalmile::{record, storage::Record};
///
/// #[derive(Clone, Debug)]
/// pub struct Visit { pub page: String, pub day: i64, pub count: i64 }
///
/// record! {
///     Visit: "app_visit",
///     key: (page: String, day: i64),
///     columns: (count),
///     shard: page,
///     indexes: [("app_visit_count", (count))],
/// }
/// assert_eq!(Visit::table().key_len, 2);
/// ```
///
/// After `columns` may come `version: name` (the row guards children) and `parent: Type` (the first
/// key columns are that type's key).
#[macro_export]
macro_rules! record {
    (
        $record:ident : $name:literal,
        key: ($($key:ident : $kind:ty),+),
        columns: ($($column:ident),*),
        $(version: $version:ident,)?
        $(parent: $parent:ident,)?
        shard: $shard:ident,
        indexes: [$(($index:literal, ($($by:ident),+) $(, $only:expr)?)),* $(,)?] $(,)?
    ) => {
        impl $crate::storage::Record for $record {
            #[allow(unused_parens, reason = "a key of one column is no tuple")]
            type Key = ($($kind),+);
            fn table() -> &'static $crate::storage::Table {
                static TABLE: $crate::storage::Table = $crate::storage::Table {
                    name: $name,
                    columns: &[
                        $($crate::storage::column(stringify!($key), |r: &$record| &r.$key),)+
                        $($crate::storage::column(stringify!($column), |r: &$record| &r.$column),)*
                    ],
                    key_len: [$(stringify!($key)),+].len(),
                    version: $crate::record!(@last None $(, Some(stringify!($version)))?),
                    parent: $crate::record!(@last None
                        $(, Some(<$parent as $crate::storage::Record>::table))?),
                    indexes: &[$($crate::storage::Index {
                        name: $index,
                        columns: &[$(stringify!($by)),+],
                        only: $crate::record!(@last None $(, Some($only))?),
                    }),*],
                    shard: stringify!($shard),
                    decode: |values| {
                        let mut columns = $crate::storage::Columns::new($name, values);
                        let row = <$record as $crate::storage::Record>::decode(&mut columns)?;
                        Ok(::std::sync::Arc::new(row))
                    },
                };
                &TABLE
            }
            fn key_parts(&self) -> $crate::storage::Key {
                vec![$($crate::storage::Field::to_value(&self.$key)),+]
            }
            fn encode(&self) -> Vec<$crate::storage::Value> {
                vec![
                    $($crate::storage::Field::to_value(&self.$key),)+
                    $($crate::storage::Field::to_value(&self.$column),)*
                ]
            }
            fn changes(&self) -> Option<i64> {
                $crate::record!(@last None $(, Some(self.$version))?)
            }
            fn decode(
                columns: &mut $crate::storage::Columns,
            ) -> Result<Self, $crate::storage::StoreError> {
                Ok(Self { $($key: columns.take()?,)+ $($column: columns.take()?,)* })
            }
        }
    };
    (@last $none:expr) => { $none };
    (@last $none:expr, $some:expr) => { $some };
}

/// What a migration script is remembered by.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    allow(dead_code, reason = "only engines with scripts remember them")
)]
pub(crate) fn script_digest(script: &str) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(script.as_bytes()).to_vec()
}
