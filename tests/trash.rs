//! Soft delete: guards, cascades, restores, holds and purges, promise by promise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod postgres_support;
#[path = "support/stripe.rs"]
mod stripe;
#[path = "support/world.rs"]
mod world;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use finalmile::{
    Actor, Budget, FinalMile, Refusal, Simulated, Timestamp, World as _,
    engines::Memory,
    storage::{KeySet, Rows},
    trash::{Blocker, Guard, Item, ItemId, ItemKind, ItemState, Relation, Trash},
};
use world::{World, code, key, share};

const DAY: Duration = Duration::from_secs(86_400);

fn id(text: &str) -> ItemId {
    text.parse().unwrap()
}

fn trash(fm: &FinalMile) -> Trash {
    fm.admin(Actor::new("ops").unwrap()).trash()
}

fn add(fm: &FinalMile, names: &[&str]) {
    for name in names {
        fm.items().register(&id(name), &format!("the {name}"), None).wait().unwrap();
    }
}

fn depend(fm: &FinalMile, by: &str, on: &str, relation: Relation) {
    assert!(fm.items().depend(&id(by), &id(on), relation).wait().unwrap());
}

fn state(fm: &FinalMile, item: &str) -> Option<ItemState> {
    trash(fm).get(&id(item)).wait().unwrap().map(|item| item.state)
}

#[test]
fn i4_what_something_live_uses_is_not_deleted_and_it_is_said_by_what() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    add(fm, &["neuron:n1", "bundle:b1", "bundle:b2"]);
    depend(fm, "bundle:b1", "neuron:n1", Relation::Uses);
    depend(fm, "bundle:b2", "neuron:n1", Relation::Uses);
    assert!(!fm.items().depend(&id("bundle:b1"), &id("neuron:n1"), Relation::Uses).wait().unwrap());
    let verdict = trash.can_delete(&id("neuron:n1")).wait().unwrap();
    assert_eq!((verdict.can_delete, verdict.count, verdict.parts), (false, 2, 0));
    assert_eq!(verdict.reason, "bundle the bundle:b1 and 1 more need it");
    assert_eq!(verdict.counts, BTreeMap::from([("bundle".to_owned(), 2)]));
    let first = Blocker { kind: "bundle".into(), id: "b1".into(), label: "the bundle:b1".into() };
    assert_eq!(verdict.blockers[0], first);
    assert_eq!(code(trash.delete(&id("neuron:n1"), "outdated").wait()), "ITEM_IN_USE");
    // A bundle that is deleted itself does not count.
    trash.delete(&id("bundle:b1"), "not sold").wait().unwrap();
    assert!(fm.items().release(&id("bundle:b2"), &id("neuron:n1")).wait().unwrap());
    assert!(trash.can_delete(&id("neuron:n1")).wait().unwrap().can_delete);
    let deleted = trash.delete(&id("neuron:n1"), "outdated").wait().unwrap();
    assert_eq!((deleted.count, deleted.replayed), (1, false));
    assert_eq!(deleted.purge_at, fm.store().now().after(DAY * 90));
    assert!(fm.items().get(&id("neuron:n1")).wait().unwrap().is_none());
    let item = trash.get(&id("neuron:n1")).wait().unwrap().unwrap();
    assert_eq!(
        (item.deleted_by.as_deref(), item.deletion_reason.as_deref()),
        (Some("ops"), Some("outdated"))
    );
}

