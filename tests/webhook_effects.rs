//! What Stripe's events do to the books, in whatever order and however often they come.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/stripe.rs"]
mod stripe;

use std::sync::Arc;

use finalmile::{
    AccountId, Credits, FinalMile, Simulated, Timestamp,
    engines::Memory,
    ledger::{Account, PurchaseRecord},
    webhook::{
        Consumed, EventId, Outcome, Subscription, SubscriptionStatus, VerifiedEvent, WebhookOptions,
    },
};
use serde_json::{Value, json};
use stripe::{NOW, change, charge, dispute, event, intent, invoice, session, subscription};

const COMPLETED: &str = "checkout.session.completed";
const SUCCEEDED: &str = "payment_intent.succeeded";
const UPDATED: &str = "customer.subscription.updated";
const PAID: &str = "invoice.payment_succeeded";

struct World {
    fm: FinalMile,
}

impl World {
    fn new() -> Self {
        Self::with(WebhookOptions::default().price("price_monthly", Credits::new(10_000)))
    }

    fn with(options: WebhookOptions) -> Self {
        let clock = Arc::new(Simulated::new(Timestamp::from_millis(NOW * 1_000), 1));
        let fm = FinalMile::builder(Memory::new()).world(clock).webhooks(options).open();
        Self { fm: fm.unwrap() }
    }

    fn consume(&self, event: &VerifiedEvent) -> Consumed {
        self.fm.webhooks().consume(event).wait().unwrap()
    }

    /// What an event came to: outcome, credits, code.
    fn tell(&self, id: &str, kind: &str, at: i64, object: &Value) -> (Outcome, i64, Option<&str>) {
        let done = self.consume(&event(id, kind, at, object));
        (done.outcome, done.credited.get(), done.code)
    }

    fn account(&self, name: &str) -> Option<Account> {
        self.fm.ledger().account(&AccountId::new(name).unwrap()).wait().unwrap()
    }

    fn balance(&self) -> i64 {
        self.account("ada").map_or(0, |account| account.balance.get())
    }

    fn purchases(&self) -> Vec<PurchaseRecord> {
        self.fm.ledger().purchases(&AccountId::new("ada").unwrap(), None).wait().unwrap().rows
    }

    fn subscription(&self) -> Option<Subscription> {
        self.fm.webhooks().subscription("sub_1").wait().unwrap()
    }
}

