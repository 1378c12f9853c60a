//! Batches: many operations in one transaction and one sync.
//!
//! # Invariants
//!
//! - **L12** A linked batch happens as a whole or not at all; in an independent one each operation has
//!   an answer of its own, and none hinders another.

use crate::{
    AccountId, Refusal, ReservationId, Timestamp,
    ledger::{
        account::{Account, existing},
        purchase::{AddCredits, Receipt},
        reservation::Reservation,
        reserve::{EndReservation, Reserve, ReturnCredits, Returned},
        take_back::{TakeBack, TakenBack},
        transfer::{Transfer, Transferred},
    },
    storage::{Command, KeySet, Rows},
};

/// The most operations of one batch.
pub const BATCH_MAX: usize = 10_000;

/// One operation of a batch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Operation {
    /// A purchase.
    AddCredits(AddCredits),
    /// A refund or a chargeback.
    TakeBack(TakeBack),
    /// From one account to another.
    Transfer(Transfer),
    /// Sets credits aside.
    Reserve(Reserve),
    /// Settles or releases what was set aside.
    End(EndReservation),
    /// Gives back what was settled.
    Return(ReturnCredits),
    /// Changes nothing, and is refused unless the account is as the caller last saw it: put it in
    /// front of a linked batch.
    Expect {
        /// Which account.
        account: AccountId,
        /// Its version then.
        version: i64,
    },
}

/// What one operation came to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// Of a purchase.
    Added(Receipt),
    /// Of a refund or a chargeback.
    TakenBack(TakenBack),
    /// Of a transfer.
    Transferred(Transferred),
    /// Of setting aside.
    Reserved(ReservationId),
    /// Of settling or releasing.
    Ended(Reservation),
    /// Of giving back.
    Returned(Returned),
    /// The account is as expected.
    AsExpected,
}

impl Command for Operation {
    type Out = Result<Outcome, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        match self {
            Self::AddCredits(command) => command.keys(seen, keys),
            Self::TakeBack(command) => command.keys(seen, keys),
            Self::Transfer(command) => command.keys(seen, keys),
            Self::Reserve(command) => command.keys(seen, keys),
            Self::End(command) => command.keys(seen, keys),
            Self::Return(command) => command.keys(seen, keys),
            Self::Expect { account, .. } => keys.own::<Account>(account),
        }
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        match self {
            Self::AddCredits(command) => command.decide(rows, now).map(Outcome::Added),
            Self::TakeBack(command) => command.decide(rows, now).map(Outcome::TakenBack),
            Self::Transfer(command) => command.decide(rows, now).map(Outcome::Transferred),
            Self::Reserve(command) => command.decide(rows, now).map(Outcome::Reserved),
            Self::End(command) => command.decide(rows, now).map(Outcome::Ended),
            Self::Return(command) => command.decide(rows, now).map(Outcome::Returned),
            Self::Expect { account, version } => {
                let found = existing(rows, account)?.version;
                if found != *version {
                    return Err(Refusal::VersionConflict { account: account.clone() });
                }
                Ok(Outcome::AsExpected)
            }
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::AddCredits(command) => command.size_bytes(),
            _ => 256,
        }
    }
}

/// Operations that happen as a whole or not at all (**L12**).
#[derive(Clone, Debug)]
pub struct Linked(pub Vec<Operation>);

impl Command for Linked {
    type Out = Result<Vec<Outcome>, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.0.keys(seen, keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let at = |index| move |refusal| Refusal::InBatch { index, refusal: Box::new(refusal) };
        rows.attempt(|rows| {
            let all = self.0.iter().enumerate();
            all.map(|(index, one)| one.decide(rows, now).map_err(at(index))).collect()
        })
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}

/// Operations that know nothing of each other.
#[derive(Clone, Debug)]
pub(crate) struct Independent(pub(crate) Vec<Operation>);

impl Command for Independent {
    type Out = Result<Vec<Result<Outcome, Refusal>>, Refusal>;

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.0.keys(seen, keys);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        Ok(self.0.decide(rows, now))
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}

/// Refuses a batch that would keep everybody else waiting for too long.
pub(super) fn checked(batch: &[Operation]) -> Result<(), Refusal> {
    if batch.len() > BATCH_MAX {
        return Err(Refusal::Invalid { field: "batch", why: "it has more than 10,000 operations" });
    }
    Ok(())
}
