//! The ledger, as a service uses it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/world.rs"]
mod world;

use std::{collections::BTreeMap, time::Duration};

use finalmile::{
    AccountId, Credits, PurchaseId, Refusal,
    ledger::{AddCredits, EntryKind, Money, Purchase, ReservationState},
};
use world::{World, code, key, purchase};

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn l1_a_balance_is_the_sum_of_its_entries() {
    let world = World::new();
    let (fm, ada) = (&world.fm, &world.ada);
    fm.ledger().add_credits(purchase(ada, 77, "pi_1")).wait().unwrap();
    let held = fm.ledger().reserve(ada, Credits::new(500), HOUR, &key("r")).wait().unwrap();
    fm.ledger().settle(ada, held, Some(Credits::new(123))).wait().unwrap();
    let entries = fm.ledger().entries(ada, None).wait().unwrap().rows;
    assert_eq!(entries.iter().map(|entry| entry.amount.get()).sum::<i64>(), world.balance());
    let story: Vec<_> = entries.iter().map(|e| (e.kind, e.amount.get(), e.balance.get())).collect();
    assert_eq!(
        story,
        [
            (EntryKind::Settle, -123, 954),
            (EntryKind::Purchase, 77, 1_077),
            (EntryKind::Purchase, 1_000, 1_000)
        ]
    );
}

#[test]
fn l2_nobody_reserves_more_than_is_free() {
    let world = World::new();
    let reserve = |amount, name| {
        world.fm.ledger().reserve(&world.ada, Credits::new(amount), HOUR, &key(name)).wait()
    };
    reserve(600, "a").unwrap();
    let refused = reserve(401, "b").unwrap_err();
    assert_eq!((refused.code(), refused.http_status()), ("STORAGE_LIMIT_REACHED", 403));
    reserve(400, "c").unwrap();
    assert_eq!((world.available(), world.balance()), (0, 1_000));
    assert_eq!(code(reserve(-1, "d")), "INVALID_REQUEST");
}

#[test]
fn l3_every_change_moves_the_version() {
    let world = World::new();
    let version = || world.fm.ledger().account(&world.ada).wait().unwrap().unwrap().version;
    let before = version();
    let ledger = world.fm.ledger();
    let held = ledger.reserve(&world.ada, Credits::new(1), HOUR, &key("r")).wait().unwrap();
    let reserved = version();
    ledger.release(&world.ada, held).wait().unwrap();
    assert!(before < reserved && reserved < version());
    let entries = ledger.entries(&world.ada, None).wait().unwrap().rows;
    assert_eq!((entries[0].seq, before), (1, 1));
    let held = ledger.reserve(&world.ada, Credits::new(1), HOUR, &key("s")).wait().unwrap();
    let (reserved, _) = (version(), ledger.settle(&world.ada, held, None).wait().unwrap());
    assert_eq!(version(), reserved + 1, "one change, though two sums moved");
}

#[test]
fn l4_a_payment_that_arrives_twice_credits_once() {
    let world = World::new();
    let first = world.fm.ledger().add_credits(purchase(&world.ada, 5, "pi_7")).wait().unwrap();
    let again = world.fm.ledger().add_credits(purchase(&world.ada, 5, "pi_7")).wait().unwrap();
    assert_eq!((first.purchase, first.idempotent), (again.purchase, false));
    assert!(again.idempotent);
    assert_eq!(world.balance(), 1_005);
}

#[test]
fn l4_other_content_under_one_reference_is_a_conflict_that_names_the_field() {
    let world = World::new();
    let one = purchase(&world.ada, 5, "pi_7");
    world.fm.ledger().add_credits(one.clone()).wait().unwrap();
    let bob = AccountId::new("bob").unwrap();
    for (field, other) in [
        ("account", Purchase { account: bob, ..one.clone() }),
        ("credits", Purchase { credits: Credits::new(6), ..one.clone() }),
        ("amount", Purchase { paid: Money::minor(500, "usd").unwrap(), ..one.clone() }),
        ("currency", Purchase { paid: Money::minor(499, "eur").unwrap(), ..one }),
    ] {
        let refused = world.fm.ledger().add_credits(other).wait().unwrap_err();
        let what = "payment reference";
        assert!(
            matches!(&refused, finalmile::Error::Refused(r) if *r == Refusal::Conflict { what, field }),
            "{refused}"
        );
    }
    assert_eq!(world.balance(), 1_005);
}

#[test]
fn l4_one_hundred_threads_with_one_reference_apply_it_once() {
    let world = World::new();
    let applied: usize = std::thread::scope(|scope| {
        let run = || world.fm.ledger().add_credits(purchase(&world.ada, 5, "pi_8")).wait().unwrap();
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|t| usize::from(!t.join().unwrap().idempotent)).sum()
    });
    assert_eq!((applied, world.balance()), (1, 1_005));
}

#[test]
fn l5_a_reservation_ends_once() {
    let world = World::new();
    let ledger = world.fm.ledger();
    let held = ledger.reserve(&world.ada, Credits::new(100), HOUR, &key("r")).wait().unwrap();
    let settled = ledger.settle(&world.ada, held, Some(Credits::new(60))).wait().unwrap();
    assert_eq!((settled.state, settled.settled.get()), (ReservationState::Settled, 60));
    assert_eq!((world.balance(), world.available()), (940, 940), "the rest is free again");
    assert_eq!(code(ledger.release(&world.ada, held).wait()), "RESERVATION_NOT_PENDING");
    assert_eq!(code(ledger.settle(&world.ada, held, None).wait()), "RESERVATION_NOT_PENDING");
    let bob = AccountId::new("bob").unwrap();
    assert_eq!(code(ledger.release(&bob, held).wait()), "RESERVATION_NOT_FOUND");
}

