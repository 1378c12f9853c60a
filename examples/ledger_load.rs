//! Loads a ledger with callers who each wait until their change is durable, and proves afterwards that
//! nothing which was acknowledged is gone.
//!
//! ```text
//! cargo run --release --example ledger_load -- --db load.db --callers 20 --seconds 5 > acked.txt
//! cargo run --release --example ledger_load -- --db load.db --verify < acked.txt
//! ```
//!
//! The first prints a line `acked ID` as each transfer becomes durable, and a summary. Kill it, or
//! pull the plug, at any moment. The second opens the database again, checks the whole ledger and
//! that every acknowledged transfer is in it. Exit code 0 if so, 1 if something is lost or broken, 2
//! for wrong usage.

#![allow(clippy::print_stderr, reason = "a program talks to its user")]
#![allow(clippy::disallowed_methods, reason = "a load has to be timed")]

mod cli;

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
    io::{self, BufRead as _},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use cli::{database, say};
use finalmile::{
    AccountId, Credits, Error, FinalMile, IdempotencyKey, TransferId,
    ledger::{Entry, Money, Purchase},
    storage::{PAGE_MAX, Scan},
};
use lexopt::{Arg, Parser, ValueExt as _};

const USAGE: &str = "ledger_load --db FILE [--callers N] [--seconds S]
ledger_load --db FILE --verify < LINES

  --db FILE      a SQLite file, made if it does not exist, or postgresql://… (feature `postgres`)
  --callers N    how many callers wait at the same time (default: 20)
  --seconds S    for how long they go on (default: 5)
  --verify       check the ledger, and that each `acked ID` on standard input is in it";

/// How long a caller goes on asking when the database does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

struct Options {
    db: String,
    callers: u32,
    seconds: u64,
    verify: bool,
}

fn main() -> ExitCode {
    cli::start(USAGE, Options::from_args(), |options| match options.verify {
        true => verify(&options),
        false => load(&options),
    })
}

/// One caller with an account of its own.
struct Caller<'c> {
    fm: &'c FinalMile,
    account: AccountId,
    neighbour: AccountId,
    /// Different in every run, so that every change is a new one.
    run: String,
    until: Instant,
    waits: RefCell<Vec<Duration>>,
}

