//! The handles: what a service says of its items, and what only staff may do to them.

use std::ops::ControlFlow;

use crate::{
    Actor, Error, FinalMile, Refusal,
    id::uuid7,
    limit::checked_reason,
    storage::{Cursor, Page, Pending, Scan},
    trash::{
        CanDelete, CascadePlan, Delete, Deleted, Depend, Depended, Item, ItemId, ItemState,
        Register, Relation, Restore, Restored, cascade,
        delete::Member,
        deletion::Deletion,
        guard::{Judge, reason as reason_of},
        hold::Hold,
        purge::PurgeItem,
    },
};

/// The service's name, in the log.
const RESTORE: &str = "restore-item";
/// How often a cascade is planned anew because something in it changed meanwhile.
const PLANS_MAX: usize = 5;

/// The items of a [`FinalMile`], as its users see them.
///
/// ```
/// # use finalmile::{Actor, FinalMile, engines::Memory, trash::{ItemKind, Relation}};
/// const NEURON: ItemKind = ItemKind::new("neuron");
/// const BUNDLE: ItemKind = ItemKind::new("bundle");
/// let fm = FinalMile::builder(Memory::new()).item(NEURON).item(BUNDLE).open()?;
/// let (neuron, bundle) = (NEURON.id("n1")?, BUNDLE.id("b7")?);
/// fm.items().register(&neuron, "How to prompt", None).wait()?;
/// fm.items().register(&bundle, "Starter", Some(("shop", "starter"))).wait()?;
/// fm.items().depend(&bundle, &neuron, Relation::Uses).wait()?;
///
/// let trash = fm.admin(Actor::new("ops")?).trash();
/// let verdict = trash.can_delete(&neuron).wait()?;
/// assert_eq!((verdict.can_delete, verdict.blockers[0].label.as_str()), (false, "Starter"));
/// assert!(trash.delete(&neuron, "outdated").wait().is_err());
/// trash.delete(&bundle, "not sold any more").wait()?;
/// trash.delete(&neuron, "outdated").wait()?;
/// assert!(fm.items().get(&neuron).wait()?.is_none());
/// # Ok::<(), finalmile::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Items {
    fm: FinalMile,
}

impl Items {
    pub(crate) fn new(fm: FinalMile) -> Self {
        Self { fm }
    }

    /// Makes an item known under a label and, if it shall be the only one of its name among the living,
    /// a scope and a name; or gives a known one others. Repeating it changes nothing.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a text that is empty, longer than 255 bytes, holds control characters or,
    /// for the name, is not in Unicode's form NFC; `NameTaken`; `ItemNotLive`.
    pub fn register(&self, id: &ItemId, label: &str, claim: Option<(&str, &str)>) -> Pending<Item> {
        self.fm.ask_checked("register-item", None, self.registration(id, label, claim))
    }

    /// The command behind [`Items::register`], for a transaction of the host's own: its row and the item
    /// become known together.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`], as there.
    pub fn registration(
        &self,
        id: &ItemId,
        label: &str,
        claim: Option<(&str, &str)>,
    ) -> Result<Register, Refusal> {
        Register::new(id, label, claim)
    }

    /// From now on `by` uses `on`, which then stays while `by` is live, or is a part of it, and goes with
    /// it. False: it was so already.
    ///
    /// # Errors
    ///
    /// `ItemUnknown`, `ItemNotLive` for either; [`Refusal::Invalid`] if they would depend on each other, if
    /// more than [`CASCADE_MAX`](super::CASCADE_MAX) things lie below `on`, or for more than
    /// [`NEEDS_MAX`](super::NEEDS_MAX) things to depend on.
    pub fn depend(&self, by: &ItemId, on: &ItemId, relation: Relation) -> Pending<bool> {
        self.related("depend-on-item", self.dependence(by, on, Some(relation)))
    }

    /// From now on `by` does not depend on `on`. False: it did not.
    ///
    /// # Errors
    ///
    /// `ItemUnknown`, `ItemNotLive` for `by`: what is deleted is read-only.
    pub fn release(&self, by: &ItemId, on: &ItemId) -> Pending<bool> {
        self.related("release-item", self.dependence(by, on, None))
    }

