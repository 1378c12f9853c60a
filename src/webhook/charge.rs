//! Refunds and disputes: credits that go back where the money went.
//!
//! The money is gone already, so what is no longer free is owed (**L10**). A refund's event says how
//! much of the charge was refunded in all, so a later event never takes again what an earlier one, or
//! the host itself, took back; a dispute takes back once, under its own name.
//!
//! # Invariants
//!
//! - **H11** However many events tell of a charge's refunds, and in whatever order, the credits taken
//!   back are the refunded share of what was bought, rounded down.

use crate::{
    AccountId, Credits, IdempotencyKey, PaymentReference, Provider, Refusal, Timestamp, TransferId,
    World,
    ledger::{PurchaseRecord, Shortfall, TakeBack, purchase::PurchaseRef},
    storage::{Command as _, KeySet, Rows},
    webhook::{
        VerifiedEvent,
        event::STRIPE,
        object::{Object, needed, no},
        plan::{Act, Done, Failed, Plan},
    },
};

/// A part of a payment that went back.
struct GoneBack {
    /// The names under which the payment may have been credited, the likelier first.
    payments: Vec<PaymentReference>,
    how: How,
    /// How much money went back, and of how much.
    amount: i64,
    of: Option<i64>,
    currency: String,
    key: IdempotencyKey,
    id: TransferId,
}

#[derive(Clone, Copy)]
enum How {
    /// In all, up to now.
    Refunded,
    /// By the bank.
    Disputed,
}

impl GoneBack {
    /// The payment as it was claimed when it was credited.
    fn claim<'r>(&self, rows: &'r Rows) -> Option<&'r PurchaseRef> {
        let provider = Provider::ours(STRIPE);
        let claim = |reference: &PaymentReference| {
            rows.get::<PurchaseRef>(&(provider.clone(), reference.clone()))
        };
        // All of them, so that each is asked for in the first round.
        let found: Vec<_> = self.payments.iter().map(claim).collect();
        found.into_iter().flatten().next()
    }

    fn take_back(&self, claim: &PurchaseRef, credits: Option<Credits>) -> TakeBack {
        let (account, key): (&AccountId, _) = (&claim.account, &self.key);
        let payment = (claim.provider.clone(), claim.reference.clone());
        match self.how {
            How::Refunded => TakeBack::refund(account, payment, credits, key, self.id),
            How::Disputed => TakeBack::chargeback(account, payment, credits, key, self.id),
        }
        .or(Shortfall::Owe)
    }

    /// How many of the purchase's credits go back now (**H11**).
    fn credits(&self, bought: &PurchaseRecord) -> Result<Credits, Failed> {
        if bought.currency != self.currency {
            return Err(no("currency", "currency of the payment"));
        }
        let of = self.of.unwrap_or(bought.amount_minor);
        if self.amount > of || of == 0 {
            return Err(no("amount", "part of the payment"));
        }
        let share = i128::from(bought.credits.get()) * i128::from(self.amount) / i128::from(of);
        // A part of what fitted fits.
        let share = Credits::new(i64::try_from(share).unwrap_or(i64::MAX));
        let left = bought.credits.minus(bought.refunded).unwrap_or_default();
        Ok(match self.how {
            How::Refunded => share.minus(bought.refunded).unwrap_or_default().max(Credits::ZERO),
            How::Disputed => share.min(left),
        })
    }
}

impl Act for GoneBack {
    fn looks_up(&self) -> bool {
        true
    }

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        for payment in &self.payments {
            keys.peek::<PurchaseRef>(&(Provider::ours(STRIPE), payment.clone()));
        }
        if let Some(claim) = self.claim(seen) {
            keys.own::<PurchaseRecord>(&(claim.account.clone(), claim.purchase));
            self.take_back(claim, None).keys(seen, keys);
        }
    }

    fn act(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed> {
        // It may have overtaken the payment.
        let unknown =
            || Failed::later("PURCHASE_NOT_FOUND", "no payment of that name was credited");
        let claim = self.claim(rows).cloned().ok_or_else(unknown)?;
        let bought = rows.get::<PurchaseRecord>(&(claim.account.clone(), claim.purchase));
        let credits = self.credits(bought.ok_or_else(unknown)?)?;
        if credits == Credits::ZERO {
            return Ok(Done::Applied(credits));
        }
        let done = self.take_back(&claim, Some(credits)).decide(rows, now)?;
        let taken = if done.replayed { Credits::ZERO } else { done.credits };
        Ok(Done::Applied(Credits::ZERO.minus(taken).unwrap_or_default()))
    }
}

/// `charge.refunded`.
pub(super) fn of_refund(event: &VerifiedEvent, world: &dyn World) -> Result<Plan, Failed> {
    let charge = Object::of(event);
    let amount = needed("amount_refunded", charge.count("amount_refunded")?)?;
    let of = Some(needed("amount", charge.count("amount")?)?);
    let key = IdempotencyKey::new(event.id())?;
    gone_back(charge, How::Refunded, (amount, of), key, world)
}

/// `charge.dispute.created`.
pub(super) fn of_dispute(event: &VerifiedEvent, world: &dyn World) -> Result<Plan, Failed> {
    let dispute = Object::of(event);
    let status = needed("status", dispute.name("status")?)?;
    // A bank that asks first has taken nothing yet.
    if status.starts_with("warning_") {
        return Ok(Plan::Ignore("NOTHING_TAKEN"));
    }
    let amount = needed("amount", dispute.count("amount")?)?;
    let key = IdempotencyKey::new(needed("id", dispute.id("id")?)?)?;
    gone_back(dispute, How::Disputed, (amount, None), key, world)
}

fn gone_back(
    object: Object<'_>,
    how: How,
    (amount, of): (i64, Option<i64>),
    key: IdempotencyKey,
    world: &dyn World,
) -> Result<Plan, Failed> {
    // An invoice's charge was credited under the invoice's name.
    let names = [object.id("invoice")?, object.id("payment_intent")?];
    let payments = names.into_iter().flatten().map(PaymentReference::new);
    let payments: Vec<_> = payments.collect::<Result<_, Refusal>>()?;
    if payments.is_empty() {
        return Ok(Plan::Ignore("NOTHING_BOUGHT"));
    }
    let currency = needed("currency", object.name("currency")?)?.to_owned();
    let id = TransferId::fresh(world);
    Ok(Plan::act(GoneBack { payments, how, amount, of, currency, key, id }))
}
