//! The handles: what a service says of its items, and what only staff may do to them.

use crate::{
    Actor, Error, FinalMile, Refusal,
    limit::checked_reason,
    storage::{Cursor, Page, Pending, Scan},
    time::sixteen,
    trash::{
        CanDelete, CascadePlan, Deleted, Item, ItemId, ItemState, Relation, Restored, cascade,
        delete::{Delete, Judge, Member},
        depend::Depend,
        hold::Hold,
        purge::PurgeItem,
        register::Register,
        restore::Restore,
        subscribe::resubscribe,
    },
};

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
        self.fm.ask_checked("register-item", None, Register::new(id, label, claim))
    }

    /// From now on `by` uses `on`, which then stays while `by` is live, or is a part of it, and goes with
    /// it. False: it was so already.
    ///
    /// # Errors
    ///
    /// `ItemUnknown`, `ItemNotLive` for either; [`Refusal::Invalid`] if they would depend on each other,
    /// or for more than [`NEEDS_MAX`](super::NEEDS_MAX) things to depend on.
    pub fn depend(&self, by: &ItemId, on: &ItemId, relation: Relation) -> Pending<bool> {
        let command = Depend { by: by.clone(), on: on.clone(), relation: Some(relation) };
        self.fm.ask("depend-on-item", None, command)
    }

    /// From now on `by` does not depend on `on`. False: it did not.
    ///
    /// # Errors
    ///
    /// `ItemUnknown`, `ItemNotLive` for `by`: what is deleted is read-only.
    pub fn release(&self, by: &ItemId, on: &ItemId) -> Pending<bool> {
        let command = Depend { by: by.clone(), on: on.clone(), relation: None };
        self.fm.ask("release-item", None, command)
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
        self.fm.ask_checked("delete-item", None, self.deletion(members, reason))
    }

    fn deletion(&self, members: Vec<Member>, reason: &str) -> Result<Delete, Refusal> {
        let batch = sixteen(&**self.fm.store().world());
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
        let plan = cascade::plan(fm.store(), id).map_err(FinalMile::fault("plan-item", None))?;
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
        if let Some(first) = plan.blockers.first() {
            let reason = format!("{} {} needs a part of it", first.kind, first.label);
            let (item, count) = (plan.item.clone(), plan.blockers.len() as u64);
            return self.fm.refuse(service, None, Refusal::ItemInUse { item, reason, count });
        }
        self.fm.ask_checked(service, None, self.deletion(plan.members.clone(), reason))
    }

    /// Brings back an item and all that was deleted with it (**I6**). Nothing, if it is live.
    ///
    /// # Errors
    ///
    /// As [`Trash::delete`] for the reason; `ItemUnknown`, [`Refusal::ItemNotDeleted`] when it is purged,
    /// [`Refusal::NameTaken`], [`Refusal::NeedNotLive`] when something that it depends on is gone.
    pub fn restore(&self, id: &ItemId, reason: &str) -> Pending<Restored> {
        let (this, id, reason) = (self.clone(), id.clone(), reason.to_owned());
        Pending::on_thread("finalmile-admin", move || this.restore_now(&id, &reason))
    }

    fn restore_now(&self, id: &ItemId, reason: &str) -> Result<Restored, Error> {
        let (service, store) = ("restore-item", self.fm.store());
        let refuse = |refusal| self.fm.refuse(service, None, refusal).wait();
        let reason = match checked_reason(reason) {
            Ok(reason) => reason,
            Err(refusal) => return refuse(refusal),
        };
        let item: Option<Item> = store.get_in(id, FinalMile::fault(service, None)).wait()?;
        let Some(item) = item else {
            return refuse(Refusal::ItemUnknown { item: id.clone() });
        };
        let Some(batch) = item.batch.filter(|_| item.state == ItemState::Deleted) else {
            if item.state == ItemState::Live {
                return Ok(Restored { count: 0 });
            }
            let state = item.state.as_str();
            return refuse(Refusal::ItemNotDeleted { item: id.clone(), state });
        };
        let mut members = Vec::new();
        let scan = Scan::of::<Item>().by("fm_item_batch").under(&batch);
        let read = store.for_each(&scan, |item: Item| {
            members.push(item.id);
            true
        });
        read.map_err(FinalMile::fault(service, None))?;
        let (actor, kinds) = (self.actor.clone(), self.fm.kinds().clone());
        let command = Restore { members: members.clone(), batch, actor, reason, kinds };
        let restored = self.fm.ask(service, None, command).wait()?;
        resubscribe(store, &members).map_err(FinalMile::fault(service, None))?;
        Ok(restored)
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
            let (id, actor) = (id.clone(), self.actor.clone());
            Hold { id, actor, reason, holds }
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
