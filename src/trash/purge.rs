//! Purging: what was deleted long ago goes for good.
//!
//! # Invariants
//!
//! - **I7** Nothing is purged before the date that was fixed when it was deleted, nor while anything that
//!   went with it is held, nor while somebody subscribes to it; what is left of it is its name, its dates
//!   and its audit.

use crate::{
    Actor, Refusal, Timestamp, audit,
    expiry::{Expiry, FEW},
    storage::{Command, KeySet, Rows},
    trash::{
        Item, ItemEvent, ItemId, NEEDS_MAX,
        delete::subject,
        deletion::{self, Deletion},
        item::{Need, existing},
        kind::Kinds,
        next_state,
    },
};

/// Removes what is left of a deleted item.
#[derive(Clone, Debug)]
pub(crate) struct PurgeItem {
    pub(crate) id: ItemId,
    pub(crate) actor: Actor,
    pub(crate) reason: String,
    pub(crate) kinds: Kinds,
}

impl Command for PurgeItem {
    /// Whether anything was to do.
    type Out = Result<bool, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        deletion::keys(&self.id, seen, keys);
        keys.children::<Need, Item>(&self.id, NEEDS_MAX + 1);
        self.kinds.keys(&self.id, seen, keys);
        audit::keys(&subject(&self.id), keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let item = existing(rows, &self.id)?;
        if item.purged_at.is_some() {
            return Ok(false);
        }
        let refusal =
            || Refusal::ItemNotDeleted { item: self.id.clone(), state: item.state.as_str() };
        let state = next_state(item.state, ItemEvent::Purge).ok_or_else(refusal)?;
        let deletion = deletion::of(rows, &item);
        if item.held_at.is_some() || deletion.as_ref().is_some_and(|one| one.held > 0) {
            let reason = item.held_reason.unwrap_or_else(|| "what went with it is held".to_owned());
            return Err(Refusal::ItemHeld { item: self.id.clone(), reason });
        }
        if let Some(purge_at) = item.purge_at.filter(|purge_at| now < *purge_at) {
            return Err(Refusal::TooEarlyToPurge { item: self.id.clone(), purge_at });
        }
        if item.used_by > 0 {
            let count = item.used_by.unsigned_abs();
            let reason = "somebody subscribed to it after it was deleted".to_owned();
            return Err(Refusal::ItemInUse { item: self.id.clone(), reason, count });
        }
        match deletion {
            Some(one) if one.purged + 1 >= one.count => rows.remove::<Deletion>(&one.batch),
            Some(one) => rows.put(Deletion { purged: one.purged + 1, ..one }),
            None => {}
        }
        let (needs, _) = rows.children::<Need>(&self.id, NEEDS_MAX + 1);
        let needs: Vec<_> = needs.iter().map(|need| need.item.clone()).collect();
        for need in needs {
            rows.remove::<Need>(&(self.id.clone(), need));
        }
        let (scope, name, label) = (None, None, String::new());
        Item { state, scope, name, label, batch: None, purged_at: Some(now), ..item }.put(rows);
        self.kinds.moved(&self.id, state, rows, now);
        audit::note(rows, &subject(&self.id), &self.actor, "purge-item", &self.reason, now);
        Ok(true)
    }
}

impl Expiry for PurgeItem {
    const CHUNK: usize = FEW;

    fn expire(&self, rows: &mut Rows, now: Timestamp) -> bool {
        self.decide(rows, now) == Ok(true)
    }
}
