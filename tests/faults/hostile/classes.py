"""What became of one hostile input."""

from __future__ import annotations

import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from python_jobs.infra.errors import ShelfcastError

Outcome = Literal["accepted", "refused in words", "traceback", "hang"]
OUTCOMES: tuple[Outcome, ...] = ("accepted", "refused in words", "traceback", "hang")

LIMIT_S = 20.0
"""Seconds after which an input counts as a hang; the slowest sound one takes about two."""
MEMORY = 3 * 2**30
"""Bytes that an input may allocate beyond what its process has."""


class Hang(BaseException):
    """An input took too long. No handler of Exception catches it."""


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        area: which generator made it.
        shown: the input, short enough to read.
        run: gives it to Shelfcast; raises what Shelfcast raises.
    """

    area: str
    shown: str
    run: Callable[[], None]


@dataclass(frozen=True)
class Result:
    """What became of a case; `detail` is the message, or the traceback."""

    case: Case
    outcome: Outcome
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        return self.outcome in ("traceback", "hang")

    def __str__(self) -> str:
        return f"{self.outcome}: {self.case.area}: {self.case.shown[:300]}\n{self.detail}"


def judged(case: Case) -> Result:
    """Run a case in this process."""
    try:
        with _at_most(LIMIT_S):
            case.run()
    except ShelfcastError as refusal:
        outcome: Outcome = "refused in words" if str(refusal).strip() else "traceback"
        return Result(case, outcome, str(refusal))
    except Hang:
        return Result(case, "hang", "".join(traceback.format_exc()))
    except BaseException:  # noqa: BLE001 - that is the question
        return Result(case, "traceback", traceback.format_exc())
    return Result(case, "accepted")


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judged_apart(case: Case) -> Result:
    """Run a case in a child with bounded time and memory: it may crash or never end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(case, writing)
    os.close(writing)
    try:
        content = _all_of(reading, LIMIT_S + 5)
    finally:
        os.close(reading)
    if content is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if content is None:
        return Result(case, "hang", f"no end within {LIMIT_S + 5:.0f} s")
    outcome, _, detail = content.partition("\n")
    for known in OUTCOMES:
        if outcome == known:
            return Result(case, known, detail)
    return Result(case, "traceback", f"the process died with status {status}: {content[:500]}")


def _be_child(case: Case, writing: int) -> None:
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        result = judged(case)
        text = f"{result.outcome}\n{result.detail[-4000:]}"
        os.write(writing, text.encode("utf-8", "replace"))
    finally:
        os._exit(0)


def _all_of(reading: int, seconds: float) -> str | None:
    """What a child writes until it ends; None where it does not in time."""
    until, parts = time.monotonic() + seconds, []
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        part = os.read(reading, 65536)
        if not part:
            return b"".join(parts).decode("utf-8", "replace")
        parts.append(part)
