//! Accounts: a balance, what is set aside of it, what is owed.
//!
//! # Invariants
//!
//! - **L2** `0 <= reserved <= balance` and `0 <= debt`: what is free is never negative, and whoever
//!   owes spends nothing but what was set aside before.

use crate::{
    AccountId, Credits, Refusal, Timestamp, record,
    storage::{Only, Rows},
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
    /// What was taken back beyond what was free. Credits that come in repay it first.
    pub debt: Credits,
    /// How many entries it has.
    pub entries: i64,
    /// The link of its last entry; zeros before the first.
    pub head: [u8; 32],
    /// The time of its last entry.
    pub moved_at: Timestamp,
}

record! {
    Account: "fm_account",
    key: (id: AccountId),
    columns: (
        balance, reserved, version, frozen_at, frozen_until, frozen_by, frozen_reason, created_at,
        debt, entries, head, moved_at
    ),
    version: version,
    shard: id,
    indexes: [("fm_account_frozen", (frozen_at), Only::Present("frozen_at"))],
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
            debt: Credits::ZERO,
            entries: 0,
            head: [0; 32],
            moved_at: now,
        }
    }

    /// What may be reserved, given away or refunded: the balance less reservations and less what is
    /// owed, at least nothing (**L2**). Reservations that are too old count until maintenance frees
    /// them.
    #[must_use]
    pub fn available(&self) -> Credits {
        self.unreserved().minus(self.debt).unwrap_or_default().max(Credits::ZERO)
    }

    /// The balance less reservations.
    pub(crate) fn unreserved(&self) -> Credits {
        self.balance.minus(self.reserved).unwrap_or_default()
    }

    /// How much of the balance is set aside, in percent, rounded down; 0 for an empty account.
    #[must_use]
    pub fn reserved_percent(&self) -> i64 {
        let (reserved, balance) = (i128::from(self.reserved.get()), i128::from(self.balance.get()));
        let percent = (reserved * 100).checked_div(balance).unwrap_or_default();
        i64::try_from(percent).unwrap_or(i64::MAX)
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
