//! Refunds and disputes: credits that go back where the money went.
//!
//! The money is gone already, so what is no longer free is owed (**L10**). A refund's event says how
//! much of the charge was refunded in all, so a later event never takes again what an earlier one, or
//! the host itself, took back (**H11**); a dispute takes back once, under its own name.

use crate::{
    AccountId, Credits, IdempotencyKey, PaymentReference, Provider, Refusal, Timestamp, TransferId,
    World,
    ledger::TakeBack,
    storage::{Command as _, KeySet, Rows},
    webhook::{
        VerifiedEvent,
        event::STRIPE,
        object::{Object, needed, no},
        payment::{Payment, claim, part, purchase, purchase_keys, settle},
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
    /// So much of so much, in all, up to now.
    Refunded { amount: i64, of: i64 },
    /// By the bank.
    Disputed { amount: i64, currency: String, key: IdempotencyKey },
}

impl GoneBack {
    /// The names that its credits may stand under.
    fn names(&self, rows: &Rows) -> Vec<PaymentReference> {
        let others = rows.get::<Payment>(&self.payment).into_iter().flat_map(Payment::others);
        let given = self.invoice.iter().chain([&self.payment]).cloned();
        given.chain(others).collect()
    }

    /// What a dispute takes, once.
    fn dispute(
        &self,
        rows: &mut Rows,
        (amount, currency): (i64, &str),
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Credits, Failed> {
        let found =
            self.names(rows).into_iter().find_map(|name| Some((purchase(rows, &name)?, name)));
        // It may have overtaken the payment.
        let unknown =
            || Failed::later("PURCHASE_NOT_FOUND", "no payment of that name was credited");
        let (bought, name) = found.ok_or_else(unknown)?;
        if bought.currency != currency {
            return Err(no("currency", "currency of the payment"));
        }
        let left = bought.credits.minus(bought.refunded).unwrap_or_default();
        // Banks take a little more at times, for their own rate of exchange.
        let amount = amount.min(bought.amount_minor);
        let credits = part(bought.credits, amount, bought.amount_minor)?.min(left);
        let take_back = self.take_back(&name, &bought.account, Some(credits), key);
        if credits <= Credits::ZERO || take_back.was_done(rows).ok_or_else(unknown)? {
            return Ok(Credits::ZERO);
        }
        take_back.decide(rows, now)?;
        rows.put(Payment::known(rows, &name).after_dispute(credits));
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
        TakeBack::chargeback(account, payment, credits, key, self.id)
    }
}

impl Act for GoneBack {
    fn looks_up(&self) -> bool {
        true
    }

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        keys.own::<Payment>(&self.payment);
        for name in self.names(seen) {
            keys.own::<Payment>(&name);
            purchase_keys(&name, seen, keys);
            if let (How::Disputed { key, .. }, Some(claim)) = (&self.how, claim(seen, &name)) {
                self.take_back(&name, &claim.account, None, key).keys(seen, keys);
            }
        }
    }

    fn act(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed> {
        let taken = match &self.how {
            How::Refunded { amount, of } => {
                let names = self.names(rows);
                // Under all of them: whichever is credited, now or later, is settled.
                for name in &names {
                    rows.put(Payment::known(rows, name).after_refund(*amount, *of));
                }
                let credited = names.iter().find(|name| purchase(rows, name).is_some());
                credited.map_or(Ok(Credits::ZERO), |name| settle(rows, name, self.id, now))?
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
    gone_back(charge, How::Refunded { amount, of }, world)
}

/// `charge.dispute.created`, and `charge.dispute.funds_withdrawn`, by which an inquiry becomes one.
pub(super) fn of_dispute(event: &VerifiedEvent, world: &dyn World) -> Result<Plan, Failed> {
    let dispute = Object::of(event);
    let status = needed("status", dispute.name("status")?)?;
    // A bank that asks first has taken nothing yet.
    if status.starts_with("warning_") && event.kind() == "charge.dispute.created" {
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
