//! Rows: what a batch of commands sees and changes, before anything reaches the store.
//!
//! An engine fills it from the keys that were asked for; commands read and write it in turn; the
//! engine then applies the difference. Every change is noted in a journal, so a command that fails
//! is taken back without touching its neighbours.
//!
//! # Invariants
//!
//! - **R1** A row that was not asked for is never taken for an absent one: reading it fails the
//!   command.
//! - **R2** Only owned rows change.
//! - **R3** Whoever adds or removes a child changes its parent's version in the same command.
//! - **R4** A rewound command leaves no trace.
//! - **R5** A row that was absent is inserted plainly, so two writers cannot both create it.

use std::{any::Any, cell::Cell, collections::HashMap, sync::Arc};

use crate::storage::{Hold, Key, KeyParts, KeySet, Record, Row, RowId, StoreError, Table, Value};

/// The rows that a batch asked for, with the changes its commands made.
#[derive(Debug, Default)]
pub struct Rows {
    slots: HashMap<RowId, Slot>,
    ranges: HashMap<RowId, Range>,
    /// The known keys of each parent's children, by child table and parent's key.
    kin: HashMap<RowId, Vec<Key>>,
    journal: Vec<Before>,
    /// While keys are discovered, an unknown row reads as absent and sets `curious`.
    discovering: bool,
    curious: Cell<bool>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    row: Option<Arc<dyn Row>>,
    /// Whether the store has the row.
    stored: bool,
    held: bool,
    written: bool,
}

#[derive(Debug)]
struct Range {
    limit: usize,
    /// Whether the store has no more rows than were read.
    complete: bool,
}

#[derive(Debug)]
struct Before {
    id: RowId,
    /// `None`: the row was not known.
    slot: Option<Slot>,
}

/// One change for an engine to apply.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "an engine must handle each of the three")]
pub enum Write {
    /// The row was absent: insert it plainly and report a duplicate as `Conflict`.
    Insert(Vec<Value>),
    /// The row was there: replace every column but the key.
    Update(Vec<Value>),
    /// The row was there: remove it.
    Delete(Key),
}

