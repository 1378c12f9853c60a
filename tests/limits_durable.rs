//! Limits over restarts, crashes and several instances on one database.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "what a crash gives back is measured in real time")]

#[path = "support/limits.rs"]
mod support;

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use finalmile::{
    Budget, EndpointName, Error, FinalMile, Refusal, Timestamp, World as _,
    engines::Sqlite,
    limit::{LimitOptions, Policy, Reason, Subject, Take},
};
use support::{DAY, MINUTE, ada, admin, clock, left, many, open, spend};

#[test]
fn b7_an_orderly_restart_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("app.db"), clock());
    let fm = open(&path, &clock);
    spend(&fm, "search", 100);
    spend(&fm, "feed", 60);
    let auth = fm.limiter().endpoint("user_auth").unwrap();
    assert!(fm.limiter().check_n(auth, Subject::Uuid(7), many(20)).is_allowed());
    assert!(fm.limiter().check_n(auth, Subject::Shared, many(20)).is_allowed());
    drop(fm);
    clock.advance(Duration::from_secs(30));
    let fm = open(&path, &clock);
    assert_eq!((left(&fm, "search"), left(&fm, "feed")), (50, 40));
    let auth = fm.limiter().endpoint("user_auth").unwrap();
    for subject in [Subject::Uuid(7), Subject::Shared] {
        assert_eq!(fm.limiter().peek(auth, subject).remaining(), Some(5));
    }
    clock.advance(MINUTE * 3);
    drop(fm);
    assert_eq!(left(&open(&path, &clock), "search"), 120);
}

#[test]
fn b4_a_restart_with_the_clock_set_back_locks_nobody_out_for_years() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("app.db"), clock());
    let start = clock.now();
    clock.advance(DAY * 90);
    let fm = open(&path, &clock);
    spend(&fm, "search", 100);
    spend(&fm, "feed", 60);
    drop(fm);
    clock.set(start);
    let fm = open(&path, &clock);
    assert_eq!((left(&fm, "search"), left(&fm, "feed")), (0, 40), "grants nothing");
    clock.advance(MINUTE * 2);
    assert_eq!(left(&fm, "search"), 120, "and is over after a full refill");
    clock.advance(MINUTE * 60);
    assert_eq!(left(&fm, "feed"), 100);
}

#[test]
fn b4_clock_steps_while_it_runs_grant_nothing_and_lock_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("app.db"), clock());
    let fm = open(&path, &clock);
    spend(&fm, "search", 120);
    clock.set(clock.now().before(MINUTE * 60));
    assert_eq!(left(&fm, "search"), 0);
    clock.advance(Duration::from_secs(7));
    assert_eq!(left(&fm, "search"), 7);
    clock.advance(DAY * 90);
    assert_eq!(left(&fm, "search"), 120);
    clock.set(Timestamp::from_millis(7_258_118_400_000));
    spend(&fm, "search", 120);
    clock.advance(Duration::from_secs(1));
    assert_eq!(left(&fm, "search"), 1, "in the year 2200 as today");
}

#[test]
fn b8_instances_never_undo_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("app.db"), clock());
    let (one, other) = (open(&path, &clock), open(&path, &clock));
    let third = open(&path, &clock);
    spend(&one, "search", 90);
    spend(&other, "search", 30);
    spend(&third, "search", 1);
    for fm in [&one, &other, &third, &other] {
        fm.limiter().flush().unwrap();
    }
    drop((one, other, third));
    assert_eq!(left(&open(&path, &clock), "search"), 30, "the emptiest of three");
}

#[test]
fn b6_other_instances_obey_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("app.db"), clock());
    let (one, other) = (open(&path, &clock), open(&path, &clock));
    spend(&other, "search", 60);
    let search = other.limiter().endpoint("search").unwrap();
    let check = || other.limiter().check(search, &ada());
    let obeyed = |sign: &dyn Fn() -> bool| {
        // By its own thread: nothing here asks it to.
        std::thread::sleep(Duration::from_millis(1_000));
        assert!(sign());
    };
    admin(&one).freeze(&ada(), "spam", None).wait().unwrap();
    obeyed(&|| check().reason() == Some(Reason::Frozen));
    admin(&one).unfreeze(&ada(), "it was not").wait().unwrap();
    obeyed(&|| check().is_allowed());
    let narrow = Policy::greedy("search".parse().unwrap(), 12, MINUTE).unwrap();
    admin(&one).configure(narrow).wait().unwrap();
    obeyed(&|| other.limiter().peek(search, &ada()).remaining() == Some(5));
    admin(&one).reset_limits(&ada(), "a false alarm").wait().unwrap();
    obeyed(&|| other.limiter().peek(search, &ada()).remaining() == Some(12));
    let late = Policy::greedy("late".parse().unwrap(), 1, MINUTE).unwrap();
    admin(&one).configure(late).wait().unwrap();
    assert!(other.limiter().check(other.limiter().endpoint("late").unwrap(), &ada()).is_allowed());
}

#[test]
fn what_was_frozen_before_is_frozen_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("app.db"), clock());
    let fm = open(&path, &clock);
    admin(&fm).freeze(&ada(), "spam", Some(clock.now().after(MINUTE))).wait().unwrap();
    drop(fm);
    let fm = open(&path, &clock);
    let search = fm.limiter().endpoint("search").unwrap();
    assert_eq!(fm.limiter().check(search, &ada()).reason(), Some(Reason::Frozen));
    clock.advance(MINUTE);
    assert!(fm.limiter().check(search, &ada()).is_allowed());
}

