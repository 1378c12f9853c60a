//! Writes the dashboards as one page that needs nothing else: no script, no font, no network.
//!
//! ```text
//! cargo run --release --example dashboard -- --db app.db --out report.html
//! ```
//!
//! The figures are those of `Admin::report`, read at one moment, also beside a running service. Run it
//! every few minutes and let any web server show the file; or point Metabase or Grafana at the views.

mod chart;
#[path = "../cli/mod.rs"]
mod cli;
mod page;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use finalmile::{
    Actor, FinalMile, SystemWorld, Timestamp, World as _,
    engines::Sqlite,
    report::{Bandwidth, PINATA_PLAN_BYTES, bandwidth},
};
#[cfg(feature = "http")]
use finalmile::{fetch::HttpFetcher, report::Pinata};
use lexopt::{Arg, Parser, ValueExt as _};

const USAGE: &str = "dashboard --db FILE --out FILE [--now SECONDS]
          [--used BYTES | --pinata[=URL]] [--plan BYTES]

  --db FILE       the SQLite file of the app
  --out FILE      the page to write, replaced if it exists
  --now SECONDS   where `the last 24 hours` end, since 1970 (default: now)
  --used BYTES    the bandwidth that the gateway says is used, to be shown beside its plan
  --pinata[=URL]  ask Pinata, with the token PINATA_JWT from the environment (feature `http`)
  --plan BYTES    how much the plan has (default: 500 GB)";

#[derive(Default)]
struct Options {
    db: PathBuf,
    out: PathBuf,
    now: Option<i64>,
    used_bytes: Option<u64>,
    plan_bytes: Option<u64>,
    /// Where to ask; empty: where Pinata answers.
    pinata: Option<String>,
}

fn main() -> ExitCode {
    cli::start(USAGE, Options::from_args(), |options| write(&options).map(|()| true))
}

fn write(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    // Opening would make it.
    if !options.db.is_file() {
        return Err(format!("{}: there is no such file", options.db.display()).into());
    }
    let fm = FinalMile::builder(Sqlite::file(&options.db)).open()?;
    let given = options.now.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1_000)));
    let now = given.unwrap_or_else(|| SystemWorld.now());
    let report = fm.admin(Actor::new("dashboard")?).report_at(now).wait()?;
    let plan = options.plan_bytes.unwrap_or(PINATA_PLAN_BYTES);
    let usage = match &options.pinata {
        Some(url) => Some(asked(url, plan)?),
        None => options.used_bytes.map(|used| bandwidth(used, plan)),
    };
    // Whoever looks at the page meanwhile sees the old one or the new one, whole.
    let unfinished = options.out.with_extension("part");
    fs::write(&unfinished, page::page(&report, usage.as_ref()))?;
    fs::rename(&unfinished, &options.out)?;
    Ok(())
}

/// What the gateway says, with the token from the environment: arguments are seen by everybody.
#[cfg(feature = "http")]
fn asked(url: &str, plan: u64) -> Result<Bandwidth, Box<dyn std::error::Error>> {
    let token = std::env::var("PINATA_JWT").map_err(|_| "PINATA_JWT is not set")?;
    let mut gateway = Pinata::new(token).plan(plan);
    if !url.is_empty() {
        gateway = gateway.at(url);
    }
    Ok(gateway.usage(&HttpFetcher::new())?)
}

#[cfg(not(feature = "http"))]
fn asked(_url: &str, _plan: u64) -> Result<Bandwidth, Box<dyn std::error::Error>> {
    Err("built without the feature `http`".into())
}

impl Options {
    /// `None`: the user wants to know how.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self::default();
        let mut arguments = Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("db") => options.db = arguments.value()?.into(),
                Arg::Long("out") => options.out = arguments.value()?.into(),
                Arg::Long("now") => options.now = Some(arguments.value()?.parse()?),
                Arg::Long("used") => options.used_bytes = Some(arguments.value()?.parse()?),
                Arg::Long("plan") => options.plan_bytes = Some(arguments.value()?.parse()?),
                Arg::Long("pinata") => {
                    let url = arguments.optional_value().map(|url| url.string()).transpose()?;
                    options.pinata = Some(url.unwrap_or_default());
                }
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        let missing = |path: &Path| path.as_os_str().is_empty();
        if missing(&options.db) || missing(&options.out) {
            return Err("--db and --out are needed".into());
        }
        Ok(Some(options))
    }
}