/// One change for an engine that keeps records as they are.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an engine must handle each of the three")]
pub enum Change<'r> {
    /// The row was absent: a duplicate is a `Conflict`.
    Insert(&'r Arc<dyn Row>),
    /// The row was there.
    Update(&'r Arc<dyn Row>),
    /// The row was there, and goes.
    Delete,
}

/// Unwinds out of a command that cannot be decided from what was read in this batch, though it can
/// in the next. It never reaches a caller.
pub(crate) struct DecideAgain;

// For commands.
impl Rows {
    /// The row with that key, or `None` if there is none.
    ///
    /// # Panics
    ///
    /// Inside `decide`, when the key was not asked for (**R1**). It fails that command alone.
    #[must_use]
    pub fn get<R: Record>(&self, key: &R::Key) -> Option<&R> {
        self.look(&RowId::of::<R>(key))?.row.as_deref().map(downcast)
    }

    /// Writes a row: an insert if it was absent, a replacement if it was there.
    ///
    /// # Panics
    ///
    /// When the key was not asked for with `own` (**R2**). It fails that command alone.
    pub fn put<R: Record>(&mut self, row: R) {
        let id = RowId { table: R::table(), key: row.key_parts() };
        self.write(id, Some(Arc::new(row)));
    }

    /// Adds a row that nobody can have yet, because its key holds a fresh id or its parent's next
    /// number. It need not be asked for, which saves a read; if somebody has it after all, the
    /// batch meets `Conflict` and is decided again (**R5**).
    ///
    /// # Panics
    ///
    /// When this batch already has the row. It fails that command alone.
    pub fn add<R: Record>(&mut self, row: R) {
        let id = RowId { table: R::table(), key: row.key_parts() };
        let before = self.slots.get(&id).cloned();
        let kept = before.clone().unwrap_or_default();
        assert!(kept.row.is_none(), "{}: a fresh row exists already", id.table.name);
        let slot = Slot { row: Some(Arc::new(row)), written: true, held: true, ..kept };
        self.insert(id.clone(), slot);
        self.journal.push(Before { id, slot: before });
    }

    /// Removes a row. Removing an absent one changes nothing.
    ///
    /// # Panics
    ///
    /// When the key was not asked for with `own` (**R2**). It fails that command alone.
    pub fn remove<R: Record>(&mut self, key: &R::Key) {
        self.write(RowId::of::<R>(key), None);
    }

    /// The first `limit` children of `C` under `parent` in key order, and whether the limit was
    /// reached, so that there may be more.
    ///
    /// # Panics
    ///
    /// When the range was not asked for, or for fewer rows (**R1**). It fails that command alone.
    #[must_use]
    pub fn children<C: Record>(&self, parent: &impl KeyParts, limit: usize) -> (Vec<&C>, bool) {
        let start = RowId { table: C::table(), key: parent.parts() };
        let Some(range) = self.ranges.get(&start) else {
            assert!(self.discovering, "{}: a range was read but not asked for", start.table.name);
            self.curious.set(true);
            return (Vec::new(), false);
        };
        assert!(limit <= range.limit, "{}: more was read than asked for", start.table.name);
        let mut keys: Vec<&Key> = self.kin.get(&start).into_iter().flatten().collect();
        keys.sort_unstable();
        // A key that was taken back and added again is listed twice.
        keys.dedup();
        let (mut found, mut lost) = (Vec::new(), 0);
        for key in keys {
            let id = RowId { table: start.table, key: key.clone() };
            match self.slots.get(&id) {
                Some(Slot { row: Some(row), .. }) => found.push(downcast(&**row)),
                Some(Slot { stored: true, .. }) => lost += 1,
                Some(_) | None => {}
            }
        }
        // A neighbour in this batch removed some of the first rows, and those that follow in the
        // store were not read. The next batch will read them.
        if lost > 0 && !range.complete && found.len() < limit {
            std::panic::resume_unwind(Box::new(DecideAgain));
        }
        found.truncate(limit);
        let is_full = found.len() == limit;
        (found, is_full)
    }

    /// Runs `work` and takes back every write it made if it answers `Err`.
    ///
    /// # Errors
    ///
    /// What `work` answered.
    pub fn attempt<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let mark = self.journal.len();
        let answer = work(self);
        if answer.is_err() {
            self.rewind(mark);
        }
        answer
    }

    fn look(&self, id: &RowId) -> Option<&Slot> {
        let slot = self.slots.get(id);
        if slot.is_none() {
            assert!(self.discovering, "{}: a row was read but not asked for", id.table.name);
            self.curious.set(true);
        }
        slot
    }

    fn write(&mut self, id: RowId, row: Option<Arc<dyn Row>>) {
        let Some(slot) = self.slots.get_mut(&id) else {
            panic!("{}: a row was written but not asked for", id.table.name);
        };
        assert!(slot.held, "{}: a row was written but only peeked at", id.table.name);
        if row.is_none() && slot.row.is_none() {
            return;
        }
        let before = slot.clone();
        slot.row = row;
        slot.written = true;
        self.journal.push(Before { id, slot: Some(before) });
    }

    /// Makes a row known.
    fn insert(&mut self, id: RowId, slot: Slot) {
        let parent = id.table.parent.filter(|_| !self.slots.contains_key(&id));
        if let Some(parent) = parent {
            let under = RowId { table: id.table, key: id.key[..parent().key_len].to_vec() };
            self.kin.entry(under).or_default().push(id.key.clone());
        }
        self.slots.insert(id, slot);
    }

    fn rewind(&mut self, mark: usize) {
        for Before { id, slot } in self.journal.drain(mark..).rev() {
            match slot {
                Some(slot) => drop(self.slots.insert(id, slot)),
                // Among its kin its key stays, and is passed over.
                None => drop(self.slots.remove(&id)),
            }
        }
    }
}

// For engines.
impl Rows {
    /// Takes a row that the store has, its columns in the description's order. A row that was
    /// already taken is kept as it is.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the row cannot be decoded.
    pub fn found(&mut self, table: &'static Table, values: Vec<Value>) -> Result<(), StoreError> {
        let key = values[..table.key_len].to_vec();
        let row = (table.decode)(values)?;
        let slot = Slot { row: Some(row), stored: true, held: false, written: false };
        let id = RowId { table, key };
        if !self.slots.contains_key(&id) {
            self.insert(id, slot);
        }
        Ok(())
    }

    /// Takes the rows of a range, in key order: at most as many as were asked for.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when a row cannot be decoded.
    pub fn found_range(
        &mut self,
        range: &RowId,
        limit: usize,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        let complete = rows.len() < limit;
        for row in rows {
            self.found(range.table, row)?;
        }
        self.ranges.insert(range.clone(), Range { limit, complete });
        Ok(())
    }

    /// Takes a row that an engine keeps as the record itself. One that was already taken is kept as
    /// it is.
    pub fn found_record(&mut self, id: &RowId, row: Arc<dyn Row>) {
        if !self.slots.contains_key(id) {
            let slot = Slot { row: Some(row), stored: true, held: false, written: false };
            self.insert(id.clone(), slot);
        }
    }

    /// The changes to apply, ordered by table name and key, in the columns' values.
    pub fn writes(&self) -> impl Iterator<Item = (&'static Table, Write)> {
        self.changes().map(|(id, change)| {
            let write = match change {
                Change::Insert(row) => Write::Insert(row.encode_row()),
                Change::Update(row) => Write::Update(row.encode_row()),
                Change::Delete => Write::Delete(id.key.clone()),
            };
            (id.table, write)
        })
    }

