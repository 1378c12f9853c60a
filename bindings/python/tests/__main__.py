"""Runs the cases of `bindings/tests/cases.txt`, all of them and no others, and prints a line for each.

Usage: python bindings/python/tests [NAME...]

FINALMILE_FIXTURES names the folder that `bindings/tests/fixtures` filled. The exit status is 1 when a
case failed or took longer than 20 s, and when the suite and the list differ. `bindings/python/run` does
everything that comes before.
"""

import asyncio
import faulthandler
import pathlib
import sys
import tempfile
import time
import traceback
import typing

import support

# Each adds its cases to the suite.
import all_together
import cache
import cache_keeps
import content_ids
import decoder
import giving_up
import no_pictures
import pictures
import placeholders
import throttle

LONGEST_S = 20
# How often a case is tried that was too slow by some milliseconds.
TRIES = 3
LIST = pathlib.Path(__file__).resolve().parent.parent.parent / "tests" / "cases.txt"


def listed() -> typing.List[str]:
    """The names, in the order of the list."""
    lines = (line.strip() for line in LIST.read_text(encoding="utf-8").splitlines())
    return [line.split(":")[0] for line in lines if line and not line.startswith("#")]


def tried(case: support.Case) -> typing.Optional[str]:
    for _ in range(TRIES - 1):
        try:
            return run(case)
        except support.TooSlow:
            continue
    try:
        return run(case)
    except support.TooSlow:
        return traceback.format_exc()


def run(case: support.Case) -> typing.Optional[str]:
    """What went wrong, if something did."""
    # A case that blocks the loop cannot be cancelled by it.
    faulthandler.dump_traceback_later(LONGEST_S + 10, exit=True)
    with tempfile.TemporaryDirectory(prefix="finalmile-") as folder:
        try:
            # Each in a loop of its own, as a program has one after another.
            asyncio.run(asyncio.wait_for(case(pathlib.Path(folder)), LONGEST_S))
        except asyncio.TimeoutError:
            return f"it took longer than {LONGEST_S} s"
        except support.TooSlow:
            raise
        except Exception:
            return traceback.format_exc()
        finally:
            faulthandler.cancel_dump_traceback_later()
    return None


def main() -> int:
    names = listed()
    lacking = [name for name in names if name not in support.CASES]
    unknown = [name for name in support.CASES if name not in names]
    failed = [f"the suite lacks {name}" for name in lacking]
    failed += [f"the list lacks {name}" for name in unknown]
    chosen = sys.argv[1:] or [name for name in names if name in support.CASES]
    begun = time.monotonic()
    for name in chosen:
        started = time.monotonic()
        wrong = tried(support.CASES[name])
        took = time.monotonic() - started
        if wrong is None and took > LONGEST_S:
            wrong = f"it took longer than {LONGEST_S} s"
        print(f"{'ok' if wrong is None else 'FAILED'} {name} ({took * 1000:.0f} ms)", flush=True)
        if wrong is not None:
            print(wrong.rstrip(), flush=True)
            failed.append(f"{name} failed")
    print(f"{len(chosen)} cases, {len(failed)} faults, {time.monotonic() - begun:.0f} s")
    for fault in failed:
        print(fault)
    return 1 if failed else 0


sys.exit(main())
