//! Deleting: an item goes, with its parts if that is asked for, unless something live uses it.
//!
//! The guard and the deletion are one command, so nobody can begin to use an item in between.
//!
//! # Invariants
//!
//! - **I4** Nothing is deleted that a live thing outside of the same deletion uses.
//! - **I5** A deletion happens as a whole or not at all, once: repeating it gives the first answer.

use crate::{
    Actor, Refusal, Timestamp, audit,
    storage::{Command, KeySet, Rows},
    trash::{
        Item, ItemEvent, ItemId, ItemState, NEEDS_MAX,
        deletion::{self, Deletion},
        depend::{need_keys, unlink},
        guard::{judge, judge_keys},
        item::{Name, Need, found},
        kind::{Kinds, PURGE_AFTER},
        next_state,
    },
};

/// How many items one deletion may take with it.
pub const CASCADE_MAX: usize = 1_000;

/// What a deletion came to.
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

impl Deleted {
    fn of(deletion: &Deletion, purge_at: Timestamp, replayed: bool) -> Self {
        let (item, count) = (deletion.item.clone(), deletion.count.unsigned_abs());
        Self { item, count, batch: deletion.batch, purge_at, replayed }
    }
}

/// An item of a deletion, as it was when the deletion was planned.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: ItemId,
    /// `None`: as it is.
    pub(crate) version: Option<i64>,
}

/// Deletes items together; the first is what was asked for. The command behind
/// [`Trash::delete`](crate::trash::Trash::delete), for a transaction of the host's own.
#[derive(Clone, Debug)]
pub struct Delete {
    pub(crate) members: Vec<Member>,
    pub(crate) batch: [u8; 16],
    pub(crate) actor: Actor,
    pub(crate) reason: String,
    pub(crate) kinds: Kinds,
}

pub(super) fn subject(item: &ItemId) -> String {
    format!("item:{item}")
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
                let count = if is_alone { verdict.count } else { own };
                let reason = verdict.reason;
                return Err(Refusal::ItemInUse { item: id.clone(), reason, count });
            }
            if is_alone && item.parts > 0 {
                return Err(Refusal::ItemHasParts { item: id.clone(), parts: verdict.parts });
            }
        }
        Ok(())
    }

    /// The latest of their dates: what went together is kept together.
    fn purge_at(&self, now: Timestamp) -> Timestamp {
        let spans = self.members.iter().map(|member| self.kinds.purge_after(&member.id));
        now.after(spans.max().unwrap_or(PURGE_AFTER))
    }

    /// Deletes one of them; whether it is held.
    fn delete_one(&self, rows: &mut Rows, id: &ItemId, now: Timestamp) -> Result<bool, Refusal> {
        let item = found(rows, id, &self.kinds, now)?;
        let (needs, _) = rows.children::<Need>(id, NEEDS_MAX + 1);
        let needs: Vec<Need> = needs.into_iter().cloned().collect();
        needs.iter().for_each(|need| unlink(rows, &need.item, id, need.relation));
        item.claim().iter().for_each(|claim| rows.remove::<Name>(claim));
        // Its own row may have moved, where it and another of them depend on each other.
        let item = rows.get::<Item>(id).cloned().unwrap_or(item);
        let refusal = Refusal::ItemNotLive { item: id.clone(), state: item.state.as_str() };
        let state = next_state(item.state, ItemEvent::Delete).ok_or(refusal)?;
        let is_held = item.held_at.is_some();
        Item {
            state,
            deleted_at: Some(now),
            deleted_by: Some(self.actor.to_string()),
            deletion_reason: Some(self.reason.clone()),
            batch: Some(self.batch),
            purge_at: Some(self.purge_at(now)),
            ..item
        }
        .put(rows);
        self.kinds.moved(id, state, rows, now);
        audit::note(rows, &subject(id), &self.actor, "delete-item", &self.reason, now);
        Ok(is_held)
    }
}

impl Command for Delete {
    type Out = Result<Deleted, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        keys.own::<Deletion>(&self.batch);
        for Member { id, .. } in &self.members {
            deletion::keys(id, seen, keys);
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
        if let Some((purge_at, deletion)) =
            before.and_then(|item| item.purge_at.zip(deletion::of(rows, item)))
        {
            return Ok(Deleted::of(&deletion, purge_at, true));
        }
        if rows.get::<Deletion>(&self.batch).is_some() {
            // Chance gave the name of another one.
            return Err(Refusal::ItemChanged { item: id.clone() });
        }
        self.refuse_kept(rows, now)?;
        let mut deletion = Deletion {
            batch: self.batch,
            item: id.clone(),
            count: i64::try_from(self.members.len()).unwrap_or(i64::MAX),
            held: 0,
            purged: 0,
        };
        rows.attempt(|rows| {
            for Member { id, .. } in &self.members {
                deletion.held += i64::from(self.delete_one(rows, id, now)?);
            }
            rows.put(deletion.clone());
            Ok(Deleted::of(&deletion, self.purge_at(now), false))
        })
    }

    fn size_bytes(&self) -> usize {
        self.members.len() * 512
    }
}
