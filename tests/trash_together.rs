//! What was deleted together: it comes back together, is held together and goes together; and in the host's
//! own transaction.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/items.rs"]
mod items;
#[path = "support/stripe.rs"]
mod stripe;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use finalmile::{
    Budget, FinalMile, SweepReport,
    engines::Memory,
    storage::{KeySet, Rows},
    trash::{Blocker, Guard, Item, ItemId, ItemKind, ItemState, Relation},
};
use items::{DAY, add, depend, id, state, trash};
use world::{World, code, key, share};

fn maintain(fm: &FinalMile) -> SweepReport {
    fm.maintain(Budget::seconds(9).trust_clock()).wait().unwrap()
}

/// A course with two lessons.
fn course(fm: &FinalMile) {
    add(fm, &["course:c", "lesson:l1", "lesson:l2"]);
    depend(fm, "lesson:l1", "course:c", Relation::PartOf);
    depend(fm, "lesson:l2", "course:c", Relation::PartOf);
}

fn subscribe(fm: &FinalMile, n: i64, item: &str, status: &str) {
    let object = stripe::change(
        stripe::subscription(&format!("sub_{n}"), "ada", status),
        &serde_json::json!({"metadata": {"user_id": "ada", "item": item}}),
    );
    let name = format!("evt_{n}_{status}");
    let at = if status == "active" { n } else { n + 1_000 };
    let event = stripe::event(&name, "customer.subscription.updated", at, &object);
    fm.webhooks().consume(&event).wait().unwrap();
}

#[test]
fn i8_a_hold_on_one_keeps_all_that_went_with_it() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    course(fm);
    assert!(trash.hold(&id("lesson:l1"), "a lawsuit").wait().unwrap());
    trash.delete_with_parts(&id("course:c"), "old").wait().unwrap();
    assert!(trash.hold(&id("course:c"), "another").wait().unwrap());
    world.clock.advance(DAY * 90);
    assert_eq!(maintain(fm).items_purged, 0);
    assert!(trash.unhold(&id("lesson:l1"), "it is settled").wait().unwrap());
    assert_eq!(code(trash.purge(&id("lesson:l2"), "x").wait()), "ITEM_HELD");
    assert!(trash.unhold(&id("course:c"), "this one too").wait().unwrap());
    assert_eq!(maintain(fm).items_purged, 3);
}

#[test]
fn i8_what_is_not_whole_any_more_does_not_come_back() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    course(fm);
    let deleted = trash.delete_with_parts(&id("course:c"), "old").wait().unwrap();
    world.clock.advance(DAY * 90);
    assert!(trash.purge(&id("lesson:l1"), "now").wait().unwrap());
    for item in ["course:c", "lesson:l2", "lesson:l1"] {
        assert_eq!(code(trash.restore(&id(item), "x").wait()), "ITEM_NOT_DELETED", "{item}");
    }
    assert_eq!(code(trash.restore_batch(deleted.batch, "x").wait()), "ITEM_NOT_DELETED");
    assert_eq!(maintain(fm).items_purged, 2);
    assert_eq!(code(trash.restore_batch(deleted.batch, "x").wait()), "INVALID_REQUEST");
}

#[test]
fn i6_a_deletion_is_taken_back_by_its_name_and_all_is_as_it_was() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    course(fm);
    add(fm, &["bundle:b"]);
    fm.items().register(&id("course:c"), "a course", Some(("shop", "course"))).wait().unwrap();
    let names = ["course:c", "lesson:l1", "lesson:l2", "bundle:b"];
    depend(fm, "lesson:l1", "bundle:b", Relation::Uses);
    let seen = || {
        let look = |name| trash.get(&id(name)).wait().unwrap().unwrap();
        names.map(|name| (look(name).version, look(name)))
    };
    let plain = |seen: [(i64, Item); 4]| {
        seen.map(|(_, mut item)| {
            item.version = 0;
            item
        })
    };
    let before = seen();
    let deleted = trash.delete_with_parts(&id("course:c"), "old").wait().unwrap();
    assert_ne!(plain(seen()), plain(before.clone()));
    assert_eq!(trash.restore_batch(deleted.batch, "a mistake").wait().unwrap().count, 3);
    let after = seen();
    assert!(before.iter().zip(&after).all(|(before, after)| before.0 < after.0));
    assert_eq!(plain(after), plain(before));
    assert_eq!(code(trash.restore_batch(deleted.batch, "again").wait()), "INVALID_REQUEST");
    assert_eq!(code(trash.restore_batch([7; 16], "x").wait()), "INVALID_REQUEST");
    assert_eq!(code(trash.restore(&id("course:c"), " ").wait()), "INVALID_REQUEST");
}

