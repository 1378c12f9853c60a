//! Tries a limit on yesterday's traffic: what would it have admitted, and when?
//!
//! ```text
//! cargo run --release --example replay_limits -- --greedy 60/60s --burst 120 < events.jsonl
//! ```
//!
//! Reads a line for each check, `{"t_us":1800000000000000,"key":"ada"}`, and answers each with a line:
//! `{"allowed":true,"remaining":119,"retry_after_us":null}`. Times are microseconds since 1970 and may
//! go backwards. Exit code 0 if every line was answered, 1 at the first that makes no sense, 2 for
//! wrong usage.

mod cli;

use std::{
    collections::HashMap,
    fmt,
    io::{self, BufRead, BufReader, BufWriter, Write},
    num::NonZeroU32,
    process::ExitCode,
    time::Duration,
};

use finalmile::{
    Timestamp,
    limit::{Align, Policy, TokenBucket},
};
use lexopt::{Arg, Parser, ValueExt as _};
use serde_json::Value;

const USAGE: &str = "replay_limits --greedy TOKENS/PERIOD [--burst TOKENS] [--cost-field]
replay_limits --window REQUESTS/PERIOD [--align epoch|first] [--cost-field]

  --greedy TOKENS/PERIOD    a token bucket that gains so many in each period, such as 60/60s
  --burst TOKENS            the most that it holds (default: as many as it gains in a period)
  --window REQUESTS/PERIOD  a fixed window of so many requests, such as 50/1h
  --align epoch|first       where windows begin: at multiples of the period since 1970, or at the
                            first request after the last one ended (default: epoch)
  --cost-field              what a check costs stands in the line's \"cost\" (otherwise 1)

A period is a number and us, ms, s, m or h. The events are JSON lines on standard input:
{\"t_us\":1800000000000000,\"key\":\"ada\",\"cost\":1}";

fn main() -> ExitCode {
    cli::start(USAGE, Options::from_args(), |options| {
        let events = BufReader::with_capacity(1 << 16, io::stdin().lock());
        let answers = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        match Replay::new(options).run(events, answers) {
            // A reader that has gone away is no fault.
            Err(Fault::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
            done => done.map(|()| true),
        }
    })
}

/// A replay under one policy.
struct Replay {
    options: Options,
    buckets: HashMap<String, TokenBucket>,
}

/// Why a replay ended early.
enum Fault {
    /// An event makes no sense. Those before it were answered.
    Line { number: u64, why: String },
    /// Nothing could be read or written any more.
    Io(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { number, why } => write!(f, "line {number}: {why}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A check of the past.
struct Event {
    now: Timestamp,
    key: String,
    cost: NonZeroU32,
}

impl Replay {
    fn new(options: Options) -> Self {
        Self { options, buckets: HashMap::new() }
    }

    /// Answers each event with a line.
    fn run(&mut self, mut events: impl BufRead, mut answers: impl Write) -> Result<(), Fault> {
        let (mut line, mut number) = (Vec::new(), 0);
        while events.read_until(b'\n', &mut line)? > 0 {
            number += 1;
            match self.options.event(&line) {
                Ok(event) => self.answer(event, &mut answers)?,
                Err(why) => {
                    answers.flush()?;
                    return Err(Fault::Line { number, why });
                }
            }
            line.clear();
        }
        Ok(answers.flush()?)
    }

    fn answer(&mut self, event: Event, answers: &mut impl Write) -> io::Result<()> {
        let Event { now, key, cost } = event;
        let policy = &self.options.policy;
        let bucket = self.buckets.entry(key).or_insert_with(|| TokenBucket::new(policy));
        let decision = bucket.check(now, cost);
        let (allowed, remaining) = (decision.is_allowed(), decision.remaining().unwrap_or(0));
        write!(answers, r#"{{"allowed":{allowed},"remaining":{remaining},"retry_after_us":"#)?;
        match decision.retry_after() {
            Some(wait) => writeln!(answers, "{}}}", wait.as_micros()),
            None => writeln!(answers, "null}}"),
        }
    }
}

/// The command line.
struct Options {
    policy: Policy,
    cost_field: bool,
}

impl Options {
    /// Reads the command line; `None` when it asks for help.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let mut parser = Parser::from_env();
        let (mut greedy, mut window, mut burst, mut align) = (None, None, None, None);
        let mut cost_field = false;
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("greedy") => greedy = Some(parser.value()?.parse_with(rate)?),
                Arg::Long("window") => window = Some(parser.value()?.parse_with(rate)?),
                Arg::Long("burst") => burst = Some(parser.value()?.parse()?),
                Arg::Long("align") => align = Some(parser.value()?.parse_with(alignment)?),
                Arg::Long("cost-field") => cost_field = true,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        let name = "replay".parse().map_err(refused)?;
        let policy = match (greedy, window) {
            (Some((tokens, period)), None) => Policy::greedy(name, tokens, period),
            (None, Some((requests, period))) => Policy::window(name, requests, period),
            _ => return Err("one of --greedy and --window says what is to be tried".into()),
        };
        let mut policy = policy.map_err(refused)?;
        if let Some(burst) = burst {
            policy = policy.burst(burst).map_err(refused)?;
        }
        if let Some(align) = align {
            policy = policy.aligned(align).map_err(refused)?;
        }
        Ok(Some(Self { policy, cost_field }))
    }

    /// Reads an event, or says what is wrong with it.
    fn event(&self, line: &[u8]) -> Result<Event, String> {
        let mut event: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let t_us = event["t_us"].as_i64().ok_or("\"t_us\" is no whole number of microseconds")?;
        let cost = match self.cost_field {
            true => event["cost"].as_u64().ok_or("\"cost\" is no whole number")?,
            false => 1,
        };
        // No bucket holds as many as do not fit.
        let cost = NonZeroU32::new(u32::try_from(cost).unwrap_or(u32::MAX));
        let cost = cost.ok_or("\"cost\" is 0")?;
        match event.get_mut("key").map(Value::take) {
            Some(Value::String(key)) => Ok(Event { now: Timestamp::from_micros(t_us), key, cost }),
            _ => Err("\"key\" is no text".to_owned()),
        }
    }
}

/// So many in so long, such as `60/60s`.
fn rate(text: &str) -> Result<(u32, Duration), &'static str> {
    let why = "it is not like 60/60s";
    let (count, period) = text.split_once('/').ok_or(why)?;
    let digits = period.find(|c: char| !c.is_ascii_digit()).ok_or(why)?;
    let (number, unit) = period.split_at(digits);
    let us = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return Err("its period has no unit: us, ms, s, m or h"),
    };
    let number: u64 = number.parse().map_err(|_| why)?;
    let period = number.checked_mul(us).ok_or("its period is too long")?;
    Ok((count.parse().map_err(|_| why)?, Duration::from_micros(period)))
}

fn alignment(text: &str) -> Result<Align, &'static str> {
    match text {
        "epoch" => Ok(Align::Epoch),
        "first" => Ok(Align::First),
        _ => Err("it is neither epoch nor first"),
    }
}

/// What the limiter will not count.
fn refused(refusal: finalmile::Refusal) -> lexopt::Error {
    lexopt::Error::Custom(refusal.into())
}
