"""A network of the standard library's."""

import asyncio
import contextlib
import os
import threading
import time
import urllib.request

from . import raw

_CHUNK = 64 << 10


class UrllibNetwork(raw.Network):
    """Sends requests with `urllib`, each on a thread of its own.

    It follows no redirect, because the library decides whom it believes, knows `http` and `https` alone,
    and uses the proxies of the environment.
    """

    def __init__(self) -> None:
        # `build_opener` would add what follows redirects, raises for 404 and opens files.
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.UnknownHandler(),
        ):
            self._opener.add_handler(handler)

    async def download(self, request: raw.NetworkRequest) -> raw.NetworkAnswer:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[raw.NetworkAnswer] = loop.create_future()
        given_up = threading.Event()

        def tell(result: raw.NetworkAnswer | None, error: Exception | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            elif result is not None:
                answer.set_result(result)

        def work() -> None:
            result, error = None, None
            try:
                result = self._fetch(request, given_up)
            except Exception as cause:  # whatever it is, somebody waits for an answer
                error = raw.HostFailure.Failed(f"{type(cause).__name__}: {cause}")
            if given_up.is_set():
                # The library has removed what there was by now.
                with contextlib.suppress(OSError):
                    os.unlink(request.destination)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(tell, result, error)

        # A daemon, so that a gateway that does not answer keeps no program from ending.
        threading.Thread(target=work, name="finalmile-network", daemon=True).start()
        try:
            return await answer
        finally:
            given_up.set()

    def _fetch(
        self, request: raw.NetworkRequest, given_up: threading.Event
    ) -> raw.NetworkAnswer:
        patience = request.timeout_ms / 1000
        until = time.monotonic() + patience
        headers = {"Accept-Encoding": "identity", "User-Agent": "finalmile"}
        headers.update({header.name: header.value for header in request.headers})
        asked = urllib.request.Request(request.url, headers=headers)
        response = self._opener.open(asked, timeout=patience)
        if response is None:
            raise ValueError("this kind of address is not known")
        with response:
            with open(request.destination, "wb") as file:
                while chunk := response.read1(_CHUNK):
                    if given_up.is_set() or time.monotonic() > until:
                        raise TimeoutError("it took too long")
                    file.write(chunk)
            return raw.NetworkAnswer(
                status=response.status,
                headers=[
                    raw.NetworkHeader(name=name, value=value)
                    for name, value in response.headers.items()
                ],
            )