#[test]
fn i4_a_subscription_that_counts_keeps_its_item() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    add(fm, &["neuron:n1"]);
    let mut at = 0;
    let mut tell = |status: &str| {
        at += 1;
        let object = stripe::subscription("sub_1", "ada", status);
        let event =
            stripe::event(&format!("evt_{at}"), "customer.subscription.updated", at, &object);
        fm.webhooks().consume(&event).wait().unwrap();
    };
    for status in ["trialing", "active", "past_due"] {
        tell(status);
        let verdict = trash.can_delete(&id("neuron:n1")).wait().unwrap();
        assert_eq!(verdict.counts, BTreeMap::from([("subscription".to_owned(), 1)]), "{status}");
    }
    assert_eq!(code(trash.delete(&id("neuron:n1"), "outdated").wait()), "ITEM_IN_USE");
    tell("canceled");
    trash.delete(&id("neuron:n1"), "outdated").wait().unwrap();
    // Somebody who subscribes meanwhile counts when it is back.
    let object = stripe::subscription("sub_3", "bob", "active");
    let event = stripe::event("evt_30", "customer.subscription.created", 1, &object);
    fm.webhooks().consume(&event).wait().unwrap();
    trash.restore(&id("neuron:n1"), "it is asked for").wait().unwrap();
    let verdict = trash.can_delete(&id("neuron:n1")).wait().unwrap();
    assert_eq!((verdict.count, verdict.blockers[0].id.as_str()), (1, "sub_3"));
    // Of an item that nobody registered, too.
    let object = stripe::change(
        stripe::subscription("sub_2", "ada", "active"),
        &serde_json::json!({"metadata": {"user_id": "ada", "item": "bundle:b9"}}),
    );
    let event = stripe::event("evt_9", "customer.subscription.created", 1, &object);
    fm.webhooks().consume(&event).wait().unwrap();
    assert_eq!(code(trash.delete(&id("bundle:b9"), "outdated").wait()), "ITEM_IN_USE");
}

struct Exam;

impl Guard for Exam {
    fn keys(&self, _item: &ItemId, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Item>(&id("exam:final"));
    }
    fn blockers(&self, _item: &ItemId, rows: &Rows) -> Vec<Blocker> {
        let running = rows.get::<Item>(&id("exam:final"));
        let running = running.filter(|exam| exam.state == ItemState::Live);
        let blocker = |exam: &Item| Blocker {
            kind: "exam".into(),
            id: "final".into(),
            label: exam.label.clone(),
        };
        running.into_iter().map(blocker).collect()
    }
}

#[test]
fn i4_a_hosts_own_guard_is_asked_in_the_same_transaction() {
    const NEURON: ItemKind = ItemKind::new("neuron").guards(&[&Exam]);
    let fm = FinalMile::builder(Memory::new()).item(NEURON).open().unwrap();
    add(&fm, &["neuron:n1", "exam:final"]);
    let verdict = trash(&fm).can_delete(&id("neuron:n1")).wait().unwrap();
    assert_eq!(
        (verdict.can_delete, verdict.reason.as_str()),
        (false, "exam the exam:final needs it")
    );
    assert_eq!(code(trash(&fm).delete(&id("neuron:n1"), "x").wait()), "ITEM_IN_USE");
    trash(&fm).delete(&id("exam:final"), "it is over").wait().unwrap();
    trash(&fm).delete(&id("neuron:n1"), "x").wait().unwrap();
}

#[test]
fn i5_a_deletion_is_repeated_with_its_first_answer_and_refused_as_a_whole() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    add(fm, &["course:c", "lesson:l1", "lesson:l2", "slide:s1", "bundle:b"]);
    depend(fm, "lesson:l1", "course:c", Relation::PartOf);
    depend(fm, "lesson:l2", "course:c", Relation::PartOf);
    depend(fm, "slide:s1", "lesson:l1", Relation::PartOf);
    depend(fm, "slide:s1", "lesson:l2", Relation::Uses);
    assert_eq!(code(trash.delete(&id("course:c"), "old").wait()), "ITEM_HAS_PARTS");
    let plan = trash.plan(&id("course:c")).wait().unwrap();
    assert_eq!(plan.items[0], id("course:c"));
    let expected = [("course", 1), ("lesson", 2), ("slide", 1)].map(|(k, n)| (k.to_owned(), n));
    assert_eq!(plan.counts, BTreeMap::from(expected));
    // Somebody outside needs a part of it: none of it goes.
    depend(fm, "bundle:b", "slide:s1", Relation::Uses);
    assert_eq!(code(trash.delete_planned(&plan, "old").wait()), "ITEM_CHANGED");
    assert_eq!(code(trash.delete_with_parts(&id("course:c"), "old").wait()), "ITEM_IN_USE");
    assert_eq!(state(fm, "lesson:l2"), Some(ItemState::Live));
    fm.items().release(&id("bundle:b"), &id("slide:s1")).wait().unwrap();
    let deleted = trash.delete_with_parts(&id("course:c"), "old").wait().unwrap();
    assert_eq!((deleted.count, deleted.replayed), (4, false));
    let again = trash.delete(&id("course:c"), "older").wait().unwrap();
    assert_eq!((again.batch, again.replayed), (deleted.batch, true));
    let audit = world.admin().audit("item:lesson:l1").unwrap();
    assert_eq!((audit.len(), audit[0].reason.as_str()), (1, "old"));
}

