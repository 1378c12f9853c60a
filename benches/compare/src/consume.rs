//! One event, one caller: what its answer costs beside the sync that it cannot do without.

use std::{
    fs::File,
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
};

use finalmile::{Error, webhook::Outcome};
use rustix::time::ClockId;

use crate::{
    args::Args,
    budgets::MEMORY,
    checks::reading,
    inbox::Inbox,
    replay::{REPLAYED, commits},
    report::{Bar, Report, Row, Unit},
    rivals::one_each::{OneEach, Paid},
    rounds::Runs,
    stripe::{self, checkout},
    token::COUNTED,
};

/// What a bare sync writes before it.
const PAGE: [u8; 4_096] = [7; 4_096];

/// How many nanoseconds one call took.
fn nanos<T>(call: impl FnOnce() -> T) -> f64 {
    let before = reading(ClockId::Monotonic);
    let answer = call();
    let took = reading(ClockId::Monotonic) - before;
    drop(answer);
    took.as_nanos() as f64
}

/// A file that is synced by hand.
struct Bare {
    file: File,
    is_appended: bool,
}

impl Bare {
    fn open(path: &Path, is_appended: bool) -> Self {
        let mut file = File::create(path).expect("a file can be made");
        file.write_all(&PAGE).and_then(|()| file.sync_all()).expect("the disk works");
        Self { file, is_appended }
    }

    fn sync(&mut self) {
        let written = if self.is_appended {
            self.file.write_all(&PAGE)
        } else {
            let start = self.file.seek(SeekFrom::Start(0));
            start.and_then(|_| self.file.write_all(&PAGE))
        };
        written.and_then(|()| self.file.sync_data()).expect("the disk works");
    }
}

/// What is timed in turns, and the rows that it gives.
const FIGURES: [&str; 2] = ["consume a paid checkout, 1 caller, p50", "verify and consume it"];

/// The rows of one event beside a bare sync, and beside a transaction by hand.
///
/// # Errors
///
/// Whatever the store answers.
pub fn one(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let figures = [(parent, "durable"), (MEMORY, "without the sync (/dev/shm)")]
        .map(|(place, how)| (place, FIGURES.map(|figure| format!("{figure}, {how}"))));
    for (at, (place, figures)) in figures.iter().enumerate() {
        if figures.iter().any(|figure| args.wants(figure)) {
            let place = tempfile::tempdir_in(place).expect("a folder can be made");
            let [ours, both, appended, written, by_hand] = timed(args, place.path())?;
            let (is_durable, unit) = (at == 0, Unit::Micros);
            let mut row = |figure: &String, ours: &Runs, rival: &str, theirs: &Runs, bar| {
                let (figure, rival) = (figure.clone(), rival.to_owned());
                report.row(&Row { figure, rival, unit, runs: [ours.clone(), theirs.clone()], bar });
            };
            let hand = "the seed's transaction by hand, every value ready";
            if is_durable {
                let bare = "4 KiB appended and a bare `fdatasync`";
                row(&figures[0], &ours, bare, &appended, Bar::AtMost(2.0));
                row(&figures[1], &both, bare, &appended, Bar::AtMost(2.0));
                let again = "4 KiB written over and a bare `fdatasync`";
                row(&figures[0], &ours, again, &written, Bar::None);
            }
            row(&figures[0], &ours, hand, &by_hand, Bar::None);
            row(&figures[1], &both, hand, &by_hand, Bar::None);
        }
    }
    Ok(())
}

/// Medians of each round, all in turns: consume, verify and consume, two bare syncs, a transaction
/// by hand.
fn timed(args: &Args, place: &Path) -> Result<[Runs; 5], Error> {
    let calls = if args.quick { 100 } else { 500 };
    let inbox = Inbox::open(&place.join("ours.db"))?;
    let rival = OneEach::create(&place.join("rivals.db")).expect("the rival's file is made");
    let mut appended = Bare::open(&place.join("appended"), true);
    let mut written = Bare::open(&place.join("written"), false);
    let endpoint = stripe::endpoint();
    let mut all = [(); 5].map(|()| Runs::default());
    let mut next = 0;
    // The first round is for caches and counts for nothing.
    for round in 0..=args.pace().rounds {
        let mut found = [(); 5].map(|()| Runs::default());
        for _ in 0..calls {
            let (event, signed) = (checkout(next).verified(&endpoint), checkout(next + 1));
            let paid = Paid::nth(next);
            next += 2;
            let took = [
                nanos(|| inbox.credit(&event)),
                nanos(|| inbox.credit(&signed.verified(&endpoint))),
                nanos(|| appended.sync()),
                nanos(|| written.sync()),
                nanos(|| rival.consume(&paid).expect("the rows can be written")),
            ];
            found.iter_mut().zip(took).for_each(|(runs, took)| runs.push(took));
        }
        if round > 0 {
            all.iter_mut().zip(found).for_each(|(all, found)| all.push(found.median()));
        }
    }
    inbox.check(0..next)?;
    rival.check((0..next).step_by(2)).expect("the file can be read");
    Ok(all)
}

/// The rows of an event that came before.
///
/// # Errors
///
/// Whatever the store answers.
pub fn duplicates(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let (figure, counted) = ("a duplicate, 1 caller, p50", "a duplicate, commits");
    if !args.wants(figure) && !args.wants(counted) {
        return Ok(());
    }
    let place = tempfile::tempdir_in(parent).expect("a folder can be made");
    let path = place.path().join("ours.db");
    let endpoint = stripe::endpoint();
    let events = |ns: std::ops::Range<u64>| -> Vec<_> {
        ns.map(|n| checkout(n).verified(&endpoint)).collect()
    };
    let mut inbox = Inbox::open(&path)?;
    let (calls, mut next) = (if args.quick { 200 } else { REPLAYED }, 0);
    let mut runs = [Runs::default(), Runs::default()];
    for _ in 0..args.pace().rounds {
        let events = events(next..next + calls);
        next += calls;
        for (side, outcome) in [(1, Outcome::Ok), (0, Outcome::Duplicate)] {
            let mut took = Runs::default();
            for event in &events {
                took.push(nanos(|| assert_eq!(inbox.consume(event).expect("it answers"), outcome)));
            }
            runs[side].push(took.median());
        }
    }
    let fresh = "the same event, fresh";
    let mut row = |figure: String, unit, runs| {
        report.row(&Row { figure, rival: fresh.to_owned(), unit, runs, bar: Bar::None });
    };
    row(figure.to_owned(), Unit::Micros, runs);
    // Closed and opened again, so that the log begins anew.
    let again = |inbox: Inbox| {
        let Inbox { fm, .. } = &inbox;
        fm.suspend().and_then(|()| fm.resume()).map(|()| inbox)
    };
    inbox = again(inbox)?;
    let events = events(next..next + COUNTED);
    let duplicates = || events.iter().cycle().take(usize::try_from(REPLAYED).unwrap_or_default());
    let (figure, runs) = commits(
        &path,
        counted,
        || events.iter().for_each(|event| inbox.credit(event)),
        || {
            duplicates().for_each(|event| {
                assert_eq!(inbox.consume(event).expect("it answers"), Outcome::Duplicate);
            });
        },
    );
    row(figure, Unit::Commits, runs);
    Ok(())
}
