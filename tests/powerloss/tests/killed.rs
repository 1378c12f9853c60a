//! A process dies between writing a commit and syncing it.
//!
//! The next process finds the commit in the log and takes it for done. If it said so, and the power
//! then went, an acknowledged purchase would be lost: it was, until opening a file began to sync
//! what it finds.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::collections::BTreeMap;

use finalmile::{
    AccountId, Credits, Error, FinalMile,
    engines::Sqlite,
    ledger::{Money, Purchase, Receipt},
};
use finalmile_powerloss::{Disk, Fault, Harm, Machine, Operation, Survival};

fn open(machine: &Machine) -> FinalMile {
    FinalMile::builder(Sqlite::file(machine.path())).open().unwrap()
}

fn buy(fm: &FinalMile, reference: &str) -> Result<Receipt, Error> {
    let purchase = Purchase {
        account: AccountId::new("ada").unwrap(),
        credits: Credits::new(500),
        provider: "stripe".parse().unwrap(),
        reference: reference.parse().unwrap(),
        paid: Money::minor(499, "usd").unwrap(),
        paid_at: None,
        metadata: BTreeMap::new(),
    };
    fm.ledger().add_credits(purchase).wait()
}

/// Kills a process at a sync of its purchase: whether the next one found the purchase in the log.
fn killed_at(disk: &Disk, sync: u64) -> bool {
    let killed = Machine::start(disk.clone(), None, 1);
    let fm = open(&killed);
    killed.strike(Fault { harm: Harm::Kill, on: &[Operation::Sync], after: sync, times: 1 });
    let unknown = buy(&fm, "pi_2").unwrap_err();
    assert!(unknown.is_retryable(), "{unknown:?}");

    let next = Machine::start(killed.kill(), None, 1);
    let again = open(&next);
    let told = buy(&again, "pi_2").unwrap();

    let last = Machine::start(next.stop(Survival::Nothing), None, 1);
    let kept = buy(&open(&last), "pi_2").unwrap();
    assert_eq!((kept.purchase, kept.idempotent), (told.purchase, true), "sync {sync}");
    told.idempotent
}

#[test]
fn s1_what_a_killed_process_left_unsynced_is_synced_before_it_is_acknowledged() {
    // With statistics, so that opening it has nothing else to write.
    let machine = Machine::start(Disk::default(), None, 1);
    buy(&open(&machine), "pi_1").unwrap();
    drop(open(&machine));
    let disk = machine.stop(Survival::Nothing);
    // The first sync is of the log's head, the second of the commit.
    assert_eq!([killed_at(&disk, 0), killed_at(&disk, 1)], [false, true]);
}