#[test]
fn i6_a_restore_brings_back_exactly_what_went_together() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    add(fm, &["course:c", "lesson:l1", "lesson:l2", "lesson:before"]);
    for lesson in ["lesson:l1", "lesson:l2", "lesson:before"] {
        depend(fm, lesson, "course:c", Relation::PartOf);
    }
    trash.delete(&id("lesson:before"), "a draft").wait().unwrap();
    trash.delete_with_parts(&id("course:c"), "by mistake").wait().unwrap();
    assert_eq!(trash.deleted(None).wait().unwrap().rows.len(), 4);
    assert_eq!(trash.restore(&id("lesson:l1"), "it was a mistake").wait().unwrap().count, 3);
    assert_eq!(state(fm, "lesson:before"), Some(ItemState::Deleted));
    let course = fm.items().get(&id("course:c")).wait().unwrap().unwrap();
    assert_eq!((course.parts, course.deleted_at, course.batch), (2, None, None));
    assert_eq!(trash.restore(&id("course:c"), "again").wait().unwrap().count, 0);
    assert_eq!(trash.restore(&id("lesson:before"), "too").wait().unwrap().count, 1);
    // Not what depends on something that is gone.
    trash.delete(&id("lesson:l1"), "x").wait().unwrap();
    trash.delete_with_parts(&id("course:c"), "x").wait().unwrap();
    assert_eq!(code(trash.restore(&id("lesson:l1"), "x").wait()), "NEED_NOT_LIVE");
    assert_eq!(code(trash.restore(&id("lesson:l9"), "x").wait()), "ITEM_NOT_FOUND");
}

#[test]
fn i2_a_name_is_given_up_and_taken_again_if_it_is_free() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    let register = |item: &str, name| fm.items().register(&id(item), "label", Some(("shop", name)));
    register("bundle:a", "starter").wait().unwrap();
    assert_eq!(code(register("bundle:b", "starter").wait()), "NAME_TAKEN");
    register("bundle:b", "other").wait().unwrap();
    trash.delete(&id("bundle:a"), "x").wait().unwrap();
    register("bundle:b", "starter").wait().unwrap();
    register("bundle:c", "other").wait().unwrap();
    assert_eq!(code(trash.restore(&id("bundle:a"), "x").wait()), "NAME_TAKEN");
    assert_eq!(state(fm, "bundle:a"), Some(ItemState::Deleted));
    trash.delete(&id("bundle:b"), "x").wait().unwrap();
    trash.restore(&id("bundle:a"), "x").wait().unwrap();
    assert_eq!(code(register("bundle:b", "new").wait()), "ITEM_NOT_LIVE");
    // One name in two normal forms would be two.
    assert_eq!(code(register("bundle:d", "u\u{308}ber").wait()), "INVALID_REQUEST");
    register("bundle:d", "\u{fc}ber").wait().unwrap();
}

#[test]
fn i7_nothing_is_purged_early_or_while_it_is_held() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    add(fm, &["neuron:n1", "neuron:n2", "bundle:b"]);
    depend(fm, "neuron:n1", "bundle:b", Relation::Uses);
    assert_eq!(code(trash.purge(&id("neuron:n1"), "x").wait()), "ITEM_NOT_DELETED");
    trash.delete(&id("neuron:n1"), "x").wait().unwrap();
    trash.delete(&id("neuron:n2"), "x").wait().unwrap();
    assert!(trash.hold(&id("neuron:n2"), "a lawsuit").wait().unwrap());
    assert!(!trash.hold(&id("neuron:n2"), "a lawsuit").wait().unwrap());
    world.clock.advance(DAY * 90 - Duration::from_micros(1));
    assert_eq!(code(trash.purge(&id("neuron:n1"), "x").wait()), "TOO_EARLY_TO_PURGE");
    assert_eq!(fm.maintain(Budget::seconds(5)).wait().unwrap().items_purged, 0);
    world.clock.advance(Duration::from_micros(1));
    assert_eq!(code(trash.purge(&id("neuron:n2"), "x").wait()), "ITEM_HELD");
    assert_eq!(fm.maintain(Budget::seconds(5)).wait().unwrap().items_purged, 1);
    let gone = trash.get(&id("neuron:n1")).wait().unwrap().unwrap();
    assert_eq!((gone.state, gone.label.as_str()), (ItemState::Purged, ""));
    assert!(!trash.purge(&id("neuron:n1"), "x").wait().unwrap());
    assert_eq!(code(trash.restore(&id("neuron:n1"), "x").wait()), "ITEM_NOT_DELETED");
    assert_eq!(code(trash.hold(&id("neuron:n1"), "x").wait()), "ITEM_NOT_LIVE");
    assert_eq!(code(trash.delete(&id("neuron:n1"), "x").wait()), "ITEM_NOT_LIVE");
    assert!(trash.unhold(&id("neuron:n2"), "it is settled").wait().unwrap());
    assert_eq!(fm.maintain(Budget::seconds(5)).wait().unwrap().items_purged, 1);
    let acts: Vec<_> = world.admin().audit("item:neuron:n2").unwrap();
    let acts: Vec<_> = acts.iter().map(|act| act.action.as_str()).collect();
    assert_eq!(acts, ["delete-item", "hold-item", "release-item", "purge-item"]);
}