#[test]
fn l6_a_lapsed_reservation_cannot_be_settled_though_nobody_cleaned_up() {
    let world = World::new();
    let ledger = world.fm.ledger();
    let held = ledger.reserve(&world.ada, Credits::new(100), HOUR, &key("r")).wait().unwrap();
    world.clock.advance(HOUR);
    assert_eq!(code(ledger.settle(&world.ada, held, None).wait()), "RESERVATION_NOT_PENDING");
    let seen = ledger.reservation(&world.ada, held).wait().unwrap().unwrap();
    assert_eq!(seen.state, ReservationState::Expired);
    assert_eq!(world.balance(), 1_000);
}

#[test]
fn l7_repeating_an_end_moves_nothing() {
    let world = World::new();
    let ledger = world.fm.ledger();
    let held = ledger.reserve(&world.ada, Credits::new(100), HOUR, &key("r")).wait().unwrap();
    let first = ledger.settle(&world.ada, held, None).wait().unwrap();
    assert_eq!(ledger.settle(&world.ada, held, None).wait().unwrap(), first);
    assert_eq!(world.balance(), 900);
    let other = ledger.reserve(&world.ada, Credits::new(10), HOUR, &key("s")).wait().unwrap();
    let first = ledger.release(&world.ada, other).wait().unwrap();
    assert_eq!(ledger.release(&world.ada, other).wait().unwrap(), first);
}

#[test]
fn o1_a_key_is_claimed_only_by_what_worked() {
    let world = World::new();
    let ledger = world.fm.ledger();
    let reserve = || ledger.reserve(&world.ada, Credits::new(1_500), HOUR, &key("big")).wait();
    assert_eq!(code(reserve()), "STORAGE_LIMIT_REACHED");
    ledger.add_credits(purchase(&world.ada, 1_000, "pi_9")).wait().unwrap();
    assert_eq!(reserve().unwrap(), reserve().unwrap());
    assert_eq!(world.available(), 500);
}

#[test]
fn o2_a_key_with_other_content_is_a_conflict() {
    let world = World::new();
    let ledger = world.fm.ledger();
    ledger.reserve(&world.ada, Credits::new(1), HOUR, &key("k")).wait().unwrap();
    let other = ledger.reserve(&world.ada, Credits::new(2), HOUR, &key("k")).wait();
    assert_eq!(code(other), "IDEMPOTENCY_CONFLICT");
    assert_eq!(world.available(), 999);
}

#[test]
fn amounts_of_nothing_less_or_too_much_are_refused() {
    let world = World::new();
    for credits in [0, -1, i64::MIN] {
        let bad = world.fm.ledger().add_credits(purchase(&world.ada, credits, "pi_bad")).wait();
        assert_eq!(code(bad), "INVALID_REQUEST");
    }
    let bad = world.fm.ledger().add_credits(purchase(&world.ada, i64::MAX, "pi_max")).wait();
    assert_eq!(code(bad), "INVALID_REQUEST", "the balance would not fit");
    assert_eq!(world.balance(), 1_000);
    for currency in ["", "us", "USD", "u$d", "ninechars"] {
        assert!(Money::minor(1, currency).is_err(), "{currency}");
    }
    assert!(Money::minor(-1, "usd").is_err());
}

#[test]
fn metadata_that_may_be_personal_is_refused() {
    let ada = AccountId::new("ada").unwrap();
    let with = |name: &str| {
        let metadata = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        let purchase = Purchase { metadata, ..purchase(&ada, 1, "pi") };
        AddCredits::new(PurchaseId::from_bytes([1; 16]), purchase)
    };
    assert!(with("session_id").is_ok());
    assert!(with("customer_email").is_err());
}

#[test]
fn purchases_come_newest_first_in_pages_of_twenty() {
    let world = World::new();
    for i in 1..=25 {
        world.clock.advance(Duration::from_secs(1));
        world.fm.ledger().add_credits(purchase(&world.ada, i, &format!("pi_{i}"))).wait().unwrap();
    }
    let first = world.fm.ledger().purchases(&world.ada, None).wait().unwrap();
    let second = world.fm.ledger().purchases(&world.ada, first.next.clone()).wait().unwrap();
    assert_eq!((first.rows.len(), first.rows[0].credits.get()), (20, 25));
    assert_eq!((second.rows.len(), second.rows[5].credits.get()), (6, 1_000));
    assert_eq!(second.next, None);
}

#[test]
fn l5_nothing_less_or_more_than_was_set_aside_is_settled() {
    let world = World::new();
    let ledger = world.fm.ledger();
    let held = ledger.reserve(&world.ada, Credits::new(100), HOUR, &key("r")).wait().unwrap();
    for bad in [0, -1, 101, i64::MAX, i64::MIN] {
        let settled = ledger.settle(&world.ada, held, Some(Credits::new(bad))).wait();
        assert_eq!(code(settled), "INVALID_REQUEST", "{bad}");
    }
    assert_eq!((world.balance(), world.available()), (1_000, 900));
    ledger.release(&world.ada, held).wait().unwrap();
    assert_eq!(code(ledger.settle(&world.ada, held, None).wait()), "RESERVATION_NOT_PENDING");
}
