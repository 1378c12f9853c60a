//! Scans: one page of a declared index, from a position and never from an offset.
//!
//! A page of the millionth row costs what the first one costs. Do not follow a feed *forward* by
//! time: commits arrive out of order, so a row may appear behind the cursor.

use crate::storage::{Key, KeyParts, Record, StoreError, Table, Value, decoded};

/// The most rows a page may hold.
pub const PAGE_MAX: usize = 1_000;

/// Asks for one page of rows in the order of an index.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The table.
    pub table: &'static Table,
    /// The index's name; `None` for the key's own order.
    pub index: Option<&'static str>,
    /// The values that the first columns of the order must have.
    pub prefix: Key,
    /// The position after which to start: the values of the whole order, prefix included.
    pub after: Option<Key>,
    /// How many rows at most.
    pub limit: usize,
    /// Whether to go from the greatest to the smallest.
    pub descending: bool,
}

impl Scan {
    /// The first page of `R` by its key.
    #[must_use]
    pub fn of<R: Record>() -> Self {
        let table = R::table();
        Self { table, index: None, prefix: vec![], after: None, limit: 100, descending: false }
    }

    /// In the order of the named index.
    #[must_use]
    pub fn by(self, index: &'static str) -> Self {
        Self { index: Some(index), ..self }
    }

    /// Only rows whose first columns in this order are `parts`.
    #[must_use]
    pub fn under(self, parts: &impl KeyParts) -> Self {
        Self { prefix: parts.parts(), ..self }
    }

    /// From a position, as [`Page::next`] gave it.
    #[must_use]
    pub fn after(self, cursor: Option<Cursor>) -> Self {
        Self { after: cursor.map(|cursor| cursor.0), ..self }
    }

    /// At most `limit` rows; more than [`PAGE_MAX`] is as much as that.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: limit.clamp(1, PAGE_MAX), ..self }
    }

    /// From the greatest to the smallest.
    #[must_use]
    pub fn descending(self) -> Self {
        Self { descending: true, ..self }
    }

    /// The positions of the columns that order this scan.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`] for an index that the table does not declare, or a cursor of another
    /// order.
    pub fn order(&self) -> Result<Vec<usize>, StoreError> {
        let index = match self.index {
            None => None,
            Some(name) => Some(self.table.index(name).ok_or_else(|| {
                StoreError::Backend(format!("{} has no index {name}", self.table.name))
            })?),
        };
        let order = self.table.order(index);
        let fits = self
            .after
            .as_ref()
            .is_none_or(|after| after.len() == order.len() && after.starts_with(&self.prefix));
        if !fits || self.prefix.len() > order.len() {
            return Err(StoreError::Backend("a cursor of another scan".to_owned()));
        }
        Ok(order)
    }
}

/// A position in a scan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cursor(pub(crate) Key);

impl Cursor {
    /// The position of one row, from the values of the order's columns.
    #[must_use]
    pub fn at(parts: &impl KeyParts) -> Self {
        Self(parts.parts())
    }
}

/// One page of records.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<R> {
    /// The records, in order.
    pub rows: Vec<R>,
    /// Where the next page starts; `None` when this one came back short.
    pub next: Option<Cursor>,
}

impl<R> Page<R> {
    /// The same page of something else.
    #[must_use]
    pub fn map<U>(self, convert: impl FnMut(R) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(convert).collect(), next: self.next }
    }
}

/// Turns what an engine answered into a page.
pub(crate) fn page<R: Record>(scan: &Scan, rows: Vec<Vec<Value>>) -> Result<Page<R>, StoreError> {
    let order = scan.order()?;
    let last = rows.last().filter(|_| rows.len() >= scan.limit);
    let next = last.map(|row| Cursor(order.iter().map(|i| row[*i].clone()).collect()));
    Ok(Page { rows: rows.into_iter().map(decoded).collect::<Result<_, _>>()?, next })
}
