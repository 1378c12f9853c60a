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
//! - **L17** Only who made a reservation ends it: an upload's own ends with the upload.
//! - **L18** Never more comes back than was settled, in however many parts; each part once.

use crate::{
    AccountId, Credits, Refusal, ReservationId, Timestamp, TransferId,
    ledger::{
        account::{Account, existing},
        entry::{EntryKind, Party, Posting, spend},
    },
    record,
    storage::{Only, Rows, text_enum},
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

text_enum! {
    /// Who made a reservation, and ends it (**L17**).
    Origin {
        /// The host, through the ledger.
        Host = "host",
        /// An upload that was begun; the reservation bears its name.
        Upload = "upload",
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
    /// Who made it.
    pub origin: Origin,
    /// How many of those that were spent came back since.
    pub returned: Credits,
}

record! {
    Reservation: "fm_reservation",
    key: (account: AccountId, id: ReservationId),
    columns: (
        amount, state, settled, expires_at, created_at, ended_at, origin, returned
    ),
    shard: account,
    indexes: [("fm_reservation_due", (expires_at), Only::Equals("state", "pending"))],
}

impl Reservation {
    /// A settled reservation is a transfer, under the same name.
    pub(crate) fn transfer(&self) -> TransferId {
        TransferId::from_bytes(*self.id.as_bytes())
    }

    /// As it stands at `now`: expired once its time is over, though its credits may wait for
    /// maintenance to be freed (**L6**).
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let lapsed = self.state == ReservationState::Pending && now >= self.expires_at;
        if lapsed { Self { state: ReservationState::Expired, ..self } } else { self }
    }
}

/// What to set aside.
pub(crate) struct Hold {
    pub(crate) id: ReservationId,
    pub(crate) amount: Credits,
    pub(crate) expires_at: Timestamp,
    pub(crate) origin: Origin,
}

/// Sets credits aside, more than none. The account must be owned; the id must be fresh.
pub(crate) fn hold(
    rows: &mut Rows,
    account: &Account,
    hold: &Hold,
    now: Timestamp,
) -> Result<Reservation, Refusal> {
    let Hold { id, amount, expires_at, origin } = *hold;
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
        origin,
        returned: Credits::ZERO,
    };
    rows.add(reservation.clone());
    Ok(reservation)
}

/// How a reservation is to end.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum End {
    /// Spend all of it.
    Settle,
    /// Spend so much of it; the rest is free again.
    SettleOnly(Credits),
    /// Spend nothing.
    Release,
    /// Spend nothing, if it is too late to settle; else leave it.
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
    let (spent, state) = match end {
        End::Settle => (held.amount, ReservationState::Settled),
        End::SettleOnly(amount) => (amount, ReservationState::Settled),
        End::Release => (Credits::ZERO, ReservationState::Released),
        End::Expire => (Credits::ZERO, ReservationState::Expired),
    };
    let ended = |state: ReservationState| Refusal::ReservationEnded { state: state.as_str() };
    if held.state != ReservationState::Pending {
        let same = held.state == state && held.settled == spent;
        return if same { Ok(held) } else { Err(ended(held.state)) };
    }
    let too_late = now >= held.expires_at;
    match end {
        End::Settle | End::SettleOnly(_) if too_late => {
            return Err(ended(ReservationState::Expired));
        }
        End::SettleOnly(_) if spent <= Credits::ZERO || spent > held.amount => {
            return Err(Refusal::Invalid { field: "credits", why: "it is not within the amount" });
        }
        End::Expire if !too_late => return Err(ended(held.state)),
        End::Settle | End::SettleOnly(_) | End::Release | End::Expire => {}
    }
    let account = existing(rows, &id.0)?;
    // Somebody may have set the sum to nothing by hand; it never becomes less than that.
    let reserved = account.reserved.minus(held.amount).unwrap_or_default().max(Credits::ZERO);
    let account = Account { reserved, ..account };
    if spent > Credits::ZERO {
        let kind = match held.origin {
            Origin::Host => EntryKind::Settle,
            Origin::Upload => EntryKind::Upload,
        };
        let posting = Posting::new(kind, held.transfer(), Party::Storage);
        spend(rows, &account, spent, &posting, now)?;
    } else {
        rows.put(Account { version: account.version + 1, ..account });
    }
    let held = Reservation { state, settled: spent, ended_at: Some(now), ..held };
    rows.put(held.clone());
    Ok(held)
}
