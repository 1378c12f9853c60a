//! Accounts: a balance, what is set aside of it, and the entries that explain it.
//!
//! # Invariants
//!
//! - **L1** `balance` is the sum of the account's entries.
//! - **L2** `0 <= reserved <= balance`: what is free is never negative.
//! - **L3** Every change moves the version by one; an entry bears the version that made it.

use crate::{
    AccountId, Credits, Refusal, Timestamp, TransferId, record,
    storage::{Only, Rows, text_enum},
};

/// Who owns how much.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Account {
    /// Whose.
    pub id: AccountId,
    /// All credits.
    pub balance: Credits,
    /// Those of them that reservations hold.
    pub reserved: Credits,
    /// Counts the changes, for optimistic callers.
    pub version: i64,
    /// Since when it is frozen; `None`: it is not.
    pub frozen_at: Option<Timestamp>,
    /// When the freeze ends by itself.
    pub frozen_until: Option<Timestamp>,
    /// Who froze it.
    pub frozen_by: Option<String>,
    /// Why.
    pub frozen_reason: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
}

record! {
    Account: "fm_account",
    key: (id: AccountId),
    columns: (
        balance, reserved, version, frozen_at, frozen_until, frozen_by, frozen_reason, created_at
    ),
    version: version,
    shard: id,
    indexes: [("fm_account_frozen", (frozen_at), Only::Present("frozen_at"))],
}

text_enum! {
    /// Why credits moved.
    EntryKind {
        /// They were bought.
        Purchase = "purchase",
        /// An upload was completed.
        Upload = "upload",
        /// A reservation of the host's own was settled.
        Settle = "settle",
    }
}

/// One side of a movement of credits. The other side has the opposite amount and no row: it belongs
/// to a party that every account trades with, and one row for it would be written by everybody.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// Whose.
    pub account: AccountId,
    /// The account's version that it made.
    pub seq: i64,
    /// Which movement.
    pub transfer: TransferId,
    /// Why.
    pub kind: EntryKind,
    /// What the account gained; negative: lost.
    pub amount: Credits,
    /// The other side: `provider:stripe`, `storage`.
    pub contra: String,
    /// The balance after it.
    pub balance: Credits,
    /// When.
    pub at: Timestamp,
}

record! {
    Entry: "fm_entry",
    key: (account: AccountId, seq: i64),
    columns: (transfer, kind, amount, contra, balance, at),
    parent: Account,
    shard: account,
    indexes: [],
}

impl Account {
    pub(crate) fn new(id: &AccountId, now: Timestamp) -> Self {
        Self {
            id: id.clone(),
            balance: Credits::ZERO,
            reserved: Credits::ZERO,
            version: 0,
            frozen_at: None,
            frozen_until: None,
            frozen_by: None,
            frozen_reason: None,
            created_at: now,
        }
    }

    /// Balance less reservations (**L2**).
    #[must_use]
    pub fn available(&self) -> Credits {
        self.balance.minus(self.reserved).unwrap_or_default()
    }

    /// Whether it is frozen at `now`: from the freeze until its end, exclusive.
    #[must_use]
    pub fn is_frozen(&self, now: Timestamp) -> bool {
        self.frozen_at.is_some() && self.frozen_until.is_none_or(|until| now < until)
    }

    /// Refuses what a frozen account may not do.
    pub(crate) fn refuse_frozen(&self, now: Timestamp) -> Result<(), Refusal> {
        if !self.is_frozen(now) {
            return Ok(());
        }
        Err(Refusal::AccountFrozen {
            account: self.id.clone(),
            reason: self.frozen_reason.clone().unwrap_or_default(),
            until: self.frozen_until,
        })
    }
}

/// The account, or a refusal.
pub(crate) fn existing(rows: &Rows, id: &AccountId) -> Result<Account, Refusal> {
    let found = rows.get::<Account>(id).cloned();
    found.ok_or_else(|| Refusal::AccountUnknown { account: id.clone() })
}

/// What [`post`] writes.
pub(crate) struct Posting<'p> {
    pub(crate) transfer: TransferId,
    pub(crate) kind: EntryKind,
    pub(crate) amount: Credits,
    pub(crate) contra: &'p str,
}

/// Moves credits into the account, or out of it, and notes the entry (**L1**, **L3**).
pub(crate) fn post(
    rows: &mut Rows,
    account: &Account,
    posting: &Posting<'_>,
    now: Timestamp,
) -> Result<Account, Refusal> {
    let why = "the balance would not fit";
    let balance = account.balance.plus(posting.amount);
    let balance = balance.ok_or(Refusal::Invalid { field: "credits", why })?;
    if balance < account.reserved {
        return Err(Refusal::InsufficientCredits {
            account: account.id.clone(),
            needed: Credits::ZERO.minus(posting.amount).unwrap_or_default(),
            available: account.available(),
        });
    }
    let account = Account { balance, version: account.version + 1, ..account.clone() };
    rows.put(account.clone());
    rows.add(Entry {
        account: account.id.clone(),
        seq: account.version,
        transfer: posting.transfer,
        kind: posting.kind,
        amount: posting.amount,
        contra: posting.contra.to_owned(),
        balance,
        at: now,
    });
    Ok(account)
}
