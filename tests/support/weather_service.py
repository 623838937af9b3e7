"""A server on the loopback that answers as Open-Meteo does, and misbehaves on demand."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


def temperature(latitude: float, day: date, api: str) -> float | None:
    """The archive's value of a day, and the forecast API's, half a degree warmer."""
    value = round(latitude / 10 + day.day + day.month / 10, 1)
    return value + (0.5 if api == "forecast" else 0)


@dataclass
class Asked:
    """One request that arrived."""

    api: str
    query: dict[str, str]
    at: float

    @property
    def places(self) -> list[tuple[str, str]]:
        return list(
            zip(self.query["latitude"].split(","), self.query["longitude"].split(","), strict=True)
        )

    @property
    def span(self) -> tuple[str, str]:
        """First and last day; of the forecast: days back and ahead."""
        names = (
            ("start_date", "end_date") if self.api == "archive" else ("past_days", "forecast_days")
        )
        return self.query[names[0]], self.query[names[1]]


Trick = Callable[[BaseHTTPRequestHandler, bytes], None]
"""Answers a request in another way than well; it is given the good answer."""


@dataclass
class WeatherService:
    """What the server answers.

    Attributes:
        today: the day it is at every place.
        archived_until: last day of the archive; later ones are null.
        tricks: one a request, in order; None answers well.
        always: a trick for each request that has none of its own.
        value: of a latitude, a day and an API.
        asked: what arrived.
    """

    today: date
    archived_until: date
    tricks: list[Trick | None] = field(default_factory=list)
    always: Trick | None = None
    value: Callable[[float, date, str], Any] = temperature
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    packed: bool = False

    def urls(self) -> dict[str, str]:
        return {"archive_url": f"{self.url}/v1/archive", "forecast_url": f"{self.url}/v1/forecast"}

    def of(self, api: str) -> list[Asked]:
        return [one for one in self.asked if one.api == api]

    def answer(self, asked: Asked) -> bytes:
        parts = [self._part(asked, n, float(lat)) for n, (lat, _) in enumerate(asked.places)]
        return json.dumps(parts[0] if len(parts) == 1 else parts).encode()

    def _part(self, asked: Asked, position: int, latitude: float) -> dict[str, Any]:
        days = list(self._days(asked))
        names = asked.query["daily"].split(",")
        columns = {
            name: [
                None
                if asked.api == "archive" and day > self.archived_until
                else self.value(latitude, day, asked.api)
                for day in days
            ]
            for name in names
        }
        return {
            "latitude": latitude + 0.01,  # of its own grid
            "longitude": 0.0,
            "generationtime_ms": 0.2,
            "timezone": asked.query["timezone"],
            **({"location_id": position} if position else {}),
            "daily_units": {"time": "iso8601", **dict.fromkeys(names, "°C")},
            "daily": {"time": [f"{day}" for day in days], **columns},
        }

    def _days(self, asked: Asked) -> Iterator[date]:
        first, last = asked.span
        if asked.api == "archive":
            start, end = date.fromisoformat(first), date.fromisoformat(last)
        else:
            start = self.today - timedelta(days=int(first))
            end = self.today + timedelta(days=int(last) - 1)
        for n in range((end - start).days + 1):
            yield start + timedelta(days=n)


def says(status: int, reason: str = "", **headers: str) -> Trick:
    """An error as the service words it."""

    def trick(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        body = json.dumps({"error": True, "reason": reason}).encode() if reason else b"<html>"
        send(handler, status, body, **headers)

    return trick


def says_body(body: Any) -> Trick:
    """200 and any body."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda handler, _: send(handler, 200, content)


def hangs_up(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    """The connection ends before an answer begins."""
    handler.connection.close()


def is_cut(handler: BaseHTTPRequestHandler, good: bytes) -> None:
    """The connection ends in the middle of the answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(good)))
    handler.end_headers()
    handler.wfile.write(good[: len(good) // 2])
    handler.wfile.flush()
    handler.connection.close()


def is_silent(seconds: float) -> Trick:
    """The answer comes too late."""

    def trick(handler: BaseHTTPRequestHandler, good: bytes) -> None:
        time.sleep(seconds)
        send(handler, 200, good)

    return trick


def drips(every: float) -> Trick:
    """The answer comes a byte at a time."""

    def trick(handler: BaseHTTPRequestHandler, good: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(good)))
        handler.end_headers()
        for n in range(len(good)):
            handler.wfile.write(good[n : n + 1])
            handler.wfile.flush()
            time.sleep(every)

    return trick


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json; charset=utf-8")
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving(service: WeatherService) -> Iterator[WeatherService]:
    """Serve on a free port until the test is done."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            asked = Asked(parts.path.rsplit("/", 1)[-1], query, time.monotonic())
            with lock:
                service.asked.append(asked)
                trick = (service.tricks.pop(0) if service.tricks else None) or service.always
            good = service.answer(asked)
            try:
                if trick is not None:
                    trick(self, good)
                elif service.packed:
                    send(self, 200, gzip.compress(good), Content_Encoding="gzip")
                else:
                    send(self, 200, good)
            except OSError:  # the client has hung up
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
