//! An item's states, as data.
//!
//! ```text
//! live    --delete--> deleted
//! deleted --restore-> live
//! deleted --purge---> purged     after its date, unless it is held
//! ```
//!
//! A hold lies beside the state: it keeps a deleted item from being purged, and hinders nothing else.

use crate::storage::text_enum;

text_enum! {
    /// Where an item stands.
    ItemState {
        /// Users see it.
        Live = "live",
        /// Only admins see it; it can be restored.
        Deleted = "deleted",
        /// It is gone; only its name, its date and its audit are left.
        Purged = "purged",
    }
}

/// What can happen to an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the table below lists each of them")]
pub enum ItemEvent {
    /// An admin deletes it.
    Delete,
    /// An admin takes that back.
    Restore,
    /// Its time is over.
    Purge,
}

/// Every transition there is.
pub const TRANSITIONS: &[(ItemState, ItemEvent, ItemState)] = &[
    (ItemState::Live, ItemEvent::Delete, ItemState::Deleted),
    (ItemState::Deleted, ItemEvent::Restore, ItemState::Live),
    (ItemState::Deleted, ItemEvent::Purge, ItemState::Purged),
];

/// The state after an event; `None`: it is refused.
#[must_use]
pub const fn next_state(state: ItemState, event: ItemEvent) -> Option<ItemState> {
    match (state, event) {
        (ItemState::Live, ItemEvent::Delete) => Some(ItemState::Deleted),
        (ItemState::Deleted, ItemEvent::Restore) => Some(ItemState::Live),
        (ItemState::Deleted, ItemEvent::Purge) => Some(ItemState::Purged),
        (ItemState::Live, ItemEvent::Restore | ItemEvent::Purge)
        | (ItemState::Deleted, ItemEvent::Delete)
        | (ItemState::Purged, ItemEvent::Delete | ItemEvent::Restore | ItemEvent::Purge) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_the_function_and_the_drawing_agree() {
        let drawing = include_str!("state.rs").split("```text\n").nth(1).unwrap_or_default();
        let mut drawn = 0;
        for state in ItemState::ALL {
            for (event, word) in [
                (ItemEvent::Delete, "delete"),
                (ItemEvent::Restore, "restore"),
                (ItemEvent::Purge, "purge"),
            ] {
                let next = next_state(*state, event);
                let row = TRANSITIONS.iter().find(|row| (row.0, row.1) == (*state, event));
                assert_eq!(next, row.map(|row| row.2), "{state} {event:?}");
                let Some(next) = next else { continue };
                let line = format!("//! {state:7} --{word:-<8}> {next}");
                assert!(drawing.contains(&line), "{line}");
                drawn += 1;
            }
        }
        assert_eq!(drawn, TRANSITIONS.len());
    }
}
