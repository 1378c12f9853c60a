"""What the cases share: the list of cases, files, networks in memory."""

import asyncio
import contextlib
import hashlib
import os
import pathlib
import struct
import time
import typing

import finalmile
from finalmile import (
    CacheSettings,
    ContentRequest,
    FinalmileError,
    GatewaySettings,
    MediaKind,
    NetworkAnswer,
    NetworkHeader,
    ThumbnailRequest,
)

Case = typing.Callable[[pathlib.Path], typing.Awaitable[None]]
CASES: typing.Dict[str, Case] = {}

FILES = pathlib.Path(os.environ["FINALMILE_FIXTURES"])
GATEWAY = "https://gateway.example"
HELLO = b"hello world"
# `printf 'hello world' | sha256sum`, as a raw block's id.
HELLO_CID = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"


def case(run: Case) -> Case:
    """A case of the list, under its name there. It gets a folder of its own, empty."""
    if run.__name__ in CASES:
        raise ValueError(f"there are two of {run.__name__}")
    CASES[run.__name__] = run
    return run


def equal(found: object, wanted: object) -> None:
    if found != wanted:
        raise AssertionError(f"{found!r} instead of {wanted!r}")


def true(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


async def fails(
    call: typing.Awaitable[object], *codes: str, retryable: typing.Optional[bool] = None
) -> FinalmileError:
    """The failure of a call that has to fail, with one of these codes where some are named."""
    try:
        answer = await call
    except FinalmileError as failure:
        shaped(failure)
        if codes:
            true(failure.code in codes, f"{failure.code} instead of {' or '.join(codes)}")
        if retryable is not None:
            equal(failure.retryable, retryable)
        return failure
    raise AssertionError(f"it did not fail: {answer!r}")


def fails_now(call: typing.Callable[[], object], code: str) -> None:
    """The same of a call that answers at once."""
    try:
        answer = call()
    except FinalmileError as failure:
        shaped(failure)
        equal(failure.code, code)
        return
    raise AssertionError(f"it did not fail: {answer!r}")


def shaped(failure: FinalmileError) -> None:
    """A code like `CONTENT_NOT_FOUND`, a sentence that names neither a path nor an id."""
    code, reason = failure.code, failure.reason
    true(code and code == code.upper() and code.replace("_", "").isalpha(), f"the code {code!r}")
    true(reason and reason[0].isupper() and len(reason) > 8, f"the reason {reason!r}")
    for part in ("/", "\\", "bafk", "bafy", "Qm"):
        true(part not in reason, f"the reason {reason!r} has {part}")
    equal(type(failure.retryable), bool)


async def until(holds: typing.Callable[[], object], what: str, patience: float = 10.0) -> None:
    """Waits until it holds."""
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"after {patience} s {what}")
        await asyncio.sleep(0.005)


class TooSlow(AssertionError):
    """Something came too late, which on a machine that is busy with other things may be its fault."""


async def gives_up(task: "asyncio.Task[typing.Any]", within_ms: float = 50.0) -> None:
    """Cancels the task, which has to end as cancelled, in time."""
    begun = time.perf_counter()
    if not task.cancel():
        raise TooSlow("it was done before it was given up")
    with contextlib.suppress(asyncio.CancelledError):
        await task
    took_ms = (time.perf_counter() - begun) * 1000
    true(task.cancelled(), "the task was not cancelled")
    if took_ms > within_ms:
        raise TooSlow(f"it took {took_ms:.0f} ms to give up")


# --- files ---------------------------------------------------------------------------------------


def file(name: str) -> str:
    """The path of a file that `bindings/tests/fixtures` made."""
    path = FILES / name
    if not os.path.lexists(path):
        raise FileNotFoundError(path)
    return str(path)


def names(folder: pathlib.Path) -> typing.List[str]:
    """What a folder holds, also in folders of it; nothing when it is not there."""
    if not folder.exists():
        return []
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def jpeg_size(path: str) -> typing.Tuple[int, int]:
    """Width and height as the file itself says them (ITU-T T.81, B.2.2)."""
    data = pathlib.Path(path).read_bytes()
    equal(data[:2], b"\xff\xd8")
    at = 2
    while True:
        marker, length = struct.unpack_from(">HH", data, at)
        if marker in (0xFFC0, 0xFFC1, 0xFFC2):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length


def image(name: str, out: pathlib.Path, **wanted: typing.Any) -> ThumbnailRequest:
    return ThumbnailRequest(path=file(name), kind=MediaKind.IMAGE, out_dir=str(out), **wanted)


def video(name: str, out: pathlib.Path, **wanted: typing.Any) -> ThumbnailRequest:
    return ThumbnailRequest(path=file(name), kind=MediaKind.VIDEO, out_dir=str(out), **wanted)


# --- content -------------------------------------------------------------------------------------


def base32(data: bytes) -> str:
    """RFC 4648 in small letters and without padding."""
    import base64

    return base64.b32encode(data).decode().lower().rstrip("=")


def raw_cid(content: bytes) -> str:
    """The id of a single raw block, spelled out: version 1, raw, SHA-256 of 32 bytes."""
    return "b" + base32(b"\x01\x55\x12\x20" + hashlib.sha256(content).digest())


def content(number: int, length: int = 1000) -> bytes:
    """Some bytes, others for each number."""
    return hashlib.shake_128(str(number).encode()).digest(length)


def wanted(cid: str) -> ContentRequest:
    return ContentRequest(content=cid)


class Gateway(finalmile.Network):
    """Gateways in memory, which all hold the same blocks."""

    def __init__(self, *blocks: bytes) -> None:
        self.blocks = {raw_cid(block): block for block in blocks}
        # Every request but those that find out what a gateway can do: they ask for the empty block.
        self.requests: typing.List[finalmile.NetworkRequest] = []
        self.status: typing.Optional[int] = None
        self.raises: typing.Optional[BaseException] = None
        self.delay = 0.0
        self.hangs = False
        self.cancelled = 0

    async def download(self, request: finalmile.NetworkRequest) -> NetworkAnswer:
        cid = request.url.split("/ipfs/")[1].split("?")[0].split("/")[0]
        if cid != "bafkqaaa":
            self.requests.append(request)
        if self.raises is not None:
            raise self.raises
        try:
            if self.hangs:
                await asyncio.Event().wait()
            await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.status is not None:
            return NetworkAnswer(status=self.status, headers=[])
        if "format=raw" not in request.url:
            return NetworkAnswer(status=406, headers=[])
        body = b"" if cid == "bafkqaaa" else self.blocks.get(cid)
        if body is None:
            return NetworkAnswer(status=404, headers=[])
        pathlib.Path(request.destination).write_bytes(body)
        kind = NetworkHeader(name="Content-Type", value="application/vnd.ipld.raw")
        length = NetworkHeader(name="Content-Length", value=str(len(body)))
        return NetworkAnswer(status=200, headers=[kind, length])

    def asked_for(self, cid: str) -> int:
        return sum(f"/ipfs/{cid}?" in request.url for request in self.requests)


async def opened(
    folder: pathlib.Path, network: finalmile.Network, **settings: typing.Any
) -> finalmile.IpfsCache:
    """A cache in the folder, with one gateway unless others are named."""
    settings.setdefault("gateways", [GatewaySettings(url=GATEWAY)])
    return await finalmile.open_cache(CacheSettings(folder=str(folder), **settings), network)


def put_file(folder: pathlib.Path, data: bytes, name: str = "file.bin") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    return str(path)
