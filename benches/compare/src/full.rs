//! Full checks: what endpoints, freezes, counters and a store beneath add to a bare one.
//!
//! The store is in memory, and the thread that writes behind is at work as it is in a service; its
//! own processor time is not counted.

use std::hint::black_box;

use finalmile::{
    AccountId, Actor, Error, FinalMile, Refusal,
    engines::Memory,
    limit::{Endpoint, Keyed, Limiter, Precision, Subject},
};
use rustix::time::ClockId;

use crate::{
    args::Args,
    bare::{check, keyed},
    checks::{Side, a_round, in_turns, reading},
    keys::{self, BACK, BURST, ENDPOINTS, PAIRS, USERS},
    report::{Bar, Report, Row, Unit},
    rivals::governed::{self, Governed},
    rounds::Runs,
};

/// Five of those that a new database has, in the order in which they share a line of the table.
const NAMES: [&str; ENDPOINTS as usize] =
    ["admin_crud", "api_general", "content_access", "feed", "search"];

/// How long a check may take, in nanoseconds.
const BUDGET: f64 = 5e6;

/// How many are checked at once.
const BATCH: usize = 32;

/// A limiter with its endpoints. Dropping it writes a last time, which takes as long as a million
/// buckets take.
#[derive(Debug)]
pub struct Full {
    limiter: Limiter,
    endpoints: [Endpoint; NAMES.len()],
}

impl Full {
    /// An empty one.
    ///
    /// # Errors
    ///
    /// Whatever the store answers.
    pub fn open() -> Result<Self, Error> {
        let fm = FinalMile::builder(Memory::new()).open()?;
        let admin = fm.admin(Actor::new("bench")?);
        for name in NAMES {
            drop(admin.configure(keys::policy(name)?).wait()?);
        }
        let limiter = fm.limiter();
        let mut endpoints = [limiter.endpoint(NAMES[0])?; NAMES.len()];
        for (endpoint, name) in endpoints.iter_mut().zip(NAMES) {
            *endpoint = limiter.endpoint(name)?;
        }
        Ok(Self { limiter, endpoints })
    }

