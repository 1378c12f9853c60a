//! Limits where they are hardest: restarts between changes, clocks that jitter, answers out of order.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "some of it shows by the machine's clock only")]

#[path = "support/limits.rs"]
mod support;

use std::{sync::Arc, time::Duration};

use finalmile::{
    AccountId, Budget, FinalMile, Simulated, SystemWorld, Timestamp, World as _,
    engines::{Memory, Sqlite},
    limit::{Align, Home, Policy, Reason, Subject},
    rusqlite::Connection,
};
use support::{DAY, MINUTE, ada, admin, clock, left, many, open, spend};

fn mem(clock: &Arc<Simulated>) -> FinalMile {
    FinalMile::builder(Memory::new()).world(clock.clone()).open().unwrap()
}

#[test]
fn changes_flushes_and_checks_at_once_never_wait_for_each_other() {
    let fm = mem(&clock());
    let search = fm.limiter().endpoint("search").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..300 {
                let policy = Policy::greedy("search".parse().unwrap(), 60 + i % 2, MINUTE).unwrap();
                admin(&fm).configure(policy.burst(120).unwrap()).wait().unwrap();
            }
        });
        for thread in 0..2 {
            let fm = &fm;
            scope.spawn(move || {
                for i in 0..300 {
                    let id = thread * 1_000 + i;
                    assert!(fm.limiter().check(search, Subject::Uuid(id)).is_allowed());
                    fm.limiter().flush().unwrap();
                }
            });
        }
    });
}

#[test]
fn b6_freezes_are_obeyed_in_the_order_of_their_commits() {
    let fm = mem(&clock());
    let search = fm.limiter().endpoint("search").unwrap();
    for round in 0..1_000 {
        let who = AccountId::new(format!("user-{}", round % 7)).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (fm, who) = (&fm, &who);
                scope.spawn(move || match thread {
                    0 => drop(admin(fm).freeze(who, "spam", None).wait().unwrap()),
                    1 => drop(admin(fm).unfreeze(who, "no").wait().unwrap()),
                    _ => fm.limiter().flush().unwrap(),
                });
            }
        });
        let stored = admin(&fm).account_status(&who).wait().unwrap().unwrap();
        let obeyed = fm.limiter().peek(search, &who).reason() == Some(Reason::Frozen);
        assert_eq!(obeyed, stored.frozen_at.is_some());
    }
}

#[test]
fn b7_a_window_that_began_with_its_first_request_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("a.db"), clock());
    let fm = open(&path, &clock);
    let p = Policy::window("firsty".parse().unwrap(), 10, MINUTE * 60)
        .unwrap()
        .aligned(Align::First)
        .unwrap();
    admin(&fm).configure(p).wait().unwrap();
    spend(&fm, "firsty", 10);
    drop(fm);
    clock.advance(Duration::from_secs(1));
    assert_eq!(left(&open(&path, &clock), "firsty"), 0);
}

#[test]
fn b7_a_window_is_stored_and_taken_in_by_the_machines_clock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let real = || FinalMile::builder(Sqlite::file(&path)).open().unwrap();
    let fm = real();
    let p = Policy::window("epochy".parse().unwrap(), 1000, DAY * 300).unwrap();
    admin(&fm).configure(p).wait().unwrap();
    let db = Connection::open(&path).unwrap();
    let mut lagging = 0;
    for i in 1..=200u32 {
        spend(&fm, "epochy", 1);
        fm.limiter().flush().unwrap();
        let (mark, rest): (i64, i64) = db
            .query_row("SELECT mark, rest FROM fm_bucket", [], |r| Ok((r.get(0)?, r.get(1)?)))
            .unwrap_or((-1, -1));
        if rest != i64::from(i) {
            lagging += 1;
            if lagging < 6 {
                println!(
                    "t03 spent {i} stored {rest}, mark {} us off its boundary",
                    mark % (300 * 86_400_000_000)
                );
            }
        }
    }
    drop(fm);
    let seen: Vec<u32> = (0..12).map(|_| left(&real(), "epochy")).collect();
    assert!(lagging == 0 && seen.iter().all(|l| *l == 800));
}