#[test]
fn i7_who_subscribed_after_the_deletion_keeps_it_from_being_purged() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    add(fm, &["neuron:n1"]);
    trash.delete(&id("neuron:n1"), "x").wait().unwrap();
    subscribe(fm, 1, "neuron:n1", "active");
    assert!(trash.delete(&id("neuron:n1"), "x").wait().unwrap().replayed);
    world.clock.advance(DAY * 90);
    assert_eq!(code(trash.purge(&id("neuron:n1"), "x").wait()), "ITEM_IN_USE");
    assert_eq!(maintain(fm).items_purged, 0);
    subscribe(fm, 1, "neuron:n1", "canceled");
    assert_eq!(maintain(fm).items_purged, 1);
    // Nobody depends on what is gone.
    subscribe(fm, 2, "neuron:n1", "active");
    assert_eq!(trash.get(&id("neuron:n1")).wait().unwrap().unwrap().used_by, 0);
}

#[test]
fn i4_all_users_are_counted_by_kind_though_only_twenty_are_named() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    add(fm, &["neuron:n1"]);
    for n in 0..25 {
        let bundle = format!("bundle:{n:02}");
        add(fm, &[&bundle]);
        depend(fm, &bundle, "neuron:n1", Relation::Uses);
    }
    (0..30).for_each(|n| subscribe(fm, n, "neuron:n1", "active"));
    let verdict = trash.can_delete(&id("neuron:n1")).wait().unwrap();
    assert_eq!(verdict.counts.iter().collect::<Vec<_>>(), [("bundle", 25), ("subscription", 30)]);
    assert_eq!((verdict.count, verdict.blockers.len()), (55, 20));
    assert_eq!(verdict.reason, "bundle the bundle:00 and 54 more need it");
    // Under another name it is in the way by that name.
    fm.items().register(&id("bundle:00"), "Starter", None).wait().unwrap();
    let verdict = trash.can_delete(&id("neuron:n1")).wait().unwrap();
    assert_eq!(verdict.blockers[0].label, "Starter");
    let plan = trash.plan(&id("neuron:n1")).wait().unwrap();
    assert_eq!((plan.blocked_by.get("subscription"), plan.blocked_by.total()), (30, 55));
}

/// Keeps what is called so.
struct Exam;

impl Guard for Exam {
    fn keys(&self, _item: &ItemId, _seen: &Rows, _keys: &mut KeySet) {}
    fn blockers(&self, item: &ItemId, _rows: &Rows) -> Vec<Blocker> {
        let blocks = item.id() == "l2";
        let exam = Blocker { kind: "exam".into(), id: "e".into(), label: "the final".into() };
        blocks.then_some(exam).into_iter().collect()
    }
}

#[test]
fn i4_a_plan_asks_the_hosts_guards_and_counts_only_those_outside() {
    const LESSON: ItemKind = ItemKind::new("lesson").guards(&[&Exam]);
    let fm = FinalMile::builder(Memory::new()).item(LESSON).open().unwrap();
    course(&fm);
    add(&fm, &["bundle:b"]);
    depend(&fm, "lesson:l2", "lesson:l1", Relation::Uses);
    depend(&fm, "bundle:b", "lesson:l1", Relation::Uses);
    let plan = trash(&fm).plan(&id("course:c")).wait().unwrap();
    let named: Vec<_> = plan.blockers.iter().map(|blocker| blocker.label.as_str()).collect();
    assert_eq!(named, ["the bundle:b", "the final"]);
    assert_eq!(plan.blocked_by.iter().collect::<Vec<_>>(), [("bundle", 1), ("exam", 1)]);
    assert_eq!(code(trash(&fm).delete_planned(&plan, "x").wait()), "ITEM_IN_USE");
    assert_eq!(state(&fm, "course:c"), Some(ItemState::Live));
}

#[test]
fn i4_nothing_is_made_to_depend_on_itself_however_far_around() {
    let world = World::new();
    let fm = &world.fm;
    let chain: Vec<_> = (0..30).map(|n| format!("thing:{n}")).collect();
    add(fm, &chain.iter().map(String::as_str).collect::<Vec<_>>());
    for (n, pair) in chain.windows(2).enumerate() {
        let relation = if n % 2 == 0 { Relation::Uses } else { Relation::PartOf };
        depend(fm, &pair[1], &pair[0], relation);
    }
    for by in [0, 1, 15, 28] {
        let around = fm.items().depend(&id(&chain[by]), &id(&chain[29]), Relation::Uses).wait();
        assert_eq!(code(around), "INVALID_REQUEST", "{by}");
    }
    assert_eq!(trash(fm).get(&id("thing:29")).wait().unwrap().unwrap().used_by, 0);
    // Far around is not forbidden, and no waiting task is left behind.
    depend(fm, "thing:29", "thing:0", Relation::Uses);
}

#[test]
fn i4_what_lies_below_an_item_is_bounded() {
    let world = World::new();
    let fm = &world.fm;
    add(fm, &["thing:top", "thing:other"]);
    for n in 0..11 {
        let middle = format!("middle:{n}");
        add(fm, &[&middle]);
        depend(fm, "thing:top", &middle, Relation::Uses);
        for leaf in 0..95 {
            let leaf = format!("leaf:{n}-{leaf}");
            add(fm, &[&leaf]);
            depend(fm, &middle, &leaf, Relation::Uses);
        }
    }
    let over = fm.items().depend(&id("thing:other"), &id("thing:top"), Relation::Uses).wait();
    assert_eq!(code(over), "INVALID_REQUEST");
    depend(fm, "thing:other", "middle:3", Relation::Uses);
}