#[test]
fn i1_what_is_deleted_is_read_only_and_hostile_input_changes_nothing() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    add(fm, &["neuron:n1", "neuron:n2"]);
    for bad in ["", "neuron", ":n1", "neuron:", "Neuron:n1", "neuron:a\u{0}", "ne uron:a"] {
        assert!(bad.parse::<ItemId>().is_err(), "{bad}");
    }
    for reason in ["", "  ", "a\u{0}b", &"x".repeat(2_000)] {
        assert_eq!(code(trash.delete(&id("neuron:n1"), reason).wait()), "INVALID_REQUEST");
    }
    assert_eq!(code(trash.delete(&id("neuron:n9"), "x").wait()), "ITEM_NOT_FOUND");
    assert_eq!(code(trash.delete_version(&id("neuron:n1"), 7, "x").wait()), "ITEM_CHANGED");
    let uses = |by: &str, on: &str| fm.items().depend(&id(by), &id(on), Relation::Uses).wait();
    assert_eq!(code(uses("neuron:n1", "neuron:n1")), "INVALID_REQUEST");
    assert!(uses("neuron:n1", "neuron:n2").unwrap());
    assert_eq!(code(uses("neuron:n2", "neuron:n1")), "INVALID_REQUEST");
    assert_eq!(code(uses("neuron:n1", "neuron:n9")), "ITEM_NOT_FOUND");
    trash.delete(&id("neuron:n1"), "x").wait().unwrap();
    assert_eq!(code(uses("neuron:n2", "neuron:n1")), "ITEM_NOT_LIVE");
    assert_eq!(code(fm.items().register(&id("neuron:n1"), "new", None).wait()), "ITEM_NOT_LIVE");
    assert_eq!(
        code(fm.items().release(&id("neuron:n1"), &id("neuron:n2")).wait()),
        "ITEM_NOT_LIVE"
    );
    assert_eq!(code(trash.can_delete(&id("neuron:n1")).wait()), "ITEM_NOT_LIVE");
}

#[test]
fn a_cascade_that_is_too_large_is_refused_with_its_count() {
    let world = World::new();
    let fm = &world.fm;
    add(fm, &["course:c"]);
    let parts: Vec<_> = (0..1_200).map(|n| format!("lesson:{n}")).collect();
    let all: Vec<_> = parts.iter().map(|part| fm.items().register(&id(part), part, None)).collect();
    all.into_iter().for_each(|one| drop(one.wait().unwrap()));
    let all: Vec<_> = parts
        .iter()
        .map(|part| fm.items().depend(&id(part), &id("course:c"), Relation::PartOf))
        .collect();
    all.into_iter().for_each(|one| assert!(one.wait().unwrap()));
    let refused = trash(fm).delete_with_parts(&id("course:c"), "x").wait().unwrap_err();
    let finalmile::Error::Refused(Refusal::CascadeTooLarge { items, .. }) = refused else {
        panic!("{refused}");
    };
    assert_eq!(items, 1_201);
    for part in &parts[..400] {
        trash(fm).delete(&id(part), "x").wait().unwrap();
    }
    assert_eq!(trash(fm).delete_with_parts(&id("course:c"), "x").wait().unwrap().count, 801);
}

