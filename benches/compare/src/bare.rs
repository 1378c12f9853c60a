//! Bare checks: [`Keyed`] beside governor, and beside what no limiter can do without.

use std::{
    hint::black_box,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use finalmile::{
    Refusal, SystemWorld,
    limit::{Keyed, Precision},
};
use governor::clock::{Clock as _, DefaultClock};
use rustix::time::ClockId;

use crate::{
    args::Args,
    checks::{Side, a_round, in_turns, reading},
    keys::{self, BACK, BURST, ENDPOINTS, PAIRS, USERS},
    report::{Bar, Report, Row, Unit},
    rivals::governed::{self, Governed},
    rounds::Runs,
};

/// Both sides' key.
type Key = (u128, u32);

/// Against whom.
const GOVERNOR: &str = "governor";

/// A limiter with the five policies.
///
/// # Errors
///
/// [`Refusal::Invalid`] for no keys.
pub fn keyed(keys_max: usize, precision: Precision) -> Result<Keyed, Refusal> {
    let keyed = Keyed::with(&keys::policy("e0")?, keys_max, precision, Arc::new(SystemWorld))?;
    (1..ENDPOINTS).try_for_each(|n| keyed.add(&keys::policy(&format!("e{n}"))?).map(drop))?;
    Ok(keyed)
}

/// One check of ours.
#[inline]
pub fn check(keyed: &Keyed, key: Key) {
    let (user, endpoint) = black_box(key);
    black_box(keyed.check_at(endpoint as usize, user).is_allowed());
}

/// One check of the rival's.
#[inline]
fn check_rival(governed: &Governed<Key>, key: Key) {
    black_box(governed.check_key(&black_box(key)).is_ok());
}

/// The rows of one key that one thread asks for, with what it takes at least.
///
/// # Errors
///
/// As [`keyed`].
pub fn hot_key(args: &Args, report: &mut Report) -> Result<(), Refusal> {
    let figures = [
        "one hot key, precise clock",
        "one hot key, coarse clock",
        "one hot key: the precise clock and one compare-and-swap, nothing else",
        "one hot key: the coarse clock and one compare-and-swap, nothing else",
        "the clock alone, precise",
        "the clock alone, coarse",
    ];
    if !figures.iter().any(|figure| args.wants(figure)) {
        return Ok(());
    }
    let (precise, coarse) = (keyed(10, Precision::Precise)?, keyed(10, Precision::Coarse)?);
    let governed = governed::limiter();
    let key = (keys::user(0), 0);
    let (clock, rivals_clock, word) =
        (Counter::start(), DefaultClock::default(), AtomicU64::new(0));
    let [ours, ours_coarse, rival, least, least_coarse, counter, tick, rivals] = in_turns(
        args,
        ClockId::ThreadCPUTime,
        a_round(args) * 2,
        [
            &mut |n| (0..n).for_each(|_| check(&precise, key)),
            &mut |n| (0..n).for_each(|_| check(&coarse, key)),
            &mut |n| (0..n).for_each(|_| check_rival(&governed, key)),
            &mut |n| (0..n).for_each(|_| seen(spend(black_box(&word), clock.micros()))),
            &mut |n| (0..n).for_each(|_| seen(spend(black_box(&word), tick_micros()))),
            &mut |n| (0..n).for_each(|_| seen(clock.micros())),
            &mut |n| (0..n).for_each(|_| seen(tick_micros())),
            &mut |n| (0..n).for_each(|_| seen(rivals_clock.now())),
        ],
    );
    verify(&precise, key, ours.ops);
    verify(&coarse, key, ours_coarse.ops);
    governed::verify(&governed, &key, rival.ops);
    let bars = [Bar::AtMost(0.5), Bar::AtMost(0.25), Bar::None, Bar::None, Bar::None, Bar::None];
    let all = [
        (ours, &rival, GOVERNOR),
        (ours_coarse, &rival, GOVERNOR),
        (least, &rival, "governor's whole check"),
        (least_coarse, &rival, "governor's whole check"),
        (counter, &rivals, "governor's clock alone"),
        (tick, &rivals, "governor's clock alone"),
    ];
    for ((figure, bar), (ours, rivals, rival)) in figures.into_iter().zip(bars).zip(all) {
        if args.wants(figure) {
            report.row(&row(figure, rival, Unit::CpuNanos, [ours, rivals.clone()], bar));
        }
    }
    Ok(())
}

/// The rows of a million pairs in random order.
///
/// # Errors
///
/// As [`keyed`].
pub fn pairs(args: &Args, report: &mut Report) -> Result<(), Refusal> {
    let figures = ["1M pairs, precise clock", "1M pairs, coarse clock"];
    if !figures.iter().any(|figure| args.wants(figure)) {
        return Ok(());
    }
    let (precise, coarse) =
        (keyed(Keyed::KEYS_MAX, Precision::Precise)?, keyed(Keyed::KEYS_MAX, Precision::Coarse)?);
    let (governed, pairs) = (governed::limiter(), keys::pairs(USERS, ENDPOINTS));
    let asked = |n: u64| (0..n / PAIRS).flat_map(|_| pairs.iter().copied());
    let [ours, ours_coarse, rival] = in_turns(
        args,
        ClockId::ThreadCPUTime,
        a_round(args),
        [
            &mut |n| asked(n).for_each(|key| check(&precise, key)),
            &mut |n| asked(n).for_each(|key| check(&coarse, key)),
            &mut |n| asked(n).for_each(|key| check_rival(&governed, key)),
        ],
    );
    for key in pairs.iter().copied().step_by(997) {
        verify(&precise, key, ours.ops / PAIRS);
        verify(&coarse, key, ours_coarse.ops / PAIRS);
        governed::verify(&governed, &key, rival.ops / PAIRS);
    }
    let bars = [Bar::AtMost(1.0), Bar::AtMost(0.35)];
    for ((figure, bar), ours) in figures.into_iter().zip(bars).zip([ours, ours_coarse]) {
        if args.wants(figure) {
            report.row(&row(figure, GOVERNOR, Unit::CpuNanos, [ours, rival.clone()], bar));
        }
    }
    Ok(())
}

/// The row of one key that two threads ask for at once.
///
/// # Errors
///
/// As [`keyed`].
pub fn two_threads(args: &Args, report: &mut Report) -> Result<(), Refusal> {
    let figure = "one hot key, two threads, precise clock, time that passes";
    if !args.wants(figure) {
        return Ok(());
    }
    let (ours, governed) = (keyed(10, Precision::Precise)?, governed::limiter());
    let key = (keys::user(0), 0);
    let mut our_side = |n| on_two_threads(n, || check(&ours, key));
    let mut rivals = |n| on_two_threads(n, || check_rival(&governed, key));
    let sides: [Side<'_>; 2] = [&mut our_side, &mut rivals];
    let runs = in_turns(args, ClockId::Monotonic, a_round(args), sides);
    verify(&ours, key, runs[0].ops);
    governed::verify(&governed, &key, runs[1].ops);
    report.row(&row(figure, GOVERNOR, Unit::Nanos, runs, Bar::AtMost(0.6)));
    Ok(())
}

/// Half of them on each thread, which begin together.
fn on_two_threads(n: u64, check: impl Fn() + Sync) {
    let ready = Barrier::new(2);
    let half = || {
        ready.wait();
        (0..n / 2).for_each(|_| check());
    };
    thread::scope(|scope| {
        let other = scope.spawn(half);
        half();
        other.join().expect("a check does not panic");
    });
}

/// Compares what a key has spent with the model, give or take what came back.
fn verify(keyed: &Keyed, (user, endpoint): Key, spent: u64) {
    let decision = keyed.check_at(endpoint as usize, user);
    let left = u64::from(decision.remaining().expect("it is limited"));
    let model = u64::from(BURST) - spent - 1;
    let back = u64::from(BACK);
    assert!((model..=model + back).contains(&left), "{left} are left instead of {model}");
}

fn row(figure: &str, rival: &str, unit: Unit, runs: [Runs; 2], bar: Bar) -> Row {
    Row { figure: figure.to_owned(), rival: rival.to_owned(), unit, runs, bar }
}

fn seen<T>(value: T) {
    black_box(value);
}

/// The kernel's last tick, as our limiter reads it.
#[inline]
fn tick_micros() -> u64 {
    u64::try_from(reading(ClockId::MonotonicCoarse).as_micros()).unwrap_or_default()
}

/// The processor's counter, as our limiter reads it.
struct Counter(quanta::Clock, u64);

impl Counter {
    fn start() -> Self {
        let clock = quanta::Clock::new();
        let first = clock.raw();
        Self(clock, first)
    }

    #[inline]
    fn micros(&self) -> u64 {
        self.0.delta_as_nanos(self.1, self.0.raw()) / 1_000
    }
}

/// The least that spending a token is: when the bucket will be full, a token later.
#[inline]
fn spend(word: &AtomicU64, now: u64) -> bool {
    let mut old = word.load(Ordering::SeqCst);
    loop {
        let new = old.max(now) + 120_000_000;
        match word.compare_exchange_weak(old, new, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return new - now < u64::MAX / 2,
            Err(other) => old = other,
        }
    }
}
