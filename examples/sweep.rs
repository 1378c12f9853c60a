//! Runs maintenance, once or every hour, and says what it did: a line of JSON a table.
//!
//! ```text
//! cargo run --release --example sweep -- --db app.db                   # once, as from cron
//! cargo run --release --example sweep -- --db app.db --every 3600      # and again each hour
//! ```
//!
//! Exit code 0; 1 if the database cannot be used, 2 for wrong usage. A run that found more than its
//! budget allows says `"more":true` and may be repeated at once.

mod cli;

use std::{process::ExitCode, thread, time::Duration};

use cli::{database, tell};
use finalmile::{Budget, Error, FinalMile, SweepOptions};
use lexopt::{Arg, Parser, ValueExt as _};

const USAGE: &str = "sweep --db FILE [--seconds S] [--every S] [--reserved PERCENT]

  --db FILE           a SQLite file, or postgresql://… (feature `postgres`)
  --seconds S         how long one run may take (default: 20)
  --rows N            how many rows one run may end (default: no limit)
  --trust-clock       the clock is right, though the last run was days ago
  --every S           run again after so many seconds, until it is killed
  --reserved PERCENT  tell of accounts with at least so much set aside (default: 80)";

struct Options {
    db: String,
    seconds: u64,
    every: Option<u64>,
    reserved: i64,
    rows: u64,
    trusts_clock: bool,
}

fn main() -> ExitCode {
    cli::start(USAGE, Options::from_args(), |options| run(&options).map(|()| true))
}

fn run(options: &Options) -> Result<(), Error> {
    let mut sweeps = SweepOptions::default();
    sweeps.reserved_percent = options.reserved;
    let fm = database(&options.db).sweeps(sweeps).open()?;
    loop {
        sweep(&fm, options)?;
        let Some(every) = options.every else { return Ok(()) };
        thread::sleep(Duration::from_secs(every));
    }
}

fn sweep(fm: &FinalMile, options: &Options) -> Result<(), Error> {
    let report = fm.maintain(options.budget()).wait()?;
    let cleanup_date = report.at.micros() / 1_000_000;
    for line in report.tables() {
        let line = serde_json::json!({
            "table_name": line.table_name, "deleted_count": line.deleted_count,
            "cleanup_date": cleanup_date,
        });
        tell(&line);
    }
    for high in &report.reserved_high {
        let line = serde_json::json!({
            "account": high.account.as_str(), "reserved_percent": high.reserved_percent,
        });
        tell(&line);
    }
    let line = serde_json::json!({
        "events_processed": report.events_processed, "events_failed": report.events_failed,
        "cleanup_date": cleanup_date, "doubts_clock": report.doubts_clock, "more": report.more,
    });
    tell(&line);
    Ok(())
}

impl Options {
    fn budget(&self) -> Budget {
        let budget = Budget::seconds(self.seconds).rows(self.rows);
        if self.trusts_clock { budget.trust_clock() } else { budget }
    }

    /// `None`: help was asked for.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let (mut db, mut seconds, mut every, mut reserved) = (None, 20, None, 80);
        let (mut rows, mut trusts_clock) = (u64::MAX, false);
        let mut parser = Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("db") => db = Some(parser.value()?.string()?),
                Arg::Long("seconds") => seconds = parser.value()?.parse()?,
                Arg::Long("rows") => rows = parser.value()?.parse()?,
                Arg::Long("trust-clock") => trusts_clock = true,
                Arg::Long("every") => every = Some(parser.value()?.parse()?),
                Arg::Long("reserved") => reserved = parser.value()?.parse()?,
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        let db = db.ok_or("--db is missing")?;
        Ok(Some(Self { db, seconds, every, reserved, rows, trusts_clock }))
    }
}
