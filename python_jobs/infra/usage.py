"""Billed bytes and slot time of a step's queries.

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
    """Billed bytes and slot time; None where BigQuery reports none (the emulator never does).

    Attributes:
        bytes_billed: bytes that BigQuery bills; 0 where all came from its cache.
        slot_seconds: seconds of a slot.
    """

    bytes_billed: int | None = None
    slot_seconds: float | None = None


@contextmanager
def measured(used: Used) -> Iterator[None]:
    """Add the usage of queries run inside the block to `used`."""
    with _LOCK:
        _OPEN.append(used)
    try:
        yield
    finally:
        with _LOCK:
            _OPEN[:] = [one for one in _OPEN if one is not used]


def add(bytes_billed: int | None, slot_milliseconds: int | None) -> None:
    """Add a finished query's billed bytes and slot time; skip what BigQuery did not report."""
    with _LOCK:
        for used in _OPEN:
            if bytes_billed is not None:
                used.bytes_billed = (used.bytes_billed or 0) + bytes_billed
            if slot_milliseconds is not None:
                used.slot_seconds = (used.slot_seconds or 0.0) + slot_milliseconds / 1000
