"""Giving up: a task that is cancelled ends at once, and what it asked for ends soon."""

import asyncio
import pathlib

from finalmile import cid_of_file, generate_thumbnail_set
from support import (
    HELLO,
    HELLO_CID,
    Gateway,
    TooSlow,
    case,
    equal,
    file,
    gives_up,
    image,
    names,
    opened,
    until,
    wanted,
)


@case
async def abort_set(folder: pathlib.Path) -> None:
    out = folder / "out"
    for wait in (0.0, 0.002, 0.005, 0.01):
        calls = [
            asyncio.ensure_future(generate_thumbnail_set(image("photo.jpg", out)))
            for _ in range(6)
        ]
        await asyncio.sleep(wait)
        for call in reversed(calls):
            await gives_up(call)
    # The threads are free again, and what they began is gone.
    await generate_thumbnail_set(image("small.jpg", folder / "other"))
    await asyncio.sleep(0.3)
    if names(out):
        raise TooSlow(f"there is {names(out)}, unless a set was whole before it was given up")


@case
async def abort_before(folder: pathlib.Path) -> None:
    out = folder / "out"
    call = asyncio.ensure_future(generate_thumbnail_set(image("photo.jpg", out)))
    await gives_up(call)
    gateway = Gateway(HELLO)
    cache = await opened(folder / "cache", gateway)
    await gives_up(asyncio.ensure_future(cache.get_cached_or_fetch(wanted(HELLO_CID))))
    await asyncio.sleep(0.3)
    equal((out.exists(), gateway.requests), (False, []))
    await cache.close()


@case
async def abort_fetch(folder: pathlib.Path) -> None:
    gateway = Gateway(HELLO)
    gateway.hangs = True
    cache = await opened(folder, gateway)
    call = asyncio.ensure_future(cache.get_cached_or_fetch(wanted(HELLO_CID)))
    await asyncio.sleep(0.2)
    await gives_up(call)
    await until(
        lambda: not [name for name in names(folder) if "baf" in name or ".answers" in name],
        f"there is {names(folder)}",
    )
    await cache.close()


@case
async def abort_one_of_two(folder: pathlib.Path) -> None:
    gateway = Gateway(HELLO)
    gateway.delay = 0.3
    cache = await opened(folder, gateway)
    goes, stays = (
        asyncio.ensure_future(cache.get_cached_or_fetch(wanted(HELLO_CID))) for _ in range(2)
    )
    await asyncio.sleep(0.2)
    await gives_up(goes)
    got = await asyncio.wait_for(stays, 10)
    equal(pathlib.Path(got.path).read_bytes(), HELLO)
    equal(gateway.asked_for(HELLO_CID), 1)
    await cache.close()


@case
async def abort_cid(_: pathlib.Path) -> None:
    call = asyncio.ensure_future(cid_of_file(file("big.bin")))
    await asyncio.sleep(0.02)
    equal(call.done(), False)
    await gives_up(call)
