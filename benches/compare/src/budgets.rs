//! Budgets: what the slowest call of a hundred, and a look at the dashboard, may take when there are a
//! million uploads.
//!
//! The same file lies in memory, where a sync is free, and on the disk: what is ours shows in the one,
//! what a user waits for in the other. Every upload is complete, with its share, entry, reservation
//! and key.

use std::{fs, path::Path, sync::Arc, time::Duration};

use finalmile::{
    Actor, Error, FinalMile, Simulated, SystemWorld, World as _, engines::Sqlite, storage::Cursor,
};
use rustix::time::ClockId;

use crate::{
    args::Args,
    checks::reading,
    report::{Bar, Report, Row, Unit},
    rivals::raw_ledger,
    rounds::Runs,
    transfer::mix,
    uploads::{CHUNK, MANY, Uploads},
};

/// Where a sync is free.
pub(crate) const MEMORY: &str = "/dev/shm";
/// How often the whole ledger is read.
const PASSES: usize = 3;

/// What is asked for, and how many milliseconds it may take.
const CALLS: [(&str, u32); 3] =
    [("begin an upload", 100), ("finalize an upload", 200), ("a page of 20 of the feed", 150)];

/// What a dashboard shows.
const VIEWS: [&str; 7] = [
    "v_upload_success",
    "v_bytes_uploaded",
    "v_credits_reserved",
    "v_storage_limit_reached",
    "v_thumbnail_coverage",
    "v_bandwidth_daily",
    "v_suspicious_uploads",
];

/// Over how long the uploads are spread.
const MONTH: Duration = Duration::from_secs(30 * 86_400);
/// How often the dashboard is read.
const LOOKS: usize = 15;

/// The rows of the budgets, and what reading the whole ledger takes.
///
/// # Errors
///
/// Whatever a store answers.
pub fn uploads(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let many = MANY[usize::from(args.quick)];
    let places = [
        (format!("without the sync ({MEMORY})"), Bar::AtMost(0.05)),
        ("durable".to_owned(), Bar::AtMost(1.0)),
    ];
    let figure =
        |call: &str, place: &str| format!("{call} at {many} uploads, the slowest of 100, {place}");
    let verify = format!("`verify()` at {many} uploads, entries");
    let all = CALLS.iter().flat_map(|(call, _)| places.iter().map(|p| figure(call, &p.0)));
    let dashboard = ["read models", "views"]
        .map(|by| format!("dashboard at {many} uploads of 30 days, by {by}"));
    let wants_calls = args.wants(&verify) || all.into_iter().any(|figure| args.wants(&figure));
    if !wants_calls && !dashboard.iter().any(|figure| args.wants(figure)) {
        return Ok(());
    }
    let folder = |parent| tempfile::tempdir_in(parent).expect("a folder can be made");
    let (memory, disk) = (folder(MEMORY), folder(parent));
    let [here, there] = [&memory, &disk].map(|place| place.path().join("uploads.db"));
    let mut here_side = filled(&here, many)?;
    for (figure, by_views) in dashboard.into_iter().zip([false, true]) {
        if args.wants(&figure) {
            let (rival, bar) = ("a budget of 1 s".to_owned(), Bar::AtMost(1.0));
            let (unit, runs) = (Unit::Micros, looks(&here_side, many, by_views)?);
            report.row(&Row { figure, rival, unit, runs, bar });
        }
    }
    if !wants_calls {
        return Ok(());
    }
    let mut there_side = copied(&here_side, &here, &there)?;
    let pages = pages(&here_side, many)?;
    let calls = if args.quick { 200 } else { 1_000 };
    let mut found = [(); 2].map(|()| [(); 3].map(|()| Runs::default()));
    for round in 0..args.pace().rounds {
        for (side, found) in [&mut here_side, &mut there_side].into_iter().zip(&mut found) {
            let mut begun = Vec::new();
            let begin = slowest(calls, |_| side.begin(1, 1).map(|one| begun.extend(one)));
            found[0].push(begin?);
            found[1].push(slowest(calls, |n| side.finalize(&begun[n..=n]))?);
            let page = |n| {
                let random = mix((round * calls + n) as u64) % pages.len() as u64;
                let at = pages[usize::try_from(random).unwrap_or_default()].clone();
                assert_eq!(side.fm.uploads().feed(at).wait()?.rows.len(), 20);
                Ok(())
            };
            found[2].push(slowest(calls, page)?);
        }
    }
    for ((place, bar), found) in places.iter().zip(found) {
        for ((call, budget_ms), runs) in CALLS.iter().zip(found) {
            let mut budget = Runs::default();
            budget.push(f64::from(*budget_ms) * 1e6);
            let (figure, rival) = (figure(call, place), format!("a budget of {budget_ms} ms"));
            let (unit, runs) = (Unit::Micros, [runs, budget]);
            report.row(&Row { figure, rival, unit, runs, bar: *bar });
        }
    }
    if args.wants(&verify) {
        let rival = "the chain alone, in rusqlite".to_owned();
        let (unit, runs) = (Unit::PerSecond, passes(&here_side, &here)?);
        report.row(&Row { figure: verify, rival, unit, runs, bar: Bar::None });
    }
    Ok(())
}

