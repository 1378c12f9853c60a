//! Growth: what beginning an upload costs when there are many already.
//!
//! Two stores, one with few uploads and one with many, begin more in turns. Counted is processor
//! time of the whole process, because whoever leads decides for all: the disk's speed stays out.

use std::{path::Path, time::Duration};

use finalmile::{
    AccountId, Actor, Credits, Error, FinalMile,
    engines::Sqlite,
    ledger::{Money, Purchase},
    limit::{Home, Policy},
};
use rustix::time::ClockId;

use crate::{
    args::Args,
    checks::reading,
    report::{Bar, Report, Row, Unit},
    rounds::Runs,
};

/// How many accounts share the uploads.
const ACCOUNTS: u64 = 1_000;
/// How many uploads begin before anybody waits.
const CHUNK: u64 = 512;
/// The store with few uploads.
const FEW: u64 = 1_000;
/// The store with many; fewer for a quick look.
const MANY: [u64; 2] = [1_000_000, 50_000];

/// The rows of beginning an upload: one at a time, each with a commit of its own, and many at once.
///
/// Many at once is the hard case: 512 begins of 1,000 accounts touch each of a large file's pages
/// once, where in a small file they share them.
///
/// # Errors
///
/// Whatever a store answers.
pub fn begin_upload(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let many = MANY[usize::from(args.quick)];
    let figure = |how: &str| format!("`begin`, CPU at {many} uploads, {how}");
    let ways = [("one at a time", 1), ("512 at once", CHUNK)];
    if !ways.iter().any(|(how, _)| args.wants(&figure(how))) {
        return Ok(());
    }
    let place = tempfile::tempdir_in(parent).expect("a folder can be made");
    let mut sides = [
        Uploads::filled(&place.path().join("many.db"), many)?,
        Uploads::filled(&place.path().join("few.db"), FEW)?,
    ];
    for (how, chunk) in ways {
        let mut runs = [Runs::default(), Runs::default()];
        for _ in 0..args.pace().rounds {
            for (side, runs) in sides.iter_mut().zip(&mut runs) {
                let before = reading(ClockId::ProcessCPUTime);
                side.begin(CHUNK, chunk)?;
                let took = reading(ClockId::ProcessCPUTime) - before;
                let micros = took.as_secs_f64() * 1e6;
                runs.push(micros / f64::from(u16::try_from(CHUNK).unwrap_or(u16::MAX)));
                runs.ops += CHUNK;
            }
        }
        let (rival, bar) = (format!("the same at {FEW}"), Bar::AtMost(2.0));
        report.row(&Row { figure: figure(how), rival, unit: Unit::CpuMicros, runs, bar });
    }
    Ok(())
}

/// A store whose accounts have begun that many uploads.
struct Uploads {
    fm: FinalMile,
    accounts: Vec<AccountId>,
    begun: u64,
}

impl Uploads {
    fn filled(path: &Path, count: u64) -> Result<Self, Error> {
        // Nobody is limited here: what is measured is a begin that happens.
        let limit = Policy::greedy("begin-upload".parse()?, 1_000_000_000, Duration::from_secs(1))?;
        let (fm, accounts) = opened(path, limit.home(Home::Store))?;
        let mut uploads = Self { fm, accounts, begun: 0 };
        uploads.begin(count, CHUNK)?;
        Ok(uploads)
    }

    /// Begins that many more, so many before anybody waits, each under a fresh key.
    fn begin(&mut self, count: u64, at_once: u64) -> Result<(), Error> {
        let end = self.begun + count;
        while self.begun < end {
            let chunk = at_once.min(end - self.begun);
            let mut pending = Vec::new();
            for n in self.begun..self.begun + chunk {
                let account = usize::try_from(n % ACCOUNTS).unwrap_or_default();
                let key = format!("upload-{n:012}").parse()?;
                pending.push(self.fm.uploads().begin(&self.accounts[account], 1, &key));
            }
            for pending in pending {
                assert!(!pending.wait()?.replayed, "every key is fresh");
            }
            self.begun += chunk;
        }
        Ok(())
    }
}

/// A file whose accounts have credits to spare, under that limit.
pub(crate) fn opened(path: &Path, limit: Policy) -> Result<(FinalMile, Vec<AccountId>), Error> {
    let fm = FinalMile::builder(Sqlite::file(path)).open()?;
    drop(fm.admin(Actor::new("bench")?).configure(limit).wait()?);
    let (mut accounts, mut pending) = (Vec::new(), Vec::new());
    for n in 0..ACCOUNTS {
        let account = AccountId::new(format!("account-{n}"))?;
        let purchase = Purchase {
            account: account.clone(),
            credits: Credits::new(1_000_000),
            provider: "bench".parse()?,
            reference: format!("purchase-{n}").parse()?,
            paid: Money::minor(499, "usd")?,
            paid_at: None,
            metadata: std::collections::BTreeMap::default(),
        };
        pending.push(fm.ledger().add_credits(purchase));
        accounts.push(account);
    }
    for pending in pending {
        pending.wait()?;
    }
    Ok((fm, accounts))
}