#[test]
fn rows_are_kept_as_long_as_the_documents_say() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("app.db"), clock());
    let fm = open(&path, &clock);
    spend(&fm, "search", 120);
    spend(&fm, "feed", 1);
    let search = fm.limiter().endpoint("search").unwrap();
    assert!(!fm.limiter().check(search, &ada()).is_allowed());
    fm.limiter().flush().unwrap();
    let rows = |table: &'static str| fm.store().view(table, 100).wait().unwrap().rows.len();
    let tables = || {
        let all = ["rate_limits", "rate_limit_log", "v_rate_limit_top_users"];
        fm.maintain(Budget::seconds(9)).wait().unwrap();
        all.map(rows)
    };
    assert_eq!(tables(), [2, 1, 1]);
    clock.advance(DAY);
    assert_eq!(tables(), [1, 1, 1], "windows: 24 hours");
    clock.advance(DAY * 6);
    assert_eq!(tables(), [1, 0, 0], "log and counters: 7 days");
    clock.advance(DAY * 23);
    assert_eq!(tables(), [0, 0, 0], "buckets: 30 days");
}

#[test]
fn the_documents_views_show_what_was_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = LimitOptions::default();
    options.keys_max = 10;
    // By the machine's clock, as the views read the database's.
    let fm = FinalMile::builder(Sqlite::file(folder.path().join("app.db"))).limits(options);
    let fm = fm.open().unwrap();
    let auth = fm.limiter().endpoint("user_auth").unwrap();
    let allowed = (0..40).filter(|_| fm.limiter().check(auth, &ada()).is_allowed()).count();
    fm.limiter().flush().unwrap();
    let seen = fm.store().view("v_rate_limit_dashboard", 100).wait().unwrap();
    let text = format!("{seen:?}");
    let of = |name: &str| seen.columns.iter().position(|column| column == name).unwrap();
    let row = seen.rows.iter().find(|row| format!("{:?}", row[0]).contains("user_auth")).unwrap();
    let cell = |name: &str| format!("{:?}", row[of(name)]);
    assert!(cell("active_buckets").contains("(1)"), "{text}");
    assert!(cell("requests_last_hour").contains("(40)"), "{text}");
    assert!(cell("blocked_last_hour").contains(&format!("({})", 40 - allowed)), "{text}");
    let rate = (40 - allowed) * 10_000 / 40;
    assert!(cell("block_rate_percent").contains(&format!("{}.{:02}", rate / 100, rate % 100)));
    let top = format!("{:?}", fm.store().view("v_rate_limit_top_users", 10).wait().unwrap());
    assert!(top.contains("\"ada\"") && top.contains("(40)"), "{top}");
}

#[test]
fn a_token_in_the_hosts_transaction_is_spent_with_its_rows_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let fm = open(&folder.path().join("app.db"), &clock());
    let token = || Take::new("begin-upload".parse().unwrap(), ada());
    let left = || {
        let all = fm.limiter().buckets(&ada()).unwrap();
        all.iter().find(|one| one.endpoint() == "begin-upload").unwrap().remaining().unwrap()
    };
    let post = |fails: bool| {
        fm.transaction(|tx| {
            tx.sql().execute("CREATE TABLE IF NOT EXISTS posts (id INTEGER PRIMARY KEY)", [])?;
            let taken = tx.run(token())?;
            tx.sql().execute("INSERT INTO posts DEFAULT VALUES", [])?;
            if fails { Err(Error::from(Refusal::Unauthorized)) } else { Ok(taken.remaining()) }
        })
    };
    assert_eq!((post(false).unwrap(), left()), (Some(49), 49));
    post(true).unwrap_err();
    assert_eq!(left(), 49);
}

/// The child of the next test: it spends as fast as it can and says how much, each millisecond.
#[test]
#[ignore = "a part of b7, which runs it as a process of its own"]
fn child_that_spends_until_it_is_killed() {
    let Ok(path) = std::env::var("FINALMILE_LIMIT_DB") else { return };
    let fm = FinalMile::builder(Sqlite::file(path)).open().unwrap();
    let year = Duration::from_secs(365 * 86_400);
    let wide = Policy::greedy("wide".parse().unwrap(), 1_000_000_000, year).unwrap();
    admin(&fm).configure(wide).wait().unwrap();
    let wide = fm.limiter().endpoint("wide").unwrap();
    for spent in 1.. {
        assert!(fm.limiter().check_n(wide, &ada(), many(1_000)).is_allowed());
        println!("spent {spent}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn b7_a_crash_gives_back_at_most_a_seconds_spending() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_that_spends_until_it_is_killed", "--nocapture"])
        .env("FINALMILE_LIMIT_DB", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut spent_by = Vec::new();
    let began = std::time::Instant::now();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some(spent) = line.rsplit("spent ").next().and_then(|n| n.parse::<u64>().ok()) else {
            continue;
        };
        spent_by.push((began.elapsed(), spent));
        if began.elapsed() > Duration::from_millis(3_300) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let (killed, last) = *spent_by.last().unwrap();
    let second_before = spent_by.iter().rfind(|(at, _)| *at + Duration::from_secs(1) <= killed);
    let fm = FinalMile::builder(Sqlite::file(&path)).open().unwrap();
    let wide: EndpointName = "wide".parse().unwrap();
    let endpoint = fm.limiter().endpoint(wide.as_str()).unwrap();
    let left = fm.limiter().peek(endpoint, &ada()).remaining().unwrap();
    let kept = u64::from(1_000_000_000 - left).div_ceil(1_000);
    // Thirty-two tokens a second come back by themselves.
    assert!(kept <= last + 1, "{kept} {last}");
    assert!(kept + 1 >= second_before.unwrap().1, "{kept} of {last}: {second_before:?}");
}
