//! Maintenance when its process is killed while it purges: what was purged stays purged, the rest is whole,
//! and the next run goes on.

#![cfg(feature = "sqlite")]
#![allow(clippy::print_stdout, reason = "it says how much was tried")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/example.rs"]
mod example;
#[path = "support/items.rs"]
mod items;
#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod postgres_support;

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use finalmile::{
    Actor, FinalMile,
    storage::Backend,
    trash::{ItemKind, ItemState, Relation},
};
use items::{id, trash};

/// Due at once.
const COURSE: ItemKind = ItemKind::new("course").purge_after(Duration::ZERO);
const LESSON: ItemKind = ItemKind::new("lesson").purge_after(Duration::ZERO);
/// How many lessons a course has; all of them go with it.
const LESSONS: usize = 24;

fn open(backend: impl Backend) -> FinalMile {
    FinalMile::builder(backend).item(COURSE).item(LESSON).open().unwrap()
}

/// Deleted courses with their lessons.
fn fill(fm: &FinalMile, courses: usize) {
    let items = fm.items();
    let all = names(courses);
    let known: Vec<_> = all.iter().map(|name| items.register(&id(name), name, None)).collect();
    known.into_iter().for_each(|one| drop(one.wait().unwrap()));
    let parts: Vec<_> = all
        .iter()
        .filter_map(|name| {
            let course = name.strip_prefix("lesson:")?.split('-').next()?;
            Some(items.depend(&id(name), &id(&format!("course:{course}")), Relation::PartOf))
        })
        .collect();
    parts.into_iter().for_each(|one| assert!(one.wait().unwrap()));
    for course in 0..courses {
        let gone = trash(fm).delete_with_parts(&id(&format!("course:{course}")), "old").wait();
        assert_eq!(gone.unwrap().count, LESSONS as u64 + 1);
    }
}

fn names(courses: usize) -> Vec<String> {
    let lessons = |course| (0..LESSONS).map(move |lesson| format!("lesson:{course}-{lesson}"));
    (0..courses).flat_map(|c| std::iter::once(format!("course:{c}")).chain(lessons(c))).collect()
}

/// Each item is deleted, or purged and without its label; how many are purged. A look at some of their
/// audits: a purge is written down with it, once.
fn look(fm: &FinalMile, courses: usize) -> usize {
    let admin = fm.admin(Actor::new("ops").unwrap());
    let mut purged = 0;
    for (n, name) in names(courses).into_iter().enumerate() {
        let state = || trash(fm).get(&id(&name)).wait().unwrap().unwrap();
        let mut item = state();
        assert_ne!(item.state, ItemState::Live, "{name}");
        if n % 11 == 0 {
            let acts = loop {
                let acts = admin.audit(&format!("item:{name}")).unwrap();
                // A server may still commit for a client that is dead.
                let now = state();
                if now == item {
                    break acts;
                }
                item = now;
            };
            let acts: Vec<_> = acts.iter().map(|act| act.action.as_str()).collect();
            let all = ["delete-item", "purge-item"];
            let expected = if item.state == ItemState::Purged { &all[..] } else { &all[..1] };
            assert_eq!(acts, expected, "{name}");
        }
        if item.state == ItemState::Purged {
            assert_eq!(item.label, "");
            purged += 1;
        }
    }
    purged
}

fn killed_again_and_again(db: &str, open: impl Fn() -> FinalMile, courses: usize, step_ms: u64) {
    let build: &[&str] = if cfg!(feature = "postgres") { &["--all-features"] } else { &[] };
    let sweep: PathBuf = example::find("sweep", build);
    let fm = open();
    fill(&fm, courses);
    drop(fm);
    let (mut kills, mut among, mut wait_ms) = (0, 0, step_ms);
    let all = courses * (LESSONS + 1);
    loop {
        let mut child = Command::new(&sweep)
            .args(["--db", db, "--seconds", "60", "--trust-clock"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(wait_ms));
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let purged = look(&open(), courses);
        if let Some(ended) = ended {
            assert!(ended.success());
            assert_eq!(purged, all, "the last run went to the end");
            break;
        }
        kills += 1;
        among += usize::from(0 < purged && purged < all);
        wait_ms += step_ms;
    }
    println!("{kills} kills, {among} of them among {all} purges");
    assert!(among >= 2, "{kills} kills, {among} of them among {all} purges");
    // What went is gone for good.
    let restored = trash(&open()).restore(&id("course:0"), "x").wait();
    assert_eq!(restored.unwrap_err().code(), "ITEM_NOT_DELETED");
}

#[test]
fn m1_i7_a_purge_that_is_killed_goes_on_on_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let client = || open(finalmile::engines::Sqlite::file(&path));
    killed_again_and_again(path.to_str().unwrap(), client, 160, 5);
}

#[cfg(feature = "postgres")]
#[test]
fn m1_i7_a_purge_that_is_killed_goes_on_on_a_server() {
    let Some(cluster) = postgres_support::live_or_skip() else { return };
    let schema = cluster.schema();
    let client = || open(finalmile::engines::Postgres::url(schema.url()));
    killed_again_and_again(schema.url(), client, 60, 12);
}
