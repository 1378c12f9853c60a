//! Deleting: an item goes, with its parts if that is asked for, unless something live uses it.
//!
//! The guard and the deletion are one command, so nobody can begin to use an item in between.
//!
//! # Invariants
//!
//! - **I4** Nothing is deleted that a live thing outside of the same deletion uses.
//! - **I5** A deletion happens as a whole or not at all, once: repeating it gives the first answer.

use std::collections::BTreeMap;

use crate::{
    Actor, Refusal, Timestamp, audit,
    storage::{Command, KeySet, Rows},
    trash::{
        Blocker, Item, ItemEvent, ItemId, ItemState, NEEDS_MAX,
        depend::{need_keys, unlink},
        item::{Link, Name, Need, existing},
        kind::Kinds,
        next_state,
    },
};

/// How many blockers are named. All are counted.
pub const BLOCKERS_MAX: usize = 20;
/// How many items one deletion may take with it.
pub const CASCADE_MAX: usize = 1_000;

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
    /// How many of each kind keep it, among all that are known.
    pub counts: BTreeMap<String, u64>,
    /// How many keep it in all.
    pub count: u64,
    /// How many live parts it has, which go with it.
    pub parts: u64,
}

/// A deletion.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Deleted {
    /// What was deleted.
    pub item: ItemId,
    /// How many items went, with it.
    pub count: u64,
    /// The deletion's name: a restore of it brings back what went with it.
    pub batch: [u8; 16],
    /// From when on it may be purged.
    pub purge_at: Timestamp,
    /// Whether it had been deleted before, and nothing changed.
    pub replayed: bool,
}

/// An item of a deletion, as it was when the deletion was planned.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: ItemId,
    /// `None`: as it is.
    pub(crate) version: Option<i64>,
}

/// Deletes items together; the first is what was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Delete {
    pub(crate) members: Vec<Member>,
    pub(crate) batch: [u8; 16],
    pub(crate) actor: Actor,
    pub(crate) reason: String,
    pub(crate) kinds: Kinds,
}

/// The same question without the deed.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) id: ItemId,
    pub(crate) kinds: Kinds,
}

pub(super) fn subject(item: &ItemId) -> String {
    format!("item:{item}")
}

fn judge_keys(id: &ItemId, kinds: &Kinds, seen: &Rows, keys: &mut KeySet) {
    keys.children::<Link, Item>(id, BLOCKERS_MAX + 1);
    kinds.keys(id, seen, keys);
}

/// The item; one that need not be registered is, when somebody asks.
fn found(rows: &Rows, id: &ItemId, kinds: &Kinds, now: Timestamp) -> Result<Item, Refusal> {
    if rows.get::<Item>(id).is_none()
        && let Some(label) = kinds.label(id, rows)
    {
        return Ok(Item::new(id, &label, now));
    }
    existing(rows, id)
}

