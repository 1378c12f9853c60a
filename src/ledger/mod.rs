//! The ledger: who owns how many credits, and why.
//!
//! Credits come by purchase, are set aside by reservations and spent when those are settled. Every
//! movement is an entry of the account, and entries never change.
//!
//! | promise | |
//! |---|---|
//! | L1 to L3 | the books balance: [`Account`] |
//! | L4 | a payment credits once: [`Purchase`] |
//! | L5 to L7 | a reservation ends once: [`Reservation`] |

pub(crate) mod account;
pub(crate) mod purchase;
pub(crate) mod reservation;

use std::time::Duration;

use crate::{
    AccountId, Credits, FinalMile, IdempotencyKey, PurchaseId, ReservationId, TransferId,
    storage::{Cursor, Page, Pending, Scan},
};
pub use account::{Account, Entry, EntryKind};
pub use purchase::{AddCredits, METADATA_KEYS, Money, Purchase, PurchaseRecord, Receipt};
use reservation::{End, EndReservation};
pub use reservation::{Reservation, ReservationState, Reserve};

/// The ledger of a [`FinalMile`].
#[derive(Clone, Debug)]
pub struct Ledger {
    fm: FinalMile,
}

impl Ledger {
    pub(crate) fn new(fm: FinalMile) -> Self {
        Self { fm }
    }

    /// Records a purchase and credits the account, once for each payment reference (**L4**). The
    /// account is opened if it is its first. Costs two reads and four writes.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`](crate::Refusal::Invalid) for no credits,
    /// [`Refusal::Conflict`](crate::Refusal::Conflict) for a reference that was used with other
    /// content.
    ///
    /// # Example
    ///
    /// ```
    /// # use finalmile::{AccountId, Credits, FinalMile, engines::Memory, ledger::{Money, Purchase}};
    /// # let fm = FinalMile::builder(Memory::new()).open()?;
    /// let purchase = Purchase {
    ///     account: AccountId::new("ada")?,
    ///     credits: Credits::new(1_000),
    ///     provider: "stripe".parse()?,
    ///     reference: "pi_1".parse()?,
    ///     paid: Money::minor(499, "usd")?,
    ///     metadata: Default::default(),
    /// };
    /// assert!(!fm.ledger().add_credits(purchase.clone()).wait()?.idempotent);
    /// let again = fm.ledger().add_credits(purchase).wait()?;
    /// assert!(again.idempotent);
    /// assert_eq!(again.balance, Credits::new(1_000));
    /// # Ok::<(), finalmile::Error>(())
    /// ```
    pub fn add_credits(&self, purchase: Purchase) -> Pending<Receipt> {
        let account = purchase.account.clone();
        let world = self.fm.store().world();
        let (id, transfer) = (PurchaseId::fresh(&**world), TransferId::fresh(&**world));
        match AddCredits::new(id, transfer, purchase) {
            Ok(command) => self.fm.ask("add-credits", Some(account), command),
            Err(refusal) => self.fm.refuse("add-credits", Some(&account), refusal),
        }
    }

    /// Sets `amount` aside for `ttl`, to be settled or released. Repeating the call with the same
    /// key gives the same reservation and sets nothing more aside.
    ///
    /// # Errors
    ///
    /// [`Refusal::InsufficientCredits`](crate::Refusal::InsufficientCredits) when less is free;
    /// `AccountUnknown`, `AccountFrozen`.
    pub fn reserve(
        &self,
        account: &AccountId,
        amount: Credits,
        ttl: Duration,
        key: &IdempotencyKey,
    ) -> Pending<ReservationId> {
        let id = ReservationId::fresh(&**self.fm.store().world());
        let (account, key) = (account.clone(), key.clone());
        self.fm.ask("reserve", Some(account.clone()), Reserve { account, id, amount, ttl, key })
    }

    /// Spends a reservation, or `amount` of it; the rest is free again.
    ///
    /// # Errors
    ///
    /// [`Refusal::ReservationEnded`](crate::Refusal::ReservationEnded) when it was released, settled
    /// with another amount, or is too old (**L6**); `ReservationUnknown`.
    pub fn settle(
        &self,
        account: &AccountId,
        id: ReservationId,
        amount: Option<Credits>,
    ) -> Pending<Reservation> {
        let transfer = TransferId::fresh(&**self.fm.store().world());
        let end = End::Settle { amount, kind: EntryKind::Settle, transfer };
        let account = account.clone();
        self.fm.ask("settle", Some(account.clone()), EndReservation { account, id, end })
    }

    /// Frees a reservation's credits.
    ///
    /// # Errors
    ///
    /// [`Refusal::ReservationEnded`](crate::Refusal::ReservationEnded) when it was settled or
    /// expired; `ReservationUnknown`.
    pub fn release(&self, account: &AccountId, id: ReservationId) -> Pending<Reservation> {
        let account = account.clone();
        let command = EndReservation { account: account.clone(), id, end: End::Release };
        self.fm.ask("release", Some(account), command)
    }

    /// The account as it stands, or `None`.
    pub fn account(&self, account: &AccountId) -> Pending<Option<Account>> {
        self.fm.store().get_in(account, FinalMile::fault("account", Some(account.clone())))
    }

    /// The account's purchases, newest first, 20 a page.
    pub fn purchases(
        &self,
        account: &AccountId,
        after: Option<Cursor>,
    ) -> Pending<Page<PurchaseRecord>> {
        let scan = Scan::of::<PurchaseRecord>().under(account).descending().limit(20).after(after);
        self.fm.store().scan_in(scan, FinalMile::fault("purchases", Some(account.clone())))
    }

    /// The account's entries, newest first, 20 a page.
    pub fn entries(&self, account: &AccountId, after: Option<Cursor>) -> Pending<Page<Entry>> {
        let scan = Scan::of::<Entry>().under(account).descending().limit(20).after(after);
        self.fm.store().scan_in(scan, FinalMile::fault("entries", Some(account.clone())))
    }
}
