//! Reservations: credits set aside until something is settled, released or too late.
//!
//! ```text
//! pending --settle--> settled      pending --release--> released      pending --time--> expired
//! ```
//!
//! # Invariants
//!
//! - **L5** A reservation ends once, in one of three ways.
//! - **L6** From its expiry on it cannot be settled, even if no cleanup has run.
//! - **L7** Repeating an end gives the same answer and moves nothing.

use std::time::Duration;

use crate::{
    AccountId, Credits, IdempotencyKey, Refusal, ReservationId, Timestamp, TransferId,
    ledger::account::{Account, EntryKind, Posting, existing, post},
    once::{Once, digest, replay},
    record,
    storage::{Command, KeySet, Only, Rows, text_enum},
};

text_enum! {
    /// Where a reservation stands.
    ReservationState {
        /// The credits are set aside.
        Pending = "pending",
        /// They were spent, perhaps not all.
        Settled = "settled",
        /// They are free again.
        Released = "released",
        /// They are free again, because nobody came.
        Expired = "expired",
    }
}

/// Credits that are set aside.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reservation {
    /// Whose.
    pub account: AccountId,
    /// Its name.
    pub id: ReservationId,
    /// How many.
    pub amount: Credits,
    /// Where it stands.
    pub state: ReservationState,
    /// How many were spent.
    pub settled: Credits,
    /// From when on it cannot be settled.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

record! {
    Reservation: "fm_reservation",
    key: (account: AccountId, id: ReservationId),
    columns: (amount, state, settled, expires_at, created_at, ended_at),
    shard: account,
    indexes: [("fm_reservation_due", (expires_at), Only::Equals("state", "pending"))],
}

/// Sets `amount` aside. The account must be owned; `id` must be fresh.
pub(crate) fn hold(
    rows: &mut Rows,
    account: &Account,
    id: ReservationId,
    amount: Credits,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<Reservation, Refusal> {
    if amount < Credits::ZERO {
        return Err(Refusal::Invalid { field: "credits", why: "it is negative" });
    }
    let available = account.available();
    let reserved = account.reserved.plus(amount).filter(|_| amount <= available);
    let Some(reserved) = reserved else {
        let account = account.id.clone();
        return Err(Refusal::InsufficientCredits { account, needed: amount, available });
    };
    rows.put(Account { reserved, version: account.version + 1, ..account.clone() });
    let reservation = Reservation {
        account: account.id.clone(),
        id,
        amount,
        state: ReservationState::Pending,
        settled: Credits::ZERO,
        expires_at,
        created_at: now,
        ended_at: None,
    };
    rows.add(reservation.clone());
    Ok(reservation)
}

/// How a reservation is to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// Spend so much of it, all if `None`.
    Settle { amount: Option<Credits>, kind: EntryKind, transfer: TransferId },
    /// Spend nothing.
    Release,
    /// Spend nothing, if it is too late to settle.
    Expire,
}

/// Ends a reservation (**L5**, **L6**, **L7**). Account and reservation must be owned.
pub(crate) fn end(
    rows: &mut Rows,
    id: &(AccountId, ReservationId),
    end: End,
    now: Timestamp,
) -> Result<Reservation, Refusal> {
    let Some(held) = rows.get::<Reservation>(id).cloned() else {
        return Err(Refusal::ReservationUnknown { account: id.0.clone() });
    };
    let spend = match end {
        End::Settle { amount, .. } => amount.unwrap_or(held.amount),
        End::Release | End::Expire => Credits::ZERO,
    };
    let state = match end {
        End::Settle { .. } => ReservationState::Settled,
        End::Release => ReservationState::Released,
        End::Expire => ReservationState::Expired,
    };
    let ended = |state: ReservationState| Refusal::ReservationEnded { state: state.as_str() };
    if held.state != ReservationState::Pending {
        let same = held.state == state && held.settled == spend;
        return if same { Ok(held) } else { Err(ended(held.state)) };
    }
    let too_late = now >= held.expires_at;
    match end {
        End::Settle { .. } if too_late => return Err(ended(ReservationState::Expired)),
        End::Settle { .. } if spend < Credits::ZERO || spend > held.amount => {
            return Err(Refusal::Invalid { field: "credits", why: "it is not within the amount" });
        }
        End::Expire if !too_late => return Err(ended(held.state)),
        End::Settle { .. } | End::Release | End::Expire => {}
    }
    let account = existing(rows, &id.0)?;
    // Somebody may have set the sum to nothing by hand; it never becomes less than that.
    let reserved = account.reserved.minus(held.amount).unwrap_or_default().max(Credits::ZERO);
    let account = Account { reserved, version: account.version + 1, ..account };
    rows.put(account.clone());
    if let End::Settle { kind, transfer, .. } = end
        && spend > Credits::ZERO
    {
        let amount = Credits::ZERO.minus(spend).unwrap_or_default();
        let posting = Posting { transfer, kind, amount, contra: "storage" };
        post(rows, &account, &posting, now)?;
    }
    let held = Reservation { state, settled: spend, ended_at: Some(now), ..held };
    rows.put(held.clone());
    Ok(held)
}

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
        let (amount, ttl) = (self.amount.get().to_be_bytes(), self.ttl.as_micros().to_be_bytes());
        let (once, digest) = (self.once(), digest(&[b"reserve", &amount, &ttl]));
        if let Some(first) = replay(rows, &once, digest)? {
            return first.parse();
        }
        let account = existing(rows, &self.account)?;
        account.refuse_frozen(now)?;
        hold(rows, &account, self.id, self.amount, now.after(self.ttl), now)?;
        let (scope, key) = once;
        rows.put(Once { scope, key, digest, outcome: self.id.to_string(), at: now });
        Ok(self.id)
    }
}

/// Ends a reservation of the host's own.
#[derive(Clone, Debug)]
pub(crate) struct EndReservation {
    pub(crate) account: AccountId,
    pub(crate) id: ReservationId,
    pub(crate) end: End,
}

impl Command for EndReservation {
    type Out = Result<Reservation, Refusal>;

    fn keys(&self, _seen: &Rows, keys: &mut KeySet) {
        keys.own::<Account>(&self.account);
        keys.own::<Reservation>(&(self.account.clone(), self.id));
    }

    fn decide(&self, rows: &mut Rows, now: Timestamp) -> Self::Out {
        rows.attempt(|rows| end(rows, &(self.account.clone(), self.id), self.end, now))
    }

    fn is_background(&self) -> bool {
        false
    }
}