#[test]
fn b6_a_frozen_account_is_refused_where_nothing_is_limited_too() {
    let clock = clock();
    let fm = mem(&clock);
    let p = Policy::greedy("search".parse().unwrap(), 60, MINUTE).unwrap().active(false);
    admin(&fm).configure(p).wait().unwrap();
    admin(&fm).freeze(&ada(), "spam", None).wait().unwrap();
    let s = fm.limiter().endpoint("search").unwrap();
    assert_eq!(fm.limiter().check(s, &ada()).reason(), Some(Reason::Frozen));
}

#[test]
fn b4_what_a_clock_that_ran_ahead_had_stored_is_put_right() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("a.db"), clock());
    let start = clock.now();
    clock.advance(DAY * 90);
    let fm = open(&path, &clock);
    spend(&fm, "feed", 60);
    spend(&fm, "search", 100);
    drop(fm);
    clock.set(start);
    let fm = open(&path, &clock);
    spend(&fm, "feed", 40);
    assert_eq!(left(&fm, "feed"), 0);
    clock.advance(MINUTE * 2);
    assert_eq!(left(&fm, "search"), 120);
    fm.limiter().flush().unwrap();
    drop(fm);
    let fm = open(&path, &clock);
    assert_eq!((left(&fm, "feed"), left(&fm, "search")), (0, 120));
}

#[test]
fn q6_a_change_of_rule_is_carried_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("a.db"), clock());
    let fm = open(&path, &clock);
    admin(&fm)
        .configure(Policy::greedy("x".parse().unwrap(), 1000, DAY * 30).unwrap())
        .wait()
        .unwrap();
    spend(&fm, "x", 900);
    drop(fm);
    clock.advance(DAY * 10);
    let fm = open(&path, &clock);
    assert_eq!(left(&fm, "x"), 433);
    admin(&fm)
        .configure(Policy::window("x".parse().unwrap(), 1000, DAY * 30).unwrap())
        .wait()
        .unwrap();
    let before = left(&fm, "x");
    drop(fm);
    let after = left(&open(&path, &clock), "x");
    assert_eq!(before, after);
}

#[test]
fn a_row_that_a_slower_policy_needs_is_not_removed() {
    let run = |maintain: bool| {
        let clock = clock();
        let fm = mem(&clock);
        let at = "begin-upload".parse().unwrap();
        for _ in 0..50 {
            assert!(fm.limiter().take(&at, &ada()).wait().is_ok());
        }
        admin(&fm).configure(Policy::window(at.clone(), 50, DAY * 30).unwrap()).wait().unwrap();
        clock.advance(MINUTE * 60 * 25);
        if maintain {
            fm.maintain(Budget::seconds(5)).wait().unwrap();
        }
        fm.limiter().take(&at, &ada()).wait().is_ok()
    };
    let got = (run(false), run(true));
    assert_eq!(got.0, got.1);
}

#[test]
fn b2_tokens_that_came_back_by_themselves_are_not_given_back_again() {
    let clock = clock();
    let fm = mem(&clock);
    let s = fm.limiter().endpoint("search").unwrap();
    let mut piles = vec![];
    for _ in 0..5 {
        piles.push((0..120).map(|_| fm.limiter().reserve(s, &ada()).unwrap()).collect::<Vec<_>>());
        clock.advance(MINUTE * 2);
    }
    let mut at_once = 0;
    if fm.limiter().check_n(s, &ada(), many(120)).is_allowed() {
        at_once += 120;
    }
    for pile in piles {
        drop(pile);
        if fm.limiter().check_n(s, &ada(), many(120)).is_allowed() {
            at_once += 120;
        }
    }
    assert_eq!(at_once, 120);
}

#[test]
fn y1_the_check_that_ends_a_freeze_is_counted_once() {
    let clock = clock();
    let fm = mem(&clock);
    let s = fm.limiter().endpoint("search").unwrap();
    assert!(fm.limiter().check(s, &ada()).is_allowed());
    admin(&fm).freeze(&ada(), "spam", Some(clock.now().after(MINUTE))).wait().unwrap();
    clock.advance(MINUTE);
    assert!(fm.limiter().check(s, &ada()).is_allowed());
    fm.limiter().flush().unwrap();
    let d = admin(&fm).limit_dashboard().unwrap();
    let d = d.iter().find(|e| e.endpoint == "search").unwrap();
    assert_eq!((d.requests, d.blocked), (2, 0));
}

