//! Invoices: what a subscription pays for, period by period.
//!
//! A paid invoice credits what the host's prices say for its lines, under the invoice's own name. Lines
//! that cost nothing (a trial) or settle a change of plan (a proration) credit nothing: a whole period's
//! line brings the credits. What a discount leaves to be paid does not matter.
//!
//! A refund names the payment's intent; which invoice that paid, another event says, and before 2025 the
//! invoice itself.
//!
//! The account is the `user_id` of the subscription's metadata, which Stripe copies to its invoices.

use crate::{
    AccountId, Credits, PaymentReference, Refusal, Timestamp, TransferId, World,
    storage::{KeySet, Rows},
    webhook::{
        Subscription, VerifiedEvent, WebhookOptions,
        checkout::{Bought, Credit},
        object::{Object, needed, noted},
        payment::{Payment, pays, purchase_keys, settle},
        plan::{Act, Done, Failed, Plan},
    },
};

/// An invoice that was paid, or not.
struct Settled {
    subscription: Option<String>,
    at: Timestamp,
    is_paid: bool,
    paid_by: Option<Pays>,
    credit: Option<Credit>,
}

/// A payment, and the invoice that it paid.
struct Pays {
    payment: PaymentReference,
    invoice: PaymentReference,
}

impl Pays {
    fn new(payment: &str, invoice: &str) -> Result<Self, Refusal> {
        let (payment, invoice) = (PaymentReference::new(payment)?, PaymentReference::new(invoice)?);
        Ok(Self { payment, invoice })
    }

    fn keys(&self, keys: &mut KeySet) {
        keys.own::<Payment>(&self.payment);
        keys.own::<Payment>(&self.invoice);
    }
}

impl Act for Settled {
    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        if let Some(id) = &self.subscription {
            keys.own::<Subscription>(id);
        }
        self.paid_by.iter().for_each(|pays| pays.keys(keys));
        if let Some(credit) = &self.credit {
            credit.keys(seen, keys);
        }
    }

    fn act(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed> {
        if let Some(id) = &self.subscription {
            let known = rows.get::<Subscription>(id).cloned();
            let mut known = known.unwrap_or_else(|| Subscription::unknown(id));
            let last = if self.is_paid { &mut known.paid_at } else { &mut known.failed_at };
            *last = (*last).max(Some(self.at));
            rows.put(known);
        }
        if let Some(Pays { payment, invoice }) = &self.paid_by {
            pays(rows, payment, invoice);
        }
        let credit = self.credit.as_ref().map(|credit| credit.act(rows, now));
        credit.unwrap_or(Ok(Done::Applied(Credits::ZERO)))
    }
}

/// `invoice.payment_succeeded`.
pub(super) fn of_success(
    event: &VerifiedEvent,
    options: &WebhookOptions,
    world: &dyn World,
) -> Result<Plan, Failed> {
    let invoice = Object::of(event);
    let subscription = subscription(invoice)?;
    let credits = credits(invoice, options)?;
    if subscription.is_none() && credits == Credits::ZERO {
        return Ok(Plan::Ignore("NOTHING_BOUGHT"));
    }
    let (mut credit, mut paid_by) = (None, None);
    if credits > Credits::ZERO {
        let id = needed("id", invoice.id("id")?)?;
        let bought = Bought {
            account: noted("user_id", account(invoice)?)?,
            credits,
            reference: id,
            paid: invoice.money("amount_paid")?,
            paid_at: event.created(),
            told_by: Some(("invoice_id", id)),
        };
        credit = Some(Credit::new(&bought, None, options, world)?);
        paid_by = intent(invoice)?.map(|intent| Pays::new(intent, id)).transpose()?;
    }
    Ok(Plan::act(Settled { subscription, at: event.created(), is_paid: true, paid_by, credit }))
}

/// `invoice.payment_failed`. What follows for the subscription, its own event tells.
pub(super) fn of_failure(event: &VerifiedEvent) -> Result<Plan, Failed> {
    let subscription = subscription(Object::of(event))?;
    if subscription.is_none() {
        return Ok(Plan::Ignore("NOTHING_BOUGHT"));
    }
    let (at, paid_by, credit) = (event.created(), None, None);
    Ok(Plan::act(Settled { subscription, at, is_paid: false, paid_by, credit }))
}

/// Says which invoice a payment paid; what was refunded of it may have come before.
struct PaidBy {
    pays: Pays,
    back: TransferId,
}

