//! Payloads of an honest signature: whatever the sender signs is an event or a typed refusal.
//!
//! The bytes are the body, or a name of Standard Webhooks, a byte 0xFF and the body. Both kinds of
//! endpoint get them signed. What they make of the body is compared with a reader of JSON that
//! shares nothing with theirs ([`crate::json`]), in both directions: no repeated key is accepted, and
//! nothing is refused as unreadable that reads well (**H4**).

use std::{cell::RefCell, sync::LazyLock};

use data_encoding::BASE64;
use finalmile::{
    Credits, Error, FinalMile, Timestamp,
    engines::Memory,
    webhook::{
        Headers, Outcome, Secret, StandardWebhooks, Stripe, VerifiedEvent, WebhookError,
        WebhookOptions,
    },
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::json::{self, Fault};

const NOW_S: i64 = 1_800_000_000;
/// Whether `serde_json` is as other crates of a host may have it.
const HOST: bool = cfg!(feature = "host");
const SECRET: &[u8] = b"whsec_of_this_target_alone";

struct Endpoints {
    stripe: Stripe,
    live: Stripe,
    standard: StandardWebhooks,
}

static ENDPOINTS: LazyLock<Endpoints> = LazyLock::new(|| {
    let text = std::str::from_utf8(SECRET).expect("it is a text");
    let secret = Secret::text(text).expect("it is long enough");
    let stripe = Stripe::new(secret.clone());
    Endpoints {
        live: stripe.clone().livemode(true),
        stripe,
        standard: StandardWebhooks::new(secret),
    }
});

/// Signs the bytes in both ways and has them verified.
///
/// # Panics
///
/// When an event breaks a promise, or a good one is refused.
pub fn run(data: &[u8]) {
    let _ = accepted(data);
}

/// Whether the bytes are an event for Stripe's endpoint, and for that of Standard Webhooks.
///
/// # Panics
///
/// As [`run`].
#[must_use]
pub fn accepted(data: &[u8]) -> [bool; 2] {
    let all = &*ENDPOINTS;
    let now = Timestamp::from_millis(NOW_S * 1_000);

    let header = all.stripe.sign_for_tests(data, NOW_S);
    let verify = || all.stripe.verify_at(data, &header, now);
    let by_stripe = judged(data, verify());
    if let Some(event) = &by_stripe {
        assert_eq!(verify().as_ref().ok(), Some(event), "the second reading differs");
        agrees_with_a_plain_reading(event, data);
        consume(event);
    }
    let live = all.live.verify_at(data, &header, now).ok();
    let is_live = plain(data)["livemode"] == Value::Bool(true);
    assert_eq!(live.as_ref(), by_stripe.as_ref().filter(|_| is_live), "the other mode");

    let mut parts = data.splitn(2, |&byte| byte == 0xFF);
    let (id, body) = match (parts.next(), parts.next()) {
        (Some(id), Some(body)) => (String::from_utf8_lossy(id), body),
        _ => ("msg_1".into(), data),
    };
    let timestamp = NOW_S.to_string();
    let signature = format!("v1,{}", BASE64.encode(&standard_mac(&id, &timestamp, body)));
    let headers = Headers { id: &id, timestamp: &timestamp, signature: &signature };
    let verify = || all.standard.verify_at(body, headers, now);
    let by_standard = judged(body, verify());
    if let Some(event) = &by_standard {
        assert_eq!(verify().as_ref().ok(), Some(event), "the second reading differs");
        assert_eq!((event.id(), event.sender().as_str()), (&*id, "standard"));
        assert_eq!(event.object(), &plain(body)["data"]);
        consume(event);
    }
    [by_stripe.is_some(), by_standard.is_some()]
}

thread_local! {
    /// A store that lives for some thousand events, and how many it has seen.
    static STORE: RefCell<Option<(FinalMile, u32)>> = const { RefCell::new(None) };
}

/// What a host does next with an event: it must come to an outcome with every one that was accepted,
/// and to no other the second time (**H6**, **H8**, **H9**).
fn consume(event: &VerifiedEvent) {
    assert_eq!(event.digest(), <[u8; 32]>::from(Sha256::digest(event.body())));
    // For the log: one line, without what customers told somebody else.
    let shown = format!("{event:?}");
    assert!(!shown.chars().any(char::is_control), "{shown}");
    let fm = STORE.with_borrow_mut(|store| {
        let (fm, seen) = store.take().filter(|(_, seen)| *seen < 4_000).unwrap_or_else(|| {
            let options = WebhookOptions::default().price("price_1", Credits::new(500));
            let fm = FinalMile::builder(Memory::new()).webhooks(options).open();
            (fm.expect("memory opens"), 0)
        });
        *store = Some((fm.clone(), seen + 1));
        fm
    });
    let done = fm.webhooks().consume(event).wait().expect("memory answers");
    // A plan that read a row which it had not asked for would say so here.
    assert_ne!(done.code, Some("HANDLER_FAILED"), "{done:?}");
    let again = fm.webhooks().consume(event).wait().expect("memory answers");
    let expected = [Outcome::Duplicate, Outcome::Conflict, Outcome::Retry];
    assert!(expected.contains(&again.outcome), "{again:?}");
    assert_eq!(again.credited, Credits::ZERO);
}

/// The event, if there is one, after everything was asked of it that holds for every event.
fn judged(body: &[u8], answer: Result<VerifiedEvent, Error>) -> Option<VerifiedEvent> {
    let read = json::read(body);
    match answer {
        Ok(event) => {
            assert_eq!(event.body(), body, "the event holds other bytes than were signed");
            // With the feature, the host wants numbers as they were written.
            let is_strict = read.is_ok() || HOST && read == Err(Fault::HugeNumber);
            assert!(is_strict, "a body was accepted that reads as {read:?}");
            for name in [event.id(), event.kind()] {
                assert!((1..=255).contains(&name.len()), "a name of {} bytes", name.len());
                assert!(!name.chars().any(char::is_control), "{name:?} holds a control character");
            }
            Some(event)
        }
        Err(Error::Webhook(WebhookError::Payload { why })) => {
            let unreadable = why.starts_with("it is no JSON");
            // How deep is too deep, and which keys mean more, is for the endpoint to say.
            let doubtful = matches!(read, Err(Fault::TooDeep | Fault::ReservedKey))
                || HOST && read == Err(Fault::HugeNumber);
            assert!(doubtful || unreadable == read.is_err(), "{why}, but it reads as {read:?}");
            None
        }
        // The name of Standard Webhooks may hold a dot, or be too long for a header.
        Err(Error::Webhook(WebhookError::Header { .. })) => None,
        Err(error) => panic!("what is signed and in time was refused: {error}"),
    }
}

fn agrees_with_a_plain_reading(event: &VerifiedEvent, body: &[u8]) {
    let all = plain(body);
    assert_eq!(Some(event.id()), all["id"].as_str());
    assert_eq!(Some(event.kind()), all["type"].as_str());
    let created_s = all["created"].as_i64().expect("an event has a time");
    assert_eq!(event.created().micros(), created_s.saturating_mul(1_000_000));
    assert_eq!(event.object(), &all["data"]["object"]);
}

/// As most programs read JSON.
fn plain(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

fn standard_mac(id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("HMAC takes keys of every length");
    [id, ".", timestamp, "."].iter().for_each(|part| mac.update(part.as_bytes()));
    mac.update(body);
    mac.finalize().into_bytes().into()
}
