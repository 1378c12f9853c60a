"""The cache, and the network behind it."""

import asyncio
import pathlib

import finalmile
from finalmile import CacheSettings, GatewaySettings, HostFailure, ProgressListener
from support import (
    GATEWAY,
    HELLO,
    HELLO_CID,
    Gateway,
    case,
    content,
    equal,
    fails,
    file,
    names,
    opened,
    put_file,
    raw_cid,
    true,
    until,
    wanted,
)


def left(folder: pathlib.Path) -> list[str]:
    """What a cache's folder holds of content, whole or in parts, and of answers."""
    return [name for name in names(folder) if "baf" in name or ".answers" in name]


@case
async def cache_fetch(folder: pathlib.Path) -> None:
    gateway = Gateway(HELLO)
    cache = await opened(folder, gateway)
    first = await cache.get_cached_or_fetch(wanted(HELLO_CID))
    equal(pathlib.Path(first.path).read_bytes(), HELLO)
    equal((first.cid, first.size_bytes, first.source, first.kept), (HELLO_CID, 11, "raw", True))
    equal(gateway.asked_for(HELLO_CID), 1)
    again = await cache.get_cached_or_fetch(wanted(HELLO_CID.upper()))
    equal((again.path, again.source), (first.path, "cache"))
    equal(len(gateway.requests), 1)
    await cache.close()


@case
async def cache_put(folder: pathlib.Path) -> None:
    gateway = Gateway()
    cache = await opened(folder, gateway)
    put = await cache.put(file("chunks.bin"))
    equal((put.cid, put.source), (await finalmile.cid_of_file(file("chunks.bin")), "put"))
    got = await cache.get_cached_or_fetch(wanted(put.cid))
    equal((got.path, got.source), (put.path, "cache"))
    bytes_of = pathlib.Path(got.path).read_bytes()
    equal(bytes_of == pathlib.Path(file("chunks.bin")).read_bytes(), True)
    equal(gateway.requests, [])
    await cache.close()


@case
async def cache_once(folder: pathlib.Path) -> None:
    gateway = Gateway(HELLO)
    gateway.delay = 0.1
    cache = await opened(folder, gateway)
    calls = (cache.get_cached_or_fetch(wanted(HELLO_CID)) for _ in range(20))
    files = await asyncio.gather(*calls)
    equal(len({got.path for got in files}), 1)
    equal(len(gateway.requests), 1)
    await cache.close()


@case
async def cache_peek(folder: pathlib.Path) -> None:
    cache = await opened(folder, Gateway(HELLO))
    equal(cache.peek(wanted(HELLO_CID)), None)
    got = await cache.get_cached_or_fetch(wanted(HELLO_CID))
    equal(cache.peek(wanted(HELLO_CID)), got.path)
    equal(cache.peek(wanted("no id")), None)
    await cache.close()


@case
async def cache_liar(folder: pathlib.Path) -> None:
    gateway = Gateway()
    gateway.blocks[HELLO_CID] = b"hello there"
    cache = await opened(folder, gateway)
    await fails(cache.get_cached_or_fetch(wanted(HELLO_CID)))
    equal(cache.peek(wanted(HELLO_CID)), None)
    await until(lambda: left(folder) == [], f"there is {left(folder)}")
    await cache.close()


@case
async def cache_status(folder: pathlib.Path) -> None:
    gateway = Gateway(HELLO)
    gateway.status = 500
    cache = await opened(folder, gateway, timeout_s=2)
    await fails(cache.get_cached_or_fetch(wanted(HELLO_CID)))
    await cache.close()


@case
async def cache_unreachable(folder: pathlib.Path) -> None:
    gateway = Gateway(HELLO)
    gateway.raises = HostFailure.Failed("no route to /tmp/secret")
    cache = await opened(folder, gateway)
    await fails(cache.get_cached_or_fetch(wanted(HELLO_CID)), retryable=True)
    gateway.raises = None
    await cache.close()


@case
async def cache_odd_throw(folder: pathlib.Path) -> None:
    gateway = Gateway(HELLO)
    gateway.raises = ZeroDivisionError("/tmp/secret")
    cache = await opened(folder, gateway)
    await fails(cache.get_cached_or_fetch(wanted(HELLO_CID)))
    await cache.close()


