//! Many events at once: 64 threads that each wait for an answer, and maintenance that drains.

use std::{ops::Range, time::Duration};

use finalmile::{Budget, Error, webhook::Received};
use rustix::time::ClockId;

use crate::{
    args::Args,
    callers,
    checks::reading,
    inbox::Inbox,
    report::{Bar, Report, Row, Unit},
    rivals::one_each::{OneEach, Paid},
    rounds::Runs,
    stripe::{self, checkout},
    transfer::Moved,
};

/// How many threads wait.
const CALLERS: usize = 64;

/// The rows of many events beside a transaction for each.
///
/// # Errors
///
/// Whatever the store answers.
pub fn events(args: &Args, report: &mut Report, parent: &str) -> Result<(), Error> {
    let many: u64 = if args.quick { 1_000 } else { 10_000 };
    let consumed = format!("{many} events, {CALLERS} threads, each waits");
    let worked = format!("{many} received events, `work`");
    if !args.wants(&consumed) && !args.wants(&worked) {
        return Ok(());
    }
    let place = tempfile::tempdir_in(parent).expect("a folder can be made");
    let file = |name: &str| place.path().join(name);
    let (ours, drained) = (Inbox::open(&file("ours.db"))?, Inbox::open(&file("drained.db"))?);
    let rival = OneEach::create(&file("rivals.db")).expect("the rival's file is made");
    let mut runs = [(); 3].map(|()| Runs::default());
    let mut next = 0;
    for _ in 0..args.pace().rounds {
        let ops = next..next + many;
        next = ops.end;
        let took = [
            by_threads(&ours, ops.clone()),
            by_hand(&rival, ops.clone()),
            by_maintenance(&drained, ops)?,
        ];
        for (runs, took) in runs.iter_mut().zip(took) {
            runs.push(many as f64 / took.as_secs_f64());
            runs.ops += many;
        }
    }
    ours.check(0..next)?;
    drained.check(0..next)?;
    rival.check(0..next).expect("the file can be read");
    let [ours, theirs, drained] = runs;
    let mut row = |figure: String, runs, bar| {
        let rival =
            "the seed's transaction by hand behind a mutex, an event each, every value ready";
        report.row(&Row { figure, rival: rival.to_owned(), unit: Unit::PerSecond, runs, bar });
    };
    row(consumed, [ours, theirs.clone()], Bar::AtLeast(5.0));
    row(worked, [drained, theirs], Bar::None);
    Ok(())
}

fn at(n: u64, ops: &Range<u64>) -> usize {
    usize::try_from(n - ops.start).unwrap_or_default()
}

fn by_threads(inbox: &Inbox, ops: Range<u64>) -> Duration {
    let endpoint = stripe::endpoint();
    let events: Vec<_> = ops.clone().map(|n| checkout(n).verified(&endpoint)).collect();
    callers::threads(CALLERS, ops.clone(), |n| inbox.credit(&events[at(n, &ops)]))
}

fn by_hand(rival: &OneEach, ops: Range<u64>) -> Duration {
    let events: Vec<_> = ops.clone().map(Paid::nth).collect();
    callers::threads(CALLERS, ops.clone(), |n| {
        let done = rival.consume(&events[at(n, &ops)]);
        assert_eq!(done.expect("the rows can be written"), Moved::Now);
    })
}

/// What was received and answered is done later, by one thread.
fn by_maintenance(inbox: &Inbox, ops: Range<u64>) -> Result<Duration, Error> {
    let (endpoint, webhooks) = (stripe::endpoint(), inbox.fm.webhooks());
    let many = ops.end - ops.start;
    let received: Vec<_> =
        ops.map(|n| webhooks.receive(&checkout(n).verified(&endpoint))).collect();
    for one in received {
        assert_eq!(one.wait()?, Received::Stored);
    }
    let before = reading(ClockId::Monotonic);
    let worked = webhooks.work(Budget::seconds(600)).wait()?;
    let took = reading(ClockId::Monotonic) - before;
    assert_eq!((worked.ended, worked.retried, worked.died), (many, 0, 0));
    Ok(took)
}
