//! Subscribers: a subscription that still counts keeps its item from being deleted, and from being purged.

use crate::{
    Timestamp,
    storage::{KeySet, Rows},
    trash::{
        Item, ItemId, ItemState, Relation,
        depend::{link, unlink},
        item::Link,
    },
};

/// A subscription, as a thing that uses items.
fn subscriber(id: &str) -> ItemId {
    ItemId::ours("subscription", id)
}

/// Asks for what [`subscribe`] changes.
pub(crate) fn subscribe_keys(item: &ItemId, id: &str, keys: &mut KeySet) {
    keys.own::<Item>(item);
    keys.own::<Link>(&(item.clone(), false, subscriber(id)));
}

/// Lets a subscription count among an item's users, or not any more. An item that nobody registered is
/// known from then on. Others tell of subscriptions, so they also begin while the item is deleted; it can
/// still come back, and is not purged before they end.
pub(crate) fn subscribe(rows: &mut Rows, item: &ItemId, id: &str, counts: bool, now: Timestamp) {
    let by = subscriber(id);
    if !counts {
        return unlink(rows, item, &by, Relation::Uses);
    }
    if rows.get::<Item>(item).is_none() {
        Item::new(item, item.id(), now).put(rows);
    }
    if rows.get::<Item>(item).is_some_and(|item| item.state != ItemState::Purged) {
        link(rows, item, &by, id, Relation::Uses);
    }
}