#[test]
fn y1_checks_are_counted_in_the_minute_that_they_were_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let fm = FinalMile::builder(Sqlite::file(&path)).open().unwrap();
    let s = fm.limiter().endpoint("search").unwrap();
    for _ in 0..60 {
        assert!(fm.limiter().check(s, &ada()).is_allowed());
        fm.limiter().flush().unwrap();
    }
    let now = SystemWorld.now().micros() / 60_000_000;
    let db = Connection::open(&path).unwrap();
    let n: i64 = db
        .query_row(
            "SELECT coalesce(sum(allowed + refused), 0) FROM fm_limit_minute WHERE minute > ?1",
            [now],
            |r| r.get(0),
        )
        .unwrap();
    assert_eq!(n, 0);
}

#[test]
fn before_1970_buckets_are_full_too() {
    let clock = Arc::new(Simulated::new(Timestamp::from_millis(-1_000_000_000_000), 1));
    let fm = mem(&clock);
    let p = Policy::greedy("st".parse().unwrap(), 60, MINUTE).unwrap().home(Home::Store);
    admin(&fm).configure(p).wait().unwrap();
    let s = fm.limiter().endpoint("search").unwrap();
    assert!(fm.limiter().check(s, &ada()).is_allowed());
    clock.advance(MINUTE);
    assert_eq!(left(&fm, "search"), 120);
    admin(&fm)
        .configure(Policy::greedy("search".parse().unwrap(), 30, MINUTE).unwrap())
        .wait()
        .unwrap();
    assert!(fm.limiter().take(&"st".parse().unwrap(), &ada()).wait().is_ok());
}

#[test]
fn y1_flushes_at_once_lose_no_count() {
    let clock = clock();
    let fm = mem(&clock);
    let s = fm.limiter().endpoint("stripe_webhook").unwrap();
    let mut total = 0;
    for _round in 0..300 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    assert!(fm.limiter().check(s, Subject::Shared).is_allowed());
                    fm.limiter().flush().unwrap();
                });
            }
        });
        total += 4;
        // A minute later: nobody writes that minute's row again.
        let d = admin(&fm).limit_dashboard().unwrap();
        let d = d.iter().find(|e| e.endpoint == "stripe_webhook").unwrap();
        if d.requests != total {
            fm.limiter().flush().unwrap();
            let d = admin(&fm).limit_dashboard().unwrap();
            let d = d.iter().find(|e| e.endpoint == "stripe_webhook").unwrap();
            panic!("{} of {total}", d.requests);
        }
    }
}

#[test]
fn y1_counts_wait_for_a_store_that_is_away() {
    let clock = clock();
    let fm = mem(&clock);
    let s = fm.limiter().endpoint("search").unwrap();
    fm.suspend().unwrap();
    for _ in 0..5 {
        assert!(fm.limiter().check(s, &ada()).is_allowed());
    }
    std::thread::sleep(Duration::from_millis(6_000)); // the keeper's own figures turn
    clock.advance(MINUTE * 11);
    std::thread::sleep(Duration::from_millis(6_000));
    fm.resume().unwrap();
    fm.limiter().flush().unwrap();
    let d = admin(&fm).limit_dashboard().unwrap();
    let d = d.iter().find(|e| e.endpoint == "search").unwrap();
    assert_eq!(d.requests, 5);
}

#[test]
fn b8_windows_of_two_instances_keep_what_more_was_spent() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("a.db"), clock());
    let (one, other) = (open(&path, &clock), open(&path, &clock));
    let p = Policy::window("firsty".parse().unwrap(), 100, MINUTE * 60)
        .unwrap()
        .aligned(Align::First)
        .unwrap();
    admin(&one).configure(p).wait().unwrap();
    spend(&one, "firsty", 50);
    one.limiter().flush().unwrap();
    clock.advance(MINUTE);
    spend(&other, "firsty", 1);
    other.limiter().flush().unwrap();
    spend(&one, "firsty", 49);
    one.limiter().flush().unwrap();
    let db = Connection::open(&path).unwrap();
    let rest: i64 = db.query_row("SELECT rest FROM fm_bucket", [], |r| r.get(0)).unwrap();
    assert_eq!(rest, 99);
}

#[test]
fn the_dashboard_works_at_the_beginning_of_time() {
    let clock = Arc::new(Simulated::new(Timestamp::from_micros(i64::MIN), 1));
    let fm = mem(&clock);
    admin(&fm).limit_dashboard().unwrap();
}
