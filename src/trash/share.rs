//! Media shares as items: what is deleted leaves the feed at once.

use crate::{
    ShareId, Timestamp,
    storage::{KeySet, Rows},
    trash::{Follow, ItemId, ItemKind, ItemState},
    upload::{MediaShare, ProcessingStatus, ShareState},
};

/// The media shares of the feed. An item's id is the share's; it need not be registered.
pub const MEDIA_SHARE: ItemKind = ItemKind::new("media_share").follows(&Feed);

/// The feed's rows follow.
struct Feed;

fn share(item: &ItemId) -> Option<ShareId> {
    item.id().parse().ok()
}

impl Follow for Feed {
    fn keys(&self, item: &ItemId, keys: &mut KeySet) {
        if let Some(share) = share(item) {
            keys.own::<MediaShare>(&share);
        }
    }

    fn label(&self, item: &ItemId, rows: &Rows) -> Option<String> {
        let share = rows.get::<MediaShare>(&share(item)?)?;
        (share.state == ShareState::Live).then(|| share.ipfs_cid.to_string())
    }

    fn moved(&self, item: &ItemId, to: ItemState, rows: &mut Rows, now: Timestamp) {
        let Some(id) = share(item) else { return };
        let Some(share) = rows.get::<MediaShare>(&id).cloned() else { return };
        match to {
            ItemState::Live => {
                let waits = matches!(
                    share.processing_status,
                    ProcessingStatus::Pending | ProcessingStatus::Processing
                );
                let (state, waiting_since) = (ShareState::Live, waits.then_some(now));
                rows.put(MediaShare { state, deleted_at: None, waiting_since, ..share });
            }
            ItemState::Deleted => {
                let (state, deleted_at) = (ShareState::Deleted, Some(now));
                rows.put(MediaShare { state, deleted_at, waiting_since: None, ..share });
            }
            ItemState::Purged => rows.remove::<MediaShare>(&id),
        }
    }
}
