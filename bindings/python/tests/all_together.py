"""Many calls, calls within calls, and an end in the middle of all."""

import asyncio
import pathlib
import subprocess
import sys
import time

import finalmile
from finalmile import FinalmileError, ProgressListener, generate_thumbnail_set
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
    image,
    jpeg_size,
    opened,
    raw_cid,
    shaped,
    true,
    wanted,
)


@case
async def many_calls(folder: pathlib.Path) -> None:
    blocks = [content(number) for number in range(10)]
    cache = await opened(folder / "cache", Gateway(HELLO, *blocks))
    await cache.get_cached_or_fetch(wanted(HELLO_CID))
    ids = [HELLO_CID, *(raw_cid(block) for block in blocks), "no id"]
    kinds = [
        lambda i: finalmile.cid_of_bytes(content(i)),
        lambda i: cache.get_cached_or_fetch(wanted(ids[i % len(ids)])),
        lambda i: finalmile.cid_of_file(file("hello.txt" if i % 3 else "folder")),
        lambda i: generate_thumbnail_set(image("small.jpg", folder / "out")),
        lambda i: cache.stats(),
    ]
    calls = (kinds[i % len(kinds)](i) for i in range(1000))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    equal(len(answers), 1000)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    for failure in failures:
        if not isinstance(failure, FinalmileError):
            raise failure
        true(failure.code in ("INVALID_CID", "FILE_UNREADABLE"), failure.code)
    true(0 < len(failures) < 200, f"{len(failures)} failures")
    await cache.close()


@case
async def callback_calls_back(folder: pathlib.Path) -> None:
    loop = asyncio.get_running_loop()
    answers = []

    class Curious(ProgressListener):
        """Asks while it is told: at once, and of the loop."""

        def told(self, share: float) -> None:
            answers.append(finalmile.canonical_cid(HELLO_CID))
            asked = asyncio.run_coroutine_threadsafe(finalmile.cid_of_bytes(HELLO), loop)
            answers.append(asked.result(10))

    await generate_thumbnail_set(image("photo.jpg", folder), progress=Curious())
    true(answers, "nothing was told")
    equal(set(answers), {HELLO_CID})


@case
async def listener_throws(folder: pathlib.Path) -> None:
    told = []

    class Clumsy(ProgressListener):
        def told(self, share: float) -> None:
            told.append(share)
            raise ValueError("clumsy")

    pictures = await generate_thumbnail_set(image("photo.jpg", folder), progress=Clumsy())
    true(told, "nothing was told")
    equal(jpeg_size(pictures.thumbnail.path), (300, 300))


@case
async def failure_shape(folder: pathlib.Path) -> None:
    cache = await opened(folder, Gateway())
    secret = str(folder / "secret.jpg")
    calls = [
        finalmile.cid_of_file(secret),
        generate_thumbnail_set(image("text.txt", folder)),
        cache.get_cached_or_fetch(wanted(HELLO_CID)),
        cache.put(secret),
        cache.pin("no id"),
    ]
    for call in calls:
        failure = await fails(call)
        shaped(failure)
        # What it prints is what it says: its code, its sentence and whether to retry.
        equal(str(failure), f"code={failure.code!r}, reason={failure.reason!r}, "
              f"retryable={failure.retryable!r}")
        true("secret" not in repr(failure) and HELLO_CID not in repr(failure), repr(failure))
    await cache.close()


# Ends in the middle of sets, of fetches, of the host's own decoder and of its listeners.
ENDS = """
import asyncio, sys, finalmile
from finalmile import *

photo, heic, text, folder, how = sys.argv[1:]

class Network(finalmile.Network):
    async def download(self, request):
        await asyncio.sleep(0.01)
        return NetworkAnswer(status=500, headers=[])

class Decoder(PictureDecoder):
    async def decode(self, request):
        await asyncio.sleep(0.01)
        return None

class Ear(ProgressListener):
    def told(self, share):
        pass

def sets(path):
    return generate_thumbnail_set(
        ThumbnailRequest(path=path, kind=MediaKind.IMAGE, out_dir=folder), Decoder(), Ear())

async def main():
    settings = CacheSettings(folder=folder + "/cache", gateways=[GatewaySettings(url=GATEWAY)])
    cache = await open_cache(settings, Network())
    calls = [sets(path) for path in [photo, heic] * 20]
    calls += [cache.get_cached_or_fetch(ContentRequest(content=CID)) for _ in range(50)]
    calls += [cid_of_file(text) for _ in range(500)]
    await cache.prefetch([ContentRequest(content=CID)])
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0.15)
    print("ends", flush=True)
    if how == "exit":
        sys.exit(0)
    if how == "stop":
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)

try:
    loop = asyncio.new_event_loop()
    asyncio.run(main()) if how != "stop" else loop.run_until_complete(main())
except RuntimeError:
    pass
"""


@case
async def torn_down(folder: pathlib.Path) -> None:
    program = ENDS.replace("GATEWAY)", f"{GATEWAY!r})").replace("CID)", f"{HELLO_CID!r})")
    for how in ("exit", "return", "stop"):
        command = [sys.executable, "-c", program, file("photo.jpg"), file("card.heic")]
        child = subprocess.Popen(
            [*command, file("hello.txt"), str(folder), how],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            equal(child.stdout.readline(), b"ends\n")
            begun = time.monotonic()
            _, said = child.communicate(timeout=5)
            took = time.monotonic() - begun
        finally:
            child.kill()
            child.wait()
        if child.returncode != 0:
            raise AssertionError(f"{how}: status {child.returncode}\n{said.decode()[-2000:]}")
        true(took < 2, f"{how}: it took {took:.1f} s to end")
