//! Dependence: a thing uses an item, or is a part of it.
//!
//! Things form no circles: in a circle each would keep the next from being deleted, for ever. Whether a new
//! dependence closes one is seen by walking down from the item; the command owns what it walks over, so
//! two that would close a circle together cannot both happen.

use std::collections::BTreeSet;

use crate::{
    Refusal, Timestamp,
    storage::{Command, KeySet, Rows},
    trash::{
        CASCADE_MAX, Item, ItemId, NEEDS_MAX, Relation,
        item::{Link, Need, existing, found},
        kind::Kinds,
    },
};

/// Makes an item depend on another, or ends that: the command behind
/// [`Items::depend`](crate::trash::Items::depend), for a transaction of the host's own.
#[derive(Clone, Debug)]
pub struct Depend {
    by: ItemId,
    on: ItemId,
    /// `None`: not any more.
    relation: Option<Relation>,
    /// The item and what is known to lie below it.
    below: BTreeSet<ItemId>,
    kinds: Kinds,
}

/// What became of a [`Depend`].
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "it was done, it was so, or it must look deeper")]
pub enum Depended {
    /// It is so from now on.
    Now,
    /// It was so already; nothing changed.
    Before,
    /// Nothing changed: below the item lies more than the command had looked at. This one looks at it too;
    /// run it instead.
    Deeper(Depend),
}

impl Depend {
    pub(crate) fn new(by: &ItemId, on: &ItemId, relation: Option<Relation>, kinds: &Kinds) -> Self {
        let (by, on, kinds) = (by.clone(), on.clone(), kinds.clone());
        let below = BTreeSet::from([on.clone()]);
        Self { by, on, relation, below, kinds }
    }

    /// Walks down from the item: what it comes to that was not looked at yet.
    fn refuse_circle(&self, rows: &Rows) -> Result<BTreeSet<ItemId>, Refusal> {
        let mut unseen = BTreeSet::new();
        for item in &self.below {
            let (needs, _) = rows.children::<Need>(item, NEEDS_MAX + 1);
            let deeper = needs.into_iter().map(|need| &need.item);
            unseen.extend(deeper.filter(|deeper| !self.below.contains(deeper)).cloned());
        }
        if self.below.contains(&self.by) || unseen.contains(&self.by) {
            let why = "they would depend on each other";
            return Err(Refusal::Invalid { field: "item", why });
        }
        if self.below.len() + unseen.len() > CASCADE_MAX {
            let why = "more than 1,000 things lie below the item";
            return Err(Refusal::Invalid { field: "item", why });
        }
        Ok(unseen)
    }
}

impl Command for Depend {
    type Out = Result<Depended, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        for id in [&self.by, &self.on] {
            self.kinds.keys(id, seen, keys);
        }
        keys.children::<Need, Item>(&self.by, NEEDS_MAX + 1);
        keys.own::<Need>(&(self.by.clone(), self.on.clone()));
        if self.relation.is_some() {
            for item in &self.below {
                keys.children::<Need, Item>(item, NEEDS_MAX + 1);
            }
        }
        keys.own::<Item>(&self.on);
        link_keys(&self.on, &self.by, keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let by = found(rows, &self.by, &self.kinds, now)?;
        let on = found(rows, &self.on, &self.kinds, now)?;
        by.refuse_gone()?;
        let need = (self.by.clone(), self.on.clone());
        let had = rows.get::<Need>(&need).map(|need| need.relation);
        if had == self.relation {
            return Ok(Depended::Before);
        }
        if self.relation.is_some() {
            // To stop depending on what is gone is always possible.
            on.refuse_gone()?;
            let deeper = self.refuse_circle(rows)?;
            if !deeper.is_empty() {
                let below = self.below.union(&deeper).cloned().collect();
                return Ok(Depended::Deeper(Self { below, ..self.clone() }));
            }
            let (needs, _) = rows.children::<Need>(&self.by, NEEDS_MAX + 1);
            if had.is_none() && needs.len() >= NEEDS_MAX {
                let why = "it depends on 100 things already";
                return Err(Refusal::Invalid { field: "item", why });
            }
        }
        let label = by.label.clone();
        [by, on].into_iter().for_each(|item| item.put(rows));
        if let Some(relation) = had {
            unlink(rows, &self.on, &self.by, relation);
            rows.remove::<Need>(&need);
        }
        if let Some(relation) = self.relation {
            rows.put(Need { by: self.by.clone(), item: self.on.clone(), relation });
            link(rows, &self.on, &self.by, &label, relation);
        }
        Ok(Depended::Now)
    }

    fn size_bytes(&self) -> usize {
        256 + self.below.len() * 256
    }
}

/// Asks for what [`link`] and [`unlink`] change, beside the item itself.
fn link_keys(on: &ItemId, by: &ItemId, keys: &mut KeySet) {
    for is_part in [false, true] {
        keys.own::<Link>(&(on.clone(), is_part, by.clone()));
    }
}

/// Asks for what an item depends on, and for what [`link`] and [`unlink`] change of that.
pub(super) fn need_keys(id: &ItemId, seen: &Rows, keys: &mut KeySet) {
    keys.children::<Need, Item>(id, NEEDS_MAX + 1);
    let (needs, _) = seen.children::<Need>(id, NEEDS_MAX + 1);
    for need in needs {
        keys.own::<Item>(&need.item);
        let is_part = need.relation == Relation::PartOf;
        keys.own::<Link>(&(need.item.clone(), is_part, id.clone()));
    }
}

/// Writes down, under the item, that a live thing depends on it (**I3**). Twice is once.
pub(super) fn link(rows: &mut Rows, on: &ItemId, by: &ItemId, label: &str, relation: Relation) {
    let is_part = relation == Relation::PartOf;
    let known = rows.get::<Link>(&(on.clone(), is_part, by.clone())).is_some();
    let Some(mut item) = rows.get::<Item>(on).cloned().filter(|_| !known) else { return };
    rows.put(Link { item: on.clone(), is_part, by: by.clone(), label: label.to_owned() });
    if is_part {
        item.parts += 1;
    } else {
        item.used_by += 1;
        item.users.add(by.kind());
    }
    item.put(rows);
}

/// Takes that back: the thing is not live any more, or does not depend on the item (**I3**).
pub(super) fn unlink(rows: &mut Rows, on: &ItemId, by: &ItemId, relation: Relation) {
    let is_part = relation == Relation::PartOf;
    let key = (on.clone(), is_part, by.clone());
    let known = rows.get::<Link>(&key).is_some();
    let Some(mut item) = rows.get::<Item>(on).cloned().filter(|_| known) else { return };
    rows.remove::<Link>(&key);
    if is_part {
        item.parts -= 1;
    } else {
        item.used_by -= 1;
        item.users.take(by.kind());
    }
    item.put(rows);
}

/// Tells those that a live thing depends on what it is called now.
pub(super) fn relabel(rows: &mut Rows, by: &ItemId, label: &str) {
    let (needs, _) = rows.children::<Need>(by, NEEDS_MAX + 1);
    let needs: Vec<Need> = needs.into_iter().cloned().collect();
    for Need { item: on, relation, .. } in needs {
        let is_part = relation == Relation::PartOf;
        let Ok(item) = existing(rows, &on) else { continue };
        rows.put(Link { item: on, is_part, by: by.clone(), label: label.to_owned() });
        item.put(rows);
    }
}
