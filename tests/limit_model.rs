//! Limits beside a model of them: the same schedules, replayed on both, never differ.
//!
//! The model counts in fractions and is slow and obvious (`support/oracle.rs`). What it does not
//! know, keys that crowd each other out and threads that meet, is held against the promises
//! themselves. A seed that once failed becomes a named test.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/oracle.rs"]
mod oracle;

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use finalmile::{
    Simulated, Timestamp, World as _,
    limit::{Align, Keyed, Precision, Reason, TokenBucket},
};
use oracle::{Answer, Dice, Ledger, Oracle, Rule, Spec, greedy, window};

const ONE: NonZeroU32 = NonZeroU32::MIN;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR_S: u64 = 366 * 86_400;

/// Some time in 2027, on no boundary.
const START: Timestamp = Timestamp::from_micros(1_800_000_123_456_789);

/// Ordinary policies, odd rates, and the ends of what can be configured (**B1**).
const SPECS: [Spec; 19] = [
    greedy(7, 60, 1),
    greedy(7, 60, 7),
    greedy(60, 60, 120),
    greedy(60, 60, 120).cost(7),
    greedy(1_000, 60, 1_000),
    greedy(999, 3_600, 3),
    greedy(999, 3_600, 999).cost(2),
    greedy(1_000_003, 60, 1_000_003),
    greedy(1_000_000_000, 1, 1_000_000_000).cost(99_999_999),
    greedy(999_999_937, 200, 1_000_000_000).cost(333_333_333),
    greedy(1, YEAR_S, 3),
    greedy(3, 1, 2).every(7),
    window(3, 7, Align::Epoch),
    window(50, 3_600, Align::Epoch).cost(9),
    window(5, 9, Align::First),
    window(100, 3_600, Align::First),
    window(1, YEAR_S, Align::Epoch),
    window(4_000, YEAR_S, Align::First),
    window(2, 1, Align::First).every(1),
];

/// A world whose clock stands at the start.
fn simulated() -> Arc<Simulated> {
    Arc::new(Simulated::new(START, 42))
}

fn keyed(spec: Spec, keys_max: usize, world: &Arc<Simulated>) -> Keyed {
    Keyed::with(&spec.policy("model"), keys_max, Precision::Precise, world.clone()).unwrap()
}

#[test]
fn b2_buckets_agree_with_the_fractions_and_never_over_admit() {
    let checks = SPECS.into_iter().enumerate().map(|(seed, spec)| {
        let dice = Dice::new(seed as u64);
        let mut bucket = TokenBucket::new(&spec.policy("model"));
        let (mut oracle, mut ledger) = (Oracle::new(spec), Ledger::new(spec));
        let (mut now, mut told, mut times) = (START, None, ONE);
        for step in 0..15_000 {
            // Who was told to wait may come back with the same wish.
            let again = told.is_some() && dice.below(4) > 0;
            times = if again { times } else { dice.times(&spec) };
            let gap = dice.gap(&spec, told);
            now = now.after(gap);
            let decision = bucket.check(now, times);
            let by_the_book = oracle.check(now, times);
            assert_eq!(Answer::of(&decision), by_the_book, "{spec:?}, step {step}");
            if decision.is_allowed() {
                ledger.admit(now, times);
            }
            let is_in_time = again && told.is_some_and(|told| gap >= told);
            assert!(!is_in_time || decision.is_allowed(), "b5: {spec:?}, step {step}");
            told = decision.retry_after();
        }
        15_000
    });
    assert_eq!(checks.sum::<u32>(), 285_000);
}

