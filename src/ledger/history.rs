//! History: what an account had at some time.
//!
//! # Invariants
//!
//! - **L16** The balance as of a time is that after the last entry recorded until then, found among n
//!   entries with log2(n) reads.

use crate::{
    AccountId, Credits, Timestamp,
    ledger::{account::Account, entry::Entry},
    storage::{KeyParts, Reader, Record, StoreError, decoded},
};

/// What an account had at some time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct BalanceAt {
    /// The balance then.
    pub balance: Credits,
    /// The debt then.
    pub debt: Credits,
    /// How many entries there were.
    pub entries: i64,
}

fn read<R: Record>(reader: &mut dyn Reader, key: &R::Key) -> Result<Option<R>, StoreError> {
    let row = reader.get(R::table(), &key.parts())?;
    row.map(decoded).transpose()
}

/// Looks for the last entry until `at`, inclusive. Their times never run backwards (**L3**).
pub(super) fn balance_at(
    reader: &mut dyn Reader,
    account: &AccountId,
    at: Timestamp,
) -> Result<Option<BalanceAt>, StoreError> {
    let Some(account) = read::<Account>(reader, account)? else { return Ok(None) };
    let missing =
        |seq: i64| StoreError::Corrupt(format!("entry {} of {} is missing", seq, account.id));
    let (mut until, mut after) = (BalanceAt::default(), account.entries + 1);
    // Entry `until.entries` is not later than `at`, entry `after` is.
    while after - until.entries > 1 {
        let seq = until.entries + (after - until.entries) / 2;
        let key = (account.id.clone(), seq);
        let entry = read::<Entry>(reader, &key)?.ok_or_else(|| missing(seq))?;
        if entry.at <= at {
            until = BalanceAt { balance: entry.balance, debt: entry.debt, entries: seq };
        } else {
            after = seq;
        }
    }
    Ok(Some(until))
}
