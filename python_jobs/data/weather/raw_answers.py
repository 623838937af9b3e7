"""Cache of raw weather answers, so that a request is sent once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from python_jobs.data.weather.requests_due import Request
from python_jobs.infra.errors import ShelfcastError
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.store import ModelStore, ObjectFault


@dataclass
class RawAnswers:
    """The kept answers under a Cloud Storage prefix or in a folder; without a store, none.

    A store that fails is logged once and not used again: weather is fetched without it.

    Attributes:
        store: where they lie.
        service: the first part of their names.
    """

    store: ModelStore | None
    service: str
    _has_failed: bool = field(default=False, init=False)

    def find(self, request: Request) -> bytes | None:
        """The kept answer to a request whose answer will not change; None where there is none."""
        if self.store is None or self._has_failed or not request.is_settled:
            return None
        try:
            content: bytes = self.store.get(self._name(request, None))
        except ObjectFault:
            return None
        except ShelfcastError as error:
            self._give_up(error)
            return None
        return content

    def keep(self, request: Request, content: bytes, asked_at: datetime) -> None:
        """Keep an answer; one that may change is kept beside those of other days."""
        if self.store is None or self._has_failed:
            return
        try:
            self.store.put(self._name(request, asked_at), content)
        except ShelfcastError as error:
            self._give_up(error)

    def _name(self, request: Request, asked_at: datetime | None) -> str:
        """Cache name of a request; the API key is no part of it."""
        packed = orjson.dumps(request.parameters(), option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(packed).hexdigest()[:32]
        when = f"{request.first}_{request.last}"
        if asked_at is not None and not request.is_settled:
            when = f"{when}/{asked_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        return f"{self.service}/{request.api}/{when}/{digest}.json"

    def _give_up(self, error: ShelfcastError) -> None:
        self._has_failed = True
        warn(
            Event.WEATHER_NOT_KEPT,
            f"weather: raw answers are neither found nor kept (fetch: cache_uri:): {error}",
        )