    fn related(&self, service: &'static str, command: Depend) -> Pending<bool> {
        self.fm.ask_until(service, command, |done| match done {
            Depended::Now => ControlFlow::Break(true),
            Depended::Before => ControlFlow::Break(false),
            Depended::Deeper(deeper) => ControlFlow::Continue(deeper),
        })
    }

    /// The command behind [`Items::depend`] and, with `None`, [`Items::release`], for a transaction of the
    /// host's own, such as one that writes a row of a table of its joins. Run what it answers, while it is
    /// [`Depended::Deeper`].
    #[must_use]
    pub fn dependence(&self, by: &ItemId, on: &ItemId, relation: Option<Relation>) -> Depend {
        Depend::new(by, on, relation, self.fm.kinds())
    }

    /// An item, if it is live.
    pub fn get(&self, id: &ItemId) -> Pending<Option<Item>> {
        let fault = FinalMile::fault("get-item", None);
        let live = |item: Item| (item.state == ItemState::Live).then_some(item);
        self.fm.store().get_map(id, fault, live)
    }
}

/// What only staff may do to items.
#[derive(Clone, Debug)]
pub struct Trash {
    fm: FinalMile,
    actor: Actor,
}

impl Trash {
    pub(crate) fn new(fm: FinalMile, actor: Actor) -> Self {
        Self { fm, actor }
    }

    /// Whether an item could be deleted now, and what keeps it. Advice: a moment later it may be
    /// otherwise.
    ///
    /// # Errors
    ///
    /// `ItemUnknown`, `ItemNotLive`.
    pub fn can_delete(&self, id: &ItemId) -> Pending<CanDelete> {
        let command = Judge { id: id.clone(), kinds: self.fm.kinds().clone() };
        self.fm.ask("can-delete-item", None, command)
    }

    /// Deletes an item, if nothing live uses it and it has no parts (**I4**). Repeating it gives the
    /// first answer (**I5**). It can be restored until it is purged, 90 days later or as its kind says.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a reason that is empty, longer than 1,000 bytes or holds control
    /// characters; `ItemUnknown`, `ItemNotLive`, [`Refusal::ItemInUse`], [`Refusal::ItemHasParts`].
    pub fn delete(&self, id: &ItemId, reason: &str) -> Pending<Deleted> {
        self.delete_as(id, None, reason)
    }

    /// The same, if the item is as the admin last saw it.
    ///
    /// # Errors
    ///
    /// As [`Trash::delete`]; [`Refusal::ItemChanged`].
    pub fn delete_version(&self, id: &ItemId, version: i64, reason: &str) -> Pending<Deleted> {
        self.delete_as(id, Some(version), reason)
    }

    fn delete_as(&self, id: &ItemId, version: Option<i64>, reason: &str) -> Pending<Deleted> {
        let members = vec![Member { id: id.clone(), version }];
        self.fm.ask_checked("delete-item", None, self.deletion_of(members, reason))
    }

    /// The command behind [`Trash::delete`], for a transaction of the host's own: its row and the item go
    /// together.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`], as there.
    pub fn deletion(&self, id: &ItemId, reason: &str) -> Result<Delete, Refusal> {
        self.deletion_of(vec![Member { id: id.clone(), version: None }], reason)
    }

    fn deletion_of(&self, members: Vec<Member>, reason: &str) -> Result<Delete, Refusal> {
        let world = self.fm.store().world();
        // In the order of time, so that rows that are written together lie together.
        let batch = uuid7(world.now(), world.random(), world.random());
        let (actor, kinds) = (self.actor.clone(), self.fm.kinds().clone());
        Ok(Delete { members, batch, actor, reason: checked_reason(reason)?, kinds })
    }

