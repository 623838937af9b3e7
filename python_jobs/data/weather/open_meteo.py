"""Open-Meteo's archive and forecast APIs: patient with a busy service, silent about the key.

Without a key its free service is for non-commercial use; its data are CC BY 4.0.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import quote, quote_plus, urlsplit

import orjson
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from python_jobs.data.weather.requests_due import Api, Request
from python_jobs.infra.errors import ShelfcastError
from python_jobs.infra.settings import WeatherFetch, code_version

FREE = {
    "archive": "https://archive-api.open-meteo.com/v1/archive",
    "forecast": "https://api.open-meteo.com/v1/forecast",
}
CUSTOMER = {
    "archive": "https://customer-archive-api.open-meteo.com/v1/archive",
    "forecast": "https://customer-api.open-meteo.com/v1/forecast",
}

BUSY = (429, 500, 502, 503, 504)
CONNECT_S = 10.0
LONGEST_WAIT_S = 60
"""Before a retry, whatever the service asks for: its own limits are counted by the minute."""

RETRIES_WITHOUT_ANSWER = 2
"""Of a connection that fails or stays silent: each costs a whole time limit."""

ARRIVES_WITHIN = 4
"""Times timeout_s in which a whole answer must have arrived."""

CUT_ATTEMPTS = 2
TELL_URLS = ("urllib3.connectionpool", "urllib3.util.retry")
"""Loggers whose lines hold addresses, and so the key."""


class Refused(ShelfcastError):
    """The service will not answer this request; it may answer another."""


class Unreachable(ShelfcastError):
    """The service does not answer, or no more for now: asking on is of no use."""


class _TooSlow(urllib3.exceptions.HTTPError):
    """The answer did not arrive within its time limit."""


class Pace:
    """Rate limit: at most so many calls a minute."""

    def __init__(
        self,
        a_minute: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start with full capacity."""
        self.seconds_each = 60 / a_minute
        self.clock = clock
        self.sleep = sleep
        self.free_at = clock()

    def wait(self, weight: float) -> None:
        """Wait for capacity, then take `weight` calls of it."""
        delay = self.free_at - self.clock()
        if delay > 0:
            self.sleep(delay)
        self.free_at = max(self.free_at, self.clock()) + weight * self.seconds_each


class _Silent(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return False


class OpenMeteo:
    """A client of the service; use it as a context manager."""

    def __init__(self, fetch: WeatherFetch, key: str | None = None) -> None:
        """Prepare a session.

        Args:
            fetch: addresses, limits and patience.
            key: of a customer; None uses the free service, which is for non-commercial use.
        """
        self.timeout_s = fetch.timeout_s
        self.key = key
        own = CUSTOMER if key else FREE
        self.urls: dict[Api, str] = {
            "archive": fetch.archive_url or own["archive"],
            "forecast": fetch.forecast_url or own["forecast"],
        }
        self.pace = Pace(fetch.requests_a_minute)
        self.session = requests.Session()
        self.session.headers["User-Agent"] = f"shelfcast/{code_version()}"
        adapter = HTTPAdapter(max_retries=_retry(fetch))
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, adapter)
        self._silent = _Silent()

    def __enter__(self) -> Self:
        for name in TELL_URLS:
            logging.getLogger(name).addFilter(self._silent)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for name in TELL_URLS:
            logging.getLogger(name).removeFilter(self._silent)
        self.session.close()

    def ask(self, request: Request) -> bytes:
        """Send a request, in its turn, and wait for the whole answer.

        Raises:
            Refused: the service says why it will not answer this one.
            Unreachable: no connection, no answer in time, or too many requests, again and again.
        """
        fault = ""
        for _ in range(CUT_ATTEMPTS):
            self.pace.wait(request.weight)
            status, content, fault = self._exchange(request)
            if not fault:
                return self._judged(request, status, content)
        raise Unreachable(self._message(request, fault))

    def _exchange(self, request: Request) -> tuple[int, bytes, str]:
        """Status, body, and what was wrong with the body's arrival.

        Errors leave as texts: those of the libraries hold the address, and so the key.
        """
        query = request.parameters() | ({"apikey": self.key} if self.key else {})
        url = self.urls[request.api]
        limits = (min(CONNECT_S, self.timeout_s), self.timeout_s)
        final = ""
        try:
            with self.session.get(
                url, params=query, timeout=limits, stream=True, allow_redirects=False
            ) as response:
                return response.status_code, self._body(response), ""
        except requests.RequestException as error:  # the adapter has tried again already
            final = self._reason(error)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return 0, b"", f"the answer was cut short: {self._reason(error)}"
        raise Unreachable(self._message(request, final))

    def _body(self, response: requests.Response) -> bytes:
        """Read what arrives, for as long as a whole answer may take."""
        limit = ARRIVES_WITHIN * self.timeout_s
        until = time.monotonic() + limit
        parts = []
        while part := response.raw.read1(65536, decode_content=True):
            parts.append(part)
            if time.monotonic() > until:
                raise _TooSlow(f"it had not arrived within {limit:g} s")
        return b"".join(parts)

    def _judged(self, request: Request, status: int, content: bytes) -> bytes:
        if status == requests.codes.ok:
            return content
        message = self._message(request, f"it answers {status}: {self._scrubbed(_stated(content))}")
        raise (Unreachable if status in BUSY else Refused)(message)

    def _message(self, request: Request, what: str) -> str:
        return f"{urlsplit(self.urls[request.api]).netloc} ({request}): {what}"

    def _reason(self, error: Exception) -> str:
        """The innermost reason, in words, without an address."""
        reason: object = error
        while isinstance(reason, Exception):
            inner = getattr(reason, "reason", None) or next(iter(reason.args), None)
            if not isinstance(inner, Exception):
                break
            reason = inner
        found_nobody = isinstance(reason, urllib3.exceptions.NewConnectionError)
        if isinstance(reason, urllib3.exceptions.TimeoutError) and not found_nobody:
            return f"no answer within {self.timeout_s:g} s"
        text = re.sub(r"^\S*Connection\([^)]*\): ", "", str(reason)) or type(reason).__name__
        return self._scrubbed(text)

    def _scrubbed(self, text: str) -> str:
        """The text without the key, plain or URL-encoded."""
        for spelled in (
            {self.key, quote(self.key, safe=""), quote_plus(self.key)} if self.key else ()
        ):
            text = text.replace(spelled, "…")
        return re.sub(r"(apikey=)[^&\s'\")]+", r"\1…", text)


def _retry(fetch: WeatherFetch) -> Retry:
    without_answer = min(RETRIES_WITHOUT_ANSWER, fetch.retries)
    return Retry(
        total=fetch.retries,
        connect=without_answer,
        read=without_answer,
        status_forcelist=BUSY,
        allowed_methods={"GET"},
        backoff_factor=fetch.backoff_s,
        backoff_max=LONGEST_WAIT_S,
        retry_after_max=LONGEST_WAIT_S,
        raise_on_status=False,  # the last answer holds the reason
    )


def _stated(content: bytes) -> str:
    """The reason that an answer states, else how it begins."""
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError:
        given = None
    reason = given.get("reason") if isinstance(given, dict) else None
    text = str(reason) if reason else content.decode(errors="replace")
    return " ".join(text.split())[:300] or "nothing"
