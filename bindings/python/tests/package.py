"""What the hand-written layer of the package promises, and that the README's example runs.

Usage: FINALMILE_FIXTURES=DIR python bindings/python/tests/package.py
"""

import asyncio
import contextlib
import http.server
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import typing
import unittest

import finalmile
from finalmile import CacheSettings, FinalmileError, GatewaySettings, HostFailure, NetworkRequest
from support import FILES, HELLO, HELLO_CID, content, raw_cid, wanted


class Handler(http.server.BaseHTTPRequestHandler):
    """Every way to answer, one a path."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        path = self.path.split("?")[0]
        if path == "/redirect":
            self.answer(302, b"elsewhere", Location="/hello")
        elif path == "/hello":
            self.answer(200, HELLO)
        elif path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(100):
                    self.wfile.write(b"drop")
                    time.sleep(0.05)
        elif path == "/silent":
            time.sleep(2)
        elif path.startswith("/ipfs/bafkqaaa") and "format=raw" in self.path:
            self.answer(200, b"", Content_Type="application/vnd.ipld.raw")
        elif path == f"/ipfs/{HELLO_CID}" and "format=raw" in self.path:
            self.answer(200, HELLO, Content_Type="application/vnd.ipld.raw")
        else:
            self.answer(404, b"there is none")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Urllib(unittest.TestCase):
    """The network that the package brings."""

    def setUp(self) -> None:
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="finalmile-"))
        self.body = self.folder / "body"

    def tearDown(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.folder)

    def download(self, path: str, timeout_ms: int = 5000) -> finalmile.NetworkAnswer:
        url = path if ":" in path else self.url + path
        token = finalmile.NetworkHeader(name="X-Token", value="secret")
        request = NetworkRequest(
            url=url, headers=[token], destination=str(self.body), timeout_ms=timeout_ms
        )
        return asyncio.run(finalmile.UrllibNetwork().download(request))

    def test_an_answer_becomes_a_file_as_it_came(self) -> None:
        answer = self.download("/hello")
        self.assertEqual((answer.status, self.body.read_bytes()), (200, HELLO))
        headers = {header.name.lower(): header.value for header in answer.headers}
        self.assertEqual(headers["content-length"], "11")
        ((_, sent),) = self.server.asked  # type: ignore[attr-defined]
        sent = {name.lower(): value for name, value in sent.items()}
        self.assertEqual((sent["x-token"], sent["accept-encoding"]), ("secret", "identity"))

    def test_no_redirect_is_followed(self) -> None:
        self.assertEqual(self.download("/redirect").status, 302)
        asked = [path for path, _ in self.server.asked]  # type: ignore[attr-defined]
        self.assertEqual(asked, ["/redirect"])

    def test_a_status_is_an_answer_and_no_failure(self) -> None:
        self.assertEqual(self.download("/nothing").status, 404)

    def test_files_of_the_machine_are_not_served(self) -> None:
        for url in (FILES.joinpath("hello.txt").as_uri(), "data:,hello", "ftp://127.0.0.1/x"):
            with self.assertRaises(HostFailure.Failed, msg=url):
                self.download(url)
        self.assertFalse(self.body.exists())

    def test_what_is_too_slow_is_given_up(self) -> None:
        for path in ("/slow", "/silent"):
            begun = time.monotonic()
            with self.assertRaises(HostFailure.Failed):
                self.download(path, timeout_ms=300)
            self.assertLess(time.monotonic() - begun, 1.5)

    def test_what_nobody_waits_for_leaves_no_file(self) -> None:
        async def gives_up() -> None:
            request = NetworkRequest(
                url=self.url + "/slow", headers=[], destination=str(self.body), timeout_ms=5000
            )
            call = asyncio.ensure_future(finalmile.UrllibNetwork().download(request))
            while not self.body.exists():
                await asyncio.sleep(0.01)
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            for _ in range(200):
                if not self.body.exists():
                    return
                await asyncio.sleep(0.01)
            self.fail("the file is still there")

        asyncio.run(gives_up())

    def test_a_cache_fetches_through_it(self) -> None:
        async def fetches() -> None:
            gateways = [GatewaySettings(url=self.url)]
            settings = CacheSettings(folder=str(self.folder / "cache"), gateways=gateways)
            cache = await finalmile.open_cache(settings, finalmile.UrllibNetwork())
            got = await cache.get_cached_or_fetch(wanted(HELLO_CID))
            self.assertEqual(pathlib.Path(got.path).read_bytes(), HELLO)
            with self.assertRaises(FinalmileError) as raised:
                await cache.get_cached_or_fetch(wanted(raw_cid(content(1))))
            self.assertEqual(raised.exception.code, "CONTENT_UNAVAILABLE")
            await cache.close()

        # Twice, each time with an event loop of its own.
        asyncio.run(fetches())
        asyncio.run(fetches())


class Package(unittest.TestCase):
    """What is shown, and how it is told."""

    def test_everything_generated_is_shown(self) -> None:
        for name in finalmile.raw.__all__:
            self.assertTrue(hasattr(finalmile, name), name)
        self.assertIs(FinalmileError, finalmile.Failure.Failed)
        self.assertTrue(issubclass(FinalmileError, Exception))

    def test_types_are_told(self) -> None:
        folder = pathlib.Path(finalmile.__file__).parent
        self.assertTrue((folder / "py.typed").is_file())
        hints = typing.get_type_hints(finalmile.open_cache, vars(finalmile.raw))
        self.assertIs(hints["return"], finalmile.IpfsCache)

    def test_the_example_of_the_readme_runs(self) -> None:
        readme = pathlib.Path(__file__).resolve().parent.parent / "README.md"
        (example,) = re.findall(r"```python\n(.*?)```", readme.read_text("utf-8"), re.S)
        with tempfile.TemporaryDirectory(prefix="finalmile-") as folder:
            shutil.copy(FILES / "photo.jpg", folder)
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", example],
                cwd=folder,
                env=os.environ,
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("300 x 300", done.stdout)
        self.assertIn("FILE_UNREADABLE", done.stdout)


if __name__ == "__main__":
    unittest.main()