#[test]
fn a_media_share_leaves_the_feed_comes_back_and_goes() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    let begun = fm.uploads().begin(&world.ada, 1 << 20, &key("a")).wait().unwrap();
    let done = fm.uploads().finalize(&world.ada, begun.upload_id, share('a')).wait().unwrap();
    let item = ItemId::new("media_share", &done.share.id.to_string()).unwrap();
    let feed = || fm.uploads().feed(None).wait().unwrap().rows.len();
    assert!(trash.can_delete(&item).wait().unwrap().can_delete);
    trash.delete(&item, "a complaint").wait().unwrap();
    assert_eq!(feed(), 0);
    assert!(fm.uploads().share(&world.ada, done.share.id).wait().unwrap().is_none());
    trash.restore(&item, "it was unfounded").wait().unwrap();
    assert_eq!(feed(), 1);
    trash.delete(&item, "another").wait().unwrap();
    world.clock.advance(DAY * 90);
    assert_eq!(fm.maintain(Budget::seconds(5)).wait().unwrap().items_purged, 1);
    assert_eq!((feed(), state(fm, &item.to_string())), (0, Some(ItemState::Purged)));
    let unknown = ItemId::new("media_share", "00000000-0000-7000-8000-000000000000").unwrap();
    assert_eq!(code(trash.delete(&unknown, "x").wait()), "ITEM_NOT_FOUND");
}

/// What must hold after every step (**I2**, **I3**): counts are counts, and what lives depends on nothing
/// that is purged.
fn consistent(fm: &FinalMile, names: &[String]) {
    let items: BTreeMap<String, Item> = names
        .iter()
        .filter_map(|name| Some((name.clone(), trash(fm).get(&id(name)).wait().unwrap()?)))
        .collect();
    let mut names = std::collections::BTreeSet::new();
    for item in items.values().filter(|item| item.state == ItemState::Live) {
        if let Some(name) = &item.name {
            assert!(names.insert(name.clone()), "two bear {name}");
        }
    }
}

#[test]
fn random_lives_agree_with_a_plain_model() {
    for seed in 0..40 {
        random_life(Memory::new(), seed, 400);
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_random_life_on_a_disk_agrees_too() {
    let folder = tempfile::tempdir().unwrap();
    random_life(finalmile::engines::Sqlite::file(folder.path().join("a.db")), 99, 800);
}

#[cfg(feature = "postgres")]
#[test]
fn a_random_life_on_a_server_agrees_too() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let schema = cluster.schema();
    random_life(finalmile::engines::Postgres::url(schema.url()).own_clock(), 98, 300);
}

/// Two clients at once: one begins to use an item, the other deletes it. Never both.
fn race(clients: &[FinalMile; 2], rounds: usize) {
    let (mut used, mut deleted) = (0, 0);
    for round in 0..rounds {
        let (item, user) = (format!("neuron:{round}"), format!("bundle:{round}"));
        add(&clients[0], &[&item, &user]);
        let [uses, goes] = [0, 1].map(|n| {
            let (fm, item, user) = (clients[n].clone(), id(&item), id(&user));
            std::thread::spawn(move || match n {
                0 => fm.items().depend(&user, &item, Relation::Uses).wait().is_ok(),
                _ => trash(&fm).delete(&item, "x").wait().is_ok(),
            })
        });
        let (uses, goes) = (uses.join().unwrap(), goes.join().unwrap());
        assert!(uses != goes, "round {round}: used {uses}, deleted {goes}");
        used += usize::from(uses);
        deleted += usize::from(goes);
        let found = trash(&clients[1]).get(&id(&item)).wait().unwrap().unwrap();
        let expected = if uses { (ItemState::Live, 1) } else { (ItemState::Deleted, 0) };
        assert_eq!((found.state, found.used_by), expected, "round {round}");
    }
    assert_eq!(used + deleted, rounds);
}

#[test]
fn i4_whoever_begins_to_use_an_item_races_with_its_deletion_and_one_of_them_wins() {
    let world = World::new();
    let other = world.fm.clone();
    race(&[world.fm, other], 300);
}

#[cfg(feature = "sqlite")]
#[test]
fn i4_the_same_race_on_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    let fm = FinalMile::builder(finalmile::engines::Sqlite::file(folder.path().join("a.db")));
    let fm = fm.open().unwrap();
    race(&[fm.clone(), fm], 200);
}

