//! Items: what can be deleted and come back, and who depends on it.
//!
//! # Invariants
//!
//! - **I1** Only a live item changes, or is depended on; a deleted one is read-only until it is restored.
//!   Only subscriptions, of which others tell, begin and end at any time.
//! - **I2** No two live items bear one name in one scope.
//! - **I3** An item counts the live things that use it and those that are its parts, and each of them has
//!   a row under it.

use crate::{
    Refusal, Timestamp, record,
    storage::{Only, Rows, text_enum},
    trash::{ItemId, ItemState, KindCounts, kind::Kinds},
};

/// On how many things one item may depend.
pub const NEEDS_MAX: usize = 100;

/// An item, as the store keeps it. Its content is the host's.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Item {
    /// Its name.
    pub id: ItemId,
    /// What sort of thing: the name's first part.
    pub kind: String,
    /// What people call it. Empty once it is purged.
    pub label: String,
    /// Where it stands.
    pub state: ItemState,
    /// Counts the changes of it, and of who depends on it.
    pub version: i64,
    /// Where its name is unique among the living.
    pub scope: Option<String>,
    /// That name.
    pub name: Option<String>,
    /// How many live things use it: while there are any, it stays.
    pub used_by: i64,
    /// How many of each kind.
    pub users: KindCounts,
    /// How many live things are parts of it, and go with it.
    pub parts: i64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Who deleted it.
    pub deleted_by: Option<String>,
    /// Why.
    pub deletion_reason: Option<String>,
    /// Which deletion it went with: the same for all that went together.
    pub batch: Option<[u8; 16]>,
    /// From when on it may be purged: fixed when it is deleted.
    pub purge_at: Option<Timestamp>,
    /// Since when it is held: nothing purges it.
    pub held_at: Option<Timestamp>,
    /// Why.
    pub held_reason: Option<String>,
    /// When it was purged.
    pub purged_at: Option<Timestamp>,
}

record! {
    Item: "fm_item",
    key: (id: ItemId),
    columns: (
        kind, label, state, version, scope, name, used_by, users, parts, created_at, deleted_at,
        deleted_by, deletion_reason, batch, purge_at, held_at, held_reason, purged_at
    ),
    version: version,
    shard: id,
    indexes: [
        ("fm_item_purge", (purge_at), Only::Equals("state", "deleted")),
        ("fm_item_deleted", (deleted_at), Only::Equals("state", "deleted")),
        ("fm_item_batch", (batch), Only::Present("batch")),
    ],
}

impl Item {
    pub(super) fn new(id: &ItemId, label: &str, now: Timestamp) -> Self {
        Self {
            id: id.clone(),
            kind: id.kind().to_owned(),
            label: label.to_owned(),
            state: ItemState::Live,
            version: 0,
            scope: None,
            name: None,
            used_by: 0,
            users: KindCounts::default(),
            parts: 0,
            created_at: now,
            deleted_at: None,
            deleted_by: None,
            deletion_reason: None,
            batch: None,
            purge_at: None,
            held_at: None,
            held_reason: None,
            purged_at: None,
        }
    }

    /// The claim on its name, if it has one.
    pub(super) fn claim(&self) -> Option<(String, String)> {
        self.scope.clone().zip(self.name.clone())
    }

    /// Writes it, one version on.
    pub(super) fn put(self, rows: &mut Rows) {
        rows.put(Self { version: self.version + 1, ..self });
    }

    /// Refuses what only a live item allows (**I1**).
    pub(super) fn refuse_gone(&self) -> Result<(), Refusal> {
        match self.state {
            ItemState::Live => Ok(()),
            ItemState::Deleted | ItemState::Purged => {
                Err(Refusal::ItemNotLive { item: self.id.clone(), state: self.state.as_str() })
            }
        }
    }
}

/// The item; one that need not be registered is, when somebody asks.
pub(super) fn found(
    rows: &Rows,
    id: &ItemId,
    kinds: &Kinds,
    now: Timestamp,
) -> Result<Item, Refusal> {
    if rows.get::<Item>(id).is_none()
        && let Some(label) = kinds.label(id, rows)
    {
        return Ok(Item::new(id, &label, now));
    }
    existing(rows, id)
}

/// The item, or a refusal.
pub(super) fn existing(rows: &Rows, id: &ItemId) -> Result<Item, Refusal> {
    rows.get::<Item>(id).cloned().ok_or_else(|| Refusal::ItemUnknown { item: id.clone() })
}

text_enum! {
    /// How a thing depends on an item.
    Relation {
        /// It uses the item: while it is live, the item stays.
        Uses = "uses",
        /// It is a part of the item, and goes with it.
        PartOf = "part_of",
    }
}

/// A live thing that depends on an item; a row under that item. Users come before parts, so that the
/// first rows name who is in the way.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) item: ItemId,
    pub(crate) is_part: bool,
    pub(crate) by: ItemId,
    pub(crate) label: String,
}

record! {
    Link: "fm_item_link",
    key: (item: ItemId, is_part: bool, by: ItemId),
    columns: (label),
    parent: Item,
    shard: item,
    indexes: [],
}

/// What an item depends on, whether it is live or deleted; a row under it.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    pub(crate) by: ItemId,
    pub(crate) item: ItemId,
    pub(crate) relation: Relation,
}

record! {
    Need: "fm_item_need",
    key: (by: ItemId, item: ItemId),
    columns: (relation),
    parent: Item,
    shard: by,
    indexes: [],
}

/// Who bears a name among the living (**I2**).
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) scope: String,
    pub(crate) name: String,
    pub(crate) item: ItemId,
}

record! {
    Name: "fm_name",
    key: (scope: String, name: String),
    columns: (item),
    shard: scope,
    indexes: [],
}
