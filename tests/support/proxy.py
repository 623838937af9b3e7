"""Proxies that stand before the emulators and do, by rule, what a cloud does on a bad day."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Rule:
    """What happens to the requests that it matches.

    Attributes:
        matches: a regular expression over `METHOD path body`.
        status: the answer instead of the emulator's; None: the request goes through.
        reason: BigQuery's word for it, in the answer.
        times: how often; -1 for ever.
        after: let the emulator do it first, and answer so all the same: an answer that was lost.
        seen: how often it was applied.
    """

    matches: str
    status: int = 503
    reason: str = "backendError"
    times: int = 1
    after: bool = False
    seen: int = field(default=0, init=False)

    def applies(self, request: str) -> bool:
        if self.times == self.seen or not re.search(self.matches, request, re.S):
            return False
        self.seen += 1
        return True

    @property
    def body(self) -> bytes:
        error = {"reason": self.reason, "message": f"injected {self.reason}"}
        content = {"code": self.status, "message": error["message"], "errors": [error]}
        return json.dumps({"error": content}).encode()


@dataclass
class HttpProxy:
    """A running proxy: its endpoint and its rules, which may change at any time."""

    endpoint: str
    rules: list[Rule]
    requests: list[str] = field(default_factory=list)


@contextmanager
def http_proxy(target: str) -> Iterator[HttpProxy]:
    """Stand before an HTTP emulator, on loopback."""
    where = urlsplit(target)
    proxy = HttpProxy("", [])
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: Any) -> None:
            pass

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            request = f"{self.command} {self.path} {body.decode('utf-8', 'replace')}"
            with lock:
                proxy.requests.append(request)
                rule = next((one for one in proxy.rules if one.applies(request)), None)
            if rule is None:
                self._send(*self._forwarded(body))
                return
            if rule.after:
                self._forwarded(body)
            self._send(rule.status, [("Content-Type", "application/json")], rule.body)

        def _forwarded(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=300)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            headers["Host"] = where.netloc
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, answer.getheaders(), content

        def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value.replace(where.netloc, self.headers["Host"]))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class TcpProxy:
    """A running proxy of bytes.

    Attributes:
        endpoint: host:port.
        silent_after: once the target has sent so many bytes on a connection, nothing passes either
            way; the connection stays open, as behind a firewall that forgot it.
        n_silent: how many connections, from now on, fall silent; the others do not.
    """

    endpoint: str
    silent_after: int = 0
    n_silent: int = 0


@contextmanager
def tcp_proxy(target: str) -> Iterator[TcpProxy]:
    """Stand before a gRPC emulator, on loopback."""
    host, port = target.rsplit(":", 1)
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = TcpProxy(f"127.0.0.1:{listener.getsockname()[1]}")
    open_sockets: list[socket.socket] = [listener]

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((host, int(port)))
                open_sockets.extend((client, server))
                falls_silent = proxy.n_silent > 0
                proxy.n_silent -= falls_silent
                silence = threading.Event()
                limit = proxy.silent_after if falls_silent else None
                for source, sink, most in ((client, server, None), (server, client, limit)):
                    arguments = (source, sink, most, silence)
                    threading.Thread(target=pump, args=arguments, daemon=True).start()

    def pump(
        source: socket.socket, sink: socket.socket, most: int | None, silence: threading.Event
    ) -> None:
        n_bytes = 0
        with suppress(OSError):
            while data := source.recv(65536):
                if most is not None and n_bytes + len(data) > most:
                    data, _ = data[: max(0, most - n_bytes)], silence.set()
                    sink.sendall(data)
                if silence.is_set():
                    return
                n_bytes += len(data)
                sink.sendall(data)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield proxy
    finally:
        for one in open_sockets:
            with suppress(OSError):
                one.close()