/// A file with that many complete uploads, spread over the last 30 days.
fn filled(path: &Path, many: u64) -> Result<Uploads, Error> {
    let clock = Arc::new(Simulated::new(SystemWorld.now().before(MONTH), 1));
    let mut uploads = Uploads::open_in(path, clock.clone())?;
    let step = MONTH / u32::try_from(many.div_ceil(CHUNK)).unwrap_or(u32::MAX);
    while uploads.begun < many {
        clock.advance(step);
        let some = CHUNK.min(many - uploads.begun);
        let begun = uploads.begin(some, CHUNK)?;
        uploads.finalize(&begun)?;
    }
    Ok(uploads)
}

/// The same in another place.
fn copied(uploads: &Uploads, from: &Path, to: &Path) -> Result<Uploads, Error> {
    copied_file(&uploads.fm, from, to)?;
    Ok(Uploads { fm: FinalMile::builder(Sqlite::file(to)).open()?, ..uploads.clone() })
}

/// A store's file in another place, on its disk.
pub(crate) fn copied_file(fm: &FinalMile, from: &Path, to: &Path) -> Result<(), Error> {
    fm.suspend()?;
    fs::copy(from, to).expect("the disk has room");
    fs::File::open(to).and_then(|file| file.sync_all()).expect("the disk works");
    fm.resume()
}

/// Where each full page of the feed begins.
fn pages(uploads: &Uploads, many: u64) -> Result<Vec<Option<Cursor>>, Error> {
    let (mut pages, mut at, mut seen) = (Vec::new(), None, 0);
    loop {
        let page = uploads.fm.uploads().feed(at.clone()).wait()?;
        seen += page.rows.len() as u64;
        if page.next.is_none() {
            assert_eq!(seen, many, "every upload is in the feed");
            return Ok(pages);
        }
        pages.push(std::mem::replace(&mut at, page.next));
    }
}

/// Calls so often, and answers how many nanoseconds the slowest of a hundred took.
pub(crate) fn slowest(
    calls: usize,
    mut call: impl FnMut(usize) -> Result<(), Error>,
) -> Result<f64, Error> {
    let mut took = Runs::default();
    for n in 0..calls {
        let before = reading(ClockId::Monotonic);
        call(n)?;
        took.push((reading(ClockId::Monotonic) - before).as_nanos() as f64);
    }
    eprintln!(
        "p50 {} p90 {} p97 {} p99 {}",
        took.percentile(50),
        took.percentile(90),
        took.percentile(97),
        took.percentile(99)
    );
    Ok(took.percentile(99))
}

/// Nanoseconds that the whole dashboard takes, and its budget.
fn looks(uploads: &Uploads, many: u64, by_views: bool) -> Result<[Runs; 2], Error> {
    let mut runs = [Runs::default(), Runs::default()];
    runs[1].push(1e9);
    let admin = uploads.fm.admin(Actor::new("bench")?);
    for _ in 0..LOOKS {
        let before = reading(ClockId::Monotonic);
        if by_views {
            for view in VIEWS {
                drop(uploads.fm.store().view(view, 1_000).wait()?);
            }
        } else {
            let report = admin.report().wait()?;
            let day = many / 30;
            let last_day = report.uploads.completed;
            assert!((day - day / 4..=day + day / 4).contains(&last_day), "{last_day} of {many}");
            assert_eq!((report.thumbnails.total_shares, report.bytes.all_time), (many, many));
        }
        runs[0].push((reading(ClockId::Monotonic) - before).as_nanos() as f64);
    }
    Ok(runs)
}

/// Entries per second of the whole audit, and of a walk along the chains by hand.
fn passes(uploads: &Uploads, path: &Path) -> Result<[Runs; 2], Error> {
    let mut runs = [Runs::default(), Runs::default()];
    let rate = |entries: u64, took: Duration| entries as f64 / took.as_secs_f64();
    for _ in 0..PASSES {
        let before = reading(ClockId::Monotonic);
        let proof = uploads.fm.ledger().verify(None).wait()?;
        let between = reading(ClockId::Monotonic);
        assert!(proof.is_sound(), "{:?}", proof.breaks);
        let entries = raw_ledger::chain(path).expect("the file can be read");
        let after = reading(ClockId::Monotonic);
        assert_eq!(entries, proof.entries.unsigned_abs());
        runs[0].push(rate(entries, between - before));
        runs[1].push(rate(entries, after - between));
    }
    Ok(runs)
}
