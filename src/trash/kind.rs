//! Kinds of items: what a host may delete, and what it means to it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    Refusal, Timestamp,
    id::checked,
    storage::{Field, KeySet, Kind, Rows, Value},
    trash::ItemState,
};

/// How long a kind's name may be.
const KIND_BYTES_MAX: usize = 64;
/// How long a deleted item is kept, unless its kind says otherwise.
pub(crate) const PURGE_AFTER: Duration = Duration::from_secs(90 * 86_400);

/// Names an item: its kind, and the host's own name for it.
///
/// ```
/// # use finalmile::trash::ItemId;
/// let id = ItemId::new("neuron", "n1")?;
/// assert_eq!((id.to_string().as_str(), "neuron:n1".parse()), ("neuron:n1", Ok(id.clone())));
/// # Ok::<(), finalmile::Refusal>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ItemId {
    kind: Box<str>,
    id: Box<str>,
}

impl ItemId {
    /// The item of this kind that the host calls `id`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] unless the kind has 1 to 64 letters `a` to `z`, digits, `-` or `_`, and the
    /// id 1 to 255 bytes and no control character.
    pub fn new(kind: &str, id: &str) -> Result<Self, Refusal> {
        let plain =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        if !(1..=KIND_BYTES_MAX).contains(&kind.len()) || !kind.bytes().all(plain) {
            return Err(Refusal::Invalid { field: "kind", why: "it is no name of a kind" });
        }
        Ok(Self { kind: kind.into(), id: checked("item", id)?.into() })
    }

    /// What sort of thing it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The host's own name for it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// One of our own kinds, whose ids are names in the store already.
    pub(crate) fn ours(kind: &'static str, id: &str) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

impl Field for ItemId {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn from_value(value: Value) -> Option<Self> {
        String::from_value(value)?.parse().ok()
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

impl std::str::FromStr for ItemId {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let why = Refusal::Invalid { field: "item", why: "it is no kind, a colon and a name" };
        let (kind, id) = text.split_once(':').ok_or(why)?;
        Self::new(kind, id)
    }
}

/// Something that keeps an item from being deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a blocker is what, which, and its name")]
pub struct Blocker {
    /// What sort of thing: `bundle`, `subscription`, or the host's own word.
    pub kind: String,
    /// Which.
    pub id: String,
    /// What people call it.
    pub label: String,
}

/// A host's own reason why an item must not be deleted: pure, over the rows that it names.
pub trait Guard: Send + Sync {
    /// Names the rows that [`Guard::blockers`] reads. Name the rows that others change with `own`, so
    /// that they hold still while the item is deleted.
    fn keys(&self, item: &ItemId, seen: &Rows, keys: &mut KeySet);
    /// What keeps it; nothing, if it may go.
    fn blockers(&self, item: &ItemId, rows: &Rows) -> Vec<Blocker>;
}

/// A table of the host's, or of this crate's, whose rows follow an item's state.
pub trait Follow: Send + Sync {
    /// Names the rows that [`Follow::moved`] changes.
    fn keys(&self, item: &ItemId, keys: &mut KeySet);
    /// What people call it, if it is there and live: such an item need not be registered first.
    fn label(&self, _item: &ItemId, _rows: &Rows) -> Option<String> {
        None
    }
    /// The item is live, deleted or purged from now on.
    fn moved(&self, item: &ItemId, to: ItemState, rows: &mut Rows, now: Timestamp);
}

/// A kind of items.
///
/// ```
/// # use finalmile::{FinalMile, engines::Memory, trash::ItemKind};
/// const NEURON: ItemKind = ItemKind::new("neuron");
/// let fm = FinalMile::builder(Memory::new()).item(NEURON).open()?;
/// assert_eq!(NEURON.id("n1")?.to_string(), "neuron:n1");
/// # Ok::<(), finalmile::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct ItemKind {
    name: &'static str,
    purge_after: Duration,
    guards: &'static [&'static dyn Guard],
    follows: Option<&'static dyn Follow>,
}

impl ItemKind {
    /// A kind of this name, whose items are kept for 90 days after they were deleted.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, purge_after: PURGE_AFTER, guards: &[], follows: None }
    }

    /// Kept for so long after they were deleted. What is deleted already keeps its date.
    #[must_use]
    pub const fn purge_after(self, purge_after: Duration) -> Self {
        Self { purge_after, ..self }
    }

    /// With guards of the host's own.
    #[must_use]
    pub const fn guards(self, guards: &'static [&'static dyn Guard]) -> Self {
        Self { guards, ..self }
    }

    /// With a table that follows.
    #[must_use]
    pub const fn follows(self, follows: &'static dyn Follow) -> Self {
        Self { follows: Some(follows), ..self }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The item of this kind that the host calls `id`.
    ///
    /// # Errors
    ///
    /// As [`ItemId::new`].
    pub fn id(&self, id: &str) -> Result<ItemId, Refusal> {
        ItemId::new(self.name, id)
    }
}

impl fmt::Debug for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemKind({}, {} guards)", self.name, self.guards.len())
    }
}

/// The kinds that the host named. Others have no guards of their own, and follow nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds(Arc<Vec<ItemKind>>);

impl Kinds {
    pub(crate) fn new(kinds: Vec<ItemKind>) -> Self {
        Self(Arc::new(kinds))
    }

    fn find(&self, item: &ItemId) -> Option<&ItemKind> {
        // The last one named counts: a host may replace what is built in.
        self.0.iter().rev().find(|kind| kind.name == item.kind())
    }

    /// Whether its kind has guards of the host's own.
    pub(super) fn is_guarded(&self, item: &ItemId) -> bool {
        self.find(item).is_some_and(|kind| !kind.guards.is_empty())
    }

    pub(super) fn purge_after(&self, item: &ItemId) -> Duration {
        self.find(item).map_or(PURGE_AFTER, |kind| kind.purge_after)
    }

    pub(super) fn keys(&self, item: &ItemId, seen: &Rows, keys: &mut KeySet) {
        let Some(kind) = self.find(item) else { return };
        kind.guards.iter().for_each(|guard| guard.keys(item, seen, keys));
        if let Some(follow) = kind.follows {
            follow.keys(item, keys);
        }
    }

    pub(super) fn blockers(&self, item: &ItemId, rows: &Rows) -> Vec<Blocker> {
        let guards = self.find(item).map_or(&[][..], |kind| kind.guards);
        guards.iter().flat_map(|guard| guard.blockers(item, rows)).collect()
    }

    pub(super) fn label(&self, item: &ItemId, rows: &Rows) -> Option<String> {
        self.find(item)?.follows?.label(item, rows)
    }

    pub(super) fn moved(&self, item: &ItemId, to: ItemState, rows: &mut Rows, now: Timestamp) {
        if let Some(follow) = self.find(item).and_then(|kind| kind.follows) {
            follow.moved(item, to, rows, now);
        }
    }
}
