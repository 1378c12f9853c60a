//! Headers nobody vouches for: whatever they say, only what was signed comes through.
//!
//! The bytes are a time (eight of them, microseconds) and five parts between bytes 0xFF, which no
//! text holds: Stripe's header, the three headers of Standard Webhooks, and the body.
//!
//! An attacker who cannot sign may still have seen what others signed. So `$0` and `$1` in a header
//! stand for the signatures of two recorded events, in the body for their bytes, and the fuzzer may
//! cut, mix and repeat them. Whatever it makes, nothing but the very recordings is accepted, and
//! those only in their time (**H1**, **H2**, **H3**).

use std::sync::LazyLock;

use data_encoding::{BASE64, HEXLOWER};
use finalmile::{
    Timestamp,
    webhook::{Headers, Secret, StandardWebhooks, Stripe, VerifiedEvent},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// When the recorded events were signed, in seconds. Nearer to each other than the tolerance, so
/// that the time of one is in time for the other.
pub const SIGNED: [i64; 2] = [1_800_000_000, 1_800_000_100];
/// The recorded events. The second one, without its first three bytes, could be a body too.
pub const BODIES: [&[u8]; 2] = [
    br#"{"id":"evt_0","type":"a.b","created":1800000000,"data":{"object":{"credits":"1"}}}"#,
    br#"   {"id":"evt_1","type":"a.b","created":1800000100,"data":{"object":{"credits":"9"}}}"#,
];
/// What the events are called in Standard Webhooks.
pub const IDS: [&str; 2] = ["msg_0", "msg_1"];

const TOLERANCE_S: i64 = 300;
const SECRET: &[u8] = b"whsec_of_this_target_alone";

struct Endpoints {
    stripe: Stripe,
    standard: StandardWebhooks,
    /// The recorded signatures, as each of them spells them.
    of_stripe: [String; 2],
    of_standard: [String; 2],
}

static ENDPOINTS: LazyLock<Endpoints> = LazyLock::new(|| {
    let text = std::str::from_utf8(SECRET).expect("it is a text");
    let secret = Secret::text(text).expect("it is long enough");
    let recorded = |spell: fn(usize) -> String| [spell(0), spell(1)];
    Endpoints {
        stripe: Stripe::new(secret.clone()),
        standard: StandardWebhooks::new(secret),
        of_stripe: recorded(|one| HEXLOWER.encode(&mac(&format!("{}.", SIGNED[one]), one))),
        of_standard: recorded(|one| {
            BASE64.encode(&mac(&format!("{}.{}.", IDS[one], SIGNED[one]), one))
        }),
    }
});

fn mac(before: &str, one: usize) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("HMAC takes keys of every length");
    mac.update(before.as_bytes());
    mac.update(BODIES[one]);
    mac.finalize().into_bytes().into()
}

/// Feeds the bytes to both kinds of endpoint.
///
/// # Panics
///
/// When something was accepted that was not signed like this.
pub fn run(data: &[u8]) {
    let _ = accepted(data);
}

/// Whether the bytes hold a recorded event with headers that are good for Stripe's endpoint, and for
/// that of Standard Webhooks.
///
/// # Panics
///
/// When something else was accepted.
#[must_use]
pub fn accepted(data: &[u8]) -> [bool; 2] {
    let Some((now, rest)) = data.split_first_chunk() else { return [false; 2] };
    let now_us = i64::from_le_bytes(*now);
    let mut parts = rest.splitn(5, |&byte| byte == 0xFF);
    let mut part = || parts.next().unwrap_or_default();
    let (header, id, timestamp, signature, body) = (part(), part(), part(), part(), part());

    let all = &*ENDPOINTS;
    let text = |part, marks: &[String; 2]| {
        let filled = filled(part, marks.each_ref().map(|mark| mark.as_bytes()));
        String::from_utf8_lossy(&filled).into_owned()
    };
    let header = text(header, &all.of_stripe);
    let [id, timestamp, signature] =
        [id, timestamp, signature].map(|part| text(part, &all.of_standard));
    let body = filled(body, BODIES);
    let now = Timestamp::from_micros(now_us);

    let by_stripe = all.stripe.verify_at(&body, &header, now).ok();
    if let Some(event) = &by_stripe {
        let one = recording(event, &body, now_us);
        assert!(header.contains(&all.of_stripe[one]), "accepted without its signature: {header}");
        assert!(header.contains(&SIGNED[one].to_string()), "accepted without its time: {header}");
    }
    let headers = Headers { id: &id, timestamp: &timestamp, signature: &signature };
    let by_standard = all.standard.verify_at(&body, headers, now).ok();
    if let Some(event) = &by_standard {
        let one = recording(event, &body, now_us);
        assert_eq!((id.as_str(), &timestamp), (IDS[one], &SIGNED[one].to_string()));
        assert!(signature.contains(&all.of_standard[one]), "accepted without its signature");
    }
    [by_stripe.is_some(), by_standard.is_some()]
}

/// Which recorded event this is.
fn recording(event: &VerifiedEvent, body: &[u8], now_us: i64) -> usize {
    let one = BODIES.iter().position(|&recorded| recorded == body);
    let one = one.expect("a body was accepted that nobody signed");
    assert_eq!(event.body(), body);
    let age_s = now_us.div_euclid(1_000_000).saturating_sub(SIGNED[one]);
    assert!(age_s.unsigned_abs() <= TOLERANCE_S.unsigned_abs(), "accepted at an age of {age_s} s");
    one
}

/// The bytes, with `$0` and `$1` replaced.
fn filled(mut part: &[u8], marks: [&[u8]; 2]) -> Vec<u8> {
    let mut all = Vec::with_capacity(part.len());
    while let [first, rest @ ..] = part {
        (part, _) = match part {
            [b'$', b'0', rest @ ..] => (rest, all.extend_from_slice(marks[0])),
            [b'$', b'1', rest @ ..] => (rest, all.extend_from_slice(marks[1])),
            _ => (rest, all.push(*first)),
        };
    }
    all
}
