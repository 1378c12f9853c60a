//! Soft delete: what is deleted can come back, what is needed cannot be deleted, and what was deleted
//! long ago is gone.
//!
//! An item is anything that the host names: `neuron:n1`, `bundle:b7`. The store knows its label, where it
//! stands and who depends on it; its content is the host's, in tables that may [follow](Follow).
//!
//! | promise | |
//! |---|---|
//! | I1 to I3 | items and who depends on them: [`Item`], [`Items`] |
//! | I4, I5 | deleting: [`Trash::delete`] |
//! | I6 | restoring: [`Trash::restore`] |
//! | I7 | purging: [`Trash::purge`] |
//! | I8 | holding: [`Trash::hold`] |
//!
//! What other systems write as functions of a database is here for items of any kind, and on any engine:
//!
//! | function | is |
//! |---|---|
//! | `f_can_delete_neuron`, `f_can_delete_bundle` | [`Trash::can_delete`]: the reason, who by name, how many by kind |
//! | `f_soft_delete_neuron`, `f_soft_delete_bundle` | [`Trash::delete`], [`Trash::delete_with_parts`] |
//! | `f_restore_neuron`, `f_restore_bundle` | [`Trash::restore`], [`Trash::restore_batch`] |
//! | `f_hard_delete_neuron` | [`Trash::purge`] |
//! | `f_cleanup_old_deleted_data` | [`FinalMile::maintain`](crate::FinalMile::maintain), [`SweepReport::tables`](crate::SweepReport::tables) |
//! | `v_neurons_deleted`, `v_bundles_deleted` | views of those names; [`Trash::deleted`] |

mod cascade;
mod counts;
pub(crate) mod delete;
pub(crate) mod deletion;
pub(crate) mod depend;
pub(crate) mod guard;
pub(crate) mod hold;
mod item;
mod items;
mod kind;
pub(crate) mod purge;
pub(crate) mod register;
pub(crate) mod restore;
mod share;
mod state;
mod subscribe;

pub use cascade::CascadePlan;
pub use counts::KindCounts;
pub use delete::{CASCADE_MAX, Delete, Deleted};
pub(crate) use deletion::Deletion;
pub use depend::{Depend, Depended};
pub use guard::{BLOCKERS_MAX, CanDelete};
pub use item::{Item, NEEDS_MAX, Relation};
pub(crate) use item::{Link, Name, Need};
pub use items::{Items, Trash};
pub(crate) use kind::Kinds;
pub use kind::{Blocker, Follow, Guard, ItemId, ItemKind};
pub(crate) use purge::PurgeItem;
pub use register::Register;
pub use restore::{Restore, Restored};
pub use share::MEDIA_SHARE;
pub use state::{ItemEvent, ItemState, TRANSITIONS, next_state};
pub(crate) use subscribe::{subscribe, subscribe_keys};