#[test]
fn b2_buckets_in_the_table_decide_as_a_bucket_alone_does() {
    let world = simulated();
    let limiter = keyed(SPECS[0], 10_000, &world);
    // Nineteen policies are four lines a key.
    let numbers: Vec<usize> = SPECS
        .iter()
        .enumerate()
        .map(|(at, spec)| limiter.add(&spec.policy(&format!("model-{at}"))).unwrap())
        .collect();
    for (seed, (spec, number)) in SPECS.into_iter().zip(numbers).enumerate() {
        let dice = Dice::new(1_000 + seed as u64);
        let policy = spec.policy(&format!("model-{seed}"));
        let mut keys: Vec<_> = [1, 2, u128::MAX, 1 << 64, 0]
            .map(|key| (key, TokenBucket::new(&policy), Oracle::new(spec), Ledger::new(spec)))
            .into();
        let mut told = None;
        for step in 0..8_000 {
            world.advance(dice.gap(&spec, told));
            let now = world.now();
            let at = usize::try_from(dice.below(5)).unwrap();
            let (key, bucket, oracle, ledger) = &mut keys[at];
            let decision = limiter.check_at(number, *key);
            assert_eq!(decision, bucket.check(now, ONE), "{spec:?}, step {step}");
            assert_eq!(Answer::of(&decision), oracle.check(now, ONE), "{spec:?}, step {step}");
            if decision.is_allowed() {
                ledger.admit(now, ONE);
            }
            told = decision.retry_after();
        }
    }
}

#[test]
fn b4_buckets_agree_with_the_fractions_when_the_clock_jumps() {
    for (seed, spec) in SPECS.into_iter().enumerate() {
        let dice = Dice::new(2_000 + seed as u64);
        let mut bucket = TokenBucket::new(&spec.policy("model"));
        let mut oracle = Oracle::new(spec);
        let (mut now, mut told) = (START, None);
        for step in 0..4_000 {
            let before = bucket.clone().check(now, ONE).remaining();
            let mut stepped_back = false;
            match dice.below(60) {
                0 => now = now.after(90 * DAY),
                1 | 2 => {
                    now = now.before(dice.pick(&[HOUR, Duration::from_micros(1), DAY]));
                    stepped_back = true;
                }
                _ => now = now.after(dice.gap(&spec, told)),
            }
            let decision = bucket.check(now, ONE);
            assert_eq!(Answer::of(&decision), oracle.check(now, ONE), "{spec:?}, step {step}");
            assert!(!stepped_back || decision.remaining() <= before, "{spec:?}, step {step}");
            let most = match spec.rule {
                Rule::Greedy { .. } => spec.fill_us(),
                Rule::Window(_) => 2 * spec.period_us,
            };
            let told_us = decision.retry_after().unwrap_or_default().as_micros();
            assert!(told_us <= u128::from(most), "locked out: {spec:?}, step {step}");
            told = decision.retry_after();
        }
    }
}

#[test]
fn b4_buckets_in_the_table_go_on_from_where_they_were_when_the_clock_jumps() {
    for (seed, spec) in SPECS.into_iter().enumerate() {
        let dice = Dice::new(3_000 + seed as u64);
        let world = simulated();
        let limiter = keyed(spec, 100, &world);
        let (mut oracle, mut ledger) = (Oracle::new(spec), Ledger::new(spec));
        // Only what passes counts.
        let (mut live, mut told) = (START, None);
        for step in 0..4_000 {
            match dice.below(60) {
                0 => {
                    world.advance(90 * DAY);
                    live = live.after(90 * DAY);
                }
                1 | 2 => {
                    let back = dice.pick(&[HOUR, Duration::from_micros(1), DAY]);
                    world.set(world.now().before(back));
                }
                _ => {
                    let gap = dice.gap(&spec, told);
                    world.advance(gap);
                    live = live.after(gap);
                }
            }
            let decision = limiter.check(7);
            assert_eq!(Answer::of(&decision), oracle.check(live, ONE), "{spec:?}, step {step}");
            if decision.is_allowed() {
                ledger.admit(live, ONE);
            }
            told = decision.retry_after();
        }
    }
}

