"""What the cache keeps, and what it lets go."""

import asyncio
import pathlib

import finalmile
from finalmile import ContentKind
from support import (
    HELLO,
    HELLO_CID,
    Gateway,
    case,
    content,
    equal,
    fails,
    opened,
    put_file,
    raw_cid,
    true,
    wanted,
)


async def holding(
    folder: pathlib.Path, count: int, length: int = 1000
) -> "tuple[finalmile.IpfsCache, list[str]]":
    """A cache without a gateway that holds so many files, and their ids."""
    cache = await opened(folder / "cache", Gateway(), gateways=[])
    ids = []
    for number in range(count):
        put = await cache.put(put_file(folder, content(number, length)))
        equal(put.cid, raw_cid(content(number, length)))
        ids.append(put.cid)
    return cache, ids


def there(cache: finalmile.IpfsCache, ids: "list[str]") -> "list[bool]":
    return [cache.peek(wanted(cid)) is not None for cid in ids]


@case
async def cache_pin(folder: pathlib.Path) -> None:
    cache, ids = await holding(folder, 2)
    await cache.pin(ids[0])
    await cache.trim(0)
    equal(there(cache, ids), [True, False])
    equal((await cache.stats()).pinned_bytes, 1000)
    await cache.close()


@case
async def cache_unpin(folder: pathlib.Path) -> None:
    cache, ids = await holding(folder, 1)
    await cache.pin(ids[0])
    equal(await cache.unpin(ids[0]), True)
    await cache.trim(0)
    equal(there(cache, ids), [False])
    equal(await cache.unpin(ids[0]), False)
    await cache.close()


@case
async def cache_remove(folder: pathlib.Path) -> None:
    cache, ids = await holding(folder, 2)
    equal(await cache.remove(ids[0]), True)
    equal(there(cache, ids), [False, True])
    equal(await cache.remove(ids[0]), False)
    await cache.close()


@case
async def cache_trim(folder: pathlib.Path) -> None:
    cache, ids = await holding(folder, 6, 700_000)
    await cache.trim(2)
    stats = await cache.stats()
    true(stats.bytes <= 2 << 20, f"{stats.bytes} bytes are left")
    equal(there(cache, ids).count(True), stats.entries)
    # What was used last is kept.
    equal(there(cache, ids)[-1], True)
    await cache.close()


@case
async def cache_clear(folder: pathlib.Path) -> None:
    cache, ids = await holding(folder, 3)
    await cache.pin(ids[0])
    await cache.clear()
    equal(there(cache, ids), [False, False, False])
    stats = await cache.stats()
    equal((stats.entries, stats.bytes, stats.pinned_bytes), (0, 0, 0))
    await cache.close()


@case
async def cache_stats(folder: pathlib.Path) -> None:
    gateway = Gateway(HELLO)
    cache = await opened(folder / "cache", gateway)
    await cache.put(put_file(folder, content(0)), ContentKind.THUMBNAIL)
    for _ in range(3):
        await cache.get_cached_or_fetch(wanted(HELLO_CID))
    stats = await cache.stats()
    equal((stats.entries, stats.bytes), (2, 1011))
    equal((stats.hits, stats.misses, stats.evictions), (2, 1, 0))
    await cache.close()


@case
async def cache_suspend(folder: pathlib.Path) -> None:
    cache, ids = await holding(folder, 1)
    await cache.suspend()
    await cache.resume()
    equal(there(cache, ids), [True])
    got = await cache.get_cached_or_fetch(wanted(ids[0]))
    equal(pathlib.Path(got.path).read_bytes(), content(0))
    await cache.close()


@case
async def cache_reopen(folder: pathlib.Path) -> None:
    cache, ids = await holding(folder, 2)
    await cache.pin(ids[0])
    await cache.close()
    cache = await opened(folder / "cache", Gateway(), gateways=[])
    equal(there(cache, ids), [True, True])
    got = await cache.get_cached_or_fetch(wanted(ids[1]))
    equal((got.source, pathlib.Path(got.path).read_bytes()), ("cache", content(1)))
    await cache.trim(0)
    equal(there(cache, ids), [True, False])
    await cache.close()


@case
async def cache_closed(folder: pathlib.Path) -> None:
    gateway = Gateway(HELLO)
    cache = await opened(folder / "cache", gateway)
    put = put_file(folder, content(0))
    await cache.put(put)
    await cache.close()
    calls = {
        "get_cached_or_fetch": lambda: cache.get_cached_or_fetch(wanted(HELLO_CID)),
        "put": lambda: cache.put(put),
        "pin": lambda: cache.pin(HELLO_CID),
        "unpin": lambda: cache.unpin(HELLO_CID),
        "remove": lambda: cache.remove(HELLO_CID),
        "trim": lambda: cache.trim(1),
        "clear": lambda: cache.clear(),
        "stats": lambda: cache.stats(),
        "resume": lambda: cache.resume(),
        "prefetch": lambda: cache.prefetch([wanted(HELLO_CID)]),
        "prefetch_next": lambda: cache.prefetch_next([HELLO_CID, HELLO_CID], 0),
    }
    for name, call in calls.items():
        try:
            await fails(asyncio.wait_for(call(), 5), "CLOSED")
        except AssertionError as fault:
            raise AssertionError(f"{name}: {fault}") from fault
    equal(cache.peek(wanted(raw_cid(content(0)))), None)
    equal(gateway.requests, [])
    await cache.close()
