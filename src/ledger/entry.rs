//! Entries: every movement of credits, as the account saw it, in a chain of hashes.
//!
//! A row is a whole transfer with both of its sides, as TigerBeetle's is: what the account gained,
//! what it came to owe, and by name the party that gave the difference. A transfer between two
//! accounts has a row in each. Parties that every account trades with (a provider, the storage) have
//! no row of their own, which every instance would want to write; `verify()` sums them up.
//!
//! # Invariants
//!
//! - **L1** `balance` is the sum of the entries' amounts, and `debt` that of what they owed.
//! - **L3** Every change of an account moves its version by one; its entries are numbered from 1
//!   without a gap, and their times never run backwards, whatever the clock does.
//! - **L8** What a transfer gives to one party it takes from others: its sides sum to zero.
//! - **L13** Each entry's link hashes the whole transfer and the link before it; the account's row
//!   holds the last.

use std::fmt;

use crate::{
    AccountId, Credits, Provider, Refusal, Timestamp, TransferId,
    ledger::account::Account,
    once::digest,
    record,
    storage::{Field, Kind, Rows, Value, text_enum},
};

text_enum! {
    /// Why credits moved.
    EntryKind {
        /// They were bought.
        Purchase = "purchase",
        /// An upload was completed.
        Upload = "upload",
        /// A reservation of the host's own was settled.
        Settle = "settle",
        /// What was settled came back, in part or whole.
        Return = "return",
        /// A purchase was given back.
        Refund = "refund",
        /// A purchase was taken back by whoever paid.
        Chargeback = "chargeback",
        /// They went from one account to another.
        Transfer = "transfer",
    }
}

/// One side of a transfer.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Party {
    /// An account of this ledger: `account:ada`.
    Account(AccountId),
    /// Who takes payments: `provider:stripe`.
    Provider(Provider),
    /// What credits are spent on: `storage`.
    Storage,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "account:{account}"),
            Self::Provider(provider) => write!(f, "provider:{provider}"),
            Self::Storage => f.write_str("storage"),
        }
    }
}

impl Field for Party {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn from_value(value: Value) -> Option<Self> {
        let text = String::from_value(value)?;
        match text.split_once(':') {
            Some(("account", name)) => name.parse().ok().map(Self::Account),
            Some(("provider", name)) => name.parse().ok().map(Self::Provider),
            Some(_) => None,
            None => (text == "storage").then_some(Self::Storage),
        }
    }
}

/// A movement of credits, as one account saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// Whose.
    pub account: AccountId,
    /// Its place among the account's entries, from 1.
    pub seq: i64,
    /// Which movement: also the name of its purchase or reservation.
    pub transfer: TransferId,
    /// The earlier movement that it takes back.
    pub original: Option<TransferId>,
    /// Why.
    pub kind: EntryKind,
    /// What the balance gained; negative: lost.
    pub amount: Credits,
    /// What the account owes more; negative: less.
    pub owed: Credits,
    /// The other side, which gave `amount - owed`.
    pub contra: Party,
    /// The balance after it.
    pub balance: Credits,
    /// The debt after it.
    pub debt: Credits,
    /// When it happened, as the host was told.
    pub event_at: Timestamp,
    /// When it was recorded.
    pub at: Timestamp,
    /// SHA-256 of what it was for, where that lies in another row: a purchase's facts.
    pub detail: Option<[u8; 32]>,
    /// SHA-256 of the link before it and of all the above (**L13**).
    pub link: [u8; 32],
}

record! {
    Entry: "fm_entry",
    key: (account: AccountId, seq: i64),
    columns: (
        transfer, original, kind, amount, owed, contra, balance, debt, event_at, at, detail, link
    ),
    parent: Account,
    shard: account,
    indexes: [],
}

impl Entry {
    /// What the link must be after `previous`.
    pub(crate) fn link_after(&self, previous: &[u8; 32]) -> [u8; 32] {
        let number = |n: i64| n.to_be_bytes();
        digest(&[
            previous,
            self.account.as_str().as_bytes(),
            &number(self.seq),
            self.transfer.as_bytes(),
            self.original.as_ref().map_or(&[][..], |id| id.as_bytes()),
            self.kind.as_str().as_bytes(),
            &number(self.amount.get()),
            &number(self.owed.get()),
            self.contra.to_string().as_bytes(),
            &number(self.balance.get()),
            &number(self.debt.get()),
            &number(self.event_at.micros()),
            &number(self.at.micros()),
            self.detail.as_ref().map_or(&[][..], |detail| detail),
        ])
    }

