//! Streams: a whole table in the order of its key, page by page, beside others.
//!
//! All of the ledger's tables begin with the account, so they can be read side by side like sorted
//! files: one pass, a page of each in memory.

use std::{collections::VecDeque, marker::PhantomData};

use crate::storage::{Key, PAGE_MAX, Reader, Record, Scan, StoreError, Value, decoded};

/// One table, read to its end.
pub(super) struct Stream<R> {
    page: VecDeque<Vec<Value>>,
    after: Option<Key>,
    done: bool,
    /// The keys of rows that could not be read; `None`: such a row ends the stream.
    damaged: Option<Vec<(&'static str, String)>>,
    record: PhantomData<R>,
}

impl<R: Record> Stream<R> {
    /// Ends at a row that cannot be read.
    pub(super) fn new() -> Self {
        let (page, damaged, record) = (VecDeque::new(), None, PhantomData);
        Self { page, after: None, done: false, damaged, record }
    }

    /// Leaves out rows that cannot be read, and remembers them.
    pub(super) fn lenient() -> Self {
        Self { damaged: Some(Vec::new()), ..Self::new() }
    }

    /// The tables and keys of rows that were left out.
    pub(super) fn damaged(self) -> Vec<(&'static str, String)> {
        self.damaged.unwrap_or_default()
    }

    /// The next row, left where it is.
    fn peek(&mut self, reader: &mut dyn Reader) -> Result<Option<&Vec<Value>>, StoreError> {
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
        self.next_up_to(reader, None)
    }

    /// The next row if its first column is at most `bound`, or without a bound.
    pub(super) fn next_up_to(
        &mut self,
        reader: &mut dyn Reader,
        bound: Option<&Value>,
    ) -> Result<Option<R>, StoreError> {
        let table = R::table();
        loop {
            let next = self.peek(reader)?;
            if next.is_none_or(|row| bound.is_some_and(|bound| row[0] > *bound)) {
                return Ok(None);
            }
            let Some(row) = self.page.pop_front() else { return Ok(None) };
            let key = row[..table.key_len].to_vec();
            match (decoded(row), &mut self.damaged) {
                (Err(_), Some(damaged)) => damaged.push((table.name, format!("{key:?}"))),
                (done, _) => return done.map(Some),
            }
        }
    }
}
