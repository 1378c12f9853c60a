//! Soft delete: guards, cascades, restores, holds and purges, promise by promise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/items.rs"]
mod items;
#[path = "support/stripe.rs"]
mod stripe;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use finalmile::{
    Budget, FinalMile, Refusal,
    engines::Memory,
    storage::{KeySet, Rows},
    trash::{Blocker, Guard, Item, ItemId, ItemKind, ItemState, KindCounts, Relation},
};
use items::{DAY, add, depend, id, state, trash};
use world::{World, code, key, share};

fn listed(counts: &KindCounts) -> Vec<(&str, u64)> {
    counts.iter().collect()
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
    assert_eq!(listed(&verdict.counts), [("bundle", 2)]);
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
        assert_eq!(listed(&verdict.counts), [("subscription", 1)], "{status}");
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
    assert_eq!(listed(&plan.counts), [("course", 1), ("lesson", 2), ("slide", 1)]);
    // Somebody outside needs a part of it: none of it goes.
    depend(fm, "bundle:b", "slide:s1", Relation::Uses);
    assert_eq!(code(trash.delete_planned(&plan, "old").wait()), "ITEM_CHANGED");
    assert_eq!(code(trash.delete_with_parts(&id("course:c"), "old").wait()), "ITEM_IN_USE");
    assert_eq!(state(fm, "lesson:l2"), Some(ItemState::Live));
    fm.items().release(&id("bundle:b"), &id("slide:s1")).wait().unwrap();
    let deleted = trash.delete_with_parts(&id("course:c"), "old").wait().unwrap();
    assert_eq!((deleted.count, deleted.replayed), (4, false));
    let again = trash.delete(&id("course:c"), "older").wait().unwrap();
    assert_eq!((again.batch, again.count, again.replayed), (deleted.batch, 4, true));
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
    assert_eq!(fm.maintain(Budget::seconds(5).trust_clock()).wait().unwrap().items_purged, 0);
    world.clock.advance(Duration::from_micros(1));
    assert_eq!(code(trash.purge(&id("neuron:n2"), "x").wait()), "ITEM_HELD");
    assert_eq!(fm.maintain(Budget::seconds(5).trust_clock()).wait().unwrap().items_purged, 1);
    let gone = trash.get(&id("neuron:n1")).wait().unwrap().unwrap();
    assert_eq!((gone.state, gone.label.as_str()), (ItemState::Purged, ""));
    assert!(!trash.purge(&id("neuron:n1"), "x").wait().unwrap());
    assert_eq!(code(trash.restore(&id("neuron:n1"), "x").wait()), "ITEM_NOT_DELETED");
    assert_eq!(code(trash.hold(&id("neuron:n1"), "x").wait()), "ITEM_NOT_LIVE");
    assert_eq!(code(trash.delete(&id("neuron:n1"), "x").wait()), "ITEM_NOT_LIVE");
    assert!(trash.unhold(&id("neuron:n2"), "it is settled").wait().unwrap());
    assert_eq!(fm.maintain(Budget::seconds(5).trust_clock()).wait().unwrap().items_purged, 1);
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
    assert_eq!(fm.maintain(Budget::seconds(5).trust_clock()).wait().unwrap().items_purged, 1);
    assert_eq!((feed(), state(fm, &item.to_string())), (0, Some(ItemState::Purged)));
    let unknown = ItemId::new("media_share", "00000000-0000-7000-8000-000000000000").unwrap();
    assert_eq!(code(trash.delete(&unknown, "x").wait()), "ITEM_NOT_FOUND");
}