fn load(options: &Options) -> Result<bool, Error> {
    let fm = database(&options.db).open()?;
    let began = Instant::now();
    let until = began + Duration::from_secs(options.seconds);
    let run = TransferId::fresh(&**fm.store().world());
    let name = |n: u32| AccountId::new(format!("load-{}", n % options.callers));
    let mut callers = Vec::new();
    for n in 0..options.callers {
        let (account, neighbour) = (name(n)?, name(n + 1)?);
        let (run, waits) = (format!("{run}-{n}"), RefCell::default());
        callers.push(Caller { fm: &fm, account, neighbour, run, until, waits });
    }
    let mut waits = thread::scope(|scope| {
        let all: Vec<_> = callers.into_iter().map(|caller| scope.spawn(|| caller.work())).collect();
        let mut waits = Vec::new();
        for one in all {
            match one.join() {
                Ok(done) => waits.extend(done?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok::<_, Error>(waits)
    })?;
    waits.sort_unstable();
    let took = began.elapsed();
    let part = |percent: usize| waits.get((waits.len() * percent / 100).min(waits.len() - 1));
    let micros = |percent| part(percent).map_or(0, Duration::as_micros);
    say(&format!(
        "{} calls by {} callers in {} ms: a caller waited {} us (median), {} us (99th percentile)",
        waits.len(),
        options.callers,
        took.as_millis(),
        if waits.is_empty() { 0 } else { micros(50) },
        if waits.is_empty() { 0 } else { micros(99) },
    ));
    Ok(true)
}

impl Caller<'_> {
    /// Buys, passes on, spends and gives back, until the time is over.
    fn work(self) -> Result<Vec<Duration>, Error> {
        let ledger = self.fm.ledger();
        let (account, neighbour) = (self.account.clone(), self.neighbour.clone());
        for n in 0_u64.. {
            if Instant::now() >= self.until && n > 0 {
                break;
            }
            let key = |what: &str| IdempotencyKey::new(format!("{}-{n}-{what}", self.run));
            let reference = format!("{}-{n}", self.run);
            let bought = Purchase {
                account: account.clone(),
                credits: Credits::new(1_000),
                provider: "load".parse()?,
                reference: reference.parse()?,
                paid: Money::minor(499, "usd")?,
                paid_at: None,
                metadata: BTreeMap::new(),
            };
            let id = self.patiently(|| ledger.add_credits(bought.clone()).wait())?.purchase;
            self.acked(&id.to_string());

            let give = key("give")?;
            let amount = Credits::new(10);
            let given = self.patiently(|| {
                match ledger.transfer(&account, &neighbour, amount, &give).wait() {
                    // The neighbour has not begun.
                    Err(error) if error.code() == "ACCOUNT_NOT_FOUND" => Ok(None),
                    done => done.map(Some),
                }
            })?;
            if let Some(given) = given {
                self.acked(&given.transfer.to_string());
            }

            let (hold, minute) = (key("hold")?, Duration::from_secs(3_600));
            let held = self
                .patiently(|| ledger.reserve(&account, Credits::new(50), minute, &hold).wait())?;
            let spent = Some(Credits::new(30));
            self.patiently(|| ledger.settle(&account, held, spent).wait())?;
            self.acked(&held.to_string());

            let (back, payment) = (key("back")?, ("load".parse()?, reference.parse()?));
            let some = Some(Credits::new(100));
            let id = self
                .patiently(|| ledger.refund(&account, payment.clone(), some, &back).wait())?
                .transfer;
            self.acked(&id.to_string());
        }
        Ok(self.waits.into_inner())
    }

    /// Asks, and asks again under the same name while the database does not answer.
    fn patiently<T>(&self, ask: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        let began = Instant::now();
        loop {
            match ask() {
                Err(Error::Store(_)) if began.elapsed() < PATIENCE => {
                    thread::sleep(Duration::from_millis(20));
                }
                done => {
                    self.waits.borrow_mut().push(began.elapsed());
                    return done;
                }
            }
        }
    }

    fn acked(&self, id: &str) {
        say(&format!("acked {id}"));
    }
}

fn verify(options: &Options) -> Result<bool, Error> {
    let mut acked = HashSet::new();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        // The last line of a killed program may be half.
        let id = line.strip_prefix("acked ").and_then(|id| id.parse::<TransferId>().ok());
        acked.extend(id);
    }
    let fm = database(&options.db).open()?;
    let proof = fm.ledger().verify(None).wait()?;
    for broken in &proof.breaks {
        eprintln!("broken: {broken}");
    }
    let mut missing = acked.clone();
    let mut cursor = None;
    loop {
        let scan = Scan::of::<Entry>().limit(PAGE_MAX).after(cursor);
        let page = fm.store().scan::<Entry>(scan).wait()?;
        for entry in &page.rows {
            missing.remove(&entry.transfer);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    for id in missing.iter().take(20) {
        eprintln!("lost: {id}");
    }
    say(&format!(
        "{} accounts, {} entries, {} broken; {} acknowledged transfers, {} lost",
        proof.accounts,
        proof.entries,
        proof.broken,
        acked.len(),
        missing.len()
    ));
    Ok(proof.is_sound() && missing.is_empty())
}

impl Options {
    /// `None`: the user wants to know how.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self { db: String::new(), callers: 20, seconds: 5, verify: false };
        let mut arguments = Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("db") => options.db = arguments.value()?.string()?,
                Arg::Long("callers") => options.callers = arguments.value()?.parse()?,
                Arg::Long("seconds") => options.seconds = arguments.value()?.parse()?,
                Arg::Long("verify") => options.verify = true,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        if options.db.is_empty() {
            return Err("--db is missing".into());
        }
        if options.callers < 2 {
            return Err("--callers: at least 2, because they pass credits on".into());
        }
        Ok(Some(options))
    }
}
