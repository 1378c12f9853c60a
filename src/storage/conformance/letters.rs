//! The random log's webhooks: events of every kind, again and again, in no order, with workers that
//! come late and an admin who interferes.

use std::time::Duration;

use serde_json::{Value, json};

use super::script::{Answer, Script, submit};
use crate::{
    Actor, Credits, Provider, Timestamp,
    storage::Store,
    webhook::{
        Secret, Stripe, VerifiedEvent, WebhookOptions,
        attempt::{Attempt, ConsumeEvent},
        claim::{Claim, TakeEvent},
        dead::{Deed, What},
        plan::{Failed, Plan},
        record::Receive,
        retention::{Forget, Forgive},
        retry::Retries,
    },
};

/// What happens, and the object it happens to.
fn happening(n: u64) -> (&'static str, Value) {
    let user = format!("account-{}", n % 12);
    let metadata = json!({ "user_id": user, "credits": "900", "item": format!("item-{}", n % 5) });
    let (payment, subscription) = (format!("pi_{}", n % 700), format!("sub_{}", n % 30));
    let status = if n.is_multiple_of(2) { "active" } else { "past_due" };
    let part = [120, 300, 499][usize::try_from(n % 3).unwrap()];
    match n / 100 % 9 {
        0..2 => (
            "checkout.session.completed",
            json!({
                "id": format!("cs_{n}"), "mode": "payment", "payment_status": "paid",
                "payment_intent": payment, "amount_total": 499, "currency": "usd",
                "invoice": n.is_multiple_of(4).then(|| format!("in_{}", n % 200)),
                "metadata": metadata,
            }),
        ),
        7 => (
            "invoice_payment.paid",
            json!({
                "id": "inpay_1", "invoice": format!("in_{}", n % 200),
                "payment": {"payment_intent": payment},
            }),
        ),
        2 => (
            "payment_intent.succeeded",
            json!({
                "id": payment, "amount_received": 499, "currency": "usd", "metadata": metadata,
            }),
        ),
        3 => (
            "customer.subscription.updated",
            json!({
                "id": subscription, "status": status,
                "metadata": metadata,
            }),
        ),
        4 => (
            "invoice.payment_succeeded",
            json!({
                "id": format!("in_{}", n % 200), "amount_paid": 999, "currency": "usd",
                "subscription": subscription, "metadata": metadata,
                "lines": {"data": [{"amount": 999, "price": {"id": "price_1"}}]},
            }),
        ),
        5 => (
            "charge.refunded",
            json!({
                "id": "ch_1", "amount": 499, "amount_refunded": part, "currency": "usd",
                "payment_intent": payment,
            }),
        ),
        6 => (
            "charge.dispute.created",
            json!({
                "id": format!("dp_{}", n % 50), "amount": part, "currency": "usd",
                "status": "needs_response", "payment_intent": payment,
            }),
        ),
        _ => ("plan.created", json!({ "id": format!("plan_{}", n % 9) })),
    }
}

impl Script {
    fn event(&self) -> VerifiedEvent {
        let n = self.dice(3_000);
        let (kind, object) = happening(n);
        let (created, other) = (1_800_000_000 + n * 7 % 500, self.dice(30) == 0);
        let body = json!({
            "id": format!("evt_{n}"), "type": kind, "created": created, "livemode": other,
            "data": { "object": object },
        });
        let stripe = Stripe::new(Secret::text("whsec_0123456789abcdef").unwrap());
        let (body, now) = (body.to_string(), Timestamp::from_millis(1_800_000_000_000));
        let header = stripe.sign_for_tests(body.as_bytes(), 1_800_000_000);
        stripe.verify_at(body.as_bytes(), &header, now).unwrap()
    }

    pub(super) fn letter(&mut self, store: &Store) -> Answer {
        let event = self.event();
        let options = WebhookOptions::default().price("price_1", Credits::new(500));
        let retries = Retries::new(&options, &*self.world);
        let key: (Provider, String) = event.event_id().key();
        let receive = Receive::new(&event);
        let lane = (key.0.clone(), receive.event().object.clone());
        let plan = match self.dice(12) {
            0 => Plan::Fail(Failed::later("HANDLER_FAILED", "not now")),
            1 => Plan::Fail(Failed::hopeless("HANDLER_REFUSED", "never")),
            _ => Plan::built_in(&event, &options, &*self.world),
        };
        let attempt = |lease: Option<Claim>| {
            let left = lease.as_ref().map(|lease| lease.lane.clone());
            Attempt { key: key.clone(), lane: left, lease, plan, retries }
        };
        let kept = Duration::from_secs(self.dice(40_000));
        match self.dice(20) {
            0..9 => submit(store, ConsumeEvent { receive, attempt: attempt(None) }),
            9..12 => submit(store, receive),
            12..14 => submit(store, attempt(None)),
            14 => submit(store, TakeEvent::new(receive.event(), Duration::from_secs(600), retries)),
            15 => {
                let (token, id) = (self.number(3) + 1, key.1.clone());
                submit(store, attempt(Some(Claim { lane, token, id })))
            }
            16 => submit(store, Forget { key, kept }),
            17 => submit(store, Forgive { key, kept }),
            _ => {
                let what = [What::Replay, What::Purge, What::Note];
                let what = what[usize::try_from(self.dice(3)).unwrap()];
                let actor = Actor::new("ops").unwrap();
                let (event, reason) = (event.event_id().clone(), "it is stuck".to_owned());
                submit(store, Deed { event, actor, reason, what })
            }
        }
    }
}
