//! Guards: what keeps an item from being deleted.
//!
//! Asking is the deletion's own question without the deed, so a moment later the answer may be another.

use crate::{
    Refusal, Timestamp,
    storage::{Command, KeySet, Rows},
    trash::{
        Blocker, Item, ItemId, KindCounts,
        item::{Link, found},
        kind::Kinds,
    },
};

/// How many blockers are named. All are counted.
pub const BLOCKERS_MAX: usize = 20;

/// Whether an item can be deleted, and what keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CanDelete {
    /// Whether.
    pub can_delete: bool,
    /// Why not, in a sentence.
    pub reason: String,
    /// What keeps it: the first [`BLOCKERS_MAX`].
    pub blockers: Vec<Blocker>,
    /// How many of each kind keep it, all of them.
    pub counts: KindCounts,
    /// How many keep it in all.
    pub count: u64,
    /// How many live parts it has, which go with it.
    pub parts: u64,
}

/// Asks whether an item can be deleted.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) id: ItemId,
    pub(crate) kinds: Kinds,
}

impl Command for Judge {
    type Out = Result<CanDelete, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        judge_keys(&self.id, &self.kinds, seen, keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let item = found(rows, &self.id, &self.kinds, now)?;
        item.refuse_gone()?;
        Ok(judge(rows, &item, &self.kinds))
    }
}

/// Asks the host's own guards about many items.
#[derive(Clone, Debug)]
pub(crate) struct AskGuards {
    pub(crate) items: Vec<ItemId>,
    pub(crate) kinds: Kinds,
}

impl Command for AskGuards {
    type Out = Vec<Blocker>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.items.iter().for_each(|item| self.kinds.keys(item, seen, keys));
    }

    fn decide(&self, rows: &mut Rows, _now: Timestamp) -> Vec<Blocker> {
        self.items.iter().flat_map(|item| self.kinds.blockers(item, rows)).collect()
    }
}

pub(super) fn judge_keys(id: &ItemId, kinds: &Kinds, seen: &Rows, keys: &mut KeySet) {
    keys.children::<Link, Item>(id, BLOCKERS_MAX + 1);
    kinds.keys(id, seen, keys);
}

/// What keeps one item (**I4**).
pub(super) fn judge(rows: &Rows, item: &Item, kinds: &Kinds) -> CanDelete {
    let (links, _) = rows.children::<Link>(&item.id, BLOCKERS_MAX + 1);
    let users = links.into_iter().filter(|link| !link.is_part);
    let own = kinds.blockers(&item.id, rows);
    let mut counts = item.users.clone();
    own.iter().for_each(|blocker| counts.add(&blocker.kind));
    let mut blockers: Vec<Blocker> = users.map(Blocker::from).chain(own).collect();
    blockers.truncate(BLOCKERS_MAX);
    let (count, parts) = (counts.total(), u64::try_from(item.parts).unwrap_or_default());
    let reason = reason(&blockers, count);
    CanDelete { can_delete: count == 0, reason, blockers, counts, count, parts }
}

/// Why it cannot be deleted, in a sentence.
pub(super) fn reason(blockers: &[Blocker], count: u64) -> String {
    match blockers.first() {
        None => String::new(),
        Some(first) if count == 1 => format!("{} {} needs it", first.kind, first.label),
        Some(first) => format!("{} {} and {} more need it", first.kind, first.label, count - 1),
    }
}

impl From<&Link> for Blocker {
    fn from(link: &Link) -> Self {
        let (kind, id) = (link.by.kind().to_owned(), link.by.id().to_owned());
        Self { kind, id, label: link.label.clone() }
    }
}