#[test]
fn b5_a_patient_caller_is_admitted_at_the_rate() {
    for spec in SPECS {
        let mut bucket = TokenBucket::new(&spec.policy("model"));
        let world = simulated();
        let limiter = keyed(spec, 100, &world);
        let mut check = |now| {
            world.set(now);
            let decision = bucket.check(now, ONE);
            assert_eq!(limiter.check(1), decision, "{spec:?}");
            decision
        };
        while check(START).is_allowed() {}
        let (mut now, mut admitted) = (START, 0);
        for _ in 0..2_000 {
            match check(now).retry_after() {
                Some(wait) => now = now.after(wait),
                None => admitted += 1,
            }
        }
        let (least, most) = earned(&spec, now, admitted);
        assert!((least..=most).contains(&admitted), "{least} {admitted} {most}: {spec:?}");
    }
}

/// How many checks a caller earns who spent all at the start and came as soon as he was told.
fn earned(spec: &Spec, now: Timestamp, admitted: i64) -> (i64, i64) {
    let passed = now.micros_since(START);
    let period = i64::try_from(spec.period_us).unwrap();
    let [tokens, capacity, cost] = [spec.tokens, spec.capacity(), spec.cost].map(i128::from);
    let checks = |passed: i64| {
        let tokens = capacity % cost * i128::from(period) + i128::from(passed) * tokens;
        i64::try_from(tokens / (cost * i128::from(period))).unwrap()
    };
    let a_window = i64::try_from(capacity / cost).unwrap();
    match spec.rule {
        // Rounding a wait up may lose him a part of a microsecond each time; he may have just been
        // told to come now.
        Rule::Greedy { .. } => (checks(passed - admitted) - 1, checks(passed)),
        Rule::Window(align) => {
            let begun = if align == Align::First { START.micros() } else { 0 };
            let windows = (now.micros() - begun) / period - (START.micros() - begun) / period;
            ((windows - 1) * a_window, windows * a_window)
        }
    }
}

#[test]
fn b1_at_the_ends_of_time_a_bucket_still_answers() {
    let ends = [i64::MIN, i64::MAX, 0, -1, 1, i64::MIN + 1, i64::MAX - 1];
    for spec in SPECS {
        let policy = spec.policy("model");
        for (first, second) in ends.iter().flat_map(|a| ends.iter().map(move |b| (*a, *b))) {
            let mut bucket = TokenBucket::new(&policy);
            assert!(bucket.check(Timestamp::from_micros(first), ONE).is_allowed(), "{spec:?}");
            let decision = bucket.check(Timestamp::from_micros(second), ONE);
            assert!(decision.remaining() <= Some(spec.capacity()));
        }
    }
}

#[test]
fn b1_at_the_ends_of_time_the_table_still_answers() {
    let ends = [i64::MIN, -1, 0, 1, i64::MAX - 1, i64::MAX];
    for spec in SPECS {
        for end in ends {
            let world = Arc::new(Simulated::new(Timestamp::from_micros(end), 1));
            let limiter = keyed(spec, 100, &world);
            assert!(limiter.check(1).is_allowed(), "{spec:?} at {end}");
        }
        let world = simulated();
        let limiter = keyed(spec, 100, &world);
        world.advance(Duration::MAX);
        assert!(limiter.check(1).is_allowed(), "{spec:?}");
    }
}

#[test]
fn a_bucket_before_1970_begins_full() {
    for spec in SPECS {
        for first_us in [-1, -5_000_000, -3_600_000_000, -START.micros()] {
            let (mut bucket, mut oracle) =
                (TokenBucket::new(&spec.policy("model")), Oracle::new(spec));
            for now in [first_us, first_us + 1, 0, 1].map(Timestamp::from_micros) {
                let by_the_book = oracle.check(now, ONE);
                assert_eq!(Answer::of(&bucket.check(now, ONE)), by_the_book, "{spec:?} {now:?}");
            }
        }
    }
}