impl Act for PaidBy {
    fn looks_up(&self) -> bool {
        true
    }

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        self.pays.keys(keys);
        purchase_keys(&self.pays.invoice, seen, keys);
    }

    fn act(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed> {
        let Pays { payment, invoice } = &self.pays;
        pays(rows, payment, invoice);
        let back = settle(rows, invoice, self.back, now)?;
        Ok(Done::Applied(Credits::ZERO.minus(back).unwrap_or_default()))
    }
}

/// `invoice_payment.paid`.
pub(super) fn of_payment(event: &VerifiedEvent, world: &dyn World) -> Result<Plan, Failed> {
    let payment = Object::of(event);
    let invoice = needed("invoice", payment.id("invoice")?)?;
    let intent =
        payment.at(&["payment"]).map(|payment| payment.id("payment_intent")).transpose()?;
    // Other ways to pay, such as a charge without an intent.
    let Some(intent) = intent.flatten() else { return Ok(Plan::Ignore("NOTHING_BOUGHT")) };
    let (pays, back) = (Pays::new(intent, invoice)?, TransferId::fresh(world));
    Ok(Plan::act(PaidBy { pays, back }))
}

/// The subscription that it bills: at its end since 2025, at its top before.
fn subscription(invoice: Object<'_>) -> Result<Option<String>, Failed> {
    let parent = invoice.at(&["parent", "subscription_details"]);
    let id = match parent.map(|parent| parent.id("subscription")).transpose()?.flatten() {
        None => invoice.id("subscription")?,
        found => found,
    };
    Ok(id.map(str::to_owned))
}

/// The payment that paid it, where the event says so: among its payments since 2025, at its top before.
fn intent(invoice: Object<'_>) -> Result<Option<&str>, Failed> {
    let payments = invoice.list("payments").filter_map(|one| one.at(&["payment"]));
    let listed = payments.filter_map(|payment| payment.id("payment_intent").transpose()).next();
    listed.map_or_else(|| invoice.id("payment_intent"), |intent| intent.map(Some))
}

/// Whose it is: what the subscription's metadata said when it was made, else the invoice's own, else
/// that of a line.
fn account(invoice: Object<'_>) -> Result<Option<AccountId>, Failed> {
    let places = [
        invoice.at(&["parent", "subscription_details"]),
        invoice.at(&["subscription_details"]),
        Some(invoice),
    ];
    for place in places.into_iter().flatten().chain(invoice.list("lines")) {
        if let Some(account) = place.account()? {
            return Ok(Some(account));
        }
    }
    Ok(None)
}

/// What its lines bring, by the host's prices.
fn credits(invoice: Object<'_>, options: &WebhookOptions) -> Result<Credits, Failed> {
    let mut sum = Credits::ZERO;
    if options.prices.is_empty() {
        return Ok(sum);
    }
    let lines = invoice.at(&["lines"]).map(|lines| lines.flag("has_more"));
    if lines.unwrap_or(Ok(false))? {
        let why = "the event holds only the first of its lines";
        return Err(Failed::hopeless("PAYLOAD_INCOMPLETE", why));
    }
    for line in invoice.list("lines") {
        let Some(price) = price(line)?.and_then(|price| options.prices.get(price)) else {
            continue;
        };
        if is_proration(line)? || line.number("amount")?.is_some_and(|amount| amount <= 0) {
            continue;
        }
        let quantity = line.count("quantity")?.unwrap_or(1);
        let more = price.get().checked_mul(quantity).map(Credits::new);
        let more = more.and_then(|more| sum.plus(more));
        sum = more.ok_or_else(|| Failed::hopeless("PAYLOAD_INVALID", "quantity is too large"))?;
    }
    Ok(sum)
}

/// What a line bills: under its pricing since 2025, itself before.
fn price<'e>(line: Object<'e>) -> Result<Option<&'e str>, Failed> {
    match line.at(&["pricing", "price_details"]).map(|details| details.id("price")) {
        None => line.id("price"),
        Some(found) => found,
    }
}

/// Whether a line settles a change in the middle of a period.
fn is_proration(line: Object<'_>) -> Result<bool, Failed> {
    let places = [
        Some(line),
        line.at(&["parent", "subscription_item_details"]),
        line.at(&["parent", "invoice_item_details"]),
    ];
    places.into_iter().flatten().try_fold(false, |is, place| Ok(is | place.flag("proration")?))
}
