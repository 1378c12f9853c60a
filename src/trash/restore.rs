//! Restoring: what went together comes back together.
//!
//! # Invariants
//!
//! - **I6** A restore brings back exactly what one deletion took, or nothing: not what had been deleted
//!   before, and nothing whose name is taken or that depends on something that is gone.

use crate::{
    Actor, Refusal, Timestamp, audit,
    storage::{Command, KeySet, Rows},
    trash::{
        Item, ItemEvent, ItemId, ItemState, NEEDS_MAX,
        delete::subject,
        deletion::Deletion,
        depend::{link, need_keys},
        item::{Name, Need, existing},
        kind::Kinds,
        next_state,
        register::take_name,
    },
};

/// Brings back what a deletion took: the command behind
/// [`Trash::restore`](crate::trash::Trash::restore), for a transaction of the host's own. It is made of
/// what the deletion took when it was made.
#[derive(Clone, Debug)]
pub struct Restore {
    /// All that bear the deletion's name.
    pub(crate) members: Vec<ItemId>,
    pub(crate) batch: [u8; 16],
    pub(crate) actor: Actor,
    pub(crate) reason: String,
    pub(crate) kinds: Kinds,
}

/// What came back.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Restored {
    /// How many items; 0 if it was live already.
    pub count: u64,
}

impl Restore {
    /// Refuses what is not whole any more (**I8**).
    fn refuse_parted(&self, rows: &Rows) -> Result<(), Refusal> {
        let Some(item) = self.members.first().cloned() else { return Ok(()) };
        let Some(deletion) = rows.get::<Deletion>(&self.batch) else {
            return Err(Refusal::ItemChanged { item });
        };
        if deletion.purged > 0 {
            let (item, state) = (deletion.item.clone(), ItemState::Purged.as_str());
            return Err(Refusal::ItemNotDeleted { item, state });
        }
        if usize::try_from(deletion.count) != Ok(self.members.len()) {
            return Err(Refusal::ItemChanged { item });
        }
        Ok(())
    }

    /// Makes one live, without what it depends on.
    fn revive(&self, rows: &mut Rows, id: &ItemId, now: Timestamp) -> Result<(), Refusal> {
        let item = existing(rows, id)?;
        let refusal = || Refusal::ItemNotDeleted { item: id.clone(), state: item.state.as_str() };
        // One that was restored and deleted again went with another deletion.
        if item.batch != Some(self.batch) {
            return Err(Refusal::ItemChanged { item: id.clone() });
        }
        let state = next_state(item.state, ItemEvent::Restore).ok_or_else(refusal)?;
        if let Some(claim) = item.claim() {
            take_name(rows, &claim, id)?;
        }
        Item {
            state,
            deleted_at: None,
            deleted_by: None,
            deletion_reason: None,
            batch: None,
            purge_at: None,
            ..item
        }
        .put(rows);
        self.kinds.moved(id, state, rows, now);
        audit::note(rows, &subject(id), &self.actor, "restore-item", &self.reason, now);
        Ok(())
    }

    /// Lets it depend on what it depended on.
    fn relink(rows: &mut Rows, id: &ItemId) -> Result<(), Refusal> {
        let label = existing(rows, id)?.label;
        let (needs, _) = rows.children::<Need>(id, NEEDS_MAX + 1);
        let needs: Vec<Need> = needs.into_iter().cloned().collect();
        for Need { item, relation, .. } in needs {
            let is_live = rows.get::<Item>(&item).is_some_and(|on| on.state == ItemState::Live);
            if !is_live {
                return Err(Refusal::NeedNotLive { item: id.clone(), need: item });
            }
            link(rows, &item, id, &label, relation);
        }
        Ok(())
    }
}

impl Command for Restore {
    type Out = Result<Restored, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        keys.own::<Deletion>(&self.batch);
        for id in &self.members {
            need_keys(id, seen, keys);
            self.kinds.keys(id, seen, keys);
            audit::keys(&subject(id), keys);
            let claim = seen.get::<Item>(id).and_then(Item::claim);
            claim.iter().for_each(|claim| keys.own::<Name>(claim));
        }
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        self.refuse_parted(rows)?;
        rows.attempt(|rows| {
            rows.remove::<Deletion>(&self.batch);
            self.members.iter().try_for_each(|id| self.revive(rows, id, now))?;
            // After all of them are live: they may depend on each other.
            self.members.iter().try_for_each(|id| Self::relink(rows, id))
        })?;
        Ok(Restored { count: self.members.len() as u64 })
    }

    fn size_bytes(&self) -> usize {
        self.members.len() * 512
    }
}