#[test]
fn q4_a_drained_victim_stays_refused_while_a_million_others_want_his_place() {
    let spec = greedy(60, 60, 60);
    let world = simulated();
    let limiter = keyed(spec, 1_000, &world);
    let mut alone = TokenBucket::new(&spec.policy("model"));
    let victim = u128::MAX / 3;
    // The same victim, to whom nobody does anything.
    let mut check_victim = || {
        let decision = limiter.check(victim);
        assert_eq!(decision, alone.check(world.now(), ONE));
        decision
    };
    while check_victim().is_allowed() {}
    let attack = |attackers: std::ops::Range<u128>| {
        let is_allowed = |attacker| {
            let decision = limiter.check(attacker);
            assert!(matches!(decision.reason(), None | Some(Reason::AtCapacity)));
            decision.is_allowed()
        };
        let admitted = attackers.filter(|attacker| is_allowed(*attacker)).count();
        assert!(limiter.size().0 <= 1_000);
        admitted
    };
    let mut admitted = 0;
    for round in 1..=1_000 {
        admitted += attack(round * 1_000..round * 1_000 + 1_000);
        assert!(!check_victim().is_allowed());
    }
    assert_eq!((admitted, limiter.size().0), (999, 1_000));
    // Each attacker owes a second; after it, others get the places, and the victim what is his.
    let mut rounds = (1_001..).map(|round| attack(round * 1_000..round * 1_000 + 1_000));
    world.advance(Duration::from_micros(999_999));
    assert_eq!(rounds.next(), Some(0));
    world.advance(Duration::from_secs(2));
    assert_eq!(rounds.next(), Some(999));
    assert!(check_victim().is_allowed() && check_victim().is_allowed());
    let later = (0..100).filter(|_| {
        world.advance(Duration::from_millis(10));
        rounds.next();
        check_victim().is_allowed()
    });
    assert_eq!(later.count(), 1, "a second passed");
}

#[test]
fn q4_a_full_table_of_repaid_debts_has_room_wherever_a_new_key_belongs() {
    for keys_max in [1, 2, 10, 100] {
        let world = simulated();
        let limiter = keyed(greedy(1, 1, 1), keys_max, &world);
        for key in 0..1_000 {
            assert!(limiter.check(key).is_allowed(), "key {key} of at most {keys_max}");
            assert!(limiter.size().0 <= keys_max);
            world.advance(Duration::from_secs(1));
        }
    }
}

#[test]
fn q4_threads_that_fill_the_table_together_do_not_overfill_it() {
    const KEYS_MAX: usize = 32;
    let spec = greedy(1, 60, 1);
    for round in 0..200 {
        let limiter = keyed(spec, KEYS_MAX, &simulated());
        let (begin, admitted) = (Barrier::new(4), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..4_u128 {
                let (limiter, begin, admitted) = (&limiter, &begin, &admitted);
                scope.spawn(move || {
                    begin.wait();
                    for key in 0..KEYS_MAX as u128 {
                        let is_allowed = limiter.check(thread << 64 | key).is_allowed();
                        admitted.fetch_add(usize::from(is_allowed), Ordering::Relaxed);
                        assert!(limiter.size().0 <= KEYS_MAX, "round {round}");
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), KEYS_MAX, "round {round}");
    }
}

#[test]
fn q1_hot_keys_spend_exactly_the_burst_while_their_lines_are_moved() {
    const BURST: u32 = 20_000;
    const KEYS: [u128; 3] = [1, 2 << 64, 3 << 96];
    let limiter = keyed(greedy(1, 60, BURST), 1_000_000, &simulated());
    let (is_over, admitted) = (AtomicBool::new(false), KEYS.map(|_| AtomicUsize::new(0)));
    thread::scope(|scope| {
        let hammers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    // To the end and beyond, and as long as others come.
                    let mut refused = 0;
                    while refused < 100 * KEYS.len() || !is_over.load(Ordering::Relaxed) {
                        for (key, admitted) in KEYS.iter().zip(&admitted) {
                            let is_allowed = limiter.check(*key).is_allowed();
                            admitted.fetch_add(usize::from(is_allowed), Ordering::Relaxed);
                            refused += usize::from(!is_allowed);
                        }
                    }
                })
            })
            .collect();
        for key in 0..100_000 {
            assert!(limiter.check(key << 16 | 0xFFFF).is_allowed());
        }
        is_over.store(true, Ordering::Relaxed);
        hammers.into_iter().for_each(|hammer| hammer.join().unwrap());
    });
    assert_eq!(admitted.map(AtomicUsize::into_inner), KEYS.map(|_| BURST as usize));
    assert_eq!(limiter.size().0, 100_000 + KEYS.len());
}

