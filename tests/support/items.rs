//! Items for the tests: short words for what they do with them.

#![allow(dead_code, reason = "no test uses all of it")]

use std::time::Duration;

use finalmile::{
    Actor, FinalMile,
    trash::{ItemId, ItemState, Relation, Trash},
};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn id(text: &str) -> ItemId {
    text.parse().unwrap()
}

pub(crate) fn trash(fm: &FinalMile) -> Trash {
    fm.admin(Actor::new("ops").unwrap()).trash()
}

pub(crate) fn add(fm: &FinalMile, names: &[&str]) {
    for name in names {
        fm.items().register(&id(name), &format!("the {name}"), None).wait().unwrap();
    }
}

pub(crate) fn depend(fm: &FinalMile, by: &str, on: &str, relation: Relation) {
    assert!(fm.items().depend(&id(by), &id(on), relation).wait().unwrap());
}

pub(crate) fn state(fm: &FinalMile, item: &str) -> Option<ItemState> {
    trash(fm).get(&id(item)).wait().unwrap().map(|item| item.state)
}
