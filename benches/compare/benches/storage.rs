//! Group commit on SQLite against one transaction per call.
//!
//! ```text
//! cargo bench -p finalmile-compare --bench storage [-- [--quick] [--write] [ROW…]]
//! ```

use std::sync::Arc;

use finalmile_compare::{
    args::{self, Args},
    callers,
    group_commit::{self, Places},
    growth,
    report::{Bar, Report, Row, Unit},
    rivals::spawn_blocking,
    rounds::in_turns,
    transfer::{Moved, Transfer},
};

/// On the disk that holds the build.
const PLACE: &str = env!("CARGO_TARGET_TMPDIR");

fn main() {
    let args = Args::read();
    let command = args.command("-p finalmile-compare --bench storage");
    let mut report = Report::new("storage", group_commit::INPUT, command);
    for (callers, bar) in [(1, 0.95), (64, 10.0), (1_024, 15.0)] {
        group_commit::threads(&args, &mut report, PLACE, callers, bar);
    }
    tasks(&args, &mut report, 1_024, 40.0);
    growth::begin_upload(&args, &mut report, PLACE).expect("every upload begins");
    report.end();
    if args.write {
        report.write().unwrap_or_else(|why| args::end(&why));
    }
}

/// That many tasks on two workers, against `spawn_blocking`.
fn tasks(args: &Args, report: &mut Report, callers: usize, bar: f64) {
    let figure = format!("{callers} tasks");
    if !args.wants(&figure) {
        return;
    }
    let places = Places::below(PLACE);
    let (store, shared) = (places.ours(), Arc::new(places.rivals()));
    let runtime = callers::runtime();
    let mut ours = |ops| {
        let store = store.clone();
        callers::tasks(&runtime, callers, ops, move |n| {
            let pending = store.submit(Transfer::nth(n));
            async { assert_eq!(pending.await, Ok(Moved::Now)) }
        })
    };
    let mut rivals = |ops| {
        let shared = shared.clone();
        callers::tasks(&runtime, callers, ops, move |n| {
            let moved = spawn_blocking::transfer(shared.clone(), Transfer::nth(n));
            async { assert_eq!(moved.await, Ok(Moved::Now)) }
        })
    };
    let runs = in_turns(args.pace(), [&mut ours, &mut rivals]);
    drop((runtime, store, shared));
    places.check(&runs);
    let (rival, bar) = ("`spawn_blocking` and a mutex".to_owned(), Bar::AtLeast(bar));
    report.row(&Row { figure, rival, unit: Unit::PerSecond, runs, bar });
}