const OK: fn(i64) -> (Outcome, i64, Option<&'static str>) = |credits| (Outcome::Ok, credits, None);
const DEAD: fn(&'static str) -> (Outcome, i64, Option<&'static str>) =
    |code| (Outcome::Dead, 0, Some(code));
const IGNORED: fn(&'static str) -> (Outcome, i64, Option<&'static str>) =
    |code| (Outcome::Ignored, 0, Some(code));

#[test]
fn a_paid_checkout_credits_under_its_payment_intent() {
    let world = World::new();
    assert_eq!(world.tell("evt_1", COMPLETED, 0, &session("pi_1", "ada", "1000")), OK(1_000));
    let [bought] = &world.purchases()[..] else { panic!() };
    assert_eq!((bought.provider.as_str(), bought.reference.as_str()), ("stripe", "pi_1"));
    assert_eq!((bought.amount_minor, bought.currency.as_str()), (499, "usd"));
    assert_eq!(bought.metadata, r#"{"session_id":"cs_pi_1"}"#);
    assert_eq!(bought.paid_at, Timestamp::from_millis(NOW * 1_000));
}

#[test]
fn l4_two_events_of_one_payment_credit_once_in_either_order() {
    for order in [[0, 1], [1, 0]] {
        let world = World::new();
        let events = [
            event("evt_1", COMPLETED, 0, &session("pi_1", "ada", "1000")),
            event("evt_2", SUCCEEDED, 0, &intent("pi_1", "ada", "1000")),
        ];
        let credited: Vec<_> = order
            .iter()
            .map(|n| world.consume(&events[*n]))
            .map(|done| (done.outcome, done.credited.get()))
            .collect();
        assert_eq!(credited, [(Outcome::Ok, 1_000), (Outcome::Ok, 0)]);
        assert_eq!((world.balance(), world.purchases().len()), (1_000, 1));
    }
}

#[test]
fn l4_two_events_that_disagree_about_a_payment_are_a_dead_letter() {
    for other in [
        intent("pi_1", "bob", "1000"),
        intent("pi_1", "ada", "9000"),
        change(intent("pi_1", "ada", "1000"), &json!({"amount_received": 498})),
        change(intent("pi_1", "ada", "1000"), &json!({"currency": "eur"})),
    ] {
        let world = World::new();
        world.tell("evt_1", COMPLETED, 0, &session("pi_1", "ada", "1000"));
        assert_eq!(world.tell("evt_2", SUCCEEDED, 0, &other), DEAD("IDEMPOTENCY_CONFLICT"));
        assert_eq!(world.balance(), 1_000);
        assert!(world.account("bob").is_none());
    }
}

#[test]
fn a_checkout_credits_when_the_money_is_there() {
    let world = World::new();
    let unpaid = change(session("pi_1", "ada", "1000"), &json!({"payment_status": "unpaid"}));
    assert_eq!(world.tell("evt_1", COMPLETED, 0, &unpaid), IGNORED("NOT_PAID_YET"));
    assert_eq!(world.balance(), 0);
    let kind = "checkout.session.async_payment_succeeded";
    assert_eq!(world.tell("evt_2", kind, 60, &session("pi_1", "ada", "1000")), OK(1_000));
}

#[test]
fn a_free_checkout_credits_under_its_own_name() {
    let world = World::new();
    let free = json!({
        "payment_status": "no_payment_required", "payment_intent": null, "amount_total": 0
    });
    let free = change(session("pi_1", "ada", "10"), &free);
    assert_eq!(world.tell("evt_1", COMPLETED, 0, &free), OK(10));
    assert_eq!(world.purchases()[0].reference.as_str(), "cs_pi_1");
    // The intent may come expanded.
    let expanded = json!({"payment_intent": {"id": "pi_2", "object": "payment_intent"}});
    let expanded = change(session("pi_x", "ada", "10"), &expanded);
    assert_eq!(world.tell("evt_2", COMPLETED, 0, &expanded), OK(10));
    assert_eq!(world.tell("evt_3", SUCCEEDED, 0, &intent("pi_2", "ada", "10")), OK(0));
}

#[test]
fn l4_a_checkout_and_its_invoice_credit_once_in_every_order() {
    // A subscription's first payment, for which the host sells credits with the checkout.
    let first = json!({
        "mode": "subscription", "payment_intent": null, "invoice": "in_1", "amount_total": 999,
    });
    let subscribed = change(session("pi_1", "ada", "10000"), &first);
    // A purchase for which Stripe makes an invoice.
    let invoiced = json!({"invoice": "in_1", "amount_total": 999});
    let invoiced = change(session("pi_1", "ada", "10000"), &invoiced);
    let intent = change(intent("pi_1", "ada", "10000"), &json!({"amount_received": 999}));
    let pays = json!({
        "id": "inpay_1", "invoice": "in_1",
        "payment": {"type": "payment_intent", "payment_intent": "pi_1"},
    });
    let refunded = change(charge("pi_1", 333), &json!({"amount": 999}));
    let events = |session: &Value| {
        [
            event("evt_1", COMPLETED, 0, session),
            event("evt_2", PAID, 0, &invoice("in_1", "sub_1", "ada")),
            event("evt_3", "invoice_payment.paid", 0, &pays),
            event("evt_4", "charge.refunded", 0, &refunded),
            event("evt_5", SUCCEEDED, 0, &intent),
        ]
    };
    for order in permutations(&[0, 1, 2, 3]) {
        let world = World::new();
        order.iter().for_each(|n| drop(world.consume(&events(&subscribed)[*n])));
        assert_eq!((world.balance(), world.purchases().len()), (6_667, 1), "{order:?}");
    }
    // An intent that comes before both others know of each other stays the only one to credit.
    for order in permutations(&[0, 1, 2, 3, 4]) {
        let at = |n: usize| order.iter().position(|one| *one == n).unwrap();
        if at(4) < at(0) && at(1) < at(0) {
            continue;
        }
        let world = World::new();
        order.iter().for_each(|n| drop(world.consume(&events(&invoiced)[*n])));
        assert_eq!((world.balance(), world.purchases().len()), (6_667, 1), "{order:?}");
    }
    // A disagreement is money of nobody.
    let world = World::new();
    world.consume(&events(&subscribed)[1]);
    let other = change(subscribed, &json!({"metadata": {"user_id": "ada", "credits": "7"}}));
    assert_eq!(world.tell("evt_9", COMPLETED, 0, &other), DEAD("IDEMPOTENCY_CONFLICT"));
}

#[test]
fn a_trial_brings_no_credits_and_strangers_are_ignored_on_request() {
    let world = World::new();
    let trial = json!({
        "mode": "subscription", "payment_status": "no_payment_required", "payment_intent": null,
    });
    let trial = change(session("pi_1", "ada", "1000"), &trial);
    assert_eq!(world.tell("evt_1", COMPLETED, 0, &trial), IGNORED("NOT_PAID_YET"));
    let mut options = WebhookOptions::default();
    options.ignore_strangers = true;
    let world = World::with(options);
    let shirt = change(session("pi_1", "", ""), &json!({"metadata": {"size": "XL"}}));
    assert_eq!(world.tell("evt_1", COMPLETED, 0, &shirt), IGNORED("NOTHING_BOUGHT"));
    let club = change(subscription("sub_1", "", "active"), &json!({"metadata": {}}));
    assert_eq!(world.tell("evt_2", UPDATED, 0, &club), IGNORED("NOTHING_BOUGHT"));
    let half = change(session("pi_1", "", ""), &json!({"metadata": {"credits": "5"}}));
    assert_eq!(world.tell("evt_3", COMPLETED, 0, &half), DEAD("METADATA_INVALID"));
}

#[test]
fn what_sells_nothing_is_ignored() {
    let world = World::new();
    let bare = json!({"metadata": {}, "payment_intent": null});
    for (n, object) in [
        change(session("pi_1", "ada", "5"), &json!({"mode": "setup"})),
        change(change(session("pi_2", "ada", "5"), &json!({"mode": "subscription"})), &bare),
    ]
    .iter()
    .enumerate()
    {
        let told = world.tell(&format!("evt_{n}"), COMPLETED, 0, object);
        assert_eq!(told, IGNORED("NOTHING_BOUGHT"));
    }
    let foreign = change(intent("pi_3", "", ""), &json!({"metadata": {"shirt": "XL"}}));
    assert_eq!(world.tell("evt_8", SUCCEEDED, 0, &foreign), IGNORED("NOTHING_BOUGHT"));
    assert_eq!(
        world.tell("evt_9", "plan.created", 0, &json!({"id": "p"})),
        IGNORED("KIND_UNKNOWN")
    );
}

#[test]
fn h9_what_is_not_exactly_right_is_a_dead_letter_and_changes_nothing() {
    let good = || session("pi_1", "ada", "1000");
    let metadata = |value: Value| change(good(), &json!({"metadata": value}));
    let cases = [
        (change(good(), &json!({"metadata": null})), "METADATA_INVALID"),
        (change(good(), &json!({"metadata": "ada"})), "METADATA_INVALID"),
        (metadata(json!({"credits": "1000"})), "METADATA_INVALID"),
        (metadata(json!({"user_id": "ada"})), "METADATA_INVALID"),
        (metadata(json!({"user_id": "", "credits": "1000"})), "METADATA_INVALID"),
        (metadata(json!({"user_id": 7, "credits": "1000"})), "METADATA_INVALID"),
        (metadata(json!({"user_id": "ada", "credits": 1000})), "METADATA_INVALID"),
        (metadata(json!({"user_id": "ada", "credits": "-5"})), "METADATA_INVALID"),
        (metadata(json!({"user_id": "ada", "credits": "1e3"})), "METADATA_INVALID"),
        (metadata(json!({"user_id": "a\u{0}b", "credits": "5"})), "METADATA_INVALID"),
        (metadata(json!({"user_id": "x".repeat(300), "credits": "5"})), "METADATA_INVALID"),
        (change(good(), &json!({"amount_total": 4.99})), "PAYLOAD_INVALID"),
        (change(good(), &json!({"amount_total": 1e30})), "PAYLOAD_INVALID"),
        (change(good(), &json!({"amount_total": "499"})), "PAYLOAD_INVALID"),
        (change(good(), &json!({"amount_total": -1})), "PAYLOAD_INVALID"),
        (change(good(), &json!({"amount_total": null})), "PAYLOAD_INVALID"),
        (change(good(), &json!({"currency": "USD"})), "INVALID_REQUEST"),
        (change(good(), &json!({"currency": "doubloons"})), "INVALID_REQUEST"),
        (change(good(), &json!({"payment_status": "perhaps"})), "PAYLOAD_INVALID"),
        (change(good(), &json!({"payment_intent": 7})), "PAYLOAD_INVALID"),
        (change(good(), &json!({"id": null, "payment_intent": null})), "PAYLOAD_INVALID"),
    ];
    let world = World::new();
    for (n, (object, code)) in cases.into_iter().enumerate() {
        assert_eq!(world.tell(&format!("evt_{n}"), COMPLETED, 0, &object), DEAD(code), "{object}");
    }
    assert!(world.account("ada").is_none());
}

#[test]
fn an_unknown_account_is_opened_or_a_dead_letter_as_the_host_likes() {
    let mut options = WebhookOptions::default();
    options.known_accounts_only = true;
    let world = World::with(options);
    let paid = session("pi_1", "ada", "1000");
    assert_eq!(world.tell("evt_1", COMPLETED, 0, &paid), DEAD("ACCOUNT_NOT_FOUND"));
    assert!(world.account("ada").is_none());
    assert_eq!(World::new().tell("evt_1", COMPLETED, 0, &paid), OK(1_000));
}

#[test]
fn h10_a_subscription_is_what_its_newest_event_said_in_every_order() {
    let created = "customer.subscription.created";
    let events = [
        event("evt_1", created, 0, &subscription("sub_1", "ada", "incomplete")),
        event("evt_2", UPDATED, 0, &subscription("sub_1", "ada", "active")),
        event("evt_3", UPDATED, 50, &subscription("sub_1", "ada", "past_due")),
        event("evt_4", UPDATED, 90, &subscription("sub_1", "ada", "active")),
    ];
    for order in permutations(&[0, 1, 2, 3]) {
        let world = World::new();
        for n in &order {
            world.consume(&events[*n]);
        }
        let known = world.subscription().unwrap();
        assert_eq!(known.status, Some(SubscriptionStatus::Active), "{order:?}");
        assert_eq!((known.told_by.as_str(), known.item.as_deref()), ("evt_4", Some("neuron:n1")));
        assert_eq!(known.price.as_deref(), Some("price_monthly"));
        assert_eq!(known.period_end, Some(Timestamp::from_millis((NOW + 2_592_000) * 1_000)));
    }
    // One that has ended stays ended, whatever comes later.
    let world = World::new();
    let deleted = "customer.subscription.deleted";
    assert_eq!(world.tell("evt_5", deleted, 5, &subscription("sub_1", "ada", "canceled")), OK(0));
    let late = world.tell("evt_6", UPDATED, 9, &subscription("sub_1", "ada", "active"));
    assert_eq!(late, IGNORED("OLDER_THAN_KNOWN"));
    assert!(world.subscription().unwrap().status.unwrap().has_ended());
}

fn permutations(of: &[usize]) -> Vec<Vec<usize>> {
    if of.is_empty() {
        return vec![vec![]];
    }
    let with = |first: usize| {
        let rest: Vec<_> = of.iter().copied().filter(|n| *n != first).collect();
        permutations(&rest).into_iter().map(move |mut rest| {
            rest.insert(0, first);
            rest
        })
    };
    of.iter().flat_map(|first| with(*first)).collect()
}

#[test]
fn subscriptions_are_found_by_account_and_by_item() {
    let world = World::new();
    world.tell("evt_1", UPDATED, 0, &subscription("sub_1", "ada", "active"));
    world.tell("evt_2", UPDATED, 0, &subscription("sub_2", "bob", "trialing"));
    let ada = AccountId::new("ada").unwrap();
    let hers = world.fm.webhooks().subscriptions(&ada, None).wait().unwrap().rows;
    assert_eq!(hers.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["sub_1"]);
    let all = world.fm.webhooks().subscribers("neuron:n1", None).wait().unwrap().rows;
    assert_eq!(all.len(), 2);
    let blocks = |one: &Subscription| one.status.unwrap().blocks_deletion();
    assert!(all.iter().all(blocks));
    let bad = change(subscription("sub_3", "ada", "active"), &json!({"metadata": {}}));
    assert_eq!(world.tell("evt_3", UPDATED, 0, &bad), DEAD("METADATA_INVALID"));
    let odd = subscription("sub_3", "ada", "frozen");
    assert_eq!(world.tell("evt_4", UPDATED, 0, &odd), DEAD("PAYLOAD_INVALID"));
}

#[test]
fn an_invoice_credits_by_the_hosts_prices_once() {
    let world = World::new();
    let today = invoice("in_1", "sub_1", "ada");
    assert_eq!(world.tell("evt_1", PAID, 0, &today), OK(10_000));
    assert_eq!(world.tell("evt_2", PAID, 0, &today), OK(0));
    assert_eq!(world.purchases()[0].reference.as_str(), "in_1");
    assert_eq!(world.purchases()[0].metadata, r#"{"invoice_id":"in_1"}"#);
    // As it was before 2025.
    let before = json!({
        "id": "in_2", "amount_paid": 1998, "currency": "usd", "subscription": "sub_1",
        "subscription_details": {"metadata": {"user_id": "ada"}},
        "lines": {"data": [
            {"amount": 1998, "quantity": 2, "proration": false, "price": {"id": "price_monthly"}},
            {"amount": 700, "quantity": 1, "proration": true, "price": {"id": "price_monthly"}},
            {"amount": -300, "quantity": 1, "proration": false, "price": {"id": "price_monthly"}},
            {"amount": 0, "quantity": 1, "proration": false, "price": {"id": "price_monthly"}},
            {"amount": 500, "quantity": 1, "proration": false, "price": {"id": "price_of_shirts"}},
            {"amount": 500, "quantity": 1, "price": null},
        ]},
    });
    assert_eq!(world.tell("evt_3", PAID, 0, &before), OK(20_000));
    assert_eq!(world.balance(), 30_000);
    let more =
        change(today.clone(), &json!({"id": "in_3", "lines": {"data": [], "has_more": true}}));
    assert_eq!(world.tell("evt_4", PAID, 0, &more), DEAD("PAYLOAD_INCOMPLETE"));
    let nobody =
        json!({"id": "in_4", "parent": {"subscription_details": {"subscription": "sub_1"}}});
    assert_eq!(
        world.tell("evt_5", PAID, 0, &change(today.clone(), &nobody)),
        DEAD("METADATA_INVALID")
    );
    // Without a price: nothing, and that is right.
    let world = World::with(WebhookOptions::default());
    assert_eq!(world.tell("evt_1", PAID, 0, &today), OK(0));
    assert_eq!(world.balance(), 0);
}

#[test]
fn a_subscription_remembers_its_invoices_even_before_it_is_known() {
    let world = World::new();
    let failed = "invoice.payment_failed";
    assert_eq!(world.tell("evt_1", failed, 30, &invoice("in_1", "sub_1", "ada")), OK(0));
    world.tell("evt_2", PAID, 60, &invoice("in_1", "sub_1", "ada"));
    world.tell("evt_3", failed, 20, &invoice("in_0", "sub_1", "ada"));
    assert_eq!(world.subscription().unwrap().status, None);
    world.tell("evt_4", UPDATED, 10, &subscription("sub_1", "ada", "active"));
    let known = world.subscription().unwrap();
    let at = |seconds| Some(Timestamp::from_millis((NOW + seconds) * 1_000));
    assert_eq!((known.paid_at, known.failed_at), (at(60), at(30)));
    assert_eq!(known.status, Some(SubscriptionStatus::Active));
    let single = change(invoice("in_2", "", "ada"), &json!({"parent": null}));
    assert_eq!(world.tell("evt_5", failed, 0, &single), IGNORED("NOTHING_BOUGHT"));
}

#[test]
fn h11_refunds_take_back_their_share_in_every_order() {
    let refunds = [(0, 100), (1, 250), (2, 499)];
    for order in permutations(&[0, 1, 2]) {
        for until in 1..=3 {
            let world = World::new();
            world.tell("evt_p", COMPLETED, 0, &session("pi_1", "ada", "1000"));
            let mut most = 0;
            for (n, refunded) in order.iter().take(until).map(|n| refunds[*n]) {
                most = most.max(refunded);
                world.tell(&format!("evt_{n}"), "charge.refunded", n, &charge("pi_1", refunded));
            }
            assert_eq!(world.balance(), 1_000 - 1_000 * most / 499, "{order:?} {until}");
        }
    }
}

#[test]
fn h11_what_the_host_took_back_itself_is_not_taken_again() {
    let world = World::new();
    world.tell("evt_p", COMPLETED, 0, &session("pi_1", "ada", "1000"));
    let (ada, payment) =
        (AccountId::new("ada").unwrap(), ("stripe".parse().unwrap(), "pi_1".parse().unwrap()));
    let key = "re_1".parse().unwrap();
    world.fm.ledger().refund(&ada, payment, None, &key).wait().unwrap();
    assert_eq!(world.tell("evt_1", "charge.refunded", 1, &charge("pi_1", 499)), OK(0));
    assert_eq!(world.balance(), 0);
}

#[test]
fn a_refund_of_spent_credits_is_owed() {
    let world = World::new();
    world.tell("evt_p", COMPLETED, 0, &session("pi_1", "ada", "1000"));
    let ada = AccountId::new("ada").unwrap();
    let bob = AccountId::new("bob").unwrap();
    world.tell("evt_b", COMPLETED, 0, &session("pi_2", "bob", "1"));
    let gift = world.fm.ledger().transfer(&ada, &bob, Credits::new(700), &"t".parse().unwrap());
    gift.wait().unwrap();
    assert_eq!(world.tell("evt_1", "charge.refunded", 1, &charge("pi_1", 499)), OK(-1_000));
    let account = world.account("ada").unwrap();
    assert_eq!((account.balance.get(), account.debt.get()), (0, 700));
}

#[test]
fn a_dispute_takes_back_once_and_an_inquiry_nothing() {
    let world = World::new();
    world.tell("evt_p", COMPLETED, 0, &session("pi_1", "ada", "1000"));
    let kind = "charge.dispute.created";
    let asked = change(dispute("dp_0", "pi_1", 499), &json!({"status": "warning_needs_response"}));
    assert_eq!(world.tell("evt_0", kind, 1, &asked), IGNORED("NOTHING_TAKEN"));
    assert_eq!(world.tell("evt_1", kind, 2, &dispute("dp_1", "pi_1", 499)), OK(-1_000));
    assert_eq!(world.tell("evt_2", kind, 2, &dispute("dp_1", "pi_1", 499)), OK(0));
    assert_eq!(world.balance(), 0);
    let early = world.tell("evt_9", kind, 2, &dispute("dp_9", "pi_9", 499));
    assert_eq!(early, (Outcome::Retry, 0, Some("PURCHASE_NOT_FOUND")));
    let euros = change(dispute("dp_2", "pi_1", 1), &json!({"currency": "eur"}));
    assert_eq!(world.tell("evt_3", kind, 3, &euros), DEAD("PAYLOAD_INVALID"));
    // By the bank's own rate of exchange.
    world.tell("evt_q", COMPLETED, 0, &session("pi_2", "ada", "1000"));
    assert_eq!(world.tell("evt_4", kind, 3, &dispute("dp_3", "pi_2", 503)), OK(-1_000));
    // An inquiry that becomes a dispute says so when the money is gone.
    world.tell("evt_r", COMPLETED, 0, &session("pi_3", "ada", "1000"));
    let gone = "charge.dispute.funds_withdrawn";
    let half = change(dispute("dp_4", "pi_3", 249), &json!({"status": "warning_needs_response"}));
    assert_eq!(world.tell("evt_5", gone, 3, &half), OK(-498));
    let half = dispute("dp_4", "pi_3", 249);
    assert_eq!(world.tell("evt_6", kind, 3, &half), OK(0));
}

#[test]
fn h11_a_refund_that_overtakes_its_payment_is_settled_with_it() {
    let world = World::new();
    assert_eq!(world.tell("evt_1", "charge.refunded", 9, &charge("pi_1", 100)), OK(0));
    assert_eq!(world.tell("evt_2", "charge.refunded", 9, &charge("pi_1", 250)), OK(0));
    let left = 1_000 - 1_000 * 250 / 499;
    assert_eq!(world.tell("evt_p", COMPLETED, 0, &session("pi_1", "ada", "1000")), OK(left));
    assert_eq!(world.tell("evt_q", SUCCEEDED, 0, &intent("pi_1", "ada", "1000")), OK(0));
    assert_eq!(world.balance(), left);
    // Of something else that is sold there: noted, and nobody is woken.
    assert_eq!(world.tell("evt_3", "charge.refunded", 9, &charge("pi_shirt", 499)), OK(0));
    let foreign = change(charge("", 499), &json!({"payment_intent": null}));
    assert_eq!(world.tell("evt_4", "charge.refunded", 9, &foreign), IGNORED("NOTHING_BOUGHT"));
    let too_much = charge("pi_1", 500);
    assert_eq!(world.tell("evt_5", "charge.refunded", 9, &too_much), DEAD("PAYLOAD_INVALID"));
}

#[test]
fn h11_an_invoices_refund_finds_its_credits_in_every_order() {
    let pays = json!({
        "id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "amount_paid": 999,
        "payment": {"type": "payment_intent", "payment_intent": "pi_1"}, "status": "paid",
    });
    let charge = change(charge("pi_1", 333), &json!({"amount": 999}));
    let events = [
        event("evt_1", PAID, 0, &invoice("in_1", "sub_1", "ada")),
        event("evt_2", "invoice_payment.paid", 0, &pays),
        event("evt_3", "charge.refunded", 9, &charge),
        event(
            "evt_4",
            "charge.refunded",
            8,
            &change(charge.clone(), &json!({"amount_refunded": 9})),
        ),
    ];
    for order in permutations(&[0, 1, 2, 3]) {
        let world = World::new();
        let credited: i64 = order.iter().map(|n| world.consume(&events[*n]).credited.get()).sum();
        assert_eq!((world.balance(), credited), (6_667, 6_667), "{order:?}");
    }
    // Before 2025 the invoice said it, or the charge.
    let world = World::new();
    let old = change(invoice("in_1", "sub_1", "ada"), &json!({"payment_intent": "pi_1"}));
    world.consume(&event("evt_3", "charge.refunded", 9, &charge));
    assert_eq!(world.tell("evt_1", PAID, 0, &old), OK(6_667));
    let world = World::new();
    let named = change(charge, &json!({"invoice": "in_1"}));
    assert_eq!(world.tell("evt_3", "charge.refunded", 9, &named), OK(0));
    assert_eq!(world.tell("evt_1", PAID, 0, &invoice("in_1", "sub_1", "ada")), OK(6_667));
    assert_eq!(
        world.tell("evt_d", "charge.dispute.created", 9, &dispute("dp", "pi_1", 1)).0,
        Outcome::Retry
    );
}

#[test]
fn h11_a_refund_and_a_dispute_of_one_charge_take_back_both_shares_in_either_order() {
    for order in permutations(&[0, 1, 2]) {
        let world = World::new();
        world.tell("evt_p", COMPLETED, 0, &session("pi_1", "ada", "1000"));
        let events = [
            ("charge.refunded", charge("pi_1", 50)),
            ("charge.refunded", charge("pi_1", 100)),
            ("charge.dispute.created", dispute("dp_1", "pi_1", 399)),
        ];
        for n in &order {
            world.tell(&format!("evt_{n}"), events[*n].0, 1, &events[*n].1);
        }
        assert_eq!(world.balance(), 1_000 - 1_000 * 100 / 499 - 1_000 * 399 / 499, "{order:?}");
    }
}

#[test]
fn an_event_of_somebody_else_means_nothing_here() {
    use finalmile::webhook::{Headers, StandardWebhooks};
    let secret =
        || finalmile::webhook::Secret::base64("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    assert!(StandardWebhooks::new(secret()).sender("stripe".parse().unwrap()).is_err());
    let svix = StandardWebhooks::new(secret()).sender("svix".parse().unwrap()).unwrap();
    let body = stripe::body("evt_1", COMPLETED, 0, &session("pi_1", "ada", "1000"));
    let (id, timestamp) = ("msg_1", NOW.to_string());
    let signature = sign(&format!("{id}.{timestamp}.{body}"));
    let headers = Headers { id, timestamp: &timestamp, signature: &signature };
    let event =
        svix.verify_at(body.as_bytes(), headers, Timestamp::from_millis(NOW * 1_000)).unwrap();
    let world = World::new();
    let done = world.consume(&event);
    assert_eq!((done.outcome, done.code), (Outcome::Ignored, Some("KIND_UNKNOWN")));
    assert_eq!(done.event, EventId::new(&"svix".parse().unwrap(), "msg_1").unwrap());
    assert_eq!(world.balance(), 0);
}

/// As Standard Webhooks signs.
fn sign(text: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let key = data_encoding::BASE64.decode(b"C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    mac.update(text.as_bytes());
    format!("v1,{}", data_encoding::BASE64.encode(&mac.finalize().into_bytes()))
}
