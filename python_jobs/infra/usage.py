"""What the queries of a step cost, as BigQuery tells: bytes billed and slot time.

dbt runs its nodes in threads of its own, and jobs query from several; what any of them adds counts
for every measurement that is open in this process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_OPEN: list[Used] = []
_LOCK = threading.Lock()


@dataclass
class Used:
    """What queries used; None where no query told (the emulator tells nothing).

    Attributes:
        bytes_billed: bytes that BigQuery bills; 0 where all came from its cache.
        slot_seconds: seconds of a slot.
    """

    bytes_billed: int | None = None
    slot_seconds: float | None = None


@contextmanager
def measured(used: Used) -> Iterator[None]:
    """Add to `used` what the queries within use."""
    with _LOCK:
        _OPEN.append(used)
    try:
        yield
    finally:
        with _LOCK:
            _OPEN[:] = [one for one in _OPEN if one is not used]


def add(bytes_billed: int | None, slot_milliseconds: int | None) -> None:
    """Count a query that has ended, as far as BigQuery told."""
    with _LOCK:
        for used in _OPEN:
            if bytes_billed is not None:
                used.bytes_billed = (used.bytes_billed or 0) + bytes_billed
            if slot_milliseconds is not None:
                used.slot_seconds = (used.slot_seconds or 0.0) + slot_milliseconds / 1000
