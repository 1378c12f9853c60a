//! Holding: what a court or a quarrel needs is not purged, whatever its date.

use crate::{
    Actor, Refusal, Timestamp, audit,
    storage::{Command, KeySet, Rows},
    trash::{
        Item, ItemId, ItemState,
        delete::subject,
        deletion::{self, Deletion},
        item::found,
        kind::Kinds,
    },
};

/// Holds an item, or lets it go. Live ones can be held too; they can be deleted then, but not purged.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) id: ItemId,
    pub(crate) actor: Actor,
    pub(crate) reason: String,
    pub(crate) holds: bool,
    pub(crate) kinds: Kinds,
}

impl Command for Hold {
    /// Whether anything was to do.
    type Out = Result<bool, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        deletion::keys(&self.id, seen, keys);
        self.kinds.keys(&self.id, seen, keys);
        audit::keys(&subject(&self.id), keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let item = found(rows, &self.id, &self.kinds, now)?;
        if item.state == ItemState::Purged {
            return Err(Refusal::ItemNotLive { item: item.id, state: item.state.as_str() });
        }
        if item.held_at.is_some() == self.holds {
            return Ok(false);
        }
        let held_at = self.holds.then_some(now);
        let held_reason = self.holds.then(|| self.reason.clone());
        if let Some(deletion) = deletion::of(rows, &item) {
            let more = if self.holds { 1 } else { -1 };
            rows.put(Deletion { held: deletion.held + more, ..deletion });
        }
        Item { held_at, held_reason, ..item }.put(rows);
        let action = if self.holds { "hold-item" } else { "release-item" };
        audit::note(rows, &subject(&self.id), &self.actor, action, &self.reason, now);
        Ok(true)
    }
}
