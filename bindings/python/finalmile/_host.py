"""What Python needs so that a library with threads of its own can call it.

The generated module has one event loop for a whole process, set by hand. Here it is the loop that runs;
on a thread of the library's, the loop that asked it for something last. So `asyncio.run` may be called
again and again, and nobody sets anything.

When Python ends, a thread that still calls it would take the whole process down with an abort. So at
exit, when asyncio has ended what it can, the library hangs up: it calls nothing of Python's any more.
What is still waited for then is left as it is, because letting go of it would call Python once more.

The names that begin with `_` belong to the generated module. `tests` fail when they change.
"""

import asyncio
import atexit
import typing

from . import raw

Call = typing.Callable[..., typing.Any]

# Not empty when Python is about to end.
_ended: typing.List[bool] = []
_last: typing.Optional[asyncio.AbstractEventLoop] = None


def settle() -> None:
    """Ties the generated module to this process."""
    for name, ours in {
        "_uniffi_get_event_loop": _loop,
        "_uniffi_future_dropped_callback": _let_go,
        "_uniffi_rust_call_async": _until_the_end(raw._uniffi_rust_call_async),
    }.items():
        if not hasattr(raw, name):
            raise ImportError(f"finalmile.raw has no {name}: it is of another version of uniffi")
        setattr(raw, name, ours)
    atexit.register(_end)


def _loop() -> asyncio.AbstractEventLoop:
    global _last
    try:
        _last = asyncio.get_running_loop()
    except RuntimeError:
        if _last is None or _last.is_closed():
            raise
    return _last


def _until_the_end(call: Call) -> Call:
    """The generated call, which frees nothing when Python is gone: there is nobody to be told."""

    # Python clears a module's names before it closes what still runs, but not what a function holds.
    async def held(
        future: int,
        poll: Call,
        complete: Call,
        free: Call,
        *rest: typing.Any,
        ended: typing.List[bool] = _ended,
    ) -> typing.Any:
        def let_go(future: int) -> None:
            if not ended:
                free(future)

        return await call(future, poll, complete, let_go, *rest)

    return held


def _end() -> None:
    raw.hang_up()
    _ended.append(True)


@raw._UNIFFI_FOREIGN_FUTURE_DROPPED_CALLBACK
def _let_go(handle: int) -> None:
    """Cancels what the library waits for no longer. It is a thread of the library's that says so."""
    loop, task = raw._UNIFFI_FOREIGN_FUTURE_HANDLE_MAP.remove(handle)
    if not loop.is_closed():
        task.cancel()
