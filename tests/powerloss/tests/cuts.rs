//! The power goes, the disk fills up, the drive fails: at every operation, and nothing that was
//! acknowledged is lost.
//!
//! `FINALMILE_CUTS` sets how many cuts are made at random moments of random scripts; those at every
//! operation of one script come on top.

use finalmile_powerloss::{
    CHANGES, Disk, Fault, Harm, Operation, Random, Script, Setup, Survival, Tally, Trial,
};

/// As the engine is, but for the log, which a short script must fill.
const SHIPPED: Setup = Setup { synchronous: "FULL", checkpoint_pages: 20 };

const SURVIVALS: [Survival; 4] =
    [Survival::Anything, Survival::Nothing, Survival::Prefix, Survival::Everything];

fn cut(after: u64) -> Fault {
    Fault { harm: Harm::PowerCut, on: CHANGES, after, times: 1 }
}

/// One of the survivals in turn.
fn survival(number: u64) -> Survival {
    SURVIVALS[usize::try_from(number).unwrap_or_default() % SURVIVALS.len()]
}

/// Plays a trial at each operation until no operation is left.
fn at_every_operation(tally: &mut Tally, trial: &Trial, disk: &Disk, fault: impl Fn(u64) -> Fault) {
    for after in 0.. {
        let outcome = trial.play(disk, fault(after), survival(after), after);
        if !tally.add((fault(after), survival(after)), &outcome) {
            break;
        }
    }
}

#[test]
fn s1_a_cut_at_every_operation_of_a_script_loses_nothing() {
    let trial = Trial::new(Script::new(1, 24), SHIPPED);
    let mut tally = Tally::new("a cut at every operation of a script");
    at_every_operation(&mut tally, &trial, &trial.blank(), cut);
    tally.expect_no_loss();
}

#[test]
fn s1_a_cut_at_every_operation_of_the_migrations_leaves_a_file_that_opens() {
    let trial = Trial::new(Script::new(2, 0), SHIPPED);
    let mut tally = Tally::new("a cut at every operation of a new file's first opening");
    for survival in SURVIVALS {
        for after in 0.. {
            let outcome = trial.play(&Disk::default(), cut(after), survival, after);
            if !tally.add((after, survival), &outcome) {
                break;
            }
        }
    }
    tally.expect_no_loss();
}

#[test]
fn s1_cuts_at_random_operations_of_random_scripts_lose_nothing() {
    let asked = std::env::var("FINALMILE_CUTS").ok().and_then(|text| text.parse().ok());
    let cuts: u64 = asked.unwrap_or(1_000);
    let mut tally = Tally::new("cuts at random operations of random scripts");
    let mut random = Random::new(7);
    for seed in 0.. {
        // The engine's own size of the log, too.
        let checkpoint_pages = [20, 1_000, 5, 50][(seed % 4) as usize];
        let trial = Trial::new(Script::new(100 + seed, 20), Setup { checkpoint_pages, ..SHIPPED });
        let disk = trial.blank();
        let whole = trial.play(&disk, cut(u64::MAX), Survival::Nothing, 1);
        tally.add("no cut", &whole);
        for _ in 0..50 {
            let (after, number) = (random.below(whole.counted), random.below(u64::MAX));
            let outcome = trial.play(&disk, cut(after), survival(number), number);
            tally.add((seed, after, survival(number), number), &outcome);
        }
        if tally.struck >= cuts {
            break;
        }
    }
    tally.expect_no_loss();
}

#[test]
fn a_full_disk_at_every_write_loses_nothing() {
    let trial = Trial::new(Script::new(3, 16), SHIPPED);
    let mut tally = Tally::new("a full disk at every write");
    at_every_operation(&mut tally, &trial, &trial.blank(), |after| Fault {
        harm: Harm::Full,
        on: &[Operation::Write],
        after,
        times: [1, 1, 7, 40, u64::MAX][(after % 5) as usize],
    });
    tally.expect_no_loss();
}

#[test]
fn an_error_at_every_operation_loses_nothing() {
    let trial = Trial::new(Script::new(4, 12), SHIPPED);
    let mut tally = Tally::new("an error at every operation");
    const ALL: &[Operation] = &[
        Operation::Create,
        Operation::Read,
        Operation::Write,
        Operation::Resize,
        Operation::Sync,
        Operation::Remove,
        Operation::Lock,
    ];
    at_every_operation(&mut tally, &trial, &trial.blank(), |after| Fault {
        harm: Harm::Error,
        on: ALL,
        after,
        times: [1, 1, 7, 40, u64::MAX][(after % 5) as usize],
    });
    tally.expect_no_loss();
}

#[test]
fn an_error_at_every_sync_loses_nothing() {
    let trial = Trial::new(Script::new(5, 30), SHIPPED);
    let mut tally = Tally::new("an error at every sync");
    for times in [1, 2, u64::MAX] {
        at_every_operation(&mut tally, &trial, &trial.blank(), |after| Fault {
            harm: Harm::Error,
            on: &[Operation::Sync],
            after,
            times,
        });
    }
    tally.expect_no_loss();
}

/// Cuts at every third operation under a weaker setting: how many of them lost something.
fn weakened(name: &'static str, synchronous: &'static str) -> Tally {
    let trial = Trial::new(Script::new(1, 24), Setup { synchronous, ..SHIPPED });
    let disk = trial.blank();
    let mut tally = Tally::new(name);
    for after in (1..).step_by(3) {
        let outcome = trial.play(&disk, cut(after), survival(after), after);
        if !tally.add(after, &outcome) {
            break;
        }
    }
    tally.say();
    tally
}

#[test]
fn teeth_what_is_synced_too_late_is_found_lost() {
    let tally = weakened("synchronous=NORMAL, which must lose", "NORMAL");
    assert!(tally.losses * 4 > tally.struck, "the checker has no teeth");
}

#[test]
fn teeth_what_is_never_synced_is_found_damaged() {
    let tally = weakened("synchronous=OFF, which must lose", "OFF");
    assert!(tally.losses * 4 > tally.struck, "the checker has no teeth");
}
