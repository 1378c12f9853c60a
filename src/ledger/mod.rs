//! The ledger: who owns how many credits, and why.
//!
//! Credits come by purchase, are set aside by reservations and spent when those are settled; they can
//! be given back, taken back and passed on. Every movement is an entry of its account, chained to the
//! one before; entries never change.
//!
//! | promise | |
//! |---|---|
//! | L1 to L3, L8 | the books balance: [`Account`], [`Entry`] |
//! | L4 | a payment credits once: [`Purchase`] |
//! | L5 to L7, L17, L18 | a reservation ends once: [`Reservation`] |
//! | L9, L10 | a purchase is taken back once: [`TakeBack`] |
//! | L11, L12 | transfers and batches: [`Transfer`], [`Operation`] |
//! | L13 to L16 | history is kept and can be proved: [`Proof`], [`Checkpoint`] |

pub(crate) mod account;
mod batch;
pub(crate) mod checkpoint;
pub(crate) mod entry;
mod export;
mod held;
mod history;
mod money;
mod proof;
pub(crate) mod purchase;
pub(crate) mod reservation;
pub(crate) mod reserve;
mod solana;
mod stream;
pub(crate) mod take_back;
mod transfer;
pub(crate) mod verify;

use std::time::Duration;

use crate::{
    AccountId, Credits, Error, FinalMile, IdempotencyKey, PaymentReference, Provider, PurchaseId,
    Refusal, ReservationId, TransferId,
    storage::{Cursor, Page, Pending, Scan},
};
pub use account::Account;
pub use batch::{BATCH_MAX, Linked, Operation, Outcome};
use batch::{Independent, checked};
pub use checkpoint::Checkpoint;
pub use entry::{Entry, EntryKind, Party, Shortfall};
pub(crate) use held::high_reserved;
pub use history::BalanceAt;
pub use money::Money;
pub use purchase::{AddCredits, METADATA_KEYS, Purchase, PurchaseRecord, Receipt};
pub use reservation::{End, Origin, Reservation, ReservationState};
pub use reserve::{EndReservation, Reserve, ReturnCredits, Returned};
pub use solana::SolanaPayment;
pub use take_back::{TakeBack, TakenBack};
pub use transfer::{Transfer, Transferred};
pub use verify::{BREAKS_MAX, Break, Proof};

/// The ledger of a [`FinalMile`].
#[derive(Clone, Debug)]
pub struct Ledger {
    fm: FinalMile,
}

impl Ledger {
    pub(crate) fn new(fm: FinalMile) -> Self {
        Self { fm }
    }

    fn fresh_transfer(&self) -> TransferId {
        TransferId::fresh(&**self.fm.store().world())
    }

