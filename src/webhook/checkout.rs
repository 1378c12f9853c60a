//! One-off purchases: a checkout that was paid, or the payment behind it.
//!
//! Two events tell of one payment, with different bodies. Both credit under the payment intent's
//! name, so the first credits and the second finds it done; if they differ in account, credits,
//! amount or currency, the second is a conflict (**L4**).
//!
//! A checkout's metadata must say `user_id` and `credits`, as texts. Stripe does not copy them to the
//! payment intent unless the host asks for it (`payment_intent_data.metadata`), so an intent without
//! either is none of ours.

use crate::{
    AccountId, Credits, PaymentReference, Provider, PurchaseId, Refusal, Timestamp, TransferId,
    World,
    ledger::{Account, AddCredits, Money, Purchase},
    storage::{Command as _, KeySet, Rows},
    webhook::{
        VerifiedEvent, WebhookOptions,
        event::STRIPE,
        object::{Object, needed, no, noted},
        payment::{Payment, settle},
        plan::{Act, Done, Failed, Plan},
    },
};

/// Credits that were paid for.
pub(super) struct Credit {
    add: AddCredits,
    /// The name that they stand under: a refund of it may have come already.
    reference: PaymentReference,
    /// What taking that back is called.
    back: TransferId,
    /// Whose, if the account must be there already.
    known: Option<AccountId>,
}

impl Credit {
    /// What was bought under a reference of Stripe's.
    pub(super) fn new(
        bought: Bought<'_>,
        options: &WebhookOptions,
        world: &dyn World,
    ) -> Result<Self, Refusal> {
        let reference = PaymentReference::new(bought.reference)?;
        let known = options.known_accounts_only.then(|| bought.account.clone());
        let told = bought.told_by.map(|(key, object)| (key.to_owned(), object.to_owned()));
        let purchase = Purchase {
            account: bought.account,
            credits: bought.credits,
            provider: Provider::ours(STRIPE),
            reference: reference.clone(),
            paid: bought.paid,
            paid_at: Some(bought.paid_at),
            metadata: told.into_iter().collect(),
        };
        let add = AddCredits::new(PurchaseId::fresh(world), purchase)?;
        Ok(Self { add, reference, back: TransferId::fresh(world), known })
    }
}

/// What a payment's event says.
pub(super) struct Bought<'e> {
    pub(super) account: AccountId,
    pub(super) credits: Credits,
    pub(super) reference: &'e str,
    pub(super) paid: Money,
    pub(super) paid_at: Timestamp,
    /// Which object said so, where it is not the reference, under the metadata's key for it.
    pub(super) told_by: Option<(&'static str, &'e str)>,
}

impl Act for Credit {
    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.add.keys(seen, keys);
        keys.own::<Payment>(&self.reference);
    }

    fn act(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed> {
        if let Some(account) = &self.known
            && rows.get::<Account>(account).is_none()
        {
            let refusal = Refusal::AccountUnknown { account: account.clone() };
            return Err(Failed::hopeless(refusal.code(), refusal.to_string()));
        }
        let receipt = self.add.decide(rows, now)?;
        if receipt.idempotent {
            return Ok(Done::Applied(Credits::ZERO));
        }
        let back = settle(rows, &self.reference, self.back, now)?;
        Ok(Done::Applied(receipt.credits.minus(back).unwrap_or_default()))
    }
}

/// `checkout.session.completed`, `checkout.session.async_payment_succeeded`.
pub(super) fn of_session(
    event: &VerifiedEvent,
    options: &WebhookOptions,
    world: &dyn World,
) -> Result<Plan, Failed> {
    let session = Object::of(event);
    match session.name("payment_status")? {
        Some("paid" | "no_payment_required") => {}
        // A bank transfer that takes days; another event says when the money is there.
        Some("unpaid") => return Ok(Plan::Ignore("NOT_PAID_YET")),
        _ => return Err(no("payment_status", "state of a payment")),
    }
    let id = needed("id", session.id("id")?)?;
    let credits = session.credits()?;
    match session.name("mode")? {
        Some("setup") => return Ok(Plan::Ignore("NOTHING_BOUGHT")),
        // Its invoices credit, unless the host sells credits with the subscription itself.
        Some("subscription") if credits.is_none() => return Ok(Plan::Ignore("NOTHING_BOUGHT")),
        _ => {}
    }
    let bought = Bought {
        account: noted("user_id", session.account()?)?,
        credits: noted("credits", credits)?,
        // Free checkouts and subscriptions have no intent.
        reference: session.id("payment_intent")?.unwrap_or(id),
        paid: session.money("amount_total")?,
        paid_at: event.created(),
        told_by: Some(("session_id", id)),
    };
    Ok(Plan::act(Credit::new(bought, options, world)?))
}

/// `payment_intent.succeeded`.
pub(super) fn of_intent(
    event: &VerifiedEvent,
    options: &WebhookOptions,
    world: &dyn World,
) -> Result<Plan, Failed> {
    let intent = Object::of(event);
    let (account, credits) = (intent.account()?, intent.credits()?);
    if account.is_none() && credits.is_none() {
        return Ok(Plan::Ignore("NOTHING_BOUGHT"));
    }
    let id = needed("id", intent.id("id")?)?;
    let bought = Bought {
        account: noted("user_id", account)?,
        credits: noted("credits", credits)?,
        reference: id,
        paid: intent.money("amount_received")?,
        paid_at: event.created(),
        told_by: None,
    };
    Ok(Plan::act(Credit::new(bought, options, world)?))
}