    /// The changes to apply, ordered by table name and key, as records.
    pub fn changes(&self) -> impl Iterator<Item = (&RowId, Change<'_>)> {
        let mut written: Vec<_> = self.slots.iter().filter(|(_, slot)| slot.written).collect();
        written.sort_unstable_by_key(|(id, _)| *id);
        written.into_iter().filter_map(|(id, slot)| match (&slot.row, slot.stored) {
            (Some(row), true) => Some((id, Change::Update(row))),
            (Some(row), false) => Some((id, Change::Insert(row))),
            (None, true) => Some((id, Change::Delete)),
            (None, false) => None,
        })
    }
}

// For the machinery.
impl Rows {
    pub(crate) fn discovering() -> Self {
        Self { discovering: true, ..Self::default() }
    }

    /// Ends a load: what was asked for and not found is absent, what was owned may be written.
    pub(crate) fn close(&mut self, keys: &KeySet) {
        for (id, hold) in keys.rows() {
            let held = hold == Hold::Own;
            match self.slots.get_mut(id) {
                Some(slot) => slot.held |= held,
                None => self.insert(id.clone(), Slot { held, ..Slot::default() }),
            }
        }
        for (range, _) in keys.ranges() {
            for key in self.kin.get(range).into_iter().flatten() {
                let id = RowId { table: range.table, key: key.clone() };
                if let Some(slot) = self.slots.get_mut(&id) {
                    slot.held = true;
                }
            }
        }
    }

    /// Ends the discovery: from now on, an unknown row is a fault.
    pub(crate) fn decide_now(&mut self) {
        self.discovering = false;
    }

    /// Lets keys be asked for once more, on the rows as they are now.
    pub(crate) fn discover(&mut self, ask: impl FnOnce(&Self)) {
        self.discovering = true;
        ask(self);
        self.discovering = false;
    }

    /// Whether everything in `keys` was read, and is owned where that is asked for.
    pub(crate) fn holds(&self, keys: &KeySet) -> bool {
        let row = |(id, hold): (&RowId, Hold)| {
            self.slots.get(id).is_some_and(|slot| slot.held || hold == Hold::Peek)
        };
        let range = |(id, limit): (&RowId, usize)| {
            self.ranges.get(id).is_some_and(|range| limit <= range.limit)
        };
        keys.rows().all(row) && keys.ranges().all(range)
    }

    /// Whether a row was asked for and may be written: for what comes up only while it is decided.
    pub(crate) fn is_held<R: Record>(&self, key: &R::Key) -> bool {
        self.slots.get(&RowId::of::<R>(key)).is_some_and(|slot| slot.held)
    }

    /// Whether a row or range that is not known yet was read since the last call.
    pub(crate) fn was_curious(&self) -> bool {
        self.curious.take()
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.slots.values().any(|slot| slot.written && (slot.stored || slot.row.is_some()))
    }

    /// Ends a command that worked: its writes stay.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`] when it broke **R3**; its writes were taken back.
    pub(crate) fn keep(&mut self) -> Result<(), StoreError> {
        let broken = self.unguarded_child();
        if broken.is_some() {
            self.rewind(0);
        }
        self.journal.clear();
        broken.map_or(Ok(()), |child| {
            let text = format!("{child}: a row came or went and its parent's version did not move");
            Err(StoreError::Backend(text))
        })
    }

    /// Ends a command that failed: its writes go (**R4**).
    pub(crate) fn drop_changes(&mut self) {
        self.rewind(0);
    }

    /// The table of a row that came or went while its parent's version stood still.
    fn unguarded_child(&self) -> Option<&'static str> {
        if self.journal.iter().all(|before| before.id.table.parent.is_none()) {
            return None;
        }
        // How each row was before the command, in one pass: a batch may have tens of thousands.
        let mut firsts: HashMap<&RowId, Option<&Slot>> = HashMap::new();
        for before in &self.journal {
            firsts.entry(&before.id).or_insert(before.slot.as_ref());
        }
        let there = |slot: &Slot| slot.row.is_some();
        let version = |slot: &Slot| slot.row.as_ref().map(|row| row.version());
        let mut children = firsts.iter().filter(|(id, _)| id.table.parent.is_some());
        children.find_map(|(id, before)| {
            let parent = id.table.parent?();
            let came_or_went = before.is_some_and(there) != self.slots.get(id).is_some_and(there);
            let parent = RowId { table: parent, key: id.key[..parent.key_len].to_vec() };
            let moved = firsts.get(&parent).is_some_and(|before| {
                self.slots.get(&parent).and_then(version) != before.and_then(version)
            });
            (came_or_went && !moved).then_some(id.table.name)
        })
    }
}

fn downcast<R: Record>(row: &dyn Row) -> &R {
    let row: &dyn Any = row;
    row.downcast_ref().expect("a table's rows are all of its record type")
}