    /// What would go with an item if it was deleted with its parts.
    ///
    /// # Errors
    ///
    /// [`Refusal::CascadeTooLarge`], and what the store says.
    pub fn plan(&self, id: &ItemId) -> Pending<CascadePlan> {
        let (fm, id) = (self.fm.clone(), id.clone());
        Pending::on_thread("finalmile-admin", move || Self::planned(&fm, &id))
    }

    fn planned(fm: &FinalMile, id: &ItemId) -> Result<CascadePlan, Error> {
        let plan = cascade::plan(fm.store(), fm.kinds(), id)
            .map_err(FinalMile::fault("plan-item", None))?;
        plan.or_else(|refusal| fm.refuse("plan-item", None, refusal).wait())
    }

    /// Deletes an item with its parts, their parts and so on, all of them or none.
    ///
    /// # Errors
    ///
    /// As [`Trash::delete`], for any of them; [`Refusal::CascadeTooLarge`] for more than
    /// [`CASCADE_MAX`](super::CASCADE_MAX).
    pub fn delete_with_parts(&self, id: &ItemId, reason: &str) -> Pending<Deleted> {
        let (this, id, reason) = (self.clone(), id.clone(), reason.to_owned());
        Pending::on_thread("finalmile-admin", move || {
            let mut tries = 0;
            loop {
                tries += 1;
                let plan = Self::planned(&this.fm, &id)?;
                let done = this.delete_planned(&plan, &reason).wait();
                match done {
                    Err(Error::Refused(Refusal::ItemChanged { .. })) if tries < PLANS_MAX => {}
                    done => return done,
                }
            }
        })
    }

    /// Deletes exactly what a plan says, if all of it is as it was then.
    ///
    /// # Errors
    ///
    /// As [`Trash::delete_with_parts`]; [`Refusal::ItemChanged`].
    pub fn delete_planned(&self, plan: &CascadePlan, reason: &str) -> Pending<Deleted> {
        let service = "delete-item";
        if !plan.blockers.is_empty() {
            let (item, count) = (plan.item.clone(), plan.blocked_by.total());
            let reason = reason_of(&plan.blockers, count);
            return self.fm.refuse(service, None, Refusal::ItemInUse { item, reason, count });
        }
        self.fm.ask_checked(service, None, self.deletion_of(plan.members.clone(), reason))
    }

    /// Brings back an item and all that was deleted with it (**I6**). Nothing, if it is live.
    ///
    /// # Errors
    ///
    /// As [`Trash::delete`] for the reason; `ItemUnknown`, [`Refusal::ItemNotDeleted`] when it is purged,
    /// or anything that went with it, [`Refusal::NameTaken`], [`Refusal::NeedNotLive`] when something that
    /// it depends on is gone.
    pub fn restore(&self, id: &ItemId, reason: &str) -> Pending<Restored> {
        let (this, id, reason) = (self.clone(), id.clone(), reason.to_owned());
        Pending::on_thread("finalmile-admin", move || {
            this.restored(this.restoration(&id, &reason)?)
        })
    }

    /// Brings back exactly what one deletion took, by [its name](Deleted::batch).
    ///
    /// # Errors
    ///
    /// As [`Trash::restore`]; [`Refusal::Invalid`] when no deletion has this name, or not any more.
    pub fn restore_batch(&self, batch: [u8; 16], reason: &str) -> Pending<Restored> {
        let (this, reason) = (self.clone(), reason.to_owned());
        Pending::on_thread("finalmile-admin", move || {
            let store = this.fm.store();
            let found: Option<Deletion> =
                store.get_in(&batch, FinalMile::fault(RESTORE, None)).wait()?;
            if found.is_none() {
                let why = "no deletion has this name, or not any more";
                let refusal = Refusal::Invalid { field: "batch", why };
                return this.fm.refuse(RESTORE, None, refusal).wait();
            }
            this.restored(Some(this.restoration_of(batch, &reason)?))
        })
    }

