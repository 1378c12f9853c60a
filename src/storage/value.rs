//! Values: the four shapes a column can hold, and the types that travel in them.
//!
//! A [`Value`] is what an engine sees; a [`Field`] is a domain type that knows which value it is.
//! Values order as both databases order them (integers by size, text and blobs byte by byte), so
//! that memory, SQLite and PostgreSQL agree on every range and on the order of locks.

use crate::storage::StoreError;

/// One cell of a table.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "an engine must handle each of the four")]
pub enum Value {
    /// No value. Never part of a key.
    Null,
    /// A signed integer: counts, credits, microseconds, flags.
    Int(i64),
    /// UTF-8 without NUL, compared byte by byte.
    Text(String),
    /// Bytes: ids, digests.
    Blob(Vec<u8>),
}

/// What a column may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an engine must handle each of the three")]
pub enum Kind {
    /// `INTEGER` in SQLite, `bigint` in PostgreSQL.
    Int,
    /// `TEXT`, in PostgreSQL with `COLLATE "C"`.
    Text,
    /// `BLOB` in SQLite, `bytea` in PostgreSQL.
    Blob,
}

/// The values that name a row, in the order of its key columns.
pub type Key = Vec<Value>;

/// A type that is one column: it says which kind, and converts both ways.
///
/// `from_value` is asked only for what `to_value` gave, unless the file was damaged or changed by
/// other hands; it then answers `None` and the read fails as [`StoreError::Corrupt`].
pub trait Field: Sized {
    /// The column's kind.
    const KIND: Kind;
    /// Whether the column may be null. Only `Option` says yes.
    const NULLABLE: bool = false;
    /// The value that stands for this.
    fn to_value(&self) -> Value;
    /// The reverse; `None` when the value is not one of this type's.
    fn from_value(value: Value) -> Option<Self>;
}

/// A type that names a row: one field, or a tuple of fields.
pub trait KeyParts {
    /// The values, in the order of the key columns.
    fn parts(&self) -> Key;
}

impl<T: Field> KeyParts for T {
    fn parts(&self) -> Key {
        vec![self.to_value()]
    }
}

impl<A: Field, B: Field> KeyParts for (A, B) {
    fn parts(&self) -> Key {
        vec![self.0.to_value(), self.1.to_value()]
    }
}

impl<A: Field, B: Field, C: Field> KeyParts for (A, B, C) {
    fn parts(&self) -> Key {
        vec![self.0.to_value(), self.1.to_value(), self.2.to_value()]
    }
}

impl Field for i64 {
    const KIND: Kind = Kind::Int;
    fn to_value(&self) -> Value {
        Value::Int(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Int(n) => Some(n),
            Value::Null | Value::Text(_) | Value::Blob(_) => None,
        }
    }
}

/// Lets a type around an `i64` be a column.
macro_rules! int_field {
    ($name:ident) => {
        impl $crate::storage::Field for $name {
            const KIND: $crate::storage::Kind = $crate::storage::Kind::Int;
            fn to_value(&self) -> $crate::storage::Value {
                $crate::storage::Value::Int(self.0)
            }
            fn from_value(value: $crate::storage::Value) -> Option<Self> {
                <i64 as $crate::storage::Field>::from_value(value).map(Self)
            }
        }
    };
}
pub(crate) use int_field;

impl Field for bool {
    const KIND: Kind = Kind::Int;
    fn to_value(&self) -> Value {
        Value::Int(i64::from(*self))
    }
    fn from_value(value: Value) -> Option<Self> {
        match i64::from_value(value)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Field for String {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Int(_) | Value::Blob(_) => None,
        }
    }
}

impl Field for Vec<u8> {
    const KIND: Kind = Kind::Blob;
    fn to_value(&self) -> Value {
        Value::Blob(self.clone())
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Some(bytes),
            Value::Null | Value::Int(_) | Value::Text(_) => None,
        }
    }
}

impl<const N: usize> Field for [u8; N] {
    const KIND: Kind = Kind::Blob;
    fn to_value(&self) -> Value {
        Value::Blob(self.to_vec())
    }
    fn from_value(value: Value) -> Option<Self> {
        Vec::from_value(value)?.try_into().ok()
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::to_value)
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// Hands out the columns of one stored row, first to last, while a record is decoded.
#[derive(Debug)]
pub struct Columns {
    table: &'static str,
    values: std::vec::IntoIter<Value>,
}

impl Columns {
    /// Wraps a row as an engine gave it.
    #[must_use]
    pub fn new(table: &'static str, values: Vec<Value>) -> Self {
        Self { table, values: values.into_iter() }
    }

    /// The next column as a `T`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the row is too short or the value is not a `T`.
    pub fn take<T: Field>(&mut self) -> Result<T, StoreError> {
        self.values.next().and_then(T::from_value).ok_or_else(|| {
            StoreError::Corrupt(format!("{}: a column holds what it cannot hold", self.table))
        })
    }
}
