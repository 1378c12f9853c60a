//! Deletions: what went together stays together, until all of it is back or gone.
//!
//! # Invariants
//!
//! - **I8** A hold on one item keeps all that went with it; once one of them is purged, none of them comes
//!   back.

use crate::{
    record,
    storage::{KeySet, Rows},
    trash::{Item, ItemId},
};

/// One deletion, while any of what it took is deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Deletion {
    /// Its name.
    pub(crate) batch: [u8; 16],
    /// What was asked for.
    pub(crate) item: ItemId,
    /// How many items went.
    pub(crate) count: i64,
    /// How many of them are held.
    pub(crate) held: i64,
    /// How many of them are purged.
    pub(crate) purged: i64,
}

record! {
    Deletion: "fm_deletion",
    key: (batch: [u8; 16]),
    columns: (item, count, held, purged),
    shard: batch,
    indexes: [],
}

/// Asks for an item and for the deletion that it went with.
pub(super) fn keys(id: &ItemId, seen: &Rows, keys: &mut KeySet) {
    keys.own::<Item>(id);
    if let Some(batch) = seen.get::<Item>(id).and_then(|item| item.batch) {
        keys.own::<Deletion>(&batch);
    }
}

/// The deletion that an item went with.
pub(super) fn of(rows: &Rows, item: &Item) -> Option<Deletion> {
    rows.get::<Deletion>(&item.batch?).cloned()
}
