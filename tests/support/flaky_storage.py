"""A storage server that fails before it works: a proxy in front of the emulator."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse


@dataclass
class Flaky:
    """Where the proxy listens, and what it has answered.

    Attributes:
        url: of the proxy.
        refused: how often it answered 503, by method.
    """

    url: str = ""
    refused: Counter[str] = field(default_factory=Counter)


@contextmanager
def flaky_storage(behind: str, n_failures: int) -> Iterator[Flaky]:
    """Answer 503 to the first `n_failures` requests of each method, then pass everything on."""
    address = urlparse(behind)
    flaky = Flaky()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_method(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if flaky.refused[self.command] < n_failures:
                flaky.refused[self.command] += 1
                self.answer(503, [], b'{"error": {"code": 503, "message": "try again"}}')
                return
            onward = HTTPConnection(address.hostname or "", address.port, timeout=30)
            # The emulator names itself in links by the Host that it was asked for.
            onward.request(self.command, self.path, body, dict(self.headers))
            answer = onward.getresponse()
            self.answer(answer.status, answer.getheaders(), answer.read())
            onward.close()

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_one_method  # noqa: N815

        def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value.replace(behind, flaky.url))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.replace(behind.encode(), flaky.url.encode()))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    flaky.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield flaky
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
