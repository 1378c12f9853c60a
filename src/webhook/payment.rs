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

/// What is known of a payment of Stripe's, under the name that its credits stand under.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) reference: PaymentReference,
    /// The invoice that it paid, if its credits stand under that name.
    pub(super) credited_as: Option<PaymentReference>,
    /// How much of the charge was refunded, in all.
    pub(super) refunded: i64,
    /// Of how much.
    pub(super) charged: i64,
    pub(super) currency: String,
    /// How many credits disputes took.
    pub(super) disputed: Credits,
}

record! {
    Payment: "fm_payment",
    key: (reference: PaymentReference),
    columns: (credited_as, refunded, charged, currency, disputed),
    shard: reference,
    indexes: [],
}

/// So much was refunded up to now, of so much.
#[derive(Clone, Debug)]
pub(super) struct Refunded {
    pub(super) amount: i64,
    pub(super) of: i64,
    pub(super) currency: String,
}

impl Payment {
    /// What is known of it, which may be nothing.
    pub(super) fn known(rows: &Rows, reference: &PaymentReference) -> Self {
        let found = rows.get::<Self>(reference).cloned();
        found.unwrap_or_else(|| Self {
            reference: reference.clone(),
            credited_as: None,
            refunded: 0,
            charged: 0,
            currency: String::new(),
            disputed: Credits::ZERO,
        })
    }

    /// The same, after a refund. An older one changes nothing.
    pub(super) fn after(self, refund: &Refunded) -> Self {
        if refund.amount <= self.refunded {
            return self;
        }
        let (refunded, charged, currency) = (refund.amount, refund.of, refund.currency.clone());
        Self { refunded, charged, currency, ..self }
    }

    fn refund(&self) -> Refunded {
        Refunded { amount: self.refunded, of: self.charged, currency: self.currency.clone() }
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

/// Writes down that a payment paid an invoice: what is known of it moves to the invoice's name.
pub(super) fn pays(rows: &mut Rows, payment: &PaymentReference, invoice: &PaymentReference) {
    let known = Payment::known(rows, payment);
    let there = Payment::known(rows, invoice).after(&known.refund());
    rows.put(Payment { credited_as: Some(invoice.clone()), refunded: 0, ..known });
    if there.refunded > 0 {
        rows.put(there);
    }
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
    let bought = claim(rows, reference)
        .and_then(|claim| rows.get::<PurchaseRecord>(&(claim.account.clone(), claim.purchase)));
    let Some(bought) = bought.cloned().filter(|_| payment.refunded > 0) else {
        return Ok(Credits::ZERO);
    };
    if bought.currency != payment.currency {
        return Err(no("currency", "currency of the payment"));
    }
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
