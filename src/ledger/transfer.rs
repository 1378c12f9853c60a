//! Transfers: credits from one account to another.
//!
//! # Invariants
//!
//! - **L11** Both accounts change or neither does, and once for each key.

use crate::{
    AccountId, Credits, IdempotencyKey, Refusal, Timestamp, TransferId,
    ledger::{
        account::{Account, existing},
        entry::{EntryKind, Party, Posting, Shortfall, gain, lose},
    },
    once::{Once, digest, remember, replay},
    storage::{Command, KeySet, Rows},
};

/// Moves credits from one account to another.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// A fresh id.
    pub id: TransferId,
    /// Who gives; not while it is frozen.
    pub from: AccountId,
    /// Who receives; also while it is frozen.
    pub to: AccountId,
    /// How many.
    pub amount: Credits,
    /// Repeating it repeats the answer; each giver has keys of its own.
    pub key: IdempotencyKey,
}

/// What a transfer came to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Transferred {
    /// The movement.
    pub transfer: TransferId,
    /// The giver's balance now.
    pub balance: Credits,
    /// Whether it had been made before, and nothing changed.
    pub replayed: bool,
}

impl Transfer {
    fn once(&self) -> (String, IdempotencyKey) {
        (format!("transfer:{}", self.from), self.key.clone())
    }

    fn check(&self) -> Result<(), Refusal> {
        self.amount.positive()?;
        if self.from == self.to {
            return Err(Refusal::Invalid { field: "account", why: "it is both sides" });
        }
        Ok(())
    }
}

impl Command for Transfer {
    type Out = Result<Transferred, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Once>(&self.once());
        keys.own::<Account>(&self.from);
        keys.own::<Account>(&self.to);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        self.check()?;
        let amount = self.amount.get().to_be_bytes();
        let (once, digest) = (self.once(), digest(&[self.to.as_str().as_bytes(), &amount]));
        if let Some(first) = replay(rows, &once, digest)? {
            let transfer = first.parse()?;
            let balance = existing(rows, &self.from)?.balance;
            return Ok(Transferred { transfer, balance, replayed: true });
        }
        let (from, to) = (existing(rows, &self.from)?, existing(rows, &self.to)?);
        from.refuse_frozen(now)?;
        let posting = |contra: &AccountId| {
            Posting::new(EntryKind::Transfer, self.id, Party::Account(contra.clone()))
        };
        rows.attempt(|rows| {
            let refuse = Shortfall::Refuse;
            let from = lose(rows, &from, self.amount, refuse, &posting(&self.to), now)?;
            gain(rows, &to, self.amount, &posting(&self.from), now)?;
            remember(rows, once, digest, self.id, now);
            Ok(Transferred { transfer: self.id, balance: from.balance, replayed: false })
        })
    }
}