    /// Records a purchase and credits the account, once for each payment reference (**L4**). The
    /// account is opened if it is its first. Costs two reads and four writes.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for no credits, [`Refusal::Conflict`] for a reference that was used with
    /// other content.
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
    ///     paid_at: None,
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
        let command = AddCredits::new(PurchaseId::fresh(&**self.fm.store().world()), purchase);
        self.fm.ask_checked("add-credits", Some(&account), command)
    }

    /// Gives a purchase back, in part or, with `credits` of `None`, all that is left of it (**L9**).
    /// `key` is the refund's own name; repeating it repeats the answer. A frozen account can be
    /// refunded.
    ///
    /// # Errors
    ///
    /// [`Refusal::PurchaseUnknown`] unless the account made that purchase,
    /// [`Refusal::ExceedsOriginal`] for more than is left of it, `InsufficientCredits` when the
    /// credits are no longer free.
    pub fn refund(
        &self,
        account: &AccountId,
        payment: (Provider, PaymentReference),
        credits: Option<Credits>,
        key: &IdempotencyKey,
    ) -> Pending<TakenBack> {
        let command = TakeBack::refund(account, payment, credits, key, self.fresh_transfer());
        self.fm.ask("refund", Some(account.clone()), command)
    }

    /// Takes back what the bank took back already: what is not free any more becomes the account's
    /// debt (**L10**).
    ///
    /// # Errors
    ///
    /// As [`Ledger::refund`], but never `InsufficientCredits`.
    pub fn chargeback(
        &self,
        account: &AccountId,
        payment: (Provider, PaymentReference),
        credits: Option<Credits>,
        key: &IdempotencyKey,
    ) -> Pending<TakenBack> {
        let command = TakeBack::chargeback(account, payment, credits, key, self.fresh_transfer());
        self.fm.ask("chargeback", Some(account.clone()), command)
    }

    /// Sets `amount` aside for `ttl`, to be settled or released. Repeating the call with the same
    /// key gives the same reservation and sets nothing more aside.
    ///
    /// # Errors
    ///
    /// In this order: [`Refusal::Invalid`] for nothing or less, `Conflict`, `AccountUnknown`,
    /// `AccountFrozen`, [`Refusal::InsufficientCredits`] when less is free. A refusal is not
    /// remembered: the same key may succeed later.
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
    /// [`Refusal::ReservationEnded`] when it was released, settled with another amount, or is too
    /// old (**L6**); `ReservationUnknown`, also for an upload's own (**L17**).
    pub fn settle(
        &self,
        account: &AccountId,
        id: ReservationId,
        amount: Option<Credits>,
    ) -> Pending<Reservation> {
        let end = amount.map_or(End::Settle, End::SettleOnly);
        let account = account.clone();
        self.fm.ask("settle", Some(account.clone()), EndReservation { account, id, end })
    }

    /// Frees a reservation's credits.
    ///
    /// # Errors
    ///
    /// [`Refusal::ReservationEnded`] when it was settled or expired; `ReservationUnknown`, also for
    /// an upload's own (**L17**).
    pub fn release(&self, account: &AccountId, id: ReservationId) -> Pending<Reservation> {
        let account = account.clone();
        let command = EndReservation { account: account.clone(), id, end: End::Release };
        self.fm.ask("release", Some(account), command)
    }

    /// Gives back credits that were settled, in part or, with `None`, all that did not come back yet
    /// (**L18**). A frozen account can receive them.
    ///
    /// # Errors
    ///
    /// `Conflict`, `ReservationUnknown`, `ReservationEnded` unless it was settled,
    /// [`Refusal::ExceedsOriginal`] for more than is left.
    pub fn return_credits(
        &self,
        account: &AccountId,
        reservation: ReservationId,
        credits: Option<Credits>,
        key: &IdempotencyKey,
    ) -> Pending<Returned> {
        let (id, account, key) = (self.fresh_transfer(), account.clone(), key.clone());
        let user = Some(account.clone());
        self.fm.ask("return", user, ReturnCredits { account, reservation, credits, key, id })
    }

    /// Moves credits from one account to another, once for each key of the giver's (**L11**).
    ///
    /// # Errors
    ///
    /// In this order: [`Refusal::Invalid`] for nothing or less, or to oneself; `Conflict`,
    /// `AccountUnknown` for either, `AccountFrozen` for the giver, `InsufficientCredits`.
    pub fn transfer(
        &self,
        from: &AccountId,
        to: &AccountId,
        amount: Credits,
        key: &IdempotencyKey,
    ) -> Pending<Transferred> {
        let (id, from, to) = (self.fresh_transfer(), from.clone(), to.clone());
        let user = Some(from.clone());
        self.fm.ask("transfer", user, Transfer { id, from, to, amount, key: key.clone() })
    }

    /// Decides all operations in one transaction, each with an answer of its own (**L12**). The
    /// fastest way to make many changes durable: they share one sync.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for more than [`BATCH_MAX`].
    pub fn batch(&self, batch: Vec<Operation>) -> Pending<Vec<Result<Outcome, Refusal>>> {
        if let Err(refusal) = checked(&batch) {
            return self.fm.refuse("batch", None, refusal);
        }
        let span = tracing::Span::current();
        self.fm.ask_then("batch", None, Independent(batch), move |_, answers| {
            let refused = answers.into_iter().flatten().filter_map(|one| one.as_ref().err());
            span.in_scope(|| refused.for_each(|one| Error::from(one.clone()).log("batch", None)));
        })
    }

    /// Decides all operations in one transaction, as a whole or not at all (**L12**). Later ones see
    /// what earlier ones did.
    ///
    /// # Errors
    ///
    /// [`Refusal::InBatch`] with the first operation that was refused, and why; nothing changed.
    pub fn linked(&self, batch: Vec<Operation>) -> Pending<Vec<Outcome>> {
        self.fm.ask_checked("linked-batch", None, checked(&batch).map(|()| Linked(batch)))
    }

    /// The account as it stands, or `None`.
    pub fn account(&self, account: &AccountId) -> Pending<Option<Account>> {
        self.fm.store().get_in(account, FinalMile::fault("account", Some(account.clone())))
    }

    /// A reservation as it stands, or `None`. From its expiry on it is expired, even if no
    /// maintenance has freed its credits (**L6**).
    pub fn reservation(
        &self,
        account: &AccountId,
        id: ReservationId,
    ) -> Pending<Option<Reservation>> {
        let fault = FinalMile::fault("reservation", Some(account.clone()));
        let now = self.fm.store().now();
        let as_of = move |held: Reservation| Some(held.at(now));
        self.fm.store().get_map(&(account.clone(), id), fault, as_of)
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
