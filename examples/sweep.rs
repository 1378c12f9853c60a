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
use finalmile::{Actor, Budget, Error, FinalMile};
use lexopt::{Arg, Parser, ValueExt as _};

const USAGE: &str = "sweep --db FILE [--seconds S] [--every S] [--reserved PERCENT]

  --db FILE           a SQLite file, or postgresql://… (feature `postgres`)
  --seconds S         how long one run may take (default: 20)
  --every S           run again after so many seconds, until it is killed
  --reserved PERCENT  tell of accounts with at least so much set aside (default: 80)";

struct Options {
    db: String,
    seconds: u64,
    every: Option<u64>,
    reserved: i64,
}

fn main() -> ExitCode {
    cli::start(USAGE, Options::from_args(), |options| run(&options).map(|()| true))
}

fn run(options: &Options) -> Result<(), Error> {
    let fm = database(&options.db).open()?;
    loop {
        sweep(&fm, options)?;
        let Some(every) = options.every else { return Ok(()) };
        thread::sleep(Duration::from_secs(every));
    }
}

fn sweep(fm: &FinalMile, options: &Options) -> Result<(), Error> {
    let cleanup_date = fm.store().now().micros() / 1_000_000;
    let report = fm.maintain(Budget::seconds(options.seconds)).wait()?;
    for (table, count) in report.tables() {
        let line = serde_json::json!({
            "table_name": table, "deleted_count": count, "cleanup_date": cleanup_date,
        });
        tell(&line);
    }
    for account in fm.admin(Actor::new("sweep")?).high_reserved(options.reserved)? {
        let line = serde_json::json!({
            "account": account.id.as_str(), "reserved_percent": account.reserved_percent(),
        });
        tell(&line);
    }
    let line = serde_json::json!({
        "events_processed": report.events_processed, "events_failed": report.events_failed,
        "cleanup_date": cleanup_date, "more": report.more,
    });
    tell(&line);
    Ok(())
}

impl Options {
    /// `None`: help was asked for.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let (mut db, mut seconds, mut every, mut reserved) = (None, 20, None, 80);
        let mut parser = Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("db") => db = Some(parser.value()?.string()?),
                Arg::Long("seconds") => seconds = parser.value()?.parse()?,
                Arg::Long("every") => every = Some(parser.value()?.parse()?),
                Arg::Long("reserved") => reserved = parser.value()?.parse()?,
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        let db = db.ok_or("--db is missing")?;
        Ok(Some(Self { db, seconds, every, reserved }))
    }
}
