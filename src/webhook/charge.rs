//! Refunds and disputes: credits that go back where the money went.
//!
//! The money is gone already, so what is no longer free is owed (**L10**). A refund's event says how
//! much of the charge was refunded in all, so a later event never takes again what an earlier one, or
//! the host itself, took back (**H11**); a dispute takes back once, under its own name.

use crate::{
    AccountId, Credits, IdempotencyKey, PaymentReference, Provider, Refusal, Timestamp, TransferId,
    World,
    ledger::{PurchaseRecord, Shortfall, TakeBack},
    storage::{Command as _, KeySet, Rows},
    webhook::{
        VerifiedEvent,
        event::STRIPE,
        object::{Object, needed, no},
        payment::{Payment, Refunded, claim, part, purchase_keys, settle},
        plan::{Act, Done, Failed, Plan},
    },
};

/// A part of a payment that went back.
struct GoneBack {
    payment: PaymentReference,
    /// The invoice that it paid, where the event still says so.
    invoice: Option<PaymentReference>,
    how: How,
    id: TransferId,
}

enum How {
    /// In all, up to now.
    Refunded(Refunded),
    /// By the bank.
    Disputed { amount: i64, currency: String, key: IdempotencyKey },
}

impl GoneBack {
    /// The name that its credits stand under.
    fn name(&self, rows: &Rows) -> PaymentReference {
        let known = rows.get::<Payment>(&self.payment).and_then(|known| known.credited_as.clone());
        self.invoice.clone().or(known).unwrap_or_else(|| self.payment.clone())
    }

    /// What a dispute takes, once.
    fn dispute(
        &self,
        rows: &mut Rows,
        (amount, currency): (i64, &str),
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Credits, Failed> {
        let name = self.name(rows);
        // It may have overtaken the payment.
        let unknown =
            || Failed::later("PURCHASE_NOT_FOUND", "no payment of that name was credited");
        let claim = claim(rows, &name).cloned().ok_or_else(unknown)?;
        let bought = rows.get::<PurchaseRecord>(&(claim.account.clone(), claim.purchase));
        let bought = bought.cloned().ok_or_else(unknown)?;
        if bought.currency != currency {
            return Err(no("currency", "currency of the payment"));
        }
        let left = bought.credits.minus(bought.refunded).unwrap_or_default();
        let credits = part(bought.credits, amount, bought.amount_minor)?.min(left);
        if credits <= Credits::ZERO {
            return Ok(Credits::ZERO);
        }
        let done = self.take_back(&name, &claim.account, Some(credits), key).decide(rows, now)?;
        if done.replayed {
            return Ok(Credits::ZERO);
        }
        let known = Payment::known(rows, &name);
        let disputed = known.disputed.plus(credits).unwrap_or(bought.credits);
        rows.put(Payment { disputed, ..known });
        Ok(credits)
    }

    fn take_back(
        &self,
        name: &PaymentReference,
        account: &AccountId,
        credits: Option<Credits>,
        key: &IdempotencyKey,
    ) -> TakeBack {
        let payment = (Provider::ours(STRIPE), name.clone());
        TakeBack::chargeback(account, payment, credits, key, self.id).or(Shortfall::Owe)
    }
}

impl Act for GoneBack {
    fn looks_up(&self) -> bool {
        true
    }

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        keys.own::<Payment>(&self.payment);
        let name = self.name(seen);
        keys.own::<Payment>(&name);
        purchase_keys(&name, seen, keys);
        if let (How::Disputed { key, .. }, Some(claim)) = (&self.how, claim(seen, &name)) {
            self.take_back(&name, &claim.account, None, key).keys(seen, keys);
        }
    }

    fn act(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed> {
        let taken = match &self.how {
            How::Refunded(refund) => {
                let name = self.name(rows);
                rows.put(Payment::known(rows, &name).after(refund));
                settle(rows, &name, self.id, now)?
            }
            How::Disputed { amount, currency, key } => {
                self.dispute(rows, (*amount, currency), key, now)?
            }
        };
        Ok(Done::Applied(Credits::ZERO.minus(taken).unwrap_or_default()))
    }
}

/// `charge.refunded`.
pub(super) fn of_refund(event: &VerifiedEvent, world: &dyn World) -> Result<Plan, Failed> {
    let charge = Object::of(event);
    let amount = needed("amount_refunded", charge.count("amount_refunded")?)?;
    let of = needed("amount", charge.count("amount")?)?;
    // Whatever it paid for: a part is a part.
    part(Credits::ZERO, amount, of)?;
    let currency = needed("currency", charge.name("currency")?)?.to_owned();
    gone_back(charge, How::Refunded(Refunded { amount, of, currency }), world)
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
    let currency = needed("currency", dispute.name("currency")?)?.to_owned();
    let key = IdempotencyKey::new(needed("id", dispute.id("id")?)?)?;
    gone_back(dispute, How::Disputed { amount, currency, key }, world)
}

fn gone_back(object: Object<'_>, how: How, world: &dyn World) -> Result<Plan, Failed> {
    let name = |found: Option<&str>| -> Result<_, Refusal> {
        found.map(PaymentReference::new).transpose()
    };
    // Charges named their invoice until 2025.
    let invoice = name(object.id("invoice")?)?;
    let Some(payment) = name(object.id("payment_intent")?)?.or(invoice.clone()) else {
        return Ok(Plan::Ignore("NOTHING_BOUGHT"));
    };
    Ok(Plan::act(GoneBack { payment, invoice, how, id: TransferId::fresh(world) }))
}