#[cfg(feature = "postgres")]
#[test]
fn i4_the_same_race_between_two_clients_of_a_server() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let schema = cluster.schema();
    let open =
        || FinalMile::builder(finalmile::engines::Postgres::url(schema.url())).open().unwrap();
    race(&[open(), open()], 150);
}

#[derive(Clone, Copy, Eq, PartialEq, Debug)]
enum Life {
    Live,
    Deleted { at: i64, batch: usize, held: bool },
    Purged,
}

/// The slow and obvious rules.
#[derive(Default)]
struct Model {
    lives: BTreeMap<usize, (Life, bool)>,
    needs: BTreeMap<(usize, usize), Relation>,
    batches: usize,
}

impl Model {
    fn is_live(&self, n: usize) -> bool {
        matches!(self.lives.get(&n), Some((Life::Live, _)))
    }

    fn users(&self, n: usize) -> Vec<usize> {
        let on = self
            .needs
            .iter()
            .filter(|((_, on), relation)| *on == n && **relation == Relation::Uses);
        on.map(|((by, _), _)| *by).filter(|by| self.is_live(*by)).collect()
    }

    fn parts(&self, n: usize) -> Vec<usize> {
        let of = self.needs.iter().filter(|((_, on), r)| *on == n && **r == Relation::PartOf);
        of.map(|((by, _), _)| *by).filter(|by| self.is_live(*by)).collect()
    }

    fn cascade(&self, n: usize) -> Vec<usize> {
        let mut all = vec![n];
        let mut at = 0;
        while at < all.len() {
            let parts = self.parts(all[at]);
            parts.into_iter().for_each(|part| {
                if !all.contains(&part) {
                    all.push(part);
                }
            });
            at += 1;
        }
        all
    }

    fn delete(&mut self, n: usize, cascade: bool, now: i64) -> &'static str {
        match self.lives.get(&n) {
            None => return "ITEM_NOT_FOUND",
            Some((Life::Deleted { .. }, _)) => return "again",
            Some((Life::Purged, _)) => return "ITEM_NOT_LIVE",
            Some((Life::Live, _)) => {}
        }
        let all = if cascade { self.cascade(n) } else { vec![n] };
        if all.iter().any(|one| self.users(*one).iter().any(|user| !all.contains(user))) {
            return "ITEM_IN_USE";
        }
        if !cascade && !self.parts(n).is_empty() {
            return "ITEM_HAS_PARTS";
        }
        self.batches += 1;
        for one in all {
            let held = self.lives[&one].1;
            let life = Life::Deleted { at: now, batch: self.batches, held };
            self.lives.insert(one, (life, held));
        }
        "ok"
    }

    fn restore(&mut self, n: usize) -> &'static str {
        let batch = match self.lives.get(&n) {
            None => return "ITEM_NOT_FOUND",
            Some((Life::Live, _)) => return "ok",
            Some((Life::Purged, _)) => return "ITEM_NOT_DELETED",
            Some((Life::Deleted { batch, .. }, _)) => *batch,
        };
        let is_one = |life: &Life| matches!(life, Life::Deleted { batch: b, .. } if *b == batch);
        let all: Vec<_> =
            self.lives.iter().filter(|(_, (life, _))| is_one(life)).map(|(n, _)| *n).collect();
        for one in &all {
            for (by, on) in self.needs.keys() {
                if by == one && !self.is_live(*on) && !all.contains(on) {
                    return "NEED_NOT_LIVE";
                }
            }
        }
        for one in all {
            let held = self.lives[&one].1;
            self.lives.insert(one, (Life::Live, held));
        }
        "ok"
    }
}

