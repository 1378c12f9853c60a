//! Sweeps: what maintenance takes when a tenth of a million rows is due, and what a writer beside it feels.
//!
//! Half of the rows are uploads that nobody finished, half are deleted items; each round lets another tenth
//! of both come due. The writer begins uploads, one after the other, each with a sync.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use finalmile::{Budget, Error, Simulated, Timestamp, World as _, upload::UPLOAD_TTL};
use rustix::time::ClockId;

use crate::{
    args::Args,
    checks::reading,
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
    uploads::{CHUNK, Uploads},
};

/// How many rows there are; fewer for a quick look.
const ROWS: [u64; 2] = [1_000_000, 50_000];
/// In how many parts they come due.
const PARTS: u64 = 10;
/// How many of them do.
const ROUNDS: u32 = 3;
/// When the next part is due.
const STEP: Duration = Duration::from_secs(60);
/// How many calls the writer makes alone, each round.
const ALONE: usize = 2_000;
/// How many milliseconds a sweep may take.
const BUDGET_MS: u32 = 30_000;

/// The rows of a sweep and of a writer beside it.
///
/// # Errors
///
/// Whatever a store answers.
pub fn sweeps(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let many = ROWS[usize::from(args.quick)];
    let part = many / 2 / PARTS;
    let due = part * 2;
    let took = format!("a sweep over {many} rows, {due} of them due, beside a writer");
    let felt = format!("the writer beside it, the slowest of 100, {many} rows");
    if !args.wants(&took) && !args.wants(&felt) {
        return Ok(());
    }
    let folder = tempfile::tempdir_in(parent).expect("a folder can be made");
    let clock = Arc::new(Simulated::new(Timestamp::from_millis(1_800_000_000_000), 1));
    let path = folder.path().join("sweep.db");
    let mut side = Uploads::open_in(&path, clock.clone())?;
    fill_items(&side, many / 2, part, clock.now())?;
    for _ in 0..PARTS {
        drop(side.begin(part, CHUNK)?);
        clock.advance(STEP);
    }
    // Nothing is due yet; after another step, the first part is.
    clock.advance(UPLOAD_TTL - STEP * (u32::try_from(PARTS).unwrap_or_default() + 1));
    let (mut sweep, mut beside, mut alone) = <(Runs, Runs, Runs)>::default();
    for _ in 0..ROUNDS {
        alone.push(writes(&mut side, |n| n < ALONE)?);
        clock.advance(STEP);
        let (fm, running) = (side.fm.clone(), Arc::new(AtomicBool::new(true)));
        let goes = running.clone();
        let sweeper = thread::spawn(move || {
            let before = reading(ClockId::Monotonic);
            let done = fm.maintain(Budget::seconds(60).trust_clock()).wait();
            running.store(false, Ordering::Relaxed);
            done.map(|done| (done, reading(ClockId::Monotonic) - before))
        });
        beside.push(writes(&mut side, |_| goes.load(Ordering::Relaxed))?);
        let (done, spent) = sweeper.join().expect("the sweep ends")?;
        assert!(!done.more, "all of it was done: {done:?}");
        assert_eq!(done.items_purged, part, "every item that was due is gone");
        assert!(done.uploads_failed >= part, "every upload that was due failed: {done:?}");
        sweep.push(spent.as_nanos() as f64);
    }
    let mut budget = Runs::default();
    budget.push(f64::from(BUDGET_MS) * 1e6);
    let (rival, runs) = ("a budget of 30 s".to_owned(), [sweep, budget]);
    report.row(&Row { figure: took, rival, unit: Unit::Micros, runs, bar: Bar::AtMost(1.0) });
    let (rival, runs) = ("the writer alone".to_owned(), [beside, alone]);
    report.row(&Row { figure: felt, rival, unit: Unit::Micros, runs, bar: Bar::AtMost(3.0) });
    Ok(())
}

/// Deleted items, of which so many come due with each step, written by SQL.
fn fill_items(side: &Uploads, many: u64, part: u64, now: Timestamp) -> Result<(), Error> {
    let (due, step) = (now.after(UPLOAD_TTL).micros(), STEP.as_micros());
    let script = format!(
        "CREATE TEMP TABLE n AS
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {many})
         SELECT i FROM n;
         INSERT INTO fm_item (id, kind, label, state, version, used_by, users, parts, created_at,
                              deleted_at, deleted_by, deletion_reason, batch, purge_at)
         SELECT printf('thing:%07d', i), 'thing', 'a thing', 'deleted', 2, 0, '{{}}', 0, 1, 1, 'bench',
                'it is old', unhex(printf('%032x', i)), {due} + i / {part} * {step} FROM n;
         INSERT INTO fm_deletion (batch, item, count, held, purged)
         SELECT unhex(printf('%032x', i)), printf('thing:%07d', i), 1, 0, 0 FROM n;
         DROP TABLE n;"
    );
    side.fm.transaction(|tx| {
        tx.sql().execute_batch(&script)?;
        Ok(())
    })
}

/// Begins uploads while it may; how many nanoseconds the slowest of a hundred took.
fn writes(side: &mut Uploads, goes_on: impl Fn(usize) -> bool) -> Result<f64, Error> {
    let mut took = Runs::default();
    let mut calls = 0;
    while goes_on(calls) || calls < 100 {
        let before = reading(ClockId::Monotonic);
        drop(side.begin(1, 1)?);
        took.push((reading(ClockId::Monotonic) - before).as_nanos() as f64);
        calls += 1;
    }
    Ok(took.percentile(99))
}
