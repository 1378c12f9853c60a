"""Content ids."""

import asyncio
import pathlib

import finalmile
from finalmile import ImportProfile, cid_of_bytes, cid_of_file
from support import HELLO, HELLO_CID, FILES, case, equal, fails, fails_now, file, raw_cid

# The same content as kubo 0.x names it: `ipfs add --cid-version 0`, one block of UnixFS.
HELLO_V0 = "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"
# Its hash in other spellings: base58 and base16 of version 1, and with capitals.
IN_DAG_PB = "bafybeihykld7uyxzogax6vgyvag42y7464eywpf55gxi5qpoisibh3c5wa"


@case
async def cid_file(_: pathlib.Path) -> None:
    equal(raw_cid(HELLO), HELLO_CID)
    equal(await cid_of_file(file("hello.txt")), HELLO_CID)


@case
async def cid_file_v0(_: pathlib.Path) -> None:
    equal(await cid_of_file(file("hello.txt"), ImportProfile.UNIXFS_V0), HELLO_V0)


@case
async def cid_file_large(_: pathlib.Path) -> None:
    equal(await cid_of_file(file("chunks.bin")), (FILES / "chunks.cid").read_text().strip())


@case
async def cid_bytes(_: pathlib.Path) -> None:
    equal(await cid_of_bytes(HELLO), HELLO_CID)
    equal(await cid_of_bytes(b""), await cid_of_file(file("empty")))


@case
async def cid_bytes_many(_: pathlib.Path) -> None:
    await fails(cid_of_bytes(bytes((64 << 10) + 1)), "INVALID_ARGUMENT")
    equal(await cid_of_bytes(bytes(64 << 10)), raw_cid(bytes(64 << 10)))


@case
async def cid_canonical(_: pathlib.Path) -> None:
    for spelling in (IN_DAG_PB, IN_DAG_PB.upper(), HELLO_V0):
        equal(finalmile.canonical_cid(spelling), IN_DAG_PB)
    equal(finalmile.canonical_cid(HELLO_CID), HELLO_CID)


@case
async def cid_to_v0(_: pathlib.Path) -> None:
    equal(finalmile.cid_to_v0(IN_DAG_PB), HELLO_V0)
    equal(finalmile.cid_to_v0(HELLO_V0), HELLO_V0)
    equal(finalmile.cid_to_v0(HELLO_CID), None)


@case
async def cid_bad(_: pathlib.Path) -> None:
    for none in ("", "no id", "Qm", HELLO_CID[:-1], HELLO_CID + "a", "bafk\0"):
        for call in (finalmile.canonical_cid, finalmile.cid_to_v0):
            fails_now(lambda none=none, call=call: call(none), "INVALID_CID")


@case
async def cid_no_file(folder: pathlib.Path) -> None:
    for path in (file("folder"), str(folder / "missing")):
        await fails(cid_of_file(path), "FILE_UNREADABLE")
    await asyncio.wait_for(fails(cid_of_file(file("pipe"))), 5)
