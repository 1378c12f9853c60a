//! Dependence: a thing uses an item, or is a part of it.

use crate::{
    Refusal, Timestamp,
    storage::{Command, KeySet, Rows},
    trash::{
        Item, ItemId, NEEDS_MAX, Relation,
        item::{Link, Need, existing},
    },
};

/// Makes an item depend on another, or ends that.
#[derive(Clone, Debug)]
pub(crate) struct Depend {
    pub(crate) by: ItemId,
    pub(crate) on: ItemId,
    /// `None`: not any more.
    pub(crate) relation: Option<Relation>,
}

impl Command for Depend {
    /// Whether anything was to do.
    type Out = Result<bool, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.children::<Need, Item>(&self.by, NEEDS_MAX + 1);
        keys.own::<Need>(&(self.by.clone(), self.on.clone()));
        keys.own::<Need>(&(self.on.clone(), self.by.clone()));
        keys.own::<Item>(&self.on);
        link_keys(&self.on, &self.by, keys);
    }

    fn decide(&self, rows: &mut Rows, _now: Timestamp) -> Self::Out {
        let (by, on) = (existing(rows, &self.by)?, existing(rows, &self.on)?);
        by.refuse_gone()?;
        let need = (self.by.clone(), self.on.clone());
        let had = rows.get::<Need>(&need).map(|need| need.relation);
        if had == self.relation {
            return Ok(false);
        }
        // To stop depending on what is gone is always possible.
        if self.relation.is_some() {
            on.refuse_gone()?;
        }
        let back = rows.get::<Need>(&(self.on.clone(), self.by.clone()));
        let why = if self.by == self.on || (back.is_some() && self.relation.is_some()) {
            Some("they would depend on each other")
        } else {
            let (needs, _) = rows.children::<Need>(&self.by, NEEDS_MAX + 1);
            let is_full = had.is_none() && needs.len() >= NEEDS_MAX;
            is_full.then_some("it depends on 100 things already")
        };
        if let Some(why) = why {
            return Err(Refusal::Invalid { field: "item", why });
        }
        if had.is_some() {
            unlink(rows, &self.on, &self.by);
            rows.remove::<Need>(&need);
        }
        if let Some(relation) = self.relation {
            rows.put(Need { by: self.by.clone(), item: self.on.clone(), relation });
            link(rows, &self.on, &self.by, &by.label, relation);
        }
        existing(rows, &self.by)?.put(rows);
        Ok(true)
    }
}

/// Asks for what [`link`] and [`unlink`] change, beside the item itself.
pub(super) fn link_keys(on: &ItemId, by: &ItemId, keys: &mut KeySet) {
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
        link_keys(&need.item, id, keys);
    }
}

/// Writes down, under the item, that a live thing depends on it (**I3**). Twice is once.
pub(super) fn link(rows: &mut Rows, on: &ItemId, by: &ItemId, label: &str, relation: Relation) {
    let is_part = relation == Relation::PartOf;
    let known = rows.get::<Link>(&(on.clone(), is_part, by.clone())).is_some();
    let Some(item) = rows.get::<Item>(on).cloned().filter(|_| !known) else { return };
    rows.put(Link { item: on.clone(), is_part, by: by.clone(), label: label.to_owned() });
    counted(item, is_part, 1).put(rows);
}

/// Takes that back: the thing is not live any more, or does not depend on the item (**I3**).
pub(super) fn unlink(rows: &mut Rows, on: &ItemId, by: &ItemId) {
    for is_part in [false, true] {
        let key = (on.clone(), is_part, by.clone());
        let known = rows.get::<Link>(&key).is_some();
        if let Some(item) = rows.get::<Item>(on).cloned().filter(|_| known) {
            rows.remove::<Link>(&key);
            counted(item, is_part, -1).put(rows);
        }
    }
}

/// The item, with so many more that depend on it.
fn counted(item: Item, is_part: bool, more: i64) -> Item {
    let (used_by, parts) = if is_part { (0, more) } else { (more, 0) };
    Item { used_by: item.used_by + used_by, parts: item.parts + parts, ..item }
}
