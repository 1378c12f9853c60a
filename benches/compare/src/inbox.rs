//! An inbox of 10,000 accounts, and what its books must say afterwards.

use std::path::Path;

use finalmile::{
    AccountId, Credits, Error, FinalMile,
    engines::Sqlite,
    webhook::{Outcome, VerifiedEvent},
};

use crate::{
    accounts::{self, BOUGHT},
    stripe::{CREDITS, payer},
    transfer::ACCOUNTS,
};

/// An open one.
#[derive(Clone, Debug)]
pub struct Inbox {
    /// The store.
    pub fm: FinalMile,
    accounts: Vec<AccountId>,
}

impl Inbox {
    /// A new file with the accounts.
    ///
    /// # Errors
    ///
    /// Whatever the store answers.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let fm = FinalMile::builder(Sqlite::file(path)).open()?;
        let accounts = accounts::open(&fm, ACCOUNTS.unsigned_abs())?;
        Ok(Self { fm, accounts })
    }

    /// The same accounts in a file that has them.
    ///
    /// # Errors
    ///
    /// Whatever the store answers.
    pub fn again(&self, path: &Path) -> Result<Self, Error> {
        let fm = FinalMile::builder(Sqlite::file(path)).open()?;
        Ok(Self { fm, accounts: self.accounts.clone() })
    }

    /// Consumes an event, and waits.
    ///
    /// # Errors
    ///
    /// Whatever the store answers.
    pub fn consume(&self, event: &VerifiedEvent) -> Result<Outcome, Error> {
        self.fm.webhooks().consume(event).wait().map(|done| done.outcome)
    }

    /// Consumes a checkout that is new.
    pub fn credit(&self, event: &VerifiedEvent) {
        assert_eq!(self.consume(event).expect("the store answers"), Outcome::Ok);
    }

    /// Compares the books with the model: each of these payments was credited once.
    ///
    /// # Errors
    ///
    /// Whatever the store answers.
    pub fn check(&self, payments: impl IntoIterator<Item = u64>) -> Result<(), Error> {
        let (model, count) = balances(payments);
        let ledger = self.fm.ledger();
        for (account, balance) in self.accounts.iter().zip(model) {
            let found = ledger.account(account).wait()?.map(|found| found.balance);
            assert_eq!(found, Some(Credits::new(balance)), "ours: a balance is wrong");
        }
        let proof = ledger.verify(None).wait()?;
        assert!(proof.is_sound(), "ours: {:?}", proof.breaks);
        assert_eq!(proof.entries, ACCOUNTS + count, "ours: entries are missing");
        Ok(())
    }
}

/// What each account has after these payments, and how many they are.
pub fn balances(payments: impl IntoIterator<Item = u64>) -> (Vec<i64>, i64) {
    let accounts = usize::try_from(ACCOUNTS).unwrap_or_default();
    let (mut all, mut count) = (vec![BOUGHT; accounts], 0);
    for n in payments {
        all[usize::try_from(payer(n)).unwrap_or_default()] += CREDITS;
        count += 1;
    }
    (all, count)
}
