//! Accounts with credits to spare, bought as a host's users buy them.

use std::collections::BTreeMap;

use finalmile::{
    AccountId, Credits, Error, FinalMile, Refusal,
    ledger::{Money, Purchase},
};

/// What each account buys: more than any run can take.
pub const BOUGHT: i64 = 1_000_000;

/// The n-th account's name.
#[must_use]
pub fn name(n: u64) -> String {
    format!("account-{n}")
}

/// Opens that many accounts.
///
/// # Errors
///
/// Whatever the store answers.
pub fn open(fm: &FinalMile, count: u64) -> Result<Vec<AccountId>, Error> {
    let accounts: Vec<_> =
        (0..count).map(|n| AccountId::new(name(n))).collect::<Result<_, Refusal>>()?;
    let mut pending = Vec::new();
    for (n, account) in accounts.iter().enumerate() {
        pending.push(fm.ledger().add_credits(Purchase {
            account: account.clone(),
            credits: Credits::new(BOUGHT),
            provider: "bench".parse()?,
            reference: format!("purchase-{n}").parse()?,
            paid: Money::minor(499, "usd")?,
            paid_at: None,
            metadata: BTreeMap::default(),
        }));
    }
    for pending in pending {
        pending.wait()?;
    }
    Ok(accounts)
}
