//! One-off purchases: a checkout that was paid, or the payment behind it.
//!
//! Two or three events tell of one payment, with different bodies. They credit under the payment
//! intent's name, so the first credits and the others find it done; if they differ in account,
//! credits, amount or currency, the later is a conflict (**L4**). A checkout that made an invoice says
//! so, and whichever of the two comes second finds what the first did.
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
        payment::{Payment, claim, credited_as, settle},
        plan::{Act, Done, Failed, Plan},
    },
};

/// Credits that were paid for.
pub(super) struct Credit {
    /// Under the payment's name, and under its invoice's, if it is known to have one.
    adds: Vec<(PaymentReference, AddCredits)>,
    /// What taking back is called, if some of it was refunded already.
    back: TransferId,
    /// Whose, if the account must be there already.
    known: Option<AccountId>,
}

impl Credit {
    /// What was bought, under a name of Stripe's. An invoice may tell of the same payment.
    pub(super) fn new(
        bought: &Bought<'_>,
        invoice: Option<&str>,
        options: &WebhookOptions,
        world: &dyn World,
    ) -> Result<Self, Refusal> {
        let known = options.known_accounts_only.then(|| bought.account.clone());
        let id = PurchaseId::fresh(world);
        let add = |reference: &str| {
            let told = bought.told_by.map(|(key, object)| (key.to_owned(), object.to_owned()));
            let reference = PaymentReference::new(reference)?;
            let purchase = Purchase {
                account: bought.account.clone(),
                credits: bought.credits,
                provider: Provider::ours(STRIPE),
                reference: reference.clone(),
                paid: bought.paid.clone(),
                paid_at: Some(bought.paid_at),
                metadata: told.into_iter().collect(),
            };
            Ok((reference, AddCredits::new(id, purchase)?))
        };
        let names = [Some(bought.reference), invoice.filter(|name| *name != bought.reference)];
        let adds = names.into_iter().flatten().map(add).collect::<Result<_, Refusal>>()?;
        Ok(Self { adds, back: TransferId::fresh(world), known })
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
        for (name, add) in &self.adds {
            add.keys(seen, keys);
            keys.own::<Payment>(name);
        }
    }

    fn act(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed> {
        if let Some(account) = &self.known
            && rows.get::<Account>(account).is_none()
        {
            let refusal = Refusal::AccountUnknown { account: account.clone() };
            return Err(Failed::hopeless(refusal.code(), refusal.to_string()));
        }
        let claimed = self.adds.iter().find(|(name, _)| claim(rows, name).is_some());
        let Some((name, add)) = claimed.or(self.adds.first()) else {
            return Ok(Done::Applied(Credits::ZERO));
        };
        // It was credited under a name that this event does not know.
        if Payment::known(rows, name).credited_as.is_some() {
            return Ok(Done::Applied(Credits::ZERO));
        }
        let receipt = add.decide(rows, now)?;
        for (other, _) in self.adds.iter().filter(|(other, _)| other != name) {
            credited_as(rows, other, name);
        }
        if receipt.idempotent {
            return Ok(Done::Applied(Credits::ZERO));
        }
        let back = settle(rows, name, self.back, now)?;
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
    let (account, credits) = (session.account()?, session.credits()?);
    if options.ignore_strangers && account.is_none() && credits.is_none() {
        return Ok(Plan::Ignore("NOTHING_BOUGHT"));
    }
    let is_subscription = match session.name("mode")? {
        Some("setup") => return Ok(Plan::Ignore("NOTHING_BOUGHT")),
        // Its invoices credit, unless the host sells credits with the subscription itself.
        Some("subscription") if credits.is_none() => return Ok(Plan::Ignore("NOTHING_BOUGHT")),
        mode => mode == Some("subscription"),
    };
    match session.name("payment_status")? {
        Some("paid") => {}
        Some("no_payment_required") if !is_subscription => {}
        // A bank transfer that takes days, or a trial; another event says when the money is there.
        Some("unpaid" | "no_payment_required") => return Ok(Plan::Ignore("NOT_PAID_YET")),
        _ => return Err(no("payment_status", "state of a payment")),
    }
    let id = needed("id", session.id("id")?)?;
    let (intent, invoice) = (session.id("payment_intent")?, session.id("invoice")?);
    // Free checkouts have no intent, and what a subscription pays has an invoice's name.
    let reference = if is_subscription { invoice.or(intent) } else { intent };
    let bought = Bought {
        account: noted("user_id", account)?,
        credits: noted("credits", credits)?,
        reference: reference.unwrap_or(id),
        paid: session.money("amount_total")?,
        paid_at: event.created(),
        told_by: Some(("session_id", id)),
    };
    Ok(Plan::act(Credit::new(&bought, invoice, options, world)?))
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
    Ok(Plan::act(Credit::new(&bought, None, options, world)?))
}
