"""Makes the folders in seeds/: small inputs that reach far, for the fuzzer to change.

    python3 -m venv venv && venv/bin/pip install pillow==11.3.0
    venv/bin/python tests/fuzz/seeds.py    # wants cjpeg (Debian: libjpeg-turbo-progs) for seeds/jpeg

Run it again after adding one. Pictures are drawn here, and the webhooks are those of
tests/data/stripe_signatures.json and a few more.
"""

import base64
import hashlib
import io
import json
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
VECTORS = json.loads((HERE / "../data/stripe_signatures.json").read_text())


def put(target: str, name: str, data: bytes) -> None:
    path = HERE / "seeds" / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


# --- webhooks ------------------------------------------------------------------------------------

bodies = sorted({base64.b64decode(case["body"]) for case in VECTORS["cases"]})
for number, body in enumerate(bodies):
    put("webhook_payload", f"vector-{number:02}", body)

CREATED = '"created":1800000000'
for name, body in {
    "checkout": '{"id":"evt_2","object":"event","api_version":"2026-01-01",' + CREATED + ','
    '"livemode":true,"pending_webhooks":1,"type":"checkout.session.completed","data":{"object":'
    '{"id":"cs_1","object":"checkout.session","payment_intent":"pi_1","payment_status":"paid",'
    '"amount_total":999,"currency":"eur","client_reference_id":"ada",'
    '"metadata":{"account":"ada","credits":"100"}}}}',
    "refund": '{"id":"evt_3",' + CREATED + ',"livemode":true,"type":"charge.refunded","data":{"object":'
    '{"id":"ch_1","payment_intent":"pi_1","amount":999,"amount_refunded":500,"refunds":{"data":[]}},'
    '"previous_attributes":{"amount_refunded":0}}}',
    "dispute": '{"id":"evt_4",' + CREATED + ',"livemode":false,"type":"charge.dispute.created",'
    '"data":{"object":{"id":"dp_1","charge":"ch_1","amount":999,"status":"needs_response"}}}',
    "repeated": '{"id":"evt_5",' + CREATED + ',"type":"a","data":{"object":{"a":1,"\\u0061":2}}}',
    "unfolded": '{"id":"evt_9",' + CREATED + ',"type":"a","data":{"object":'
    '{"$serde_json::private::RawValue":"{\\"a\\":1,\\"a\\":2}"}}}',
    "numbers": '{"id":"evt_6",' + CREATED + ',"type":"a","data":{"object":{"n":[0,-0,1e308,1.5E-3,'
    '18446744073709551615,-9223372036854775808,123456789012345678901234567890]}}}',
    "strings": '{"id":"evt_7","type":"\\u00e9\\ud83c\\udf88","created":0,'
    '"data":{"object":{"":"\\"\\\\\\/\\b\\f\\n\\r\\t","🎈":"\\u0000"}}}',
    "deep": '{"id":"evt_8",' + CREATED + ',"type":"a","data":{"object":{"a":' + "[" * 100 + "]" * 100
    + "}}}",
    "control": '{"id":"evt_\\u0007",' + CREATED + ',"type":"a","data":{"object":{}}}',
    "long-id": '{"id":"' + "e" * 256 + '",' + CREATED + ',"type":"a","data":{"object":{}}}',
}.items():
    put("webhook_payload", name, body.encode())