    /// What the account got from the other side, in balance or in debt that was forgiven (**L8**).
    pub(crate) fn gained(&self) -> i128 {
        i128::from(self.amount.get()) - i128::from(self.owed.get())
    }
}

/// What an entry is about.
#[derive(Clone, Debug)]
pub(crate) struct Posting {
    pub(crate) transfer: TransferId,
    pub(crate) original: Option<TransferId>,
    pub(crate) kind: EntryKind,
    pub(crate) contra: Party,
    /// `None`: now.
    pub(crate) event_at: Option<Timestamp>,
    pub(crate) detail: Option<[u8; 32]>,
}

impl Posting {
    pub(crate) fn new(kind: EntryKind, transfer: TransferId, contra: Party) -> Self {
        Self { transfer, original: None, kind, contra, event_at: None, detail: None }
    }

    pub(crate) fn undoing(self, original: TransferId) -> Self {
        Self { original: Some(original), ..self }
    }
}

/// What to do about credits that are no longer there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the rule knows these two")]
pub enum Shortfall {
    /// Take nothing.
    Refuse,
    /// Take what is not reserved; the account owes the rest.
    Owe,
}

/// Gives credits to the account. They repay its debt first.
pub(crate) fn gain(
    rows: &mut Rows,
    account: &Account,
    credits: Credits,
    posting: &Posting,
    now: Timestamp,
) -> Result<Account, Refusal> {
    let repaid = account.debt.min(credits);
    post(
        rows,
        account,
        difference(credits, repaid),
        difference(Credits::ZERO, repaid),
        posting,
        now,
    )
}

/// Spends credits that were set aside, and were freed for this: a debt does not hinder it.
pub(crate) fn spend(
    rows: &mut Rows,
    account: &Account,
    credits: Credits,
    posting: &Posting,
    now: Timestamp,
) -> Result<Account, Refusal> {
    post(rows, account, difference(Credits::ZERO, credits), Credits::ZERO, posting, now)
}

/// Takes free credits from the account.
pub(crate) fn lose(
    rows: &mut Rows,
    account: &Account,
    credits: Credits,
    shortfall: Shortfall,
    posting: &Posting,
    now: Timestamp,
) -> Result<Account, Refusal> {
    let available = account.available();
    if credits > available && shortfall == Shortfall::Refuse {
        return Err(Refusal::InsufficientCredits {
            account: account.id.clone(),
            needed: credits,
            available,
        });
    }
    let taken = credits.min(account.unreserved());
    post(rows, account, difference(Credits::ZERO, taken), difference(credits, taken), posting, now)
}

/// Both are between zero and the greatest number, so it fits.
fn difference(from: Credits, less: Credits) -> Credits {
    from.minus(less).unwrap_or_default()
}

/// Writes the entry and the account that it leads to (**L1**, **L3**, **L8**, **L13**).
fn post(
    rows: &mut Rows,
    account: &Account,
    amount: Credits,
    owed: Credits,
    posting: &Posting,
    now: Timestamp,
) -> Result<Account, Refusal> {
    let why = "the sum would not fit";
    let (balance, debt) = (account.balance.plus(amount), account.debt.plus(owed));
    let sums = balance.zip(debt).ok_or(Refusal::Invalid { field: "credits", why })?;
    let (balance, debt) = sums;
    let at = now.max(account.moved_at);
    let Posting { transfer, original, kind, contra, event_at, detail } = posting.clone();
    let mut entry = Entry {
        account: account.id.clone(),
        seq: account.entries + 1,
        transfer,
        original,
        kind,
        amount,
        owed,
        contra,
        balance,
        debt,
        event_at: event_at.unwrap_or(now),
        at,
        detail,
        link: [0; 32],
    };
    entry.link = entry.link_after(&account.head);
    let account = Account {
        balance,
        debt,
        entries: entry.seq,
        head: entry.link,
        moved_at: at,
        version: account.version + 1,
        ..account.clone()
    };
    rows.put(account.clone());
    rows.add(entry);
    Ok(account)
}
