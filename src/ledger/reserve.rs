//! What a host does with reservations: make, end, give back.

use std::time::Duration;

use crate::{
    AccountId, Credits, IdempotencyKey, Refusal, ReservationId, Timestamp, TransferId,
    ledger::{
        account::{Account, existing},
        entry::{EntryKind, Party, Posting, gain},
        reservation::{End, Hold, Origin, Reservation, ReservationState, end, hold},
    },
    once::{Once, digest, remember, replay},
    storage::{Command, KeySet, Rows},
};

/// Sets credits aside for something of the host's.
#[derive(Clone, Debug)]
pub struct Reserve {
    /// Whose credits.
    pub account: AccountId,
    /// A fresh id.
    pub id: ReservationId,
    /// How many.
    pub amount: Credits,
    /// For how long.
    pub ttl: Duration,
    /// Repeating it repeats the answer.
    pub key: IdempotencyKey,
}

impl Reserve {
    fn once(&self) -> (String, IdempotencyKey) {
        (format!("reserve:{}", self.account), self.key.clone())
    }
}

impl Command for Reserve {
    type Out = Result<ReservationId, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Once>(&self.once());
        keys.own::<Account>(&self.account);
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        self.amount.positive()?;
        let (amount, ttl) = (self.amount.get().to_be_bytes(), self.ttl.as_micros().to_be_bytes());
        let (once, digest) = (self.once(), digest(&[b"reserve", &amount, &ttl]));
        if let Some(first) = replay(rows, &once, digest)? {
            return first.parse();
        }
        let account = existing(rows, &self.account)?;
        account.refuse_frozen(now)?;
        let (id, amount, expires_at) = (self.id, self.amount, now.after(self.ttl));
        hold(rows, &account, &Hold { id, amount, expires_at, origin: Origin::Host }, now)?;
        remember(rows, once, digest, id, now);
        Ok(id)
    }
}

/// Ends a reservation of the host's own.
#[derive(Clone, Debug)]
pub struct EndReservation {
    /// Whose credits.
    pub account: AccountId,
    /// Which reservation.
    pub id: ReservationId,
    /// How.
    pub end: End,
}

impl Command for EndReservation {
    type Out = Result<Reservation, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Account>(&self.account);
        keys.own::<Reservation>(&(self.account.clone(), self.id));
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let id = (self.account.clone(), self.id);
        // An upload that outlives its credits could be finalized for nothing (**L17**).
        if rows.get::<Reservation>(&id).is_some_and(|held| held.origin != Origin::Host) {
            return Err(Refusal::ReservationUnknown { account: self.account.clone() });
        }
        rows.attempt(|rows| end(rows, &id, self.end, now))
    }
}

/// Gives back credits that were settled: what they were spent on did not happen, or is gone.
#[derive(Clone, Debug)]
pub struct ReturnCredits {
    /// Whose credits; also while it is frozen.
    pub account: AccountId,
    /// The reservation that they were settled from; an upload's own bears the upload's name.
    pub reservation: ReservationId,
    /// How many; `None`: all that did not come back yet.
    pub credits: Option<Credits>,
    /// Repeating it repeats the answer.
    pub key: IdempotencyKey,
    /// A fresh id.
    pub id: TransferId,
}

/// What giving back came to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Returned {
    /// The movement.
    pub transfer: TransferId,
    /// The account's balance now.
    pub balance: Credits,
    /// Whether it had been given back before, and nothing changed.
    pub replayed: bool,
}

impl ReturnCredits {
    fn once(&self) -> (String, IdempotencyKey) {
        (format!("return:{}", self.account), self.key.clone())
    }
}

impl Command for ReturnCredits {
    type Out = Result<Returned, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Once>(&self.once());
        keys.own::<Account>(&self.account);
        keys.own::<Reservation>(&(self.account.clone(), self.reservation));
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        let asked = self.credits.map_or(0, Credits::get).to_be_bytes();
        let (once, digest) = (self.once(), digest(&[self.reservation.as_bytes(), &asked]));
        self.credits.map_or(Ok(()), Credits::positive)?;
        if let Some(first) = replay(rows, &once, digest)? {
            let (transfer, balance) = (first.parse()?, existing(rows, &self.account)?.balance);
            return Ok(Returned { transfer, balance, replayed: true });
        }
        let found = rows.get::<Reservation>(&(self.account.clone(), self.reservation)).cloned();
        let unknown = || Refusal::ReservationUnknown { account: self.account.clone() };
        let spent = found.ok_or_else(unknown)?;
        if spent.state != ReservationState::Settled {
            return Err(Refusal::ReservationEnded { state: spent.state.as_str() });
        }
        let left = spent.settled.minus(spent.returned).unwrap_or_default();
        let credits = self.credits.unwrap_or(left);
        if credits > left || left == Credits::ZERO {
            return Err(Refusal::ExceedsOriginal { asked: credits, left });
        }
        let account = existing(rows, &self.account)?;
        let posting = Posting::new(EntryKind::Return, self.id, Party::Storage);
        let posting = posting.undoing(spent.transfer());
        let balance = gain(rows, &account, credits, &posting, now)?.balance;
        let returned = spent.returned.plus(credits).unwrap_or(spent.settled);
        rows.put(Reservation { returned, ..spent });
        remember(rows, once, digest, self.id, now);
        Ok(Returned { transfer: self.id, balance, replayed: false })
    }
}
