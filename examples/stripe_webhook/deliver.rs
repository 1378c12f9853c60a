//! Deliveries as Stripe makes them: at the same time, in any order, and more than once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use finalmile::{
    Error, FinalMile, SystemWorld, World as _,
    webhook::{Consumed, Outcome, VerifiedEvent},
};
use serde_json::json;

use crate::{cli::say, open, options::Deliver};

/// Few buyers, so that their payments meet.
const BUYERS: u64 = 5;
/// Some day in 2027: an event's body is the same whenever it is sent.
const CREATED: u64 = 1_800_000_000;

/// Sends all events and says which are done; whether all are.
pub(crate) fn deliver(task: &Deliver) -> Result<bool, Error> {
    let fm = open(&task.db, None)?;
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..task.workers).map(|_| scope.spawn(|| work(&fm, task, &next))).collect();
        workers.into_iter().try_fold(true, |all, worker| match worker.join() {
            Ok(done) => Ok(done? && all),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

fn work(fm: &FinalMile, task: &Deliver, next: &AtomicU64) -> Result<bool, Error> {
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= task.events {
            return Ok(true);
        }
        // Every third time, what another worker may be at right now comes as well.
        let again = n.checked_sub(1).filter(|_| n.is_multiple_of(3));
        for n in [Some(n), again].into_iter().flatten() {
            let event = event(task, n)?;
            let done = patiently(fm, &event)?;
            match done.outcome {
                Outcome::Ok | Outcome::Duplicate => say(&format!("acked {}", event.id())),
                other => {
                    eprintln!("{}: {} {:?}", event.id(), other.as_str(), done.reason);
                    return Ok(false);
                }
            }
        }
    }
}

/// The n-th event of a run. Two tell of each payment: now the checkout comes first, now the intent.
fn event(task: &Deliver, n: u64) -> Result<VerifiedEvent, Error> {
    let number = n / 2;
    let payment = format!("pi_{}_{number}", task.run);
    let credits = (10 + number % 90).to_string();
    let metadata = json!({ "user_id": format!("buyer-{}", number % BUYERS), "credits": credits });
    let (kind, object) = if n % 2 == number % 2 {
        let object = json!({
            "id": format!("cs_{payment}"), "mode": "payment", "payment_status": "paid",
            "payment_intent": payment, "amount_total": 499, "currency": "usd", "metadata": metadata,
        });
        ("checkout.session.completed", object)
    } else {
        let object = json!({
            "id": payment, "amount_received": 499, "currency": "usd", "metadata": metadata,
        });
        ("payment_intent.succeeded", object)
    };
    let event = json!({
        "id": format!("evt_{}_{n}", task.run), "type": kind, "created": CREATED + n,
        "livemode": false, "data": { "object": object },
    });
    let (body, now) = (event.to_string(), SystemWorld.now());
    let header = task.stripe.sign_for_tests(body.as_bytes(), now.micros() / 1_000_000);
    task.stripe.verify_at(body.as_bytes(), &header, now)
}

/// Sends again what was not answered, for some seconds.
fn patiently(fm: &FinalMile, event: &VerifiedEvent) -> Result<Consumed, Error> {
    for _ in 0..1_000 {
        match fm.webhooks().consume(event).wait() {
            Err(error) if error.is_retryable() => thread::sleep(Duration::from_millis(20)),
            done => return done,
        }
    }
    fm.webhooks().consume(event).wait()
}
