//! Webhooks: what is an event, and what only looks like one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use data_encoding::BASE64;
use finalmile::{
    Error, Timestamp,
    webhook::{
        BODY_BYTES_MAX, HEADER_BYTES_MAX, Headers, Secret, StandardWebhooks, Stripe, VerifiedEvent,
        WebhookError,
    },
};
use serde_json::Value;

const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW * 1_000)
}

fn stripe() -> Stripe {
    Stripe::new(Secret::text("whsec_5f8d2c0e9b7a4d3c8e1f").unwrap())
}

fn body(more: &str) -> Vec<u8> {
    format!(
        r#"{{"id":"evt_1","type":"plan.created","created":{NOW},"livemode":false{more},
            "data":{{"object":{{"id":"plan_1"}}}}}}"#
    )
    .into_bytes()
}

/// A body that is signed, whatever it is.
fn signed(body: &[u8]) -> Result<VerifiedEvent, WebhookError> {
    checked(stripe().verify_at(body, &stripe().sign_for_tests(body, NOW), now()))
}

fn checked(answer: Result<VerifiedEvent, Error>) -> Result<VerifiedEvent, WebhookError> {
    answer.map_err(|error| match error {
        Error::Webhook(error) => error,
        other => panic!("{other}"),
    })
}

#[test]
fn h3_signatures_are_judged_as_stripes_own_library_judges_them() {
    let vectors: Value = serde_json::from_str(include_str!("data/stripe_signatures.json")).unwrap();
    let stripe = Stripe::new(Secret::text(vectors["secret"].as_str().unwrap()).unwrap());
    let mut differs = Vec::new();
    for case in vectors["cases"].as_array().unwrap() {
        let body = BASE64.decode(case["body"].as_str().unwrap().as_bytes()).unwrap();
        let answer = stripe.verify_at(&body, case["header"].as_str().unwrap(), now());
        if answer.is_ok() != case["accepted"].as_bool().unwrap() {
            differs.push(case["what"].as_str().unwrap().to_owned());
        }
    }
    // A recording that is kept for a year must not become good.
    assert_eq!(differs, ["a year ahead"]);
}

#[test]
fn h1_a_rolled_secret_is_good_beside_the_new_one() {
    let new = Secret::text("whsec_the_new_one_0123456789").unwrap();
    let (old, both) = (stripe(), stripe().or(new.clone()));
    let body = body("");
    for sender in [&old, &Stripe::new(new), &both] {
        let header = sender.sign_for_tests(&body, NOW);
        assert!(both.verify_at(&body, &header, now()).is_ok());
    }
    let stranger = Stripe::new(Secret::text("whsec_somebody_elses_0123").unwrap());
    let forged = both.verify_at(&body, &stranger.sign_for_tests(&body, NOW), now());
    assert_eq!(checked(forged).unwrap_err(), WebhookError::NoMatch);
}

#[test]
fn h2_a_recording_is_refused_however_right_it_is() {
    let body = body("");
    let header = stripe().sign_for_tests(&body, NOW);
    let at = |seconds: i64| {
        let time = Timestamp::from_millis((NOW + seconds) * 1_000);
        checked(stripe().verify_at(&body, &header, time)).map(|_| ())
    };
    assert_eq!((at(300), at(-300)), (Ok(()), Ok(())));
    assert_eq!(at(301), Err(WebhookError::TooOld { seconds: 301 }));
    assert_eq!(at(-301), Err(WebhookError::TooNew { seconds: 301 }));
    let strict = stripe().tolerance(Duration::from_secs(5));
    let late = strict.verify_at(&body, &header, Timestamp::from_millis((NOW + 6) * 1_000));
    assert_eq!(late.unwrap_err().http_status(), 400);
}

#[test]
fn h4_an_event_is_read_as_it_was_sent() {
    let event = signed(&body("")).unwrap();
    assert_eq!(
        (event.event_id().to_string(), event.id(), event.kind()),
        ("stripe:evt_1".to_owned(), "evt_1", "plan.created")
    );
    assert_eq!(event.created(), now());
    assert_eq!(event.object()["id"], "plan_1");
    assert_eq!(event.body(), body(""));
    assert!(!format!("{event:?}").contains("plan_1"), "the payload is not printed");
}

#[test]
fn h4_signed_bytes_that_are_no_event_are_refused() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let long_id = format!(
        r#"{{"id":"{}","type":"a","created":1,"data":{{"object":{{}}}}}}"#,
        "x".repeat(256)
    );
    for bad in [
        &b""[..],
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{} {}",
        deep.as_bytes(),
        long_id.as_bytes(),
        br#"{"id":"evt_1","type":"a","created":1}"#,
        br#"{"id":"evt_1","type":"a","created":1,"data":{"object":[]}}"#,
        br#"{"id":"evt_1","type":"a","created":1.5,"data":{"object":{}}}"#,
        br#"{"id":"evt_1","type":"a","created":1e30,"data":{"object":{}}}"#,
        br#"{"id":"evt_1","type":"a","created":-1,"data":{"object":{}}}"#,
        br#"{"id":"evt_1","type":"a","created":"1","data":{"object":{}}}"#,
        br#"{"id":"","type":"a","created":1,"data":{"object":{}}}"#,
        br#"{"id":"a\u0000b","type":"a","created":1,"data":{"object":{}}}"#,
        br#"{"id":7,"type":"a","created":1,"data":{"object":{}}}"#,
        br#"{"id":"evt_1","type":"a","created":1,"data":{"object":{"a":1,"a":2}}}"#,
        br#"{"id":"evt_1","type":"a","created":1,"data":{"object":{"a":1,"\u0061":2}}}"#,
        // Under serde_json's feature `raw_value`, which a host may switch on, two amounts.
        br#"{"id":"evt_1","type":"a","created":1,"data":{"object":
            {"$serde_json::private::RawValue":"{\"a\":1,\"a\":2}"}}}"#,
    ] {
        let refused = signed(bad).map(|event| event.id().to_owned());
        assert!(matches!(refused, Err(WebhookError::Payload { .. })), "{bad:.60?}: {refused:?}");
    }
}

