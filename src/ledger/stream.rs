//! Streams: a whole table in the order of its key, page by page, beside others.
//!
//! All of the ledger's tables begin with the account, so they can be read side by side like sorted
//! files: one pass, a page of each in memory.

use std::{collections::VecDeque, marker::PhantomData};

use crate::storage::{Columns, Key, PAGE_MAX, Reader, Record, Scan, StoreError, Value};

/// One table, read to its end.
pub(super) struct Stream<R> {
    page: VecDeque<Vec<Value>>,
    after: Option<Key>,
    done: bool,
    record: PhantomData<R>,
}

impl<R: Record> Stream<R> {
    pub(super) fn new() -> Self {
        Self { page: VecDeque::new(), after: None, done: false, record: PhantomData }
    }

    /// The next row, left where it is.
    pub(super) fn peek(
        &mut self,
        reader: &mut dyn Reader,
    ) -> Result<Option<&Vec<Value>>, StoreError> {
        if self.page.is_empty() && !self.done {
            let scan = Scan { after: self.after.take(), ..Scan::of::<R>().limit(PAGE_MAX) };
            let rows = reader.scan(&scan)?;
            self.done = rows.len() < PAGE_MAX;
            self.after = rows.last().map(|row| row[..R::table().key_len].to_vec());
            self.page = rows.into();
        }
        Ok(self.page.front())
    }

    /// The next row.
    pub(super) fn next(&mut self, reader: &mut dyn Reader) -> Result<Option<R>, StoreError> {
        self.peek(reader)?;
        let row = self.page.pop_front();
        row.map(|row| R::decode(&mut Columns::new(R::table().name, row))).transpose()
    }

    /// The next row if its first column is at most `bound`, or without a bound.
    pub(super) fn next_up_to(
        &mut self,
        reader: &mut dyn Reader,
        bound: Option<&Value>,
    ) -> Result<Option<R>, StoreError> {
        let within =
            self.peek(reader)?.is_some_and(|row| bound.is_none_or(|bound| row[0] <= *bound));
        if within { self.next(reader) } else { Ok(None) }
    }
}
