//! Limits, freezes and their audit.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use finalmile::{AccountId, Error, Refusal, limit::Policy};
use world::{World, code, key};

#[test]
fn a_burst_is_allowed_and_then_the_rate() {
    let world = World::new();
    let search = world.fm.limiter().endpoint("search").unwrap();
    let check = || world.fm.limiter().check(&search, &world.ada).wait();
    for left in (0..120).rev() {
        assert_eq!(check().unwrap(), Some(left));
    }
    let Err(Error::Refused(Refusal::RateLimited { retry_after_ms, .. })) = check() else {
        panic!("the bucket is empty");
    };
    assert_eq!(retry_after_ms.unwrap().get(), 1_000);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(check().unwrap(), Some(0));
    assert_eq!(code(check()), "RATE_LIMIT_EXCEEDED");
}

#[test]
fn the_documents_limits_are_there_from_the_start() {
    let world = World::new();
    let policies = world.fm.limiter().policies().wait().unwrap().rows;
    let names: Vec<_> = policies.iter().map(|policy| policy.endpoint().as_str()).collect();
    assert_eq!(
        names,
        [
            "admin_crud",
            "api_general",
            "begin-upload",
            "content_access",
            "feed",
            "finalize-upload",
            "search",
            "stripe_webhook",
            "user_auth"
        ]
    );
    assert_eq!(code(world.fm.limiter().endpoint("nowhere")), "ENDPOINT_NOT_FOUND");
}

#[test]
fn a_limit_is_changed_live_and_an_inactive_one_allows_everything() {
    let world = World::new();
    let auth = world.fm.limiter().endpoint("user_auth").unwrap();
    let check = || world.fm.limiter().check(&auth, &world.ada).wait();
    let minute = Duration::from_secs(60);
    let one = Policy::greedy("user_auth".parse().unwrap(), 1, minute).unwrap();
    world.admin().configure(one.clone()).wait().unwrap();
    assert_eq!(check().unwrap(), Some(0));
    assert_eq!(code(check()), "RATE_LIMIT_EXCEEDED");
    world.admin().configure(one.active(false)).wait().unwrap();
    for _ in 0..100 {
        assert_eq!(check().unwrap(), None);
    }
}

#[test]
fn b6_a_frozen_account_is_refused_by_every_check_until_the_freeze_ends() {
    let world = World::new();
    let search = world.fm.limiter().endpoint("search").unwrap();
    let check = || world.fm.limiter().check(&search, &world.ada).wait();
    let until = world.fm.store().now().after(Duration::from_secs(60));
    world.admin().freeze(&world.ada, "500 uploads in 1 hour", Some(until)).wait().unwrap();
    let refused = check().unwrap_err();
    assert_eq!((refused.code(), refused.http_status()), ("ACCOUNT_FROZEN", 403));
    let begun = world.fm.uploads().begin(&world.ada, 1, &key("a")).wait();
    assert_eq!(code(begun), "ACCOUNT_FROZEN");
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(check().unwrap(), Some(119), "the refused checks spent nothing");
    world.fm.uploads().begin(&world.ada, 1, &key("a")).wait().unwrap();
}

#[test]
fn a1_every_admins_act_leaves_one_entry() {
    let world = World::new();
    let admin = world.admin();
    admin.freeze(&world.ada, "spam", None).wait().unwrap();
    admin.unfreeze(&world.ada, "it was not").wait().unwrap();
    admin.unfreeze(&world.ada, "again").wait().unwrap();
    let entries = admin.audit("account:ada").unwrap();
    let story: Vec<_> =
        entries.iter().map(|e| (e.seq, e.actor.as_str(), &*e.action, &*e.reason)).collect();
    assert_eq!(story, [(1, "ops", "freeze", "spam"), (2, "ops", "unfreeze", "it was not")]);
}

#[test]
fn reasons_that_say_nothing_or_too_much_are_refused() {
    let world = World::new();
    for reason in ["", "  ", "a\0b", &"x".repeat(1_001)] {
        let bad = world.admin().freeze(&world.ada, reason, None).wait();
        assert_eq!(code(bad), "INVALID_REQUEST");
    }
    assert_eq!(world.admin().audit("account:ada").unwrap(), []);
}

#[test]
fn an_account_may_be_frozen_before_it_buys() {
    let world = World::new();
    let bob = AccountId::new("bob").unwrap();
    world.admin().freeze(&bob, "known", None).wait().unwrap();
    world.fm.ledger().add_credits(world::purchase(&bob, 5, "pi_b")).wait().unwrap();
    let begun = world.fm.uploads().begin(&bob, 1, &key("a")).wait();
    assert_eq!(code(begun), "ACCOUNT_FROZEN");
}