@case
async def cache_never(folder: pathlib.Path) -> None:
    gateway = Gateway(HELLO)
    gateway.hangs = True
    cache = await opened(folder, gateway, timeout_s=1)
    await fails(asyncio.wait_for(cache.get_cached_or_fetch(wanted(HELLO_CID)), 18))
    await until(lambda: gateway.cancelled > 0, "the network was not told")
    await cache.close()


@case
async def cache_offline(folder: pathlib.Path) -> None:
    cache = await opened(folder / "cache", Gateway(HELLO), gateways=[])
    put = await cache.put(put_file(folder, HELLO))
    equal((await cache.get_cached_or_fetch(wanted(HELLO_CID))).path, put.path)
    await fails(cache.get_cached_or_fetch(wanted(raw_cid(content(1)))))
    await cache.close()


@case
async def cache_token(folder: pathlib.Path) -> None:
    gateway = Gateway()
    others = [GatewaySettings(url=f"https://{name}.example") for name in ("one", "two")]
    mine = GatewaySettings(url="https://mine.example", token="secret")
    cache = await opened(folder, gateway, gateways=[others[0], mine, others[1]])
    await fails(cache.get_cached_or_fetch(wanted(HELLO_CID)))
    with_token, without = set(), set()
    for request in gateway.requests:
        sent = "secret" in request.url or any("secret" in each.value for each in request.headers)
        (with_token if sent else without).add(request.url.split("/")[2])
    equal(with_token, {"mine.example"})
    equal(without, {"one.example", "two.example"})
    await cache.close()


class Ear(ProgressListener):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def told(self, share: float) -> None:
        self.shares.append(share)


@case
async def cache_progress(folder: pathlib.Path) -> None:
    data = content(0, 1 << 20)
    cache = await opened(folder, Gateway(data))
    ear = Ear()
    await cache.get_cached_or_fetch(wanted(raw_cid(data)), progress=ear)
    true(ear.shares, "nothing was heard")
    equal((ear.shares, ear.shares[-1]), (sorted(ear.shares), 1.0))
    await cache.close()


@case
async def cache_prefetch(folder: pathlib.Path) -> None:
    blocks = [content(number) for number in range(5)]
    gateway = Gateway(*blocks)
    cache = await opened(folder, gateway)
    ids = [raw_cid(block) for block in blocks]
    await cache.prefetch([wanted(cid) for cid in [*ids, "no id"]])
    await until(lambda: all(cache.peek(wanted(cid)) for cid in ids), "they are not there")
    equal(len(gateway.requests), 5)
    await cache.close()


@case
async def cache_prefetch_next(folder: pathlib.Path) -> None:
    blocks = [content(number) for number in range(7)]
    gateway = Gateway(*blocks)
    cache = await opened(folder, gateway)
    ids = [raw_cid(block) for block in blocks]
    await cache.prefetch_next([*ids[:3], "no id", *ids[3:]], 1)
    following = ids[2:5]
    await until(lambda: all(cache.peek(wanted(cid)) for cid in following), "they are not there")
    await asyncio.sleep(0.2)
    equal([cid for cid in ids if cache.peek(wanted(cid))], following)
    equal(len(gateway.requests), 3)
    # The last one has nothing after it.
    await cache.prefetch_next(ids, 6)
    await cache.prefetch_next(ids, 4_000_000_000)
    await cache.close()


@case
async def cache_bad_gateway(folder: pathlib.Path) -> None:
    for url in ("http://gateway.example", "gateway", "", "ftp://gateway.example", "https://"):
        settings = CacheSettings(folder=str(folder), gateways=[GatewaySettings(url=url)])
        await fails(finalmile.open_cache(settings, Gateway()), "INVALID_GATEWAY")
    equal(names(folder), [])


@case
async def cache_bad_folder(folder: pathlib.Path) -> None:
    taken = put_file(folder, b"a file")
    settings = CacheSettings(folder=taken, gateways=[GatewaySettings(url=GATEWAY)])
    await fails(finalmile.open_cache(settings, Gateway()), "CACHE_UNAVAILABLE")
    equal(pathlib.Path(taken).read_bytes(), b"a file")


@case
async def cache_bad_content(folder: pathlib.Path) -> None:
    gateway = Gateway()
    cache = await opened(folder, gateway)
    for none in ("", "no id", HELLO_CID[:-1]):
        await fails(cache.get_cached_or_fetch(wanted(none)), "INVALID_CID")
        for call in (cache.pin, cache.unpin, cache.remove):
            await fails(call(none), "INVALID_CID")
    equal(gateway.requests, [])
    await cache.close()
