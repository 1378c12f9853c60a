//! Expiries: things that end when their time is over, many at a time.
//!
//! A page of keys is read beside the writer; then commands in chunks, which re-check each key and
//! travel through the same queue as everything else, one chunk a batch, so a live writer never stalls.

use std::{cell::Cell, time::Duration};

use crate::{
    Error,
    storage::{Command, Cursor, KeySet, Page, Record, Rows, Scan, Store, StoreError},
    time::{Deadline, Timestamp},
};

/// How many rows one chunk removes: a longer one would make live writers wait for it.
pub(crate) const CHUNK: usize = 500;
/// The same, of those whose end is a decision and five to ten rows, not one row that goes: about two
/// milliseconds' worth.
pub(crate) const FEW: usize = 32;

/// What is left of a budget.
#[derive(Debug)]
pub(crate) struct Left {
    deadline: Deadline,
    rows: Cell<u64>,
}

impl Left {
    pub(crate) fn new(time: Duration, rows: u64) -> Self {
        Self { deadline: Deadline::after(time), rows: Cell::new(rows) }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.rows.get() == 0 || self.deadline.is_over()
    }

    /// So many rows ended.
    pub(crate) fn spend(&self, rows: u64) {
        self.rows.set(self.rows.get().saturating_sub(rows));
    }

    /// How many rows a chunk may take that would be so large.
    fn at_most(&self, chunk: usize) -> usize {
        usize::try_from(self.rows.get()).map_or(chunk, |rows| rows.min(chunk))
    }
}

/// Several expiries of one kind, decided as one piece of background work.
struct Chunk<C>(Vec<C>);

impl<C: Expiry> Command for Chunk<C> {
    /// How many really ended.
    type Out = u64;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.0.iter().for_each(|one| one.keys(seen, keys));
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> u64 {
        self.0.iter().map(|one| u64::from(one.expire(rows, now))).sum()
    }

    fn size_bytes(&self) -> usize {
        self.0.len() * 256
    }

    fn is_background(&self) -> bool {
        true
    }
}

/// One thing that may be due. It checks again, because its page of keys is old by now.
pub(crate) trait Expiry: Command {
    /// How many of them one chunk may take.
    const CHUNK: usize = CHUNK;
    /// Ends it if it is due; whether it did.
    fn expire(&self, rows: &mut Rows, now: Timestamp) -> bool;
}

/// Ends what is due in the order of `index`, which begins with the time: how many, and whether more may
/// be left.
pub(crate) fn expire<R: Record, C: Expiry + Clone>(
    store: &Store,
    left: &Left,
    index: Option<&'static str>,
    is_due: impl Fn(&R) -> bool,
    expiry: impl Fn(R) -> C,
) -> Result<(u64, bool), StoreError> {
    let (mut ended, mut more) = (0, false);
    let mut cursor: Option<Cursor> = None;
    while !left.is_over() {
        let limit = left.at_most(C::CHUNK);
        let scan = Scan { index, ..Scan::of::<R>() };
        let Page { rows, next, .. } = store.scan::<R>(scan.limit(limit).after(cursor)).wait()?;
        let chunk: Vec<C> = rows.into_iter().take_while(&is_due).map(&expiry).collect();
        let is_last = chunk.len() < limit;
        let (count, all) = end_all(store, chunk)?;
        left.spend(count);
        ended += count;
        more |= !all;
        cursor = next;
        if is_last || cursor.is_none() {
            return Ok((ended, more));
        }
    }
    Ok((ended, true))
}

/// Ends what is due of one chunk. A poisoned one must not keep the rest from ending, now and in
/// every later run: then each is tried alone, and what fails is logged and left. How many ended,
/// and whether none was left.
fn end_all<C: Expiry + Clone>(store: &Store, chunk: Vec<C>) -> Result<(u64, bool), StoreError> {
    if chunk.is_empty() {
        return Ok((0, true));
    }
    match store.submit(Chunk(chunk.clone())).wait() {
        Err(fault) if fault.is_final() => {}
        done => return done.map(|count| (count, true)),
    }
    let (mut ended, mut all) = (0, true);
    for one in chunk {
        match store.submit(Chunk(vec![one])).wait() {
            Ok(count) => ended += count,
            Err(StoreError::Closed) => return Err(StoreError::Closed),
            Err(fault) => {
                Error::from(fault).log("maintain", None);
                all = false;
            }
        }
    }
    Ok((ended, all))
}
