//! Group commit on SQLite beside one transaction per call: rows that threads call for.
//!
//! In a file of its own because the quick look of the root package shows the same rows.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use finalmile::{SystemWorld, engines::Sqlite, storage::Store};
use tempfile::TempDir;

use crate::{
    args::Args,
    callers,
    report::{Bar, Report, Row, Unit},
    rivals::{by_hand, mutex::Shared},
    rounds::{Runs, in_turns},
    transfer::{Moved, SCHEMA, Transfer},
};

/// What both sides do.
pub const INPUT: &str = "One key looked up and inserted, two of 10,000 balances changed; SQLite, \
                         WAL, `synchronous=FULL`, the same settings on both sides";

/// A folder for each side, below `parent`: on the disk that holds the build, because a temporary
/// folder may be memory.
#[derive(Debug)]
pub struct Places([TempDir; 2]);

impl Places {
    /// Makes the folders; they go when this is dropped.
    #[must_use]
    pub fn below(parent: &str) -> Self {
        Self([(); 2].map(|()| tempfile::tempdir_in(parent).expect("a folder can be made")))
    }

    /// Our store, with the tables.
    #[must_use]
    pub fn ours(&self) -> Store {
        let backend = Sqlite::file(file(&self.0[0]));
        Store::open(backend, Arc::new(SystemWorld), &[SCHEMA]).expect("our file is made")
    }

    /// The rival's connection, with the tables.
    #[must_use]
    pub fn rivals(&self) -> Shared {
        Shared::create(&file(&self.0[1])).expect("the rival's file is made")
    }

    /// Compares both files with the model, once both sides have let go of them.
    pub fn check(&self, runs: &[Runs; 2]) {
        for ((side, place), runs) in ["ours", "rival"].iter().zip(&self.0).zip(runs) {
            by_hand::check(side, &file(place), runs.ops).expect("the file can be read");
        }
    }
}

/// That many threads, against as many at one connection behind a mutex. A lone one finds it free.
pub fn threads(args: &Args, report: &mut Report, parent: &str, callers: usize, bar: f64) {
    let one = callers == 1;
    let figure = if one { "1 caller".to_owned() } else { format!("{callers} threads") };
    if !args.wants(&figure) {
        return;
    }
    let places = Places::below(parent);
    let (store, shared) = (places.ours(), places.rivals());
    let mut ours = |ops| {
        callers::threads(callers, ops, |n| {
            assert_eq!(store.submit(Transfer::nth(n)).wait(), Ok(Moved::Now));
        })
    };
    let mut rivals = |ops| {
        callers::threads(callers, ops, |n| {
            assert_eq!(shared.transfer(&Transfer::nth(n)), Ok(Moved::Now));
        })
    };
    let runs = in_turns(args.pace(), [&mut ours, &mut rivals]);
    drop((store, shared));
    places.check(&runs);
    let rival = if one { "a transaction per call by hand" } else { "the same behind a mutex" };
    let (rival, bar) = (rival.to_owned(), Bar::AtLeast(bar));
    report.row(&Row { figure, rival, unit: Unit::PerSecond, runs, bar });
}

fn file(place: &TempDir) -> PathBuf {
    Path::join(place.path(), "bench.db")
}
