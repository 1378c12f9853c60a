"""The throttle of uploads."""

import asyncio
import pathlib
import typing

from finalmile import ThrottlePermit, ThrottleRequest, UploadThrottle
from support import case, equal, fails_now, gives_up, until


def line_up(throttle: UploadThrottle, caller: str = "") -> "asyncio.Task[ThrottlePermit]":
    return asyncio.ensure_future(throttle.enter(ThrottleRequest(caller=caller)))


async def waits_behind(
    throttle: UploadThrottle, callers: str
) -> typing.List["asyncio.Task[ThrottlePermit]"]:
    """One of each caller's line up, one after the other."""
    line = []
    for caller in callers:
        before = throttle.waiting()
        line.append(line_up(throttle, caller))
        await until(lambda: throttle.waiting() == before + 1, "it does not wait")
    return line


@case
async def throttle_two(_: pathlib.Path) -> None:
    throttle = UploadThrottle(2)
    first, second = await line_up(throttle), await line_up(throttle)
    equal((throttle.inside(), throttle.waiting()), (2, 0))
    (third,) = await waits_behind(throttle, "a")
    await asyncio.sleep(0.05)
    equal((third.done(), throttle.inside(), throttle.waiting()), (False, 2, 1))
    first.release()
    permit = await asyncio.wait_for(third, 5)
    equal((throttle.inside(), throttle.waiting()), (2, 0))
    second.release()
    permit.release()
    equal(throttle.inside(), 0)


@case
async def throttle_turns(_: pathlib.Path) -> None:
    throttle = UploadThrottle(1)
    entered = []

    async def passes(caller: str) -> None:
        permit = await throttle.enter(ThrottleRequest(caller=caller))
        entered.append(caller)
        permit.release()

    permit = await line_up(throttle, "a")
    line = []
    for place, caller in enumerate("aaabc", start=1):
        line.append(asyncio.ensure_future(passes(caller)))
        await until(lambda place=place: throttle.waiting() == place, "it does not wait")
    permit.release()
    await asyncio.wait_for(asyncio.gather(*line), 5)
    # b and c came last, and yet they go before the second one of those that a sent.
    equal(sorted(entered), list("aaabc"))
    equal(entered[-2:], ["a", "a"])


@case
async def throttle_abort(_: pathlib.Path) -> None:
    throttle = UploadThrottle(1)
    permit = await line_up(throttle)
    gone, stays = await waits_behind(throttle, "ab")
    await gives_up(gone)
    await until(lambda: throttle.waiting() == 1, "the line is as long as before")
    permit.release()
    (await asyncio.wait_for(stays, 5)).release()
    equal((throttle.inside(), throttle.waiting()), (0, 0))


@case
async def throttle_release(_: pathlib.Path) -> None:
    throttle = UploadThrottle(1)
    permit = await line_up(throttle)
    second, third = await waits_behind(throttle, "aa")
    permit.release()
    permit.release()
    await asyncio.wait_for(second, 5)
    await asyncio.sleep(0.05)
    equal((third.done(), throttle.inside(), throttle.waiting()), (False, 1, 1))
    second.result().release()
    (await asyncio.wait_for(third, 5)).release()


@case
async def throttle_none(_: pathlib.Path) -> None:
    fails_now(lambda: UploadThrottle(0), "INVALID_ARGUMENT")