    #[inline]
    fn check(&self, (subject, endpoint): (Subject<'_>, u32)) {
        let (subject, endpoint) = black_box((subject, endpoint));
        let endpoint = self.endpoints[endpoint as usize];
        black_box(self.limiter.check(endpoint, subject).is_allowed());
    }

    #[inline]
    fn check_many(&self, pairs: &[(u128, u32)]) {
        let asked: [_; BATCH] = std::array::from_fn(|at| {
            let (user, endpoint) = black_box(pairs[at]);
            (self.endpoints[endpoint as usize], Subject::Uuid(user))
        });
        for decision in self.limiter.check_many(&asked) {
            black_box(decision.is_allowed());
        }
    }

    /// Compares what a key has spent with the model, give or take what came back.
    fn verify(&self, (subject, endpoint): (Subject<'_>, u32), spent: u64) {
        let decision = self.limiter.peek(self.endpoints[endpoint as usize], subject);
        let left = u64::from(decision.remaining().expect("it is limited"));
        let model = u64::from(BURST) - spent;
        let back = u64::from(BACK);
        assert!((model..=model + back).contains(&left), "{left} are left instead of {model}");
    }
}

/// The rows of a full check: beside a bare one, by the slowest of a hundred, and many at once.
///
/// # Errors
///
/// As [`keyed`].
pub fn checks(args: &Args, report: &mut Report, full: &Full) -> Result<(), Refusal> {
    hot_key(args, report, full)?;
    let figures = [
        "full check, 1M pairs",
        "full check, 1M pairs, the slowest of 100 in time that passes",
        "full check, 1M pairs, 32 in one call, per check",
    ];
    let wants = figures.map(|figure| args.wants(figure));
    if !wants.contains(&true) {
        return Ok(());
    }
    let bare = keyed(Keyed::KEYS_MAX, Precision::Precise)?;
    let pairs = keys::pairs(USERS, ENDPOINTS);
    let turns = |n: u64| (0..n / PAIRS).flat_map(|_| pairs.iter().copied());
    let uuid = |(user, endpoint)| (Subject::Uuid(user), endpoint);
    let mut spent = 0;
    if wants[0] {
        let mut ours = |n| turns(n).for_each(|key| full.check(uuid(key)));
        let mut bare = |n| turns(n).for_each(|key| check(&bare, key));
        let runs = in_turns(args, ClockId::ThreadCPUTime, a_round(args), [&mut ours, &mut bare]);
        spent += runs[0].ops;
        report.row(&row(figures[0], "our bare check", Unit::CpuNanos, runs, Bar::AtMost(1.3)));
    }
    if wants[1] {
        turns(PAIRS).for_each(|key| full.check(uuid(key)));
        spent += PAIRS;
        let (mut slow, mut slowest, mut budget) = <(Runs, Runs, Runs)>::default();
        budget.push(BUDGET);
        for _ in 0..args.pace().rounds {
            let mut took: Vec<_> = turns(PAIRS)
                .map(|key| {
                    let before = reading(ClockId::Monotonic);
                    full.check(uuid(key));
                    (reading(ClockId::Monotonic) - before).as_nanos()
                })
                .collect();
            took.sort_unstable();
            let at = |per_thousand: usize| took[took.len() / 1_000 * per_thousand] as f64;
            slow.push(at(990));
            slowest.push(at(999));
            spent += PAIRS;
        }
        let figure = format!("{} (of 1,000: {:.2} µs)", figures[1], slowest.median() / 1e3);
        let (rival, runs) = ("a budget of 5 ms", [slow, budget]);
        report.row(&row(&figure, rival, Unit::Micros, runs, Bar::AtMost(0.001)));
    }
    if wants[2] {
        let batches = |n: u64| (0..n / PAIRS).flat_map(|_| pairs.chunks_exact(BATCH));
        let mut many = |n| batches(n).for_each(|some| full.check_many(some));
        let mut single = |n| turns(n).for_each(|key| full.check(uuid(key)));
        let runs = in_turns(args, ClockId::ThreadCPUTime, a_round(args), [&mut many, &mut single]);
        spent += runs.iter().map(|runs| runs.ops).sum::<u64>();
        report.row(&row(figures[2], "one at a time", Unit::CpuNanos, runs, Bar::None));
    }
    pairs.iter().step_by(997).for_each(|key| full.verify(uuid(*key), spent / PAIRS));
    Ok(())
}

fn hot_key(args: &Args, report: &mut Report, full: &Full) -> Result<(), Refusal> {
    let figure = "full check, one hot key";
    if !args.wants(figure) {
        return Ok(());
    }
    let bare = keyed(10, Precision::Precise)?;
    // Nobody of the pairs.
    let user = keys::user(u32::MAX);
    let (key, uuid) = ((user, 0), (Subject::Uuid(user), 0));
    let mut ours = |n| (0..n).for_each(|_| full.check(uuid));
    let mut bare = |n| (0..n).for_each(|_| check(&bare, key));
    let sides: [Side<'_>; 2] = [&mut ours, &mut bare];
    let runs = in_turns(args, ClockId::ThreadCPUTime, a_round(args) * 2, sides);
    full.verify(uuid, runs[0].ops);
    report.row(&row(figure, "our bare check", Unit::CpuNanos, runs, Bar::AtMost(1.3)));
    Ok(())
}

/// The rows of keys that are texts. They stand ready on both sides, so neither allocates to look one
/// up.
///
/// # Errors
///
/// [`Refusal::Invalid`] for a name that is none.
pub fn texts(args: &Args, report: &mut Report, full: &Full) -> Result<(), Refusal> {
    let mut measure = |what: &str, name: fn(u32) -> String| {
        let figure = format!("full check, 1M pairs, accounts are {what}, lent to both sides");
        if args.wants(&figure) {
            let (runs, rival) = (of_texts(args, full, name)?, "governor, `(String, u32)`");
            report.row(&row(&figure, rival, Unit::CpuNanos, runs, Bar::None));
        }
        Ok(())
    };
    measure("names", |n| format!("user-{n:09}"))?;
    measure("texts of UUIDs", |n| keys::uuid(keys::user(USERS + n)))
}

fn of_texts(args: &Args, full: &Full, name: fn(u32) -> String) -> Result<[Runs; 2], Refusal> {
    let governed: Governed<(String, u32)> = governed::limiter();
    let order = keys::shuffled(USERS, ENDPOINTS);
    let mut ours = Vec::with_capacity(order.len());
    for (n, endpoint) in &order {
        ours.push((AccountId::new(name(*n))?, *endpoint));
    }
    let rivals: Vec<_> = order.iter().map(|(n, endpoint)| (name(*n), *endpoint)).collect();
    let mut our_side = |n| {
        for (who, at) in (0..n / PAIRS).flat_map(|_| &ours) {
            full.check((Subject::Account(who), *at));
        }
    };
    let mut rival = |n| {
        for key in (0..n / PAIRS).flat_map(|_| &rivals) {
            black_box(governed.check_key(black_box(key)).is_ok());
        }
    };
    let sides: [Side<'_>; 2] = [&mut our_side, &mut rival];
    let runs = in_turns(args, ClockId::ThreadCPUTime, a_round(args), sides);
    for ((who, at), key) in ours.iter().zip(&rivals).step_by(997) {
        full.verify((Subject::Account(who), *at), runs[0].ops / PAIRS);
        governed::verify(&governed, key, runs[1].ops / PAIRS);
    }
    Ok(runs)
}

fn row(figure: &str, rival: &str, unit: Unit, runs: [Runs; 2], bar: Bar) -> Row {
    Row { figure: figure.to_owned(), rival: rival.to_owned(), unit, runs, bar }
}
