//! A token inside a command: it costs a row, and no sync of its own.
//!
//! One caller waits for each commit, so his rate is the disk's. If a token inside `begin` had a sync
//! of its own, he would begin half as many uploads as where `begin` is not limited; as many as if he
//! took the token first, in a command of its own.

use std::{ops::Range, path::Path, time::Duration};

use finalmile::{
    AccountId, Actor, Error, FinalMile,
    limit::{Home, Policy},
};

use crate::{
    args::Args,
    callers,
    growth::opened,
    report::{Bar, Report, Row, Unit},
    rounds::{Pace, in_turns},
};

/// The rows of a token inside a command.
///
/// # Errors
///
/// Whatever a store answers.
pub fn inside(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let rows = [
        (1, "the same with no limit", false),
        (1, "a `take`, then the same with no limit", true),
        (64, "the same with no limit", false),
    ];
    for (callers, rival, takes_first) in rows {
        let plural = if callers == 1 { "" } else { "s" };
        let figure = format!("`begin` with a token inside, {callers} caller{plural}");
        if !args.wants(&figure) {
            continue;
        }
        let place = tempfile::tempdir_in(parent).expect("a folder can be made");
        let ours = Uploads::open(&place.path().join("ours.db"), true)?;
        let rivals = Uploads::open(&place.path().join("rival.db"), false)?;
        let pace = Pace { round: args.pace().round.min(Duration::from_millis(500)), ..args.pace() };
        let runs = in_turns(
            pace,
            [&mut |ops| ours.begin(callers, ops, false), &mut |ops| {
                rivals.begin(callers, ops, takes_first)
            }],
        );
        let (rival, bar) = (rival.to_owned(), Bar::None);
        report.row(&Row { figure, rival, unit: Unit::PerSecond, runs, bar });
    }
    Ok(())
}

/// Uploads, whose beginning may be limited.
struct Uploads {
    fm: FinalMile,
    accounts: Vec<AccountId>,
}

impl Uploads {
    fn open(path: &Path, is_limited: bool) -> Result<Self, Error> {
        let limit = |name: &str| Ok::<_, Error>(unlimited(name)?.home(Home::Store));
        let (fm, accounts) = opened(path, limit("begin-upload")?.active(is_limited))?;
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

/// A limit that refuses nobody.
fn unlimited(name: &str) -> Result<Policy, Error> {
    Ok(Policy::greedy(name.parse()?, 1_000, Duration::from_secs(3_600))?.burst(1_000_000_000)?)
}
