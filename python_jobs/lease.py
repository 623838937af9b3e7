"""One run of a use case at a time: a lease is an object that only one creator gets.

Append-only tables cannot compare and set; an object created with generation 0 as its precondition
can. A use case has one lease, because its feature tables hold one run's origins; publishing has
another, because every use case writes `forecasts` and the marts.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from python_jobs.errors import LeaseHeld
from python_jobs.model_store import AlreadyThere, ModelStore, ObjectMissing, encode_part

HOLD = timedelta(hours=2)
ATTEMPTS = 100
"""Looks at a lease that others write at the same time; the tasks of one run may be many."""


@dataclass
class Lease:
    """A lease that this run holds; `renew` before a long step, `release` at the end."""

    store: ModelStore
    name: str
    run_id: str
    purpose: str
    generation: int

    def renew(self) -> None:
        """Move the expiry on.

        Raises:
            LeaseHeld: somebody took the lease over.
        """
        try:
            self.generation = self.store.put(
                self.name, _content(self.run_id, self.purpose), generation=self.generation
            )
        except AlreadyThere as error:
            raise LeaseHeld(_taken(self.store, self.name, "was taken over")) from error

    def release(self) -> None:
        """Give the lease back; a lease that somebody took over is left to them."""
        with contextlib.suppress(AlreadyThere, ObjectMissing):
            self.store.delete(self.name, generation=self.generation)


def acquire(
    store: ModelStore, scope: str, run_id: str, purpose: str, *, take_over: bool = False
) -> Lease:
    """Take the lease of a scope, or say who holds it.

    Args:
        store: where leases lie.
        scope: what must not be done twice at once (a use case's name, `publish`).
        run_id: may enter again a lease that it holds already.
        purpose: for the message that others read.
        take_over: take it although another run holds it, after a crash.

    Raises:
        LeaseHeld: another run holds it and it has not expired.
    """
    name = f"leases/{encode_part(scope)}.json"
    for _ in range(ATTEMPTS):
        there = store.stat(name)
        if there is not None and not (take_over or _may_enter(store, name, run_id)):
            break
        try:
            generation = store.put(
                name, _content(run_id, purpose), generation=there.generation if there else 0
            )
        except AlreadyThere:
            # Another run, another task of this one, or our own create whose answer was lost.
            take_over = False
            continue
        return Lease(store, name, run_id, purpose, generation)
    raise LeaseHeld(_taken(store, name, "is held"))


def acquire_waiting(
    store: ModelStore, scope: str, run_id: str, purpose: str, *, patience: timedelta
) -> Lease:
    """Take the lease of a scope once whoever holds it has given it back.

    Raises:
        LeaseHeld: it was still held after `patience`.
    """
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            return acquire(store, scope, run_id, purpose)
        except LeaseHeld:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


@contextlib.contextmanager
def released(lease: Lease) -> Iterator[Lease]:
    """Release a lease when the block ends, however it ends."""
    try:
        yield lease
    finally:
        lease.release()


def _content(run_id: str, purpose: str) -> bytes:
    now = datetime.now(UTC)
    return orjson.dumps(
        {"run_id": run_id, "purpose": purpose, "taken_at": now, "expires_at": now + HOLD}
    )


def _read(store: ModelStore, name: str) -> dict[str, str] | None:
    try:
        content: dict[str, str] = orjson.loads(store.get(name))
    except ObjectMissing:
        return None
    return content


def _may_enter(store: ModelStore, name: str, run_id: str) -> bool:
    content = _read(store, name)
    if content is None or content["run_id"] == run_id:
        return True
    return datetime.fromisoformat(content["expires_at"]) < datetime.now(UTC)


def _taken(store: ModelStore, name: str, how: str) -> str:
    content = _read(store, name)
    if content is None:
        return f"{name} {how} by another run that has just ended. Start again."
    return (
        f"{name} {how} by run {content['run_id']} ({content['purpose']}) since "
        f"{content['taken_at'][:19]}Z, until {content['expires_at'][:19]}Z at the latest. "
        "Wait for it; if that run has crashed, start again with --take-over."
    )