    /// The command behind [`Trash::restore`], for a transaction of the host's own; `None`: the item is live.
    /// Reads what went with the item, and waits for that.
    ///
    /// # Errors
    ///
    /// As there, for the reason and the item.
    pub fn restoration(&self, id: &ItemId, reason: &str) -> Result<Option<Restore>, Error> {
        let refuse = |refusal| self.fm.refuse(RESTORE, None, refusal).wait();
        if let Err(refusal) = checked_reason(reason) {
            return refuse(refusal);
        }
        let found = self.fm.store().get_in(id, FinalMile::fault(RESTORE, None)).wait()?;
        let Some(item): Option<Item> = found else {
            return refuse(Refusal::ItemUnknown { item: id.clone() });
        };
        match (item.state, item.batch) {
            (ItemState::Live, _) => Ok(None),
            (ItemState::Deleted, Some(batch)) => self.restoration_of(batch, reason).map(Some),
            (ItemState::Deleted | ItemState::Purged, _) => {
                refuse(Refusal::ItemNotDeleted { item: id.clone(), state: item.state.as_str() })
            }
        }
    }

    fn restoration_of(&self, batch: [u8; 16], reason: &str) -> Result<Restore, Error> {
        let reason = match checked_reason(reason) {
            Ok(reason) => reason,
            Err(refusal) => return self.fm.refuse(RESTORE, None, refusal).wait(),
        };
        let mut members = Vec::new();
        let scan = Scan::of::<Item>().by("fm_item_batch").under(&batch);
        let read = self.fm.store().for_each(&scan, |item: Item| {
            members.push(item.id);
            true
        });
        read.map_err(FinalMile::fault(RESTORE, None))?;
        let (actor, kinds) = (self.actor.clone(), self.fm.kinds().clone());
        Ok(Restore { members, batch, actor, reason, kinds })
    }

    fn restored(&self, command: Option<Restore>) -> Result<Restored, Error> {
        command
            .map_or(Ok(Restored { count: 0 }), |command| self.fm.ask(RESTORE, None, command).wait())
    }

    /// Holds an item: nothing purges it until it is let go. False: it was held.
    ///
    /// # Errors
    ///
    /// As [`Trash::delete`] for the reason; `ItemUnknown`, `ItemNotLive` when it is purged.
    pub fn hold(&self, id: &ItemId, reason: &str) -> Pending<bool> {
        self.held(id, reason, true)
    }

    /// Lets an item go that was held.
    ///
    /// # Errors
    ///
    /// As [`Trash::hold`].
    pub fn unhold(&self, id: &ItemId, reason: &str) -> Pending<bool> {
        self.held(id, reason, false)
    }

    fn held(&self, id: &ItemId, reason: &str, holds: bool) -> Pending<bool> {
        let command = checked_reason(reason).map(|reason| {
            let (id, actor, kinds) = (id.clone(), self.actor.clone(), self.fm.kinds().clone());
            Hold { id, actor, reason, holds, kinds }
        });
        self.fm.ask_checked("hold-item", None, command)
    }

    /// Removes for good what was deleted, once its date has come (**I7**). False: it was purged.
    ///
    /// # Errors
    ///
    /// As [`Trash::delete`] for the reason; `ItemUnknown`, `ItemNotDeleted`, [`Refusal::ItemHeld`],
    /// [`Refusal::TooEarlyToPurge`].
    pub fn purge(&self, id: &ItemId, reason: &str) -> Pending<bool> {
        let command = checked_reason(reason).map(|reason| {
            let (id, actor) = (id.clone(), self.actor.clone());
            PurgeItem { id, actor, reason, kinds: self.fm.kinds().clone() }
        });
        self.fm.ask_checked("purge-item", None, command)
    }

    /// An item, wherever it stands.
    pub fn get(&self, id: &ItemId) -> Pending<Option<Item>> {
        self.fm.store().get_in(id, FinalMile::fault("get-item", None))
    }

    /// The deleted items, the last first, 100 a page: who, when, why and until when.
    pub fn deleted(&self, after: Option<Cursor>) -> Pending<Page<Item>> {
        let scan = Scan::of::<Item>().by("fm_item_deleted").descending().after(after);
        self.fm.store().scan_in(scan, FinalMile::fault("deleted-items", None))
    }
}
