//! The server's log: every refusal once, with everything an operator needs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/stripe.rs"]
mod stripe;
#[path = "support/world.rs"]
mod world;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use finalmile::{
    Credits, ReservationId,
    ledger::{Operation, Reserve},
    limit::Policy,
};
use serde_json::Value;
use world::{World, code, key};

/// What was logged, as the example's `--log` prints it.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn x2_every_refusal_is_logged_once_with_its_fields() {
    let lines = Lines::default();
    let writer = lines.clone();
    // The whole process, because whoever leads a batch logs for all of it.
    tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).init();
    let world = World::new();
    let begin = |size, name| world.fm.uploads().begin(&world.ada, size, &key(name)).wait();
    assert_eq!(code(begin(1 << 30, "big")), "STORAGE_LIMIT_REACHED");
    let one = Policy::window("begin-upload".parse().unwrap(), 1, Duration::from_secs(3_600));
    world.admin().configure(one.unwrap()).wait().unwrap();
    assert_eq!(code(begin(1, "again")), "RATE_LIMIT_EXCEEDED");
    world.admin().freeze(&world.ada, "why not", None).wait().unwrap();
    assert_eq!(code(begin(1, "frozen")), "ACCOUNT_FROZEN");
    assert_eq!(code(begin(0, "nothing")), "INVALID_REQUEST");
    world.admin().unfreeze(&world.ada, "enough").wait().unwrap();
    // In a batch they are told as if they had been asked alone.
    let asked = || {
        Operation::Reserve(Reserve {
            account: world.ada.clone(),
            id: ReservationId::from_bytes([1; 16]),
            amount: Credits::new(5_000),
            ttl: Duration::from_secs(60),
            key: key("hold"),
        })
    };
    assert!(world.fm.ledger().batch(vec![asked()]).wait().unwrap()[0].is_err());
    assert_eq!(code(world.fm.ledger().linked(vec![asked()]).wait()), "STORAGE_LIMIT_REACHED");

    webhooks(&world);

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let logged: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<_> = logged.iter().map(|line| line["action"].as_str().unwrap()).collect();
    let [batch, linked] = ["quota_exceeded"; 2];
    let single = ["quota_exceeded", "rate_limited", "account_frozen", "refused"];
    let events = ["refused", "event_retry", "event_dead", "event_conflict"];
    assert_eq!(actions, [&single[..], &[batch, linked], &events].concat());
    for line in &logged[4..6] {
        assert_eq!((&line["user_id"], &line["required_credits"]), (&"ada".into(), &5_000.into()));
    }
    for (line, (level, code)) in logged[6..].iter().zip([
        ("WARN", "SIGNATURE_INVALID".into()),
        ("WARN", "PURCHASE_NOT_FOUND".into()),
        ("ERROR", "METADATA_INVALID".into()),
        ("ERROR", Value::Null),
    ]) {
        assert_eq!((line["level"].as_str(), &line["code"]), (Some(level), &code), "{line}");
    }
    assert_eq!(logged[7]["event_id"], "stripe:evt_1");
    assert!(!text.contains("someone@example.org"), "a customer's data is in the log");
    let quota = &logged[0];
    assert_eq!(quota["service"], "begin-upload");
    assert_eq!(quota["user_id"], "ada");
    assert_eq!(quota["required_credits"], 102_400);
    assert_eq!(quota["available_credits"], 1_000);
    assert_eq!(quota["level"], "WARN");
    assert!(quota["timestamp"].as_str().unwrap().ends_with('Z'));
}

/// A forgery, an event that fails, one that is dead, and one under a name that was used.
fn webhooks(world: &World) {
    let body = stripe::body("evt_0", "plan.created", 0, &serde_json::json!({"id": "p"}));
    let forged = stripe::endpoint().verify(body.as_bytes(), "t=1,v1=00");
    assert_eq!(code(forged), "SIGNATURE_INVALID");
    let consume = |id: &str, kind: &str, object: &Value| {
        world.fm.webhooks().consume(&stripe::event(id, kind, 0, object)).wait().unwrap()
    };
    consume("evt_1", "charge.dispute.created", &stripe::dispute("dp_1", "pi_nobody", 1));
    let paid = "checkout.session.completed";
    consume("evt_2", paid, &stripe::session("pi_1", "ada", "many"));
    consume("evt_2", paid, &stripe::session("pi_1", "ada", "more"));
}
