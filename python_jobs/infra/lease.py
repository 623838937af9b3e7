"""One run of a use case at a time: a lease is an object that only one creator gets.

Append-only tables cannot compare and set; an object created with generation 0 as its precondition
can. A use case has one lease, because its feature tables hold one run's origins; publishing has
another, because every use case writes `forecasts` and the marts.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from python_jobs.infra.errors import LeaseHeld, ShelfcastError
from python_jobs.infra.foreign import unforeseen
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.object_names import encode_part
from python_jobs.infra.store import AlreadyThere, ModelStore, ObjectCorrupt, ObjectMissing

HOLD = timedelta(hours=2)
"""How long a lease outlives its holder's last word: the steps of a run may be jobs of their own."""
RENEWALS = 4
"""How often a lease is renewed while it is held for its HOLD."""
ATTEMPTS = 100
"""Looks at a lease that others write at the same time; the tasks of one run may be many."""


@dataclass
class Lease:
    """A lease that this run holds; `renewed` while it works, `release` at the end."""

    store: ModelStore
    name: str
    run_id: str
    purpose: str
    generation: int
    taken_at: str
    hold: timedelta

    def renew(self) -> None:
        """Move the expiry on.

        Raises:
            LeaseHeld: somebody took the lease over.
        """
        for _ in range(ATTEMPTS):
            try:
                self.generation = self.store.put(
                    self.name,
                    _content(self.run_id, self.purpose, self.taken_at, self.hold),
                    generation=self.generation,
                )
            except AlreadyThere as error:
                there = self.store.stat(self.name)  # another task of this run may have renewed it
                if there is None or _holder(self.store, self.name) != self.run_id:
                    raise LeaseHeld(_taken(self.store, self.name, "was taken over")) from error
                self.generation = there.generation
            else:
                return

    def release(self) -> None:
        """Give the lease back; a lease that somebody took over is left to them."""
        _give_back(self.store, self.name, self.run_id)


def acquire(
    store: ModelStore,
    scope: str,
    run_id: str,
    purpose: str,
    *,
    take_over: bool = False,
    hold: timedelta | None = None,
) -> Lease:
    """Take the lease of a scope, or say who holds it.

    Args:
        store: where leases lie.
        scope: what must not be done twice at once (a use case's name, `publish`).
        run_id: may enter again a lease that it holds already.
        purpose: for the message that others read.
        take_over: take it although another run holds it, after a crash.
        hold: how long it holds without being renewed; default: HOLD.

    Raises:
        LeaseHeld: another run holds it and it has not expired.
    """
    name, hold = _name(scope), hold or HOLD
    for _ in range(ATTEMPTS):
        there = store.stat(name)
        if there is not None and not (take_over or _may_enter(store, name, run_id)):
            break
        taken_at = _taken_at(store, name, run_id)
        try:
            generation = store.put(
                name,
                _content(run_id, purpose, taken_at, hold),
                generation=there.generation if there else 0,
            )
        except AlreadyThere:
            # Another run, another task of this one, or our own create whose answer was lost.
            take_over = False
            continue
        return Lease(store, name, run_id, purpose, generation, taken_at, hold)
    raise LeaseHeld(_taken(store, name, "is held"))


def acquire_waiting(
    store: ModelStore,
    scope: str,
    run_id: str,
    purpose: str,
    *,
    patience: timedelta,
    hold: timedelta | None = None,
    holder_prefix: str | None = None,
) -> Lease | None:
    """Take the lease of a scope, after waiting for its holder to give it back.

    Args:
        store, scope, run_id, purpose, hold: see `acquire`.
        patience: how long to wait for it.
        holder_prefix: return None at once if the holder's run id starts with this.

    Returns:
        The lease; None where the holder's run id starts with `holder_prefix`.

    Raises:
        LeaseHeld: it was still held after `patience`.
    """
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            return acquire(store, scope, run_id, purpose, hold=hold)
        except LeaseHeld:
            held_by = holder(store, scope) or ""
            if holder_prefix is not None and held_by.startswith(holder_prefix):
                return None
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


@contextlib.contextmanager
def released(lease: Lease) -> Iterator[Lease]:
    """Renew a lease while the block runs, and release it when it ends, however it ends."""
    try:
        with renewed(lease):
            yield lease
    finally:
        lease.release()


@contextlib.contextmanager
def kept(lease: Lease) -> Iterator[Lease]:
    """Renew a lease while the block runs, and leave it to the run's next step; if the block fails,
    release it."""
    try:
        with renewed(lease):
            yield lease
    except BaseException:
        lease.release()
        raise