#[test]
fn q5_keys_that_come_and_go_spend_what_they_would_have_if_they_had_stayed() {
    let spec = greedy(5, 10, 3);
    let world = simulated();
    let limiter = keyed(spec, 150, &world);
    let dice = Dice::new(5);
    let mut alone: Vec<_> =
        (0..400).map(|_| (TokenBucket::new(&spec.policy("model")), Ledger::new(spec))).collect();
    let mut turned_away = 0;
    for _ in 0..60_000 {
        world.advance(Duration::from_micros(dice.below(30_000)));
        let key = dice.below(400);
        let (bucket, ledger) = &mut alone[usize::try_from(key).unwrap()];
        let decision = limiter.check(key.into());
        if decision.reason() == Some(Reason::AtCapacity) {
            turned_away += 1;
            continue;
        }
        assert_eq!(decision, bucket.check(world.now(), ONE));
        if decision.is_allowed() {
            ledger.admit(world.now(), ONE);
        }
    }
    assert!((1..30_000).contains(&turned_away), "{turned_away} were turned away");
}

#[test]
fn q6_a_policy_that_changes_keeps_the_spent_share_of_every_key() {
    let world = simulated();
    let limiter = keyed(greedy(60, 60, 120), 1_000, &world);
    for _ in 0..60 {
        assert!(limiter.check(1).is_allowed());
    }
    limiter.add(&greedy(7, 3_600, 14).policy("model")).unwrap();
    assert_eq!(limiter.check(1).remaining(), Some(6));
    limiter.add(&window(100, 3_600, Align::Epoch).policy("model")).unwrap();
    assert_eq!(limiter.check(1).remaining(), Some(41), "8 of 14 are 58 of 100, rounded up");
    assert_eq!(limiter.check(2).remaining(), Some(99));
}

#[test]
fn q6_a_policy_that_changes_a_hundred_times_gives_a_drained_key_nothing() {
    let world = simulated();
    let limiter = keyed(SPECS[0], 1_000, &world);
    let dice = Dice::new(6);
    for seen in [1, 2] {
        while limiter.check(seen).is_allowed() {}
    }
    let specs: Vec<Spec> = SPECS.into_iter().filter(|spec| spec.cost == 1).collect();
    for change in 0..100 {
        let spec = dice.pick(&specs);
        limiter.add(&spec.policy("model")).unwrap();
        let decision = limiter.check(1);
        assert_eq!(decision.limit(), Some(spec.capacity()));
        assert_eq!(decision.reason(), Some(Reason::RateLimited), "change {change}, {spec:?}");
    }
    // The other one was not asked meanwhile.
    assert_eq!(limiter.check(2).reason(), Some(Reason::RateLimited));
}

#[test]
fn q6_threads_that_meet_a_changing_policy_together_spend_no_more_than_the_burst() {
    let limiter = keyed(greedy(60, 60, 5_000), 1_000, &simulated());
    let admitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for key in (0..40_000).map(|n| n % 2) {
                    let is_allowed = limiter.check(key).is_allowed();
                    admitted.fetch_add(usize::from(is_allowed), Ordering::Relaxed);
                }
            });
        }
        for change in 0..100 {
            let rates = [60, 7, 1_000];
            limiter.add(&greedy(rates[change % 3], 60, 5_000).policy("model")).unwrap();
        }
    });
    assert!(admitted.load(Ordering::Relaxed) <= 10_000, "{admitted:?}");
}