#[test]
fn a_share_that_nobody_registered_can_be_held_and_used() {
    let world = World::new();
    let (fm, trash) = (&world.fm, trash(&world.fm));
    let begun = fm.uploads().begin(&world.ada, 1 << 20, &key("a")).wait().unwrap();
    fm.uploads().finalize(&world.ada, begun.upload_id, share('a')).wait().unwrap();
    let page = fm.uploads().feed(None).wait().unwrap();
    let item = ItemId::new("media_share", &page.rows[0].id.to_string()).unwrap();
    add(fm, &["album:a"]);
    depend(fm, "album:a", &item.to_string(), Relation::Uses);
    assert!(trash.hold(&item, "a complaint").wait().unwrap());
    assert_eq!(code(trash.delete(&item, "x").wait()), "ITEM_IN_USE");
    trash.delete(&id("album:a"), "x").wait().unwrap();
    trash.delete(&item, "x").wait().unwrap();
    // Whoever repeats the end of its upload does not get it back.
    let again = fm.uploads().finalize(&world.ada, begun.upload_id, share('a')).wait();
    assert_eq!(code(again), "UPLOAD_NOT_PENDING");
    world.clock.advance(DAY * 90);
    assert_eq!(maintain(fm).items_purged, 1, "the album went, the share is held");
    assert!(trash.unhold(&item, "settled").wait().unwrap());
    assert_eq!(maintain(fm).items_purged, 1);
    let again = fm.uploads().finalize(&world.ada, begun.upload_id, share('a')).wait();
    assert_eq!(code(again), "UPLOAD_NOT_PENDING");
}

#[test]
fn what_went_together_is_kept_until_the_last_date() {
    const LESSON: ItemKind = ItemKind::new("lesson").purge_after(Duration::from_secs(86_400 * 200));
    let fm = FinalMile::builder(Memory::new()).item(LESSON).open().unwrap();
    course(&fm);
    let deleted = trash(&fm).delete_with_parts(&id("course:c"), "x").wait().unwrap();
    let course = trash(&fm).get(&id("course:c")).wait().unwrap().unwrap();
    assert_eq!(course.purge_at, Some(deleted.purge_at));
    assert_eq!(deleted.purge_at, course.deleted_at.unwrap().after(DAY * 200));
}

#[cfg(feature = "sqlite")]
#[test]
fn a_hosts_rows_and_the_items_change_in_one_transaction() {
    use finalmile::{Error, Refusal, engines::Sqlite, trash::Depended};

    let folder = tempfile::tempdir().unwrap();
    let fm = FinalMile::builder(Sqlite::file(folder.path().join("a.db"))).open().unwrap();
    let (neuron, bundle) = (id("neuron:n1"), id("bundle:b1"));
    add(&fm, &["neuron:n1"]);
    fm.transaction(|tx| {
        tx.sql().execute_batch("CREATE TABLE bundle_neurons (bundle TEXT, neuron TEXT)")?;
        tx.sql().execute("INSERT INTO bundle_neurons VALUES ('b1', 'n1')", [])?;
        tx.run(fm.items().registration(&bundle, "Starter", None)?)?;
        let mut step = fm.items().dependence(&bundle, &neuron, Some(Relation::Uses));
        while let Depended::Deeper(deeper) = tx.run(step)? {
            step = deeper;
        }
        Ok(())
    })
    .unwrap();
    let joined = || {
        fm.transaction(|tx| {
            let count = "SELECT count(*) FROM bundle_neurons";
            Ok(tx.sql().query_row(count, [], |row| row.get::<_, i64>(0))?)
        })
    };
    // The guard refuses, and the host's row stays with the item's.
    let refused = fm.transaction(|tx| {
        tx.sql().execute("DELETE FROM bundle_neurons", [])?;
        tx.run(trash(&fm).deletion(&neuron, "x")?)
    });
    assert!(matches!(refused, Err(Error::Refused(Refusal::ItemInUse { .. }))), "{refused:?}");
    assert_eq!((joined().unwrap(), state(&fm, "neuron:n1")), (1, Some(ItemState::Live)));
    fm.transaction(|tx| {
        tx.sql().execute("DELETE FROM bundle_neurons", [])?;
        tx.run(trash(&fm).deletion(&bundle, "not sold")?)?;
        tx.run(trash(&fm).deletion(&neuron, "outdated")?)
    })
    .unwrap();
    assert_eq!((joined().unwrap(), state(&fm, "neuron:n1")), (0, Some(ItemState::Deleted)));
    let restoration = trash(&fm).restoration(&neuron, "a mistake").unwrap().unwrap();
    assert_eq!(fm.transaction(|tx| tx.run(restoration)).unwrap().count, 1);
    assert!(trash(&fm).restoration(&neuron, "again").unwrap().is_none());
}
