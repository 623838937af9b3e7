"""Bounded memory for what the emulator keeps of every query for ever."""

import threading
from collections.abc import Hashable
from typing import Any

from bqemulator.streaming.read_session import ReadSessionState

MEBIBYTE = 1024 * 1024


class BoundedCache(dict[Hashable, Any]):
    """A dictionary that drops its oldest entries beyond a number of entries or bytes.

    Requests of several threads fill and read it at once.
    """

    def __init__(self, entries: int, megabytes: int, spared: int = 8) -> None:
        """Keep up to `entries` and `megabytes`, and the newest `spared` whatever their size."""
        super().__init__()
        self._entries, self._bytes, self._spared = entries, megabytes * MEBIBYTE, spared
        self._sizes: dict[Hashable, int] = {}
        self._held = 0
        self._changing = threading.RLock()

    def __setitem__(self, key: Hashable, value: Any) -> None:
        with self._changing:
            self.pop(key, None)
            super().__setitem__(key, value)
            self._sizes[key] = _size(value)
            self._held += self._sizes[key]
            while len(self) > self._spared and self._is_over_limit():
                self.pop(next(iter(self)), None)

    def pop(self, key: Hashable, *default: Any) -> Any:
        """Remove an entry and return it."""
        with self._changing:
            self._held -= self._sizes.pop(key, 0)
            return super().pop(key, *default)

    def _is_over_limit(self) -> bool:
        return len(self) > self._entries or self._held > self._bytes


def _size(value: Any) -> int:
    held = value.table if isinstance(value, ReadSessionState) else value
    return int(getattr(held, "nbytes", 0))


JOB_RESULTS = BoundedCache(entries=500, megabytes=512)
JOB_SCHEMAS = BoundedCache(entries=500, megabytes=512)
READ_SESSIONS = BoundedCache(entries=64, megabytes=512, spared=32)


def keep_results(_original: object) -> BoundedCache:
    """Keep a bounded number of query results."""
    return JOB_RESULTS


def keep_schemas(_original: object) -> BoundedCache:
    """Keep the schemas of a bounded number of query results."""
    return JOB_SCHEMAS


def keep_sessions(_original: object) -> BoundedCache:
    """Keep a bounded number of read sessions, each of which holds a table."""
    return READ_SESSIONS
