"""Small pictures, content ids and the verified IPFS cache of finalmile, for asyncio.

Everything that computes or waits is a coroutine, and works on threads of the library's own. Cancelling
the task that waits for it ends the work soon, and leaves no file behind.

What stands in `finalmile.raw` is generated from the library, and shown here as it is. Written by hand are:

- `UrllibNetwork`, a `Network` of the standard library's, for `open_cache`;
- `FinalmileError`, a short name for `Failure.Failed`, which is what every call raises: it has a `code`,
  a `reason` for people and whether it is `retryable`;
- what ties the library to the event loop that runs, and lets go of Python before it ends (`_host`).
"""

import typing

from . import raw
from .raw import *  # noqa: F403 -- the generated module says what it shows
from . import _host
from ._network import UrllibNetwork

if typing.TYPE_CHECKING:

    class FinalmileError(raw.Failure):
        """What every call raises. The generated module hides its shape from type checkers."""

        code: str
        reason: str
        retryable: bool

else:
    FinalmileError = raw.Failure.Failed

_host.settle()

__all__ = [*raw.__all__, "FinalmileError", "UrllibNetwork"]
