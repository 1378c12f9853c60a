//! Subscriptions: who subscribes to what, and whether it still counts.
//!
//! Their metadata must say `user_id`, and may say `item`: what they are for, as the host names it. An
//! item that somebody subscribes to is not deleted.
//!
//! # Invariants
//!
//! - **H10** What is known of a subscription is what its newest event said, in whatever order they
//!   come; one that has ended stays ended.

use crate::{
    AccountId, Credits, Timestamp, record,
    storage::{KeySet, Only, Rows, text_enum},
    trash::{ItemId, subscribe, subscribe_keys},
    webhook::{
        VerifiedEvent, WebhookOptions,
        object::{Object, needed, no, noted},
        plan::{Act, Done, Failed, Plan},
    },
};

text_enum! {
    /// How a subscription stands, in Stripe's words; later ones are further on, where two events of
    /// one second disagree.
    SubscriptionStatus {
        /// The first payment is not there yet.
        Incomplete = "incomplete",
        /// It may be used, and is not paid yet.
        Trialing = "trialing",
        /// It is paid.
        Active = "active",
        /// A payment failed, and is tried again.
        PastDue = "past_due",
        /// Payments failed for good, and it is not ended.
        Unpaid = "unpaid",
        /// Nobody pays, by agreement.
        Paused = "paused",
        /// The first payment never came. It has ended.
        IncompleteExpired = "incomplete_expired",
        /// It has ended.
        Canceled = "canceled",
    }
}

impl SubscriptionStatus {
    /// Whether whoever subscribed still counts on the item: it must not be deleted.
    #[must_use]
    pub const fn blocks_deletion(self) -> bool {
        matches!(self, Self::Trialing | Self::Active | Self::PastDue)
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::IncompleteExpired | Self::Canceled)
    }
}

/// A subscription, as its newest event told it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Subscription {
    /// Stripe's name for it: `sub_…`.
    pub id: String,
    /// Who pays. `None`: only an invoice told of it yet.
    pub account: Option<AccountId>,
    /// What it is for, as the host names it.
    pub item: Option<String>,
    /// How it stands. `None`: only an invoice told of it yet.
    pub status: Option<SubscriptionStatus>,
    /// Stripe's name for the price of its first item.
    pub price: Option<String>,
    /// Until when it is paid.
    pub period_end: Option<Timestamp>,
    /// Whether it ends then.
    pub cancel_at_period_end: bool,
    /// When the event happened that told the above. `None`: only an invoice told of it yet.
    pub told_at: Option<Timestamp>,
    /// That event's place among those of its second.
    pub told_rank: i64,
    /// That event.
    pub told_by: String,
    /// When an invoice was paid last.
    pub paid_at: Option<Timestamp>,
    /// When an invoice could not be paid last.
    pub failed_at: Option<Timestamp>,
}

record! {
    Subscription: "fm_subscription",
    key: (id: String),
    columns: (
        account, item, status, price, period_end, cancel_at_period_end, told_at, told_rank, told_by,
        paid_at, failed_at
    ),
    shard: id,
    indexes: [
        ("fm_subscription_account", (account), Only::Present("account")),
        ("fm_subscription_item", (item), Only::Present("item")),
    ],
}

impl Subscription {
    /// One that only an invoice told of.
    pub(super) fn unknown(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            account: None,
            item: None,
            status: None,
            price: None,
            period_end: None,
            cancel_at_period_end: false,
            told_at: None,
            told_rank: 0,
            told_by: String::new(),
            paid_at: None,
            failed_at: None,
        }
    }

    /// Whether what `newer` says replaces what is known (**H10**).
    fn yields_to(&self, newer: &Self) -> bool {
        let place = |one: &Self| (one.told_at, one.told_rank, one.told_by.clone());
        !self.status.is_some_and(SubscriptionStatus::has_ended) && place(self) < place(newer)
    }
}

/// What one event told.
struct Told(Subscription);

/// The item that a subscription is for, if it is named as items are.
fn item(subscription: &Subscription) -> Option<ItemId> {
    subscription.item.as_ref()?.parse().ok()
}

impl Act for Told {
    fn looks_up(&self) -> bool {
        true
    }

    fn keys(&self, seen: &Rows, keys: &mut KeySet) {
        keys.own::<Subscription>(&self.0.id);
        // It may have been for another item before.
        let known = seen.get::<Subscription>(&self.0.id).and_then(item);
        for item in known.iter().chain(&item(&self.0)) {
            subscribe_keys(item, &self.0.id, keys);
        }
    }

    fn act(&self, rows: &mut Rows, now: Timestamp) -> Result<Done, Failed> {
        let known = rows.get::<Subscription>(&self.0.id).cloned();
        let known = known.unwrap_or_else(|| Subscription::unknown(&self.0.id));
        if !known.yields_to(&self.0) {
            return Ok(Done::Ignored("OLDER_THAN_KNOWN"));
        }
        let (before, after) = (item(&known), item(&self.0));
        if let Some(before) = before.filter(|before| after.as_ref() != Some(before)) {
            subscribe(rows, &before, &self.0.id, false, now);
        }
        if let Some(after) = after {
            let counts = self.0.status.is_some_and(SubscriptionStatus::blocks_deletion);
            subscribe(rows, &after, &self.0.id, counts, now);
        }
        let Subscription { paid_at, failed_at, .. } = known;
        rows.put(Subscription { paid_at, failed_at, ..self.0.clone() });
        Ok(Done::Applied(Credits::ZERO))
    }
}

/// The last second of the year 9999: later ones are no dates.
const END_OF_DAYS: i64 = 253_402_300_799;

/// `customer.subscription.created`, `.updated`, `.deleted`.
pub(super) fn of_event(event: &VerifiedEvent, options: &WebhookOptions) -> Result<Plan, Failed> {
    let object = Object::of(event);
    let (account, item) = (object.account()?, object.item()?);
    if options.ignore_strangers && account.is_none() && item.is_none() {
        return Ok(Plan::Ignore("NOTHING_BOUGHT"));
    }
    let id = needed("id", object.id("id")?)?;
    let status = needed("status", object.name("status")?)?;
    let told = (0..).zip(SubscriptionStatus::ALL).find(|(_, one)| one.as_str() == status);
    let (place, told) = told.ok_or_else(|| no("status", "state of a subscription"))?;
    let (kind_place, status) = match event.kind() {
        // Whatever it says: it is gone.
        "customer.subscription.deleted" => (2, SubscriptionStatus::Canceled),
        "customer.subscription.updated" => (1, *told),
        _ => (0, *told),
    };
    let first = object.list("items").next();
    let price = first.and_then(|item| item.at(&["price"])).map(|price| price.id("id"));
    // It moved from the subscription to its items in 2025.
    let period_end = match object.count("current_period_end")? {
        None => first.map_or(Ok(None), |item| item.count("current_period_end"))?,
        found => found,
    };
    if period_end.is_some_and(|end| end > END_OF_DAYS) {
        return Err(no("current_period_end", "date"));
    }
    Ok(Plan::act(Told(Subscription {
        account: Some(noted("user_id", account)?),
        item: item.map(str::to_owned),
        status: Some(status),
        price: price.transpose()?.flatten().map(str::to_owned),
        period_end: period_end.map(|end| Timestamp::from_micros(end.saturating_mul(1_000_000))),
        cancel_at_period_end: object.flag("cancel_at_period_end")?,
        told_at: Some(event.created()),
        told_rank: kind_place * 100 + place,
        told_by: event.id().to_owned(),
        ..Subscription::unknown(id)
    })))
}
