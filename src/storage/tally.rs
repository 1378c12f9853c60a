//! Tallies: counts and sums of a part of an order, made where the rows are.
//!
//! A dashboard wants to know how many, not which: a million rows of an index are counted in about a
//! tenth of a second by a database, and read in seconds. A [`Tally`] names the part as a
//! [`Scan`](crate::storage::Scan) names its pages; without an engine's own way, pages are read and
//! added up.
//!
//! # Invariants
//!
//! - **RT1** A tally is what reading the rows of its part one by one comes to, on every engine.

use std::collections::HashMap;

use crate::storage::{Key, KeyParts, PAGE_MAX, Reader, Record, Scan, StoreError, Table, Value};

/// Asks for counts and sums of a part of a declared order.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The table.
    pub table: &'static Table,
    /// The index's name; `None` for the key's own order.
    pub index: Option<&'static str>,
    /// The values that the first columns of the order must have.
    pub prefix: Key,
    /// What the column behind the prefix must be greater than.
    pub beyond: Option<Value>,
    /// What it must not be greater than.
    pub until: Option<Value>,
    /// The integer column to add up.
    pub sum: Option<&'static str>,
    /// One answer for each value of this column, or for all together.
    pub by: Option<By>,
}

/// What a tally tells apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an engine must handle both")]
pub enum By {
    /// The values of a column.
    Value(&'static str),
    /// The values of an integer column, divided by this and cut off: days of microseconds.
    Span(&'static str, i64),
}

/// One line of a tally.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "engines make them")]
pub struct Tallied {
    /// What is told apart; [`Value::Null`] for all together.
    pub group: Value,
    /// How many rows.
    pub count: i64,
    /// The sum, 0 if none was asked for; the greatest number for more than that.
    pub sum: i64,
}

impl Tally {
    /// All rows of `R` by its key.
    #[must_use]
    pub fn of<R: Record>() -> Self {
        let table = R::table();
        Self { table, index: None, prefix: vec![], beyond: None, until: None, sum: None, by: None }
    }

    /// Those of the named index.
    #[must_use]
    pub fn in_index(self, index: &'static str) -> Self {
        Self { index: Some(index), ..self }
    }

    /// Only rows whose first columns in this order are `parts`.
    #[must_use]
    pub fn under(self, parts: &impl KeyParts) -> Self {
        Self { prefix: parts.parts(), ..self }
    }

    /// Only rows whose next column in this order is greater.
    #[must_use]
    pub fn beyond(self, value: Value) -> Self {
        Self { beyond: Some(value), ..self }
    }

    /// Only rows whose next column in this order is not greater.
    #[must_use]
    pub fn until(self, value: Value) -> Self {
        Self { until: Some(value), ..self }
    }

    /// With the sum of an integer column.
    #[must_use]
    pub fn sum(self, column: &'static str) -> Self {
        Self { sum: Some(column), ..self }
    }

    /// One line for each group, in no order.
    #[must_use]
    pub fn by(self, by: By) -> Self {
        Self { by: Some(by), ..self }
    }

    /// The same part as a scan.
    pub(crate) fn scan(&self) -> Scan {
        let (table, index, prefix) = (self.table, self.index, self.prefix.clone());
        Scan { table, index, prefix, after: None, limit: PAGE_MAX, descending: false }
    }
}

/// Adds up rows, of which only the group and the summand are known.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    groups: HashMap<Value, (i64, i128)>,
}

impl Sums {
    pub(crate) fn add(&mut self, group: Value, summand: i64) {
        let (count, sum) = self.groups.entry(group).or_default();
        *count += 1;
        *sum += i128::from(summand);
    }

    pub(crate) fn lines(self) -> Vec<Tallied> {
        let line = |(group, (count, sum)): (Value, (i64, i128))| Tallied {
            group,
            count,
            sum: saturated(sum),
        };
        self.groups.into_iter().map(line).collect()
    }
}

/// What fits of a sum.
pub(crate) fn saturated(sum: i128) -> i64 {
    i64::try_from(sum.clamp((-i64::MAX).into(), i64::MAX.into())).unwrap_or_default()
}

/// The tally by reading every row of its part, page by page.
pub(crate) fn by_pages(
    reader: &mut (impl Reader + ?Sized),
    tally: &Tally,
) -> Result<Vec<Tallied>, StoreError> {
    let (mut scan, mut sums) = (tally.scan(), Sums::default());
    let order = scan.order()?;
    let next = order.get(tally.prefix.len()).copied();
    let table = tally.table;
    let exceeds = |row: &[Value], bound: &Option<Value>| {
        bound.as_ref().zip(next).map(|(bound, next)| row[next] > *bound)
    };
    let group = |row: &[Value]| match tally.by {
        None => Value::Null,
        Some(By::Value(column)) => row[table.position(column)].clone(),
        Some(By::Span(column, width)) => match &row[table.position(column)] {
            Value::Int(n) => Value::Int(n / width),
            other => other.clone(),
        },
    };
    let summand = |row: &[Value]| match tally.sum.map(|column| &row[table.position(column)]) {
        Some(Value::Int(n)) => *n,
        _ => 0,
    };
    // From the greatest on, so that what is not beyond comes last and need not be read.
    scan.descending = true;
    loop {
        let rows = reader.scan(&scan)?;
        for row in &rows {
            if exceeds(row, &tally.beyond) == Some(false) {
                return Ok(sums.lines());
            }
            if exceeds(row, &tally.until) != Some(true) {
                sums.add(group(row), summand(row));
            }
        }
        let last = rows.last().filter(|_| rows.len() >= scan.limit);
        let Some(last) = last else { return Ok(sums.lines()) };
        scan.after = Some(order.iter().map(|i| last[*i].clone()).collect());
    }
}
