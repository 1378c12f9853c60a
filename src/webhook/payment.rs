//! Payments: what is known of one beside what it bought, in whatever order it becomes known.
//!
//! A refund may overtake its payment, and names the payment's intent while an invoice's credits stand
//! under the invoice's name. Both are written down here when they come, and settled when the purchase
//! is there: at once, or when it comes.
//!
//! # Invariants
//!
//! - **H11** However many events tell of a charge's refunds and disputes, and in whatever order, the
//!   credits taken back are the refunded share of what was bought, rounded down, and the disputed one,
//!   and never more than was bought.

use crate::{
    Credits, PaymentReference, Provider, Timestamp, TransferId,
    ledger::{
        Account, EntryKind, PurchaseRecord, Shortfall, purchase::PurchaseRef, take_back::take,
    },
    record,
    storage::{KeySet, Rows},
    webhook::{event::STRIPE, object::no, plan::Failed},
};

/// What is known under one of a payment's names: its intent's, its checkout's or its invoice's.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) reference: PaymentReference,
    /// The other name that its credits stand under: nothing more is credited under this one.
    pub(super) credited_as: Option<PaymentReference>,
    /// The invoice that it paid, whose name its credits may stand under.
    pub(super) pays: Option<PaymentReference>,
    /// How much of the charge was refunded, in all.
    refunded: i64,
    /// Of how much.
    charged: i64,
    /// How many credits disputes took.
    disputed: Credits,
}

record! {
    Payment: "fm_payment",
    key: (reference: PaymentReference),
    columns: (credited_as, pays, refunded, charged, disputed),
    shard: reference,
    indexes: [],
}

impl Payment {
    /// What is known under this name, which may be nothing.
    pub(super) fn known(rows: &Rows, reference: &PaymentReference) -> Self {
        let found = rows.get::<Self>(reference).cloned();
        found.unwrap_or_else(|| Self {
            reference: reference.clone(),
            credited_as: None,
            pays: None,
            refunded: 0,
            charged: 0,
            disputed: Credits::ZERO,
        })
    }

    /// The same, when so much of so much was refunded up to now. An older refund changes nothing.
    pub(super) fn after_refund(self, refunded: i64, charged: i64) -> Self {
        if refunded > self.refunded { Self { refunded, charged, ..self } } else { self }
    }

    /// The same, after a dispute took so many credits.
    pub(super) fn after_dispute(self, credits: Credits) -> Self {
        Self { disputed: self.disputed.plus(credits).unwrap_or(self.disputed), ..self }
    }

    /// The other names that its credits may stand under.
    pub(super) fn others(&self) -> impl Iterator<Item = PaymentReference> {
        self.credited_as.iter().chain(&self.pays).cloned()
    }
}

/// The purchase that stands under this name.
pub(super) fn claim<'r>(rows: &'r Rows, reference: &PaymentReference) -> Option<&'r PurchaseRef> {
    rows.get::<PurchaseRef>(&(Provider::ours(STRIPE), reference.clone()))
}

/// Asks for the purchase under this name, if there is one, and for what taking it back changes.
pub(super) fn purchase_keys(reference: &PaymentReference, seen: &Rows, keys: &mut KeySet) {
    // A claim never changes, so it need not be held.
    keys.peek::<PurchaseRef>(&(Provider::ours(STRIPE), reference.clone()));
    if let Some(claim) = claim(seen, reference) {
        keys.own::<Account>(&claim.account);
        keys.own::<PurchaseRecord>(&(claim.account.clone(), claim.purchase));
    }
}

/// Writes down that a payment paid an invoice; what was refunded of it may be the invoice's.
pub(super) fn pays(rows: &mut Rows, payment: &PaymentReference, invoice: &PaymentReference) {
    let known = Payment::known(rows, payment);
    let there = Payment::known(rows, invoice);
    if known.refunded > 0 {
        rows.put(there.after_refund(known.refunded, known.charged));
    }
    rows.put(Payment { pays: Some(invoice.clone()), ..known });
}

/// Writes down that a payment's credits stand under another of its names.
pub(super) fn credited_as(rows: &mut Rows, name: &PaymentReference, other: &PaymentReference) {
    rows.put(Payment { credited_as: Some(other.clone()), ..Payment::known(rows, name) });
}

/// The purchase under this name. `None` also where it came up only now, after its rows were asked for:
/// a later attempt finds it.
pub(super) fn purchase(rows: &Rows, reference: &PaymentReference) -> Option<PurchaseRecord> {
    let claim = claim(rows, reference)?;
    let key = (claim.account.clone(), claim.purchase);
    rows.is_held::<PurchaseRecord>(&key).then(|| rows.get::<PurchaseRecord>(&key).cloned())?
}

/// Takes back what was refunded of a purchase and not taken yet (**H11**): how many credits. Without a
/// purchase it waits for it.
pub(super) fn settle(
    rows: &mut Rows,
    reference: &PaymentReference,
    id: TransferId,
    now: Timestamp,
) -> Result<Credits, Failed> {
    let payment = Payment::known(rows, reference);
    let bought = purchase(rows, reference).filter(|_| payment.refunded > 0);
    let Some(bought) = bought else { return Ok(Credits::ZERO) };
    let share = part(bought.credits, payment.refunded, payment.charged)?;
    let taken = bought.refunded.minus(payment.disputed).unwrap_or_default().max(Credits::ZERO);
    let left = bought.credits.minus(bought.refunded).unwrap_or_default();
    let credits = share.minus(taken).unwrap_or_default().min(left);
    if credits <= Credits::ZERO {
        return Ok(Credits::ZERO);
    }
    take(rows, bought, credits, EntryKind::Refund, Shortfall::Owe, id, now)?;
    Ok(credits)
}

/// The part of some credits that an amount is of another, rounded down.
pub(super) fn part(credits: Credits, amount: i64, of: i64) -> Result<Credits, Failed> {
    if amount > of || of == 0 {
        return Err(no("amount", "part of the payment"));
    }
    let part = i128::from(credits.get()) * i128::from(amount) / i128::from(of);
    // A part of what fitted fits.
    Ok(Credits::new(i64::try_from(part).unwrap_or(i64::MAX)))
}
