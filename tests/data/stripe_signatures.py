"""Makes stripe_signatures.json: what Stripe's own library says of signatures, good and bad.

    python3 -m venv venv && venv/bin/pip install stripe==16.1.0
    venv/bin/python tests/data/stripe_signatures.py > tests/data/stripe_signatures.json

Each case has a body (base64, because some are no text), a header, the endpoint's secret, the time and
the tolerance in seconds, and what `WebhookSignature.verify_header` of the library answered.
"""

import base64
import hashlib
import hmac
import json
from unittest import mock

import stripe

SECRET = "whsec_5f8d2c0e9b7a4d3c8e1f"
OTHER = "whsec_another_one_0123456789"
NOW = 1_800_000_000


def sign(body: bytes, time: object, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), f"{time}.".encode() + body, hashlib.sha256).hexdigest()


def event(**more: object) -> bytes:
    base = {"id": "evt_1", "object": "event", "type": "plan.created", "created": NOW,
            "livemode": False, "data": {"object": {"id": "plan_1"}}}
    return json.dumps({**base, **more}).encode()


BODY = event()
GOOD = sign(BODY, NOW)
PRETTY = json.dumps(json.loads(BODY), indent=2).encode()
UNICODE = event(note="zażółć 🎈")

CASES = [
    ("a signature of now", BODY, f"t={NOW},v1={GOOD}"),
    ("indented JSON is signed as it is", PRETTY, f"t={NOW},v1={sign(PRETTY, NOW)}"),
    ("JSON that was printed again is another body", PRETTY, f"t={NOW},v1={GOOD}"),
    ("letters beyond ASCII", UNICODE, f"t={NOW},v1={sign(UNICODE, NOW)}"),
    ("a changed body", BODY + b" ", f"t={NOW},v1={GOOD}"),
    ("another secret", BODY, f"t={NOW},v1={sign(BODY, NOW, OTHER)}"),
    ("ours is the second of two", BODY, f"t={NOW},v1={sign(BODY, NOW, OTHER)},v1={GOOD}"),
    ("ours is the first of two", BODY, f"t={NOW},v1={GOOD},v1={sign(BODY, NOW, OTHER)}"),
    ("a v0 beside it", BODY, f"t={NOW},v1={GOOD},v0={sign(BODY, NOW, OTHER)}"),
    ("a v0 alone", BODY, f"t={NOW},v0={GOOD}"),
    ("an unknown scheme in front", BODY, f"t={NOW},v9=abc,v1={GOOD}"),
    ("the time last", BODY, f"v1={GOOD},t={NOW}"),
    ("the time of another signature", BODY, f"t={NOW + 1},v1={GOOD}"),
    ("exactly as old as may be", BODY, f"t={NOW - 300},v1={sign(BODY, NOW - 300)}"),
    ("a second too old", BODY, f"t={NOW - 301},v1={sign(BODY, NOW - 301)}"),
    ("five minutes ahead", BODY, f"t={NOW + 300},v1={sign(BODY, NOW + 300)}"),
    ("a year ahead", BODY, f"t={NOW + 31_536_000},v1={sign(BODY, NOW + 31_536_000)}"),
    ("no header", BODY, ""),
    ("no time", BODY, f"v1={GOOD}"),
    ("an empty time", BODY, f"t=,v1={GOOD}"),
    ("a time that is no number", BODY, f"t=now,v1={sign(BODY, 'now')}"),
    ("a time with a fraction", BODY, f"t={NOW}.5,v1={sign(BODY, f'{NOW}.5')}"),
    ("no signature", BODY, f"t={NOW}"),
    ("an empty signature", BODY, f"t={NOW},v1="),
    ("upper-case digits", BODY, f"t={NOW},v1={GOOD.upper()}"),
    ("a digit short", BODY, f"t={NOW},v1={GOOD[:-1]}"),
    ("a digit more", BODY, f"t={NOW},v1={GOOD}0"),
    ("a byte short", BODY, f"t={NOW},v1={GOOD[:-2]}"),
    ("no digits", BODY, f"t={NOW},v1={'z' * 64}"),
    ("a blank after the comma", BODY, f"t={NOW}, v1={GOOD}"),
    ("blanks between doubled headers", BODY, f"t={NOW},v1={GOOD}, t={NOW},v1={GOOD}"),
    ("the same time twice", BODY, f"t={NOW},t={NOW},v1={GOOD}"),
    ("another time behind it", BODY, f"t={NOW},t={NOW - 1},v1={GOOD}"),
    ("another time in front", BODY, f"t={NOW - 1},t={NOW},v1={GOOD}"),
    ("an equals sign more", BODY, f"t={NOW},v1={GOOD}=x"),
    ("a semicolon", BODY, f"t={NOW};v1={GOOD}"),
    ("a comma more", BODY, f"t={NOW},v1={GOOD},"),
]


def official(body: bytes, header: str) -> bool:
    with mock.patch("time.time", return_value=NOW):
        try:
            stripe.WebhookSignature.verify_header(body.decode(), header, SECRET, 300)
            return True
        except (stripe.SignatureVerificationError, ValueError):
            return False


print(json.dumps({
    "library": f"stripe {stripe._version.VERSION} of PyPI",
    "secret": SECRET,
    "now": NOW,
    "tolerance": 300,
    "cases": [
        {"what": what, "body": base64.b64encode(body).decode(), "header": header,
         "accepted": official(body, header)}
        for what, body, header in CASES
    ],
}, indent=1, ensure_ascii=False))
