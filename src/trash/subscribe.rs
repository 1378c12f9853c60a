//! Subscribers: a subscription that still counts keeps its item from being deleted.

use crate::{
    Timestamp,
    storage::{Command, KeySet, Rows, Scan, Store, StoreError},
    trash::{
        Item, ItemId, ItemState, Relation,
        depend::{link, link_keys, unlink},
    },
    webhook::{Subscription, SubscriptionStatus},
};

/// A subscription, as a thing that uses items.
fn subscriber(id: &str) -> ItemId {
    ItemId::ours("subscription", id)
}

/// Asks for what [`subscribe`] changes.
pub(crate) fn subscribe_keys(item: &ItemId, id: &str, keys: &mut KeySet) {
    keys.own::<Item>(item);
    link_keys(item, &subscriber(id), keys);
}

/// Lets a subscription count among an item's users, or not any more. An item that nobody registered is
/// known from then on; one that is deleted stays as it is.
pub(crate) fn subscribe(rows: &mut Rows, item: &ItemId, id: &str, counts: bool, now: Timestamp) {
    let by = subscriber(id);
    if !counts {
        return unlink(rows, item, &by);
    }
    if rows.get::<Item>(item).is_none() {
        Item::new(item, item.id(), now).put(rows);
    }
    if rows.get::<Item>(item).is_some_and(|item| item.state == ItemState::Live) {
        link(rows, item, &by, id, Relation::Uses);
    }
}

/// Lets a subscription count again for an item that was restored, if it still does.
struct Resubscribe {
    item: ItemId,
    id: String,
}

impl Command for Resubscribe {
    type Out = ();

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Subscription>(&self.id);
        subscribe_keys(&self.item, &self.id, keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) {
        let known = rows.get::<Subscription>(&self.id);
        let status = known.and_then(|known| known.status);
        if status.is_some_and(SubscriptionStatus::blocks_deletion) {
            subscribe(rows, &self.item, &self.id, true, now);
        }
    }
}

/// Looks for subscriptions that began to count while the items were deleted.
pub(super) fn resubscribe(store: &Store, items: &[ItemId]) -> Result<(), StoreError> {
    for item in items {
        let mut found = Vec::new();
        let scan = Scan::of::<Subscription>().by("fm_subscription_item").under(&item.to_string());
        store.for_each(&scan, |known: Subscription| {
            let counts = known.status.is_some_and(SubscriptionStatus::blocks_deletion);
            found.extend(counts.then(|| Resubscribe { item: item.clone(), id: known.id }));
            true
        })?;
        store.submit_all(found, drop)?;
    }
    Ok(())
}