#[test]
fn h4_what_is_too_large_is_refused_before_it_is_read() {
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    let refused = stripe().verify_at(&large, "t=1,v1=0", now()).unwrap_err();
    assert_eq!((refused.code(), refused.http_status()), ("PAYLOAD_TOO_LARGE", 413));
    let mut fits = body("");
    fits.resize(BODY_BYTES_MAX, b' ');
    assert!(signed(&fits).is_ok());
    let small = stripe().body_bytes_max(10);
    assert_eq!(small.verify_at(&body(""), "", now()).unwrap_err().http_status(), 413);
    for header in ["x".repeat(1 << 20), "t=1,".repeat(HEADER_BYTES_MAX / 4 + 1), String::new()] {
        let refused = checked(stripe().verify_at(&body(""), &header, now()));
        assert!(matches!(refused, Err(WebhookError::Header { .. })));
    }
}

#[test]
fn h4_thousands_of_changed_headers_and_bodies_are_refused() {
    let (body, mut state) = (body(""), 0x9E37_79B9_7F4A_7C15_u64);
    let header = stripe().sign_for_tests(&body, NOW).into_bytes();
    let mut dice = |sides: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % sides
    };
    for round in 0..20_000 {
        let (mut body, mut header) = (body.clone(), header.clone());
        let bytes = if round % 2 == 0 { &mut body } else { &mut header };
        let at = dice(bytes.len());
        match dice(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, u8::try_from(dice(128)).unwrap()),
            2 => drop(bytes.remove(at)),
            _ => bytes[at] ^= 1 << dice(7),
        }
        let header = String::from_utf8(header).unwrap();
        let answer = stripe().verify_at(&body, &header, now());
        // What was added may be a scheme of its own.
        let same = answer.as_ref().is_ok_and(|event| event.body() == self::body(""));
        assert!(answer.is_err() || same, "{header}");
    }
}

#[test]
fn a_test_event_does_not_come_to_a_live_endpoint() {
    let body = body("");
    let live = stripe().livemode(true);
    let refused = checked(live.verify_at(&body, &live.sign_for_tests(&body, NOW), now()));
    assert_eq!(refused.unwrap_err(), WebhookError::OtherMode);
    let test = stripe().livemode(false);
    assert!(test.verify_at(&body, &test.sign_for_tests(&body, NOW), now()).is_ok());
}

#[test]
fn h3_standard_webhooks_are_read_with_the_specifications_example() {
    // The example that Svix's documentation computes step by step.
    let secret = Secret::base64("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let endpoint = StandardWebhooks::new(secret);
    let body = br#"{"test": 2432232314}"#;
    let headers = Headers {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: "1614265330",
        signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    let then = Timestamp::from_millis(1_614_265_330_000);
    // The signature is right; the example is no event, because it has no type.
    let refused = checked(endpoint.verify_at(body, headers, then));
    assert_eq!(refused.unwrap_err(), WebhookError::Payload { why: "it has no type" });
    for (other, why) in [
        (Headers { id: "msg_other", ..headers }, WebhookError::NoMatch),
        (
            Headers { signature: "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", ..headers },
            WebhookError::NoMatch,
        ),
        (Headers { timestamp: "1614265331", ..headers }, WebhookError::NoMatch),
        (Headers { timestamp: "", ..headers }, WebhookError::Header { why: "it is missing" }),
        (Headers { id: "msg.1", ..headers }, WebhookError::Header { why: "its id holds a dot" }),
    ] {
        assert_eq!(checked(endpoint.verify_at(body, other, then)).unwrap_err(), why);
    }
    let late = Timestamp::from_millis(1_614_265_631_000);
    let recorded = checked(endpoint.verify_at(body, headers, late)).unwrap_err();
    assert_eq!(recorded, WebhookError::TooOld { seconds: 301 });
}

#[test]
fn h5_a_secret_is_never_printed_and_never_weak() {
    let secret = Secret::text("whsec_5f8d2c0e9b7a4d3c8e1f").unwrap();
    let printed = format!("{secret:?} {:?} {:?}", stripe(), StandardWebhooks::new(secret.clone()));
    assert!(!printed.contains("5f8d") && printed.contains("Secret(…)"), "{printed}");
    for bad in
        ["", "short", "whsec_with a blank in it", "whsec_5f8d2c0e9b7a4d3c\n", &"x".repeat(513)]
    {
        assert!(Secret::text(bad).is_err(), "{bad:.20}");
    }
    for bad in ["whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"] {
        assert!(Secret::base64(bad).is_err(), "{bad}");
    }
}