@contextlib.contextmanager
def renewed(lease: Lease) -> Iterator[Lease]:
    """Renew a lease again and again while the block runs: a long run keeps it.

    A lease that somebody took over is logged and no longer renewed; `require_not_lost` says so to
    whoever is about to write what others read.
    """
    ended = threading.Event()
    pause = lease.hold.total_seconds() / RENEWALS

    def keep_renewing() -> None:
        while not ended.wait(pause):
            try:
                lease.renew()
            except LeaseHeld as error:
                warn(Event.LEASE_LOST, str(error), run_id=lease.run_id)
                return
            except Exception as error:  # noqa: BLE001 - the lease must not lapse in silence
                why = error if isinstance(error, ShelfcastError) else unforeseen(error)
                warn(Event.LEASE_LOST, f"not renewed: {why} Tried again.", run_id=lease.run_id)

    thread = threading.Thread(target=keep_renewing, name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        ended.set()
        thread.join()


def holder(store: ModelStore, scope: str) -> str | None:
    """The run that holds the lease of a scope, or held it last and left it; None without one."""
    return _holder(store, _name(scope))


def require_not_lost(store: ModelStore, scope: str, run_id: str) -> None:
    """Check that no other run has taken the lease of a scope.

    Raises:
        LeaseHeld: one has, and is at work.
    """
    if not _may_enter(store, _name(scope), run_id):
        raise LeaseHeld(_taken(store, _name(scope), "is held"))


def give_back(store: ModelStore, scope: str, run_id: str) -> None:
    """Release the lease of a scope, if this run holds it."""
    _give_back(store, _name(scope), run_id)


def _give_back(store: ModelStore, name: str, run_id: str) -> None:
    """Another task of the run may be renewing it: then once more."""
    for _ in range(ATTEMPTS):
        there = store.stat(name)
        if there is None or _holder(store, name) != run_id:
            return
        with contextlib.suppress(AlreadyThere):
            with contextlib.suppress(ObjectMissing):
                store.delete(name, generation=there.generation)
            return


def _name(scope: str) -> str:
    return f"leases/{encode_part(scope)}.json"


def _holder(store: ModelStore, name: str) -> str | None:
    content = _read(store, name)
    return None if content is None else content["run_id"]


def _taken_at(store: ModelStore, name: str, run_id: str) -> str:
    """When this run first took the lease: now, unless it enters again."""
    content = _read(store, name)
    if content is not None and content["run_id"] == run_id:
        return content["taken_at"]
    return datetime.now(UTC).isoformat()


def _content(run_id: str, purpose: str, taken_at: str, hold: timedelta) -> bytes:
    expires_at = datetime.now(UTC) + hold
    return orjson.dumps(
        {"run_id": run_id, "purpose": purpose, "taken_at": taken_at, "expires_at": expires_at}
    )


def _read(store: ModelStore, name: str) -> dict[str, str] | None:
    """The content of a lease; None without one. What cannot be read is held by an unknown run."""
    try:
        data = store.get(name)
    except ObjectMissing:
        return None
    except ObjectCorrupt:
        return UNREADABLE
    return _content_of(data) or UNREADABLE


UNREADABLE = {
    "run_id": "unknown",
    "purpose": "the lease cannot be read",
    "taken_at": "unknown",
    "expires_at": "9999-12-31T00:00:00+00:00",
}
"""What stands for a lease whose object is no lease: nobody enters it but with `--take-over`."""


def _content_of(data: bytes) -> dict[str, str] | None:
    """The fields of a lease object; None where it is no lease."""
    try:
        content = orjson.loads(data)
        fields = {name: content[name] for name in UNREADABLE}
        is_whole = all(isinstance(value, str) and value for value in fields.values())
        if is_whole and datetime.fromisoformat(fields["expires_at"]).tzinfo is not None:
            return fields
    except (ValueError, TypeError, KeyError):
        pass
    return None


def _may_enter(store: ModelStore, name: str, run_id: str) -> bool:
    content = _read(store, name)
    if content is None or content["run_id"] == run_id:
        return True
    return datetime.fromisoformat(content["expires_at"]) < datetime.now(UTC)


def _taken(store: ModelStore, name: str, how: str) -> str:
    content = _read(store, name)
    if content is None:
        return f"{name} {how} by another run that has just ended. Start again."
    if content is UNREADABLE:
        return (
            f"{name} {how} by an unknown run: what it holds is no lease (cut short, or written by "
            "something else). If no run of the use case is under way, start again with --take-over."
        )
    return (
        f"{name} {how} by run {content['run_id']} ({content['purpose']}) since "
        f"{content['taken_at'][:19]}Z, until {content['expires_at'][:19]}Z at the latest. "
        "Wait for it; if that run has crashed, start again with --take-over."
    )
