//! Events as Stripe would send them, made and signed here.
//!
//! ```ignore
//! #[path = "support/stripe.rs"]
//! mod stripe;
//! ```

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use finalmile::{
    Timestamp,
    webhook::{Secret, Stripe, VerifiedEvent},
};
use serde_json::{Value, json};

/// Some day in 2027, in seconds.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) fn endpoint() -> Stripe {
    Stripe::new(Secret::text("whsec_5f8d2c0e9b7a4d3c8e1f").unwrap())
}

/// The body of an event that happened `at` seconds after [`NOW`].
pub(crate) fn body(id: &str, kind: &str, at: i64, object: &Value) -> String {
    json!({
        "id": id, "object": "event", "type": kind, "created": NOW + at, "livemode": false,
        "data": { "object": object },
    })
    .to_string()
}

/// Such an event, vouched for.
pub(crate) fn event(id: &str, kind: &str, at: i64, object: &Value) -> VerifiedEvent {
    vouched(&body(id, kind, at, object))
}

pub(crate) fn vouched(body: &str) -> VerifiedEvent {
    let header = endpoint().sign_for_tests(body.as_bytes(), NOW);
    endpoint().verify_at(body.as_bytes(), &header, Timestamp::from_millis(NOW * 1_000)).unwrap()
}

/// What was changed in a fixture: `change(object, json!({"mode": "setup"}))`.
pub(crate) fn change(mut object: Value, fields: &Value) -> Value {
    for (field, value) in fields.as_object().unwrap() {
        object[field] = value.clone();
    }
    object
}

/// A checkout that `user` paid 4.99 for.
pub(crate) fn session(payment: &str, user: &str, credits: &str) -> Value {
    json!({
        "id": format!("cs_{payment}"), "object": "checkout.session", "mode": "payment",
        "payment_status": "paid", "payment_intent": payment, "subscription": null,
        "amount_total": 499, "currency": "usd", "customer_email": "someone@example.org",
        "metadata": { "user_id": user, "credits": credits },
    })
}

/// The payment behind it.
pub(crate) fn intent(payment: &str, user: &str, credits: &str) -> Value {
    json!({
        "id": payment, "object": "payment_intent", "status": "succeeded", "amount": 499,
        "amount_received": 499, "currency": "usd",
        "metadata": { "user_id": user, "credits": credits },
    })
}

pub(crate) fn subscription(id: &str, user: &str, status: &str) -> Value {
    json!({
        "id": id, "object": "subscription", "status": status, "cancel_at_period_end": false,
        "items": { "data": [{
            "id": "si_1", "price": { "id": "price_monthly" }, "current_period_end": NOW + 2_592_000,
        }] },
        "metadata": { "user_id": user, "item": "neuron:n1" },
    })
}

/// An invoice of today's shape.
pub(crate) fn invoice(id: &str, subscription: &str, user: &str) -> Value {
    json!({
        "id": id, "object": "invoice", "amount_paid": 999, "currency": "usd",
        "parent": { "type": "subscription_details", "subscription_details": {
            "subscription": subscription, "metadata": { "user_id": user },
        } },
        "lines": { "object": "list", "has_more": false, "data": [{
            "id": "il_1", "amount": 999, "quantity": 1,
            "pricing": { "type": "price_details", "price_details": { "price": "price_monthly" } },
            "parent": { "type": "subscription_item_details",
                "subscription_item_details": { "proration": false } },
        }] },
    })
}

/// A charge of 4.99, of which so many cents were refunded up to now.
pub(crate) fn charge(payment: &str, refunded: i64) -> Value {
    json!({
        "id": format!("ch_{payment}"), "object": "charge", "amount": 499,
        "amount_refunded": refunded, "refunded": refunded == 499, "currency": "usd",
        "payment_intent": payment, "invoice": null,
    })
}

pub(crate) fn dispute(id: &str, payment: &str, amount: i64) -> Value {
    json!({
        "id": id, "object": "dispute", "amount": amount, "currency": "usd",
        "charge": format!("ch_{payment}"), "payment_intent": payment, "status": "needs_response",
    })
}
