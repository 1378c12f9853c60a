//! Group commit on PostgreSQL against one transaction per call through sixteen connections.
//!
//! ```text
//! cargo bench -p finalmile-compare --bench postgres [-- [--quick] [--write] [ROW…]]
//! ```
//!
//! The server is started for this run, on this machine, and waits for the disk at every commit.

#![allow(clippy::unwrap_used, reason = "a bench that meets a failure ends there")]

#[path = "../../../tests/support/postgres.rs"]
mod postgres_support;

use std::{ops::Range, sync::Arc, time::Duration};

use finalmile::{SystemWorld, engines::Postgres, storage::Store};
use finalmile_compare::{
    args::{self, Args},
    callers,
    report::{Bar, Report, Row, Unit},
    rivals::{one_statement::OneStatement, seven_trips::SevenTrips},
    rounds::in_turns,
    transfer::{self, Moved, SCHEMA, Transfer},
};
use postgres_support::{Cluster, Options, Schema};
use tokio::runtime::Runtime;

/// What both sides do.
const INPUT: &str = "One key looked up and inserted, two of 10,000 balances changed; PostgreSQL on \
                     this machine, `fsync=on`, callers are tasks on two workers";

/// Whom we meet.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Rival {
    OneStatement,
    Pipelined,
    SevenTrips,
}

fn main() {
    let args = Args::read();
    let command = args.command("-p finalmile-compare --bench postgres");
    let mut report = Report::new("postgres", INPUT, command);
    let cluster = Cluster::start(Options { fsync: true });
    let rows = [
        (64, Rival::OneStatement, 3.0),
        (1_024, Rival::OneStatement, 5.0),
        (64, Rival::Pipelined, 3.0),
        (1_024, Rival::Pipelined, 5.0),
        (1, Rival::OneStatement, 0.55),
        (8, Rival::OneStatement, 0.55),
        (1, Rival::SevenTrips, 1.0),
        (8, Rival::SevenTrips, 3.0),
    ];
    for (callers, rival, bar) in rows {
        meet(&args, &mut report, &cluster, callers, rival, bar);
    }
    report.end();
    if args.write {
        report.write().unwrap_or_else(|why| args::end(&why));
    }
}

/// That many tasks on both sides, each side in a schema of its own.
fn meet(
    args: &Args,
    report: &mut Report,
    cluster: &Cluster,
    callers: usize,
    rival: Rival,
    bar: f64,
) {
    let figure = format!("{callers} caller{}", if callers == 1 { "" } else { "s" });
    let name = match rival {
        Rival::OneStatement => "one prepared statement, pool of 16",
        Rival::Pipelined => "the same statement pipelined over 16 connections",
        Rival::SevenTrips => "`FOR UPDATE` in seven round trips, pool of 16",
    };
    if !args.wants(&format!("{figure}, {name}")) {
        return;
    }
    let (ours, rivals) = (cluster.schema(), cluster.schema());
    let runtime = callers::runtime();
    let store = Store::open(Postgres::url(ours.url()), Arc::new(SystemWorld), &[SCHEMA]).unwrap();
    SCHEMA.postgres.iter().for_each(|script| rivals.batch(script));
    for schema in [&ours, &rivals] {
        schema.batch("ANALYZE");
    }
    let mut ours_run = |ops| {
        let store = store.clone();
        callers::tasks(&runtime, callers, ops, move |n| {
            let pending = store.submit(Transfer::nth(n));
            async { assert_eq!(pending.await, Ok(Moved::Now)) }
        })
    };
    let mut rivals_run = runner(&runtime, callers, rival, rivals.url());
    let runs = in_turns(args.pace(), [&mut ours_run, &mut *rivals_run]);
    drop(rivals_run);
    drop(store);
    drop(runtime);
    for (side, schema, runs) in [("ours", &ours, &runs[0]), ("rival", &rivals, &runs[1])] {
        check(side, schema, runs.ops);
    }
    let (rival, bar) = (name.to_owned(), Bar::AtLeast(bar));
    report.row(&Row { figure, rival, unit: Unit::PerSecond, runs, bar });
}

/// The rival, connected and ready to run.
fn runner<'r>(
    runtime: &'r Runtime,
    callers: usize,
    rival: Rival,
    url: &str,
) -> Box<dyn FnMut(Range<u64>) -> Duration + 'r> {
    match rival {
        Rival::OneStatement | Rival::Pipelined => {
            let pipelined = rival == Rival::Pipelined;
            let pool = Arc::new(OneStatement::connect(runtime, url, pipelined).unwrap());
            Box::new(move |ops| {
                let pool = pool.clone();
                callers::tasks(runtime, callers, ops, move |n| {
                    let pool = pool.clone();
                    async move { assert_eq!(pool.transfer(n).await.unwrap(), Moved::Now) }
                })
            })
        }
        Rival::SevenTrips => {
            let pool = Arc::new(SevenTrips::connect(runtime, url).unwrap());
            Box::new(move |ops| {
                let pool = pool.clone();
                callers::tasks(runtime, callers, ops, move |n| {
                    let pool = pool.clone();
                    async move {
                        let transfer = Transfer::nth(n);
                        assert_eq!(pool.transfer(&transfer).await.unwrap(), Moved::Now);
                    }
                })
            })
        }
    }
}

/// Compares the schema that a side left with the model.
fn check(side: &str, schema: &Schema, count: u64) {
    let mut client = schema.connect();
    let rows = client.query("SELECT balance FROM bench_account ORDER BY id", &[]).unwrap();
    let balances: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    let keys = client.query_one("SELECT count(*) FROM bench_once", &[]).unwrap().get(0);
    transfer::check(side, count, &balances, keys);
}
