//! The command line.

use std::{env, ffi::OsString, net::SocketAddr, path::PathBuf};

use finalmile::{
    Timestamp,
    webhook::{Secret, Stripe},
};
use lexopt::{Arg, Parser, ValueExt as _};

pub(crate) const USAGE: &str = "stripe_webhook serve --db FILE [--listen ADDRESS] [--until-eof]
stripe_webhook consume --db FILE [--now SECONDS] --header HEADER EVENT [--header HEADER EVENT]...
stripe_webhook sign [--now SECONDS] EVENT
stripe_webhook deliver --db FILE --run NAME [--workers N] [--events N]
stripe_webhook check --db FILE < LINES

  --db FILE         a SQLite file, made if it does not exist, or postgresql://… (feature `postgres`)
  --secret SECRET   whsec_…, for all but check; several while one is being rolled, the new one first.
                    Better in STRIPE_WEBHOOK_SECRET, with blanks between, where no list of processes
                    shows it
  --listen ADDRESS  where to listen (default: 127.0.0.1:4242; port 0: one that is free)
  --until-eof       end when standard input does, too
  --now SECONDS     which time it is, since 1970 (default: the machine's)
  --header HEADER   what came with the event: `Stripe-Signature: t=…,v1=…`, or that without its name
  EVENT             a file with a body as it came; -: standard input
  --run NAME        what the events are named after; the same name sends the same events again
  --workers N       how many send at the same time (default: 4)
  --events N        how many events they send (default: 1000)";

/// Where secrets may be, so that no list of processes shows them.
const SECRETS: &str = "STRIPE_WEBHOOK_SECRET";

/// What the user wants.
pub(crate) enum Task {
    Serve(Serve),
    Consume(Consume),
    Sign(Sign),
    Deliver(Deliver),
    Check { db: String },
}

pub(crate) struct Serve {
    pub(crate) db: String,
    pub(crate) stripe: Stripe,
    pub(crate) listen: SocketAddr,
    pub(crate) until_eof: bool,
}

pub(crate) struct Consume {
    pub(crate) db: String,
    pub(crate) stripe: Stripe,
    pub(crate) now: Option<Timestamp>,
    /// The value of each event's header, and its file.
    pub(crate) events: Vec<(String, PathBuf)>,
}

pub(crate) struct Sign {
    pub(crate) stripe: Stripe,
    pub(crate) now: Option<Timestamp>,
    pub(crate) event: PathBuf,
}

pub(crate) struct Deliver {
    pub(crate) db: String,
    pub(crate) stripe: Stripe,
    pub(crate) run: String,
    pub(crate) workers: usize,
    pub(crate) events: u64,
}

/// All words of the command line.
struct Words {
    db: Option<String>,
    secrets: Vec<Secret>,
    listen: SocketAddr,
    until_eof: bool,
    now: Option<Timestamp>,
    headers: Vec<String>,
    events: Vec<PathBuf>,
    run: Option<String>,
    workers: usize,
    count: u64,
}

impl Task {
    /// `None`: the user wants to know how.
    pub(crate) fn from_args() -> Result<Option<Self>, lexopt::Error> {
        let mut arguments = Parser::from_env();
        let command = match arguments.next()? {
            Some(Arg::Value(command)) => command.string()?,
            Some(Arg::Long("help") | Arg::Short('h')) => return Ok(None),
            Some(other) => return Err(other.unexpected()),
            None => return Err("what to do is missing".into()),
        };
        let known: &[&str] = match command.as_str() {
            "serve" => &["db", "secret", "listen", "until-eof"],
            "consume" => &["db", "secret", "now", "header", "EVENT"],
            "sign" => &["secret", "now", "EVENT"],
            "deliver" => &["db", "secret", "run", "workers", "events"],
            "check" => &["db"],
            other => return Err(format!("{other}: there is no such command").into()),
        };
        let Some(words) = Words::read(&mut arguments, known)? else { return Ok(None) };
        words.task(&command).map(Some)
    }
}

impl Words {
    fn read(arguments: &mut Parser, known: &[&str]) -> Result<Option<Self>, lexopt::Error> {
        let mut words = Self {
            db: None,
            secrets: Vec::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 4242)),
            until_eof: false,
            now: None,
            headers: Vec::new(),
            events: Vec::new(),
            run: None,
            workers: 4,
            count: 1_000,
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Long(name) if !known.contains(&name) => {
                    return Err(Arg::Long(name).unexpected());
                }
                Arg::Long("db") => words.db = Some(arguments.value()?.string()?),
                Arg::Long("secret") => words.secrets.push(secret(arguments.value()?)?),
                Arg::Long("listen") => words.listen = arguments.value()?.parse()?,
                Arg::Long("until-eof") => words.until_eof = true,
                Arg::Long("now") => {
                    let seconds: i64 = arguments.value()?.parse()?;
                    words.now = Some(Timestamp::from_millis(seconds.saturating_mul(1_000)));
                }
                Arg::Long("header") => words.headers.push(value(&arguments.value()?.string()?)),
                Arg::Long("run") => words.run = Some(arguments.value()?.string()?),
                Arg::Long("workers") => words.workers = arguments.value()?.parse()?,
                Arg::Long("events") => words.count = arguments.value()?.parse()?,
                Arg::Value(event) if known.contains(&"EVENT") => words.events.push(event.into()),
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(words))
    }

    fn task(self, command: &str) -> Result<Task, lexopt::Error> {
        let db = self.db.ok_or("--db is missing");
        if command == "check" {
            return Ok(Task::Check { db: db? });
        }
        let (stripe, now, mut events) = (stripe(self.secrets)?, self.now, self.events);
        Ok(match command {
            "serve" => {
                let (listen, until_eof) = (self.listen, self.until_eof);
                Task::Serve(Serve { db: db?, stripe, listen, until_eof })
            }
            "consume" if events.is_empty() || events.len() != self.headers.len() => {
                return Err("each event needs its --header".into());
            }
            "consume" => {
                let events = self.headers.into_iter().zip(events).collect();
                Task::Consume(Consume { db: db?, stripe, now, events })
            }
            "sign" => match (events.pop(), events.pop()) {
                (Some(event), None) => Task::Sign(Sign { stripe, now, event }),
                _ => return Err("one event is signed".into()),
            },
            _ => {
                let run = self.run.ok_or("--run is missing")?;
                let workers = self.workers.max(1);
                Task::Deliver(Deliver { db: db?, stripe, run, workers, events: self.count })
            }
        })
    }
}

/// Says what is wrong with a secret, but not what it is.
fn secret(text: OsString) -> Result<Secret, lexopt::Error> {
    let text = text.into_string().map_err(|_| "--secret: it is no text")?;
    Secret::text(&text).map_err(|why| why.to_string().into())
}

/// An endpoint with those secrets, or those of the environment.
fn stripe(mut secrets: Vec<Secret>) -> Result<Stripe, lexopt::Error> {
    if secrets.is_empty() {
        let all = env::var_os(SECRETS).unwrap_or_default().into_string();
        let all = all.map_err(|_| format!("{SECRETS}: it is no text"))?;
        for text in all.split_whitespace() {
            secrets.push(secret(text.into())?);
        }
    }
    let mut secrets = secrets.into_iter();
    let first = secrets.next().ok_or_else(|| format!("--secret, or {SECRETS}, is missing"))?;
    Ok(secrets.fold(Stripe::new(first), Stripe::or))
}

/// The value of a header that may have its name before it.
fn value(header: &str) -> String {
    let value = match header.split_once(':') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("stripe-signature") => value,
        _ => header,
    };
    value.trim().to_owned()
}
