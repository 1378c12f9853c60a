//! Replays: what a call costs whose key was used already.
//!
//! Nothing is synced that was not written. So the log is compared byte by byte, what ends a
//! transaction in it is counted, and so are the system's calls that wrote anything.

use std::{fs, path::Path};

use finalmile::{Error, FinalMile, engines::Sqlite};
use rustix::time::ClockId;

use crate::{
    args::Args,
    checks::reading,
    ledger::Books,
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
    token::{COUNTED, committed},
};

/// How many are replayed while writes are counted.
pub(crate) const REPLAYED: u64 = 1_000;

/// The rows of replays beside fresh calls.
///
/// # Errors
///
/// Whatever the store answers.
pub fn replays(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let figure = "a replayed transfer, 1 caller, p50";
    let counted = "a replayed transfer, commits";
    if !args.wants(figure) && !args.wants(counted) {
        return Ok(());
    }
    let place = tempfile::tempdir_in(parent).expect("a folder can be made");
    let path = place.path().join("ours.db");
    let mut books = Books::open(Sqlite::file(&path))?;
    let (pace, mut next) = (args.pace(), 0);
    let calls = if args.quick { 200 } else { REPLAYED };
    let mut runs = [Runs::default(), Runs::default()];
    for _ in 0..pace.rounds {
        let keys = next..next + calls;
        next = keys.end;
        for (side, replays) in [(1, false), (0, true)] {
            let mut took = Runs::default();
            for n in keys.clone() {
                let before = reading(ClockId::Monotonic);
                let done = books.transfer(n).wait()?;
                took.push((reading(ClockId::Monotonic) - before).as_nanos() as f64);
                assert_eq!(done.replayed, replays);
            }
            runs[side].push(took.median());
        }
    }
    let fresh = "the same call, fresh";
    let mut row = |figure: String, unit, runs, bar| {
        report.row(&Row { figure, rival: fresh.to_owned(), unit, runs, bar });
    };
    row(figure.to_owned(), Unit::Micros, runs, Bar::AtMost(0.2));
    // Closed and opened again, so that the log begins anew.
    drop(books.fm);
    books.fm = FinalMile::builder(Sqlite::file(&path)).open()?;
    let last = next + COUNTED;
    let transfer = |n, replays| {
        assert_eq!(books.transfer(n).wait().expect("it is answered").replayed, replays);
    };
    let (figure, runs) = commits(
        &path,
        counted,
        || (next..last).for_each(|n| transfer(n, false)),
        || (last.saturating_sub(REPLAYED)..last).for_each(|n| transfer(n, true)),
    );
    row(figure, Unit::Commits, runs, Bar::AtMost(0.0));
    Ok(())
}

/// How often [`COUNTED`] fresh calls commit and [`REPLAYED`] repeated ones, and whether the latter wrote
/// anything at all.
pub(crate) fn commits(
    path: &Path,
    counted: &str,
    fresh: impl FnOnce(),
    again: impl FnOnce(),
) -> (String, [Runs; 2]) {
    let empty = committed(path);
    fresh();
    let log = || fs::read(path.with_extension("db-wal")).expect("there is a log");
    let (calm, full, wrote) = (log(), committed(path), writes());
    again();
    let (wrote, after) = (writes() - wrote, committed(path));
    let same = if log() == calm { "the log is the same" } else { "the log changed" };
    let figure = format!("{counted} ({REPLAYED} of them: {same}, {wrote} system calls that write)");
    let mut runs = [Runs::default(), Runs::default()];
    runs[0].push((after - full) as f64 / REPLAYED as f64);
    runs[1].push((full - empty) as f64 / COUNTED as f64);
    (figure, runs)
}

/// How many of the system's calls that write this process has made.
fn writes() -> u64 {
    let text = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let count = text.lines().find_map(|line| line.strip_prefix("syscw: "));
    count.and_then(|count| count.parse().ok()).expect("Linux counts them")
}