/// What keeps one item (**I4**).
fn judge(rows: &Rows, item: &Item, kinds: &Kinds) -> CanDelete {
    let (links, _) = rows.children::<Link>(&item.id, BLOCKERS_MAX + 1);
    let users = links.into_iter().filter(|link| !link.is_part);
    let own = kinds.blockers(&item.id, rows);
    let count = u64::try_from(item.used_by).unwrap_or_default() + own.len() as u64;
    let named = users.map(|user| Blocker {
        kind: user.by.kind().to_owned(),
        id: user.by.id().to_owned(),
        label: user.label.clone(),
    });
    let mut blockers: Vec<Blocker> = named.chain(own).collect();
    let mut counts = BTreeMap::new();
    for blocker in &blockers {
        *counts.entry(blocker.kind.clone()).or_default() += 1;
    }
    blockers.truncate(BLOCKERS_MAX);
    let reason = match blockers.first() {
        None => String::new(),
        Some(first) if count == 1 => format!("{} {} needs it", first.kind, first.label),
        Some(first) => format!("{} {} and {} more need it", first.kind, first.label, count - 1),
    };
    let parts = u64::try_from(item.parts).unwrap_or_default();
    CanDelete { can_delete: count == 0, reason, blockers, counts, count, parts }
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

impl Delete {
    fn root(&self) -> Option<&ItemId> {
        self.members.first().map(|member| &member.id)
    }

    /// Refuses what something keeps. What goes together was looked at when it was planned; while no
    /// version moved, nobody began to depend on any of it.
    fn refuse_kept(&self, rows: &Rows, now: Timestamp) -> Result<(), Refusal> {
        for Member { id, version } in &self.members {
            let item = found(rows, id, &self.kinds, now)?;
            item.refuse_gone()?;
            if version.is_some_and(|version| version != item.version) {
                return Err(Refusal::ItemChanged { item: id.clone() });
            }
            let verdict = judge(rows, &item, &self.kinds);
            let is_alone = self.members.len() == 1;
            let own = verdict.count.saturating_sub(u64::try_from(item.used_by).unwrap_or_default());
            if if is_alone { !verdict.can_delete } else { own > 0 } {
                let (reason, count) = (verdict.reason, verdict.count);
                return Err(Refusal::ItemInUse { item: id.clone(), reason, count });
            }
            if is_alone && item.parts > 0 {
                return Err(Refusal::ItemHasParts { item: id.clone(), parts: verdict.parts });
            }
        }
        Ok(())
    }

    fn delete_one(&self, rows: &mut Rows, id: &ItemId, now: Timestamp) -> Result<(), Refusal> {
        let item = found(rows, id, &self.kinds, now)?;
        let (needs, _) = rows.children::<Need>(id, NEEDS_MAX + 1);
        let needs: Vec<ItemId> = needs.iter().map(|need| need.item.clone()).collect();
        needs.iter().for_each(|on| unlink(rows, on, id));
        item.claim().iter().for_each(|claim| rows.remove::<Name>(claim));
        // Its own row may have moved, where it and another of them depend on each other.
        let item = rows.get::<Item>(id).cloned().unwrap_or(item);
        let refusal = Refusal::ItemNotLive { item: id.clone(), state: item.state.as_str() };
        let state = next_state(item.state, ItemEvent::Delete).ok_or(refusal)?;
        Item {
            state,
            deleted_at: Some(now),
            deleted_by: Some(self.actor.to_string()),
            deletion_reason: Some(self.reason.clone()),
            batch: Some(self.batch),
            purge_at: Some(now.after(self.kinds.purge_after(id))),
            ..item
        }
        .put(rows);
        self.kinds.moved(id, state, rows, now);
        audit::note(rows, &subject(id), &self.actor, "delete-item", &self.reason, now);
        Ok(())
    }
}

impl Command for Delete {
    type Out = Result<Deleted, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        for Member { id, .. } in &self.members {
            judge_keys(id, &self.kinds, seen, keys);
            need_keys(id, seen, keys);
            audit::keys(&subject(id), keys);
            let claim = seen.get::<Item>(id).and_then(Item::claim);
            claim.iter().for_each(|claim| keys.own::<Name>(claim));
        }
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let Some(id) = self.root() else {
            return Err(Refusal::Invalid { field: "item", why: "there is none" });
        };
        let before = rows.get::<Item>(id).filter(|item| item.state == ItemState::Deleted);
        if let Some((batch, purge_at)) = before.and_then(|item| item.batch.zip(item.purge_at)) {
            let item = id.clone();
            return Ok(Deleted { item, count: 0, batch, purge_at, replayed: true });
        }
        self.refuse_kept(rows, now)?;
        rows.attempt(|rows| {
            let mut all = self.members.iter();
            all.try_for_each(|member| self.delete_one(rows, &member.id, now))
        })?;
        let purge_at = existing(rows, id)?.purge_at.unwrap_or(now);
        let count = self.members.len() as u64;
        Ok(Deleted { item: id.clone(), count, batch: self.batch, purge_at, replayed: false })
    }

    fn size_bytes(&self) -> usize {
        self.members.len() * 512
    }
}
