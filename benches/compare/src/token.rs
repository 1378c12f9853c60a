//! A token inside a command: it costs a row, and no sync of its own.
//!
//! A disk's rate says little about that, because it changes from second to second. So the commits are
//! counted: one caller begins some uploads, and each frame of SQLite's log that ends a transaction
//! was synced. What the token costs besides shows where 64 callers share their syncs.

use std::{fs, ops::Range, path::Path, time::Duration};

use finalmile::{AccountId, Actor, Error, FinalMile, engines::Sqlite, limit::Home};

use crate::{
    args::Args,
    callers, keys,
    report::{Bar, Report, Row, Unit},
    rounds::{Pace, Runs, in_turns},
    uploads::opened,
};

/// How many uploads begin while commits are counted: few, so that the log does not begin anew.
pub(crate) const COUNTED: u64 = 32;

/// The rows of a token inside a command.
///
/// # Errors
///
/// Whatever a store answers.
pub fn inside(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let place = tempfile::tempdir_in(parent).expect("a folder can be made");
    let file = |name: &str| place.path().join(name);
    let figure = "`begin` with a token inside, commits";
    if args.wants(figure) {
        let ours = commits(&file("inside.db"), true, false)?;
        let rivals = [
            ("the same with no limit", commits(&file("none.db"), false, false)?, Bar::AtMost(1.0)),
            ("a `take`, then the same", commits(&file("before.db"), false, true)?, Bar::None),
        ];
        for (rival, count, bar) in rivals {
            let (figure, rival, runs) =
                (figure.to_owned(), rival.to_owned(), [ours.clone(), count]);
            report.row(&Row { figure, rival, unit: Unit::Commits, runs, bar });
        }
    }
    let figure = "`begin` with a token inside, 64 callers";
    if args.wants(figure) {
        let ours = Uploads::open(&file("ours.db"), true)?;
        let rivals = Uploads::open(&file("rivals.db"), false)?;
        // Many short rounds, so that both sides meet the same moods of the disk.
        let Pace { rounds, round, step } = args.pace();
        let round = (round / 8).max(Duration::from_millis(50));
        let pace = Pace { rounds: rounds * 4, round, step };
        let mut our_side = |ops| ours.begin(64, ops, false);
        let mut rival_side = |ops| rivals.begin(64, ops, false);
        let runs = in_turns(pace, [&mut our_side, &mut rival_side]);
        let (figure, rival) = (figure.to_owned(), "the same with no limit".to_owned());
        report.row(&Row { figure, rival, unit: Unit::PerSecond, runs, bar: Bar::None });
    }
    Ok(())
}

/// How many commits an upload's beginning takes.
fn commits(path: &Path, is_limited: bool, takes_first: bool) -> Result<Runs, Error> {
    let Uploads { fm, accounts } = Uploads::open(path, is_limited)?;
    // Closed and opened again, so that the log begins anew.
    drop(fm);
    let uploads = Uploads { fm: FinalMile::builder(Sqlite::file(path)).open()?, accounts };
    let before = committed(path);
    uploads.begin(1, 0..COUNTED, takes_first);
    let mut runs = Runs::default();
    runs.push((committed(path) - before) as f64 / COUNTED as f64);
    Ok(runs)
}

/// How many transactions the log of a database holds.
///
/// Source: SQLite, Database File Format, section 4.1: a frame names the database's size if it ends a
/// transaction, and bears the salts of the log's head if it is valid.
pub(crate) fn committed(path: &Path) -> usize {
    let log = fs::read(path.with_extension("db-wal")).unwrap_or_default();
    let Some((head, frames)) = log.split_at_checked(32) else { return 0 };
    let number = |at: usize| head[at..at + 4].iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let valid =
        frames.chunks_exact(24 + number(8)).take_while(|frame| frame[8..16] == head[16..24]);
    valid.filter(|frame| frame[4..8] != [0; 4]).count()
}

/// Uploads, whose beginning may be limited.
struct Uploads {
    fm: FinalMile,
    accounts: Vec<AccountId>,
}

impl Uploads {
    fn open(path: &Path, is_limited: bool) -> Result<Self, Error> {
        let limit = |name: &str| Ok::<_, Error>(keys::policy(name)?.home(Home::Store));
        let (fm, accounts) = opened(path, [limit("begin-upload")?.active(is_limited)])?;
        drop(fm.admin(Actor::new("bench")?).configure(limit("apart")?).wait()?);
        Ok(Self { fm, accounts })
    }

    fn begin(&self, callers: usize, ops: Range<u64>, takes_first: bool) -> Duration {
        let apart = "apart".parse().expect("it is a name");
        callers::threads(callers, ops, |n| {
            let at = usize::try_from(n).unwrap_or_default() % self.accounts.len();
            let account = &self.accounts[at];
            if takes_first {
                let taken = self.fm.limiter().take(&apart, account).wait();
                assert!(taken.expect("the store answers").is_allowed());
            }
            let key = format!("upload-{n:012}").parse().expect("it is a key");
            let begun = self.fm.uploads().begin(account, 1, &key).wait();
            assert!(!begun.expect("the store answers").replayed, "every key is fresh");
        })
    }
}