# One of each kind that means something.
for name, (kind, about) in {
    "paid": ("checkout.session.completed", {"id": "cs_1", "mode": "payment", "payment_status": "paid", "payment_intent": "pi_1", "invoice": "in_1", "amount_total": 999, "currency": "eur", "metadata": {"user_id": "ada", "credits": "100", "item": "neuron:n1"}}),
    "intent": ("payment_intent.succeeded", {"id": "pi_1", "amount_received": 999, "currency": "eur", "metadata": {"user_id": "ada", "credits": "100", "item": "neuron:n1"}}),
    "subscription": ("customer.subscription.updated", {"id": "sub_1", "status": "active", "cancel_at_period_end": False, "items": {"data": [{"price": {"id": "price_1"}, "current_period_end": 1802592000}]}, "metadata": {"user_id": "ada", "credits": "100", "item": "neuron:n1"}}),
    "invoice": ("invoice.payment_succeeded", {"id": "in_1", "amount_paid": 999, "currency": "eur", "payment_intent": "pi_1", "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"user_id": "ada", "credits": "100", "item": "neuron:n1"}}}, "lines": {"has_more": False, "data": [{"amount": 999, "quantity": 1, "pricing": {"price_details": {"price": "price_1"}}}]}}),
    "invoice-payment": ("invoice_payment.paid", {"id": "inpay_1", "invoice": "in_1", "payment": {"payment_intent": "pi_1"}}),
    "refunded": ("charge.refunded", {"id": "ch_1", "payment_intent": "pi_1", "amount": 999, "amount_refunded": 500, "currency": "eur"}),
    "disputed": ("charge.dispute.created", {"id": "dp_1", "payment_intent": "pi_1", "amount": 999, "currency": "eur", "status": "needs_response"}),
}.items():
    event = {"id": f"evt_{name}", "type": kind, "created": 1800000000, "livemode": True}
    event["data"] = {"object": about}
    put("webhook_payload", name, json.dumps(event, separators=(",", ":")).encode())
put("webhook_payload", "standard", b'msg_2\xff{"type":"invoice.paid","timestamp":"2027","data":{"id":1}}')
put("webhook_payload", "standard-dot", b'msg.2\xff{"type":"invoice.paid"}')


def header(now: int, *parts: bytes) -> bytes:
    return struct.pack("<q", now * 1_000_000) + b"\xff".join(parts)


NOW = 1_800_000_000
for name, data in {
    "recorded-0": header(NOW, b"t=1800000000,v1=$0", b"msg_0", b"1800000000", b"v1,$0", b"$0"),
    "recorded-1": header(NOW, b"t=1800000100,v1=$1", b"msg_1", b"1800000100", b"v1,$1", b"$1"),
    "both": header(NOW, b"t=1800000000,v1=$0,v1=$1", b"msg_0", b"1800000000", b"v1,$1 v1,$0", b"$0"),
    "mixed": header(NOW, b"t=1800000000,v1=$1", b"msg_0", b"1800000000", b"v1,$1", b"$0"),
    "too-late": header(NOW + 401, b"t=1800000000,v1=$0", b"msg_0", b"1800000000", b"v1,$0", b"$0"),
    "long-ago": header(0, b"t=1800000100,t=0,v1=$1", b"msg_1", b"1800000100", b"v1,$1", b"$1"),
    "old-scheme": header(NOW, b"v0=$0,t=1800000000", b"msg_0", b"1800000000", b"v1a,$0 v2,$0", b"$0"),
    "shifted": header(NOW, b"t=180000000,v1=$0", b"msg_0", b"180000000", b"v1,$0", b"0.$0"),
    "second-sign": header(NOW, b"t=1800000000=1,v1=$0=", b"msg_0.1", b"800000000", b"v1,$0", b"$0"),
    "empty": header(NOW),
}.items():
    put("webhook_header", name, data)
for number, case in enumerate(VECTORS["cases"]):
    if len(case["header"]) < 1_000:
        put("webhook_header", f"vector-{number:02}",
            header(NOW, case["header"].encode(), b"msg_0", b"", b"", b"$0"))

# --- content ids ---------------------------------------------------------------------------------

DIGEST = bytes(range(32))
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base32(data: bytes) -> str:
    return "b" + base64.b32encode(data).decode().rstrip("=").lower()


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


for name, data in {
    "v0": b"\x12\x20" + DIGEST,
    "raw": b"\x01\x55\x12\x20" + DIGEST,
    "dag-pb": b"\x01\x70\x12\x20" + DIGEST,
    "identity": b"\x01\x55\x00\x05hello",
    "identity-128": b"\x01\x55\x00\x80\x01" + b"x" * 128,
    "identity-0": b"\x01\x55\x00\x00",
    "dag-cbor": b"\x01\x71\x12\x20" + DIGEST,
    "sha2-512": b"\x01\x55\x13\x40" + DIGEST * 2,
    "padded": b"\x81\x00\x55\x12\x20" + DIGEST,
    "trailing": b"\x01\x55\x12\x20" + DIGEST + b"\0",
    "big-number": b"\x01" + b"\xff" * 9 + b"\x01\x12\x20" + DIGEST,
}.items():
    put("cid", f"{name}.bin", data)
    put("cid", f"{name}.b32", base32(data).encode())
    put("cid", f"{name}.z58", b"z" + base58(data).encode())
put("cid", "upper", base32(b"\x01\x55\x12\x20" + DIGEST).upper().encode())
put("cid", "mixed", b"bAfkqaaa")
put("cid", "Qm", base58(b"\x12\x20" + DIGEST).encode())
put("cid", "path", b"/ipfs/" + base58(b"\x12\x20" + DIGEST).encode())
put("cid", "hex", b"f0155122" + DIGEST.hex().encode())

# --- blocks and archives -------------------------------------------------------------------------


def field(tag: int, data: bytes) -> bytes:
    return bytes([tag, len(data)]) + data


LINK = field(0x12, field(0x0A, b"\x01\x55\x12\x20" + DIGEST) + b"\x12\x00\x18\x05")
NAMED = field(0x12, field(0x0A, b"\x12\x20" + DIGEST) + b"\x12\x07AFa.txt\x18\x05")
for name, data in {
    "leaf": field(0x0A, b"\x08\x02\x12\x03hey\x18\x03"),
    "empty": field(0x0A, b"\x08\x02\x18\x00"),
    "node": LINK + LINK + field(0x0A, b"\x08\x02\x18\x0a\x20\x05\x20\x05"),
    "packed": LINK + LINK + field(0x0A, b"\x08\x02\x18\x0a\x22\x02\x05\x05"),
    "directory": NAMED + field(0x0A, b"\x08\x01"),
    "shard": NAMED + field(0x0A, b"\x08\x05\x12\x16\x80" + b"\0" * 21 + b"\x28\x22\x30\x80\x02"),
    "symlink": field(0x0A, b"\x08\x04\x12\x03b/c"),
    "times": field(0x0A, b"\x08\x01\x38\xed\x03\x42\x07\x08\x01\x15\x01\x00\x00\x00"),
}.items():
    put("dagpb", name, data)

WANTED = b"wanted"
SECTION = b"\x2a\x01\x55\x12\x20" + hashlib.sha256(WANTED).digest() + WANTED
for name, data in {
    # Leaf, leaf, node of both; sent from the root, backwards, in part, damaged, and with junk.
    "script": bytes([0, 5, 65, 0, 9, 70, 2, 2, 0, 9, 1, 9, 0, 9, 4, 2, 4, 0, 4, 1]),
    "backwards": bytes([0, 5, 65, 0, 9, 70, 2, 2, 0, 9, 1, 9, 3, 9, 4, 1, 4, 0, 4, 2]),
    "missing": bytes([0, 5, 65, 0, 9, 70, 2, 2, 0, 9, 1, 9, 0, 9, 4, 2, 4, 0]),
    "damaged": bytes([0, 5, 65, 2, 1, 0, 9, 0, 9, 4, 1, 14, 0, 4, 0]),
    "junk": bytes([0, 5, 65, 2, 1, 0, 9, 0, 9, 4, 1, 4, 0, 7]),
    "lie": bytes([0, 5, 65, 2, 1, 0, 1, 0, 9, 4, 1, 4, 0]),
    "doubled": bytes([0, 5, 65, 2, 4, 0, 9, 0, 9, 0, 9, 0, 9, 0, 9, 2, 4, 1, 9, 1, 9, 1, 9, 1, 9,
                      0, 9, 4, 2, 4, 1, 4, 0]),
    "archive": b"\x11\xa2\x65roots\x80\x67version\x01" + SECTION,
    "archive-v2": b"\x0a\xa1\x67version\x02" + bytes(40),
}.items():
    put("car", name, data)

# --- pictures ------------------------------------------------------------------------------------


def drawn(mode: str, width: int = 24, height: int = 17) -> Image.Image:
    picture = Image.new("RGBA", (width, height))
    picture.putdata([(x * 10 % 256, y * 14 % 256, x * y % 256, 255 - x * 7 % 256)
                     for y in range(height) for x in range(width)])
    if mode == "I;16":
        return picture.convert("L").convert("I").point(lambda value: value * 257).convert("I;16")
    if mode == "RGBA":
        return picture
    return picture.convert("LA").convert(mode) if mode == "LA" else picture.convert("RGB").convert(mode)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def interlaced() -> bytes:
    """Adam7, of gray samples: Pillow reads it but does not write it."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2)]
    rows = b"".join(b"\0" + bytes(x * 9 + y for x in range(left, 24, right))
                    for left, top, right, down in passes for y in range(top, 17, down))
    head = struct.pack(">IIBBBBB", 24, 17, 8, 0, 0, 0, 1)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


rgb = drawn("RGB")
frames = {"save_all": True, "append_images": [drawn("RGB").rotate(180)], "duration": 50}
for name, data in {
    "baseline.jpg": encoded(rgb, "JPEG", quality=60),
    "444.jpg": encoded(rgb, "JPEG", quality=90, subsampling=0),
    "progressive.jpg": encoded(rgb, "JPEG", quality=40, progressive=True),
    "restarts.jpg": encoded(rgb, "JPEG", quality=40, restart_marker_blocks=1),
    "gray.jpg": encoded(drawn("L"), "JPEG", quality=40),
    "cmyk.jpg": encoded(drawn("CMYK"), "JPEG", quality=40),
    "turned.jpg": encoded(rgb, "JPEG", quality=40, exif=exif(6)),
    "small.jpg": encoded(drawn("RGB", 5, 3), "JPEG", quality=40),
    "rgb.png": encoded(rgb, "PNG"),
    "rgba.png": encoded(drawn("RGBA"), "PNG"),
    "gray.png": encoded(drawn("L"), "PNG"),
    "gray-alpha.png": encoded(drawn("LA"), "PNG"),
    "gray-16.png": encoded(drawn("I;16"), "PNG"),
    "palette.png": encoded(rgb.quantize(7), "PNG"),
    "bits.png": encoded(drawn("1"), "PNG"),
    "interlaced.png": interlaced(),
    "turned.png": encoded(drawn("RGB", 9, 30), "PNG", exif=exif(5)),
    "animated.png": encoded(rgb, "PNG", **frames),
    "lossy.webp": encoded(rgb, "WEBP", quality=30),
    "lossy-alpha.webp": encoded(drawn("RGBA"), "WEBP", quality=30),
    "lossless.webp": encoded(drawn("RGBA"), "WEBP", lossless=True),
    "palette.webp": encoded(rgb.quantize(3).convert("RGB"), "WEBP", lossless=True),
    "turned.webp": encoded(rgb, "WEBP", quality=30, exif=exif(8)),
    "animated.webp": encoded(rgb, "WEBP", quality=30, **frames),
    "still.gif": encoded(rgb.quantize(16), "GIF"),
    "transparent.gif": encoded(rgb.quantize(4), "GIF", transparency=1),
    "interlaced.gif": encoded(rgb.quantize(16), "GIF", interlace=1),
    "animated.gif": encoded(rgb.quantize(16), "GIF", save_all=True,
                            append_images=[rgb.rotate(180).quantize(16)]),
}.items():
    put("thumbnail", name, data)

# --- jpeg ----------------------------------------------------------------------------------------

# Waves and an edge, 27 x 21 pixels: no side is a whole number of blocks.
SMALL = bytes(
    (x * 9 * (plane + 1) + y * 5 + (90 if x > y else 0)) % 256
    for y in range(21) for x in range(27) for plane in range(3)
)
SCRIPTS = {
    "apart": "0;1;2;",
    "bands": "0 1 2: 0-0, 0, 1; 0: 1-4, 0, 2; 0: 5-63, 0, 2; 2: 1-63, 0, 0; 1: 1-63, 0, 1;"
    "0: 1-63, 2, 1; 1: 1-63, 1, 0; 0 1 2: 0-0, 1, 0; 0: 1-63, 1, 0;",
}
with tempfile.TemporaryDirectory() as folder:
    for name, options in {
        "base": "-quality 80 -sample 2x2",
        "fine": "-quality 100 -sample 1x1",
        "wide": "-quality 80 -sample 4x1 -optimize",
        "restarts": "-quality 60 -sample 2x1 -restart 1B",
        "apart": "-quality 80 -sample 1x2 -restart 2B",
        "progressive": "-quality 85 -sample 2x2 -progressive",
        "progressive-restarts": "-quality 85 -sample 2x1 -progressive -restart 1B",
        "bands": "-quality 90 -sample 2x2",
        "grey": "-quality 75 -grayscale",
    }.items():
        command = ["cjpeg", *options.split()]
        if name in SCRIPTS:
            script = Path(folder, name)
            script.write_text(SCRIPTS[name])
            command += ["-scans", str(script)]
        pnm = b"P6 27 21 255\n" + SMALL
        put("jpeg", name, subprocess.run(command, input=pnm, stdout=-1, check=True).stdout)