fn random_life(backend: impl finalmile::storage::Backend, seed: u64, steps: usize) {
    let clock = Arc::new(Simulated::new(Timestamp::from_millis(1_800_000_000_000), seed));
    let fm = FinalMile::builder(backend).world(clock.clone()).open().unwrap();
    let dice = Simulated::new(Timestamp::default(), seed + 11);
    let throw = |sides: u64| usize::try_from(dice.random() % sides).unwrap();
    let (mut model, trash) = (Model::default(), trash(&fm));
    let names: Vec<String> = (0..14).map(|n| format!("thing:{n}")).collect();
    let said = |answer: Result<bool, finalmile::Error>| match answer {
        Ok(true) => "ok",
        Ok(false) => "again",
        Err(error) => error.code(),
    };
    for step in 0..steps {
        let (n, other) = (throw(14), throw(14));
        let now = fm.store().now().micros();
        let item = id(&names[n]);
        let (found, expected) = match throw(11) {
            0 | 1 => {
                let found = fm.items().register(&item, "a thing", None).wait().map(|_| true);
                let expected = match model.lives.get(&n) {
                    None => {
                        model.lives.insert(n, (Life::Live, false));
                        "ok"
                    }
                    Some((Life::Live, _)) => "ok",
                    Some(_) => "ITEM_NOT_LIVE",
                };
                (said(found), expected)
            }
            2..5 => {
                let relation = if throw(2) == 0 { Relation::Uses } else { Relation::PartOf };
                let on = id(&names[other]);
                let found = fm.items().depend(&item, &on, relation).wait();
                let known = |n| model.lives.contains_key(&n);
                let expected = if !known(n) || !known(other) {
                    "ITEM_NOT_FOUND"
                } else if !model.is_live(n) {
                    "ITEM_NOT_LIVE"
                } else if model.needs.get(&(n, other)) == Some(&relation) {
                    "again"
                } else if !model.is_live(other) {
                    "ITEM_NOT_LIVE"
                } else if n == other || model.needs.contains_key(&(other, n)) {
                    "INVALID_REQUEST"
                } else {
                    model.needs.insert((n, other), relation);
                    "ok"
                };
                (said(found), expected)
            }
            5 | 6 => {
                let found = trash.delete(&item, "x").wait().map(|done| !done.replayed);
                (said(found), model.delete(n, false, now))
            }
            7 => {
                let found = trash.delete_with_parts(&item, "x").wait().map(|done| !done.replayed);
                (said(found), model.delete(n, true, now))
            }
            8 => {
                let found = trash.restore(&item, "x").wait().map(|_| true);
                (said(found), model.restore(n))
            }
            9 => {
                let holds = throw(2) == 0;
                let act = if holds { trash.hold(&item, "x") } else { trash.unhold(&item, "x") };
                let found = act.wait();
                let expected = match model.lives.get_mut(&n) {
                    None => "ITEM_NOT_FOUND",
                    Some((Life::Purged, _)) => "ITEM_NOT_LIVE",
                    Some((life, held)) if *held != holds => {
                        *held = holds;
                        if let Life::Deleted { held, .. } = life {
                            *held = holds;
                        }
                        "ok"
                    }
                    Some(_) => "again",
                };
                (said(found), expected)
            }
            _ => {
                clock.advance(DAY * u32::try_from(throw(30)).unwrap());
                let now = fm.store().now().micros();
                let purged = fm.maintain(Budget::seconds(9)).wait().unwrap().items_purged;
                let ninety = i64::try_from((DAY * 90).as_micros()).unwrap();
                let mut expected = 0;
                let mut gone = Vec::new();
                for (n, (life, _)) in &mut model.lives {
                    if matches!(life, Life::Deleted { at, held: false, .. } if now - *at >= ninety)
                    {
                        *life = Life::Purged;
                        gone.push(*n);
                        expected += 1;
                    }
                }
                model.needs.retain(|(by, _), _| !gone.contains(by));
                assert_eq!(purged, expected, "seed {seed}, step {step}");
                ("ok", "ok")
            }
        };
        assert_eq!(found, expected, "seed {seed}, step {step}: {item} {other}");
        for (n, (life, held)) in &model.lives {
            let item = trash.get(&id(&names[*n])).wait().unwrap().unwrap();
            let state = match life {
                Life::Live => ItemState::Live,
                Life::Deleted { .. } => ItemState::Deleted,
                Life::Purged => ItemState::Purged,
            };
            assert_eq!(
                (item.state, item.held_at.is_some()),
                (state, *held),
                "seed {seed}, step {step}: {n}"
            );
            if state == ItemState::Live {
                let counts = (item.used_by, item.parts);
                let count = |all: Vec<usize>| i64::try_from(all.len()).unwrap();
                let expected = (count(model.users(*n)), count(model.parts(*n)));
                assert_eq!(counts, expected, "seed {seed}, step {step}: {n}");
            }
        }
    }
    consistent(&fm, &names);
}
