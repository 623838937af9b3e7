"""One run: its identity, its origins, its shard, and what it writes about itself."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd
from ulid import ULID

from python_jobs.infra.errors import SettingsError, ShelfcastError
from python_jobs.infra.logs import Event, log
from python_jobs.infra.schedule import Origin
from python_jobs.infra.series import pattern_to_regex
from python_jobs.infra.settings import UseCase, code_version
from python_jobs.infra.usage import Used, measured
from python_jobs.infra.warehouse import Warehouse

RunKind = Literal[
    "issued", "replay", "backtest", "train", "tune", "monitor", "retrain", "check", "scenario"
]


TABLE = re.compile(r"[\w-]+\.[\w$-]+\.[\w$-]+")


@dataclass(frozen=True)
class Shard:
    """Which part of the series this task has: `index` of `count`, by fingerprint of series_id."""

    index: int = 0
    count: int = 1


def number_of_task(name: str, environment: Mapping[str, str] = os.environ, default: int = 0) -> int:
    """A number that Cloud Run tells a task; empty or unset means the default.

    Raises:
        SettingsError: it is none.
    """
    given = environment.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,9}", given):
        raise SettingsError(f"{name} is '{given[:40]}', not a whole number from 0 on.")
    return int(given)


def shard_of_task(environment: Mapping[str, str] = os.environ) -> Shard:
    """The shard of a Cloud Run task (its index of how many there are), else the whole."""
    shard = Shard(
        number_of_task("CLOUD_RUN_TASK_INDEX", environment),
        number_of_task("CLOUD_RUN_TASK_COUNT", environment, default=1),
    )
    if not 0 <= shard.index < shard.count:
        raise SettingsError(f"CLOUD_RUN_TASK_INDEX {shard.index} is not below {shard.count}.")
    return shard


@dataclass(frozen=True)
class Selection:
    """Which series a command is for; without patterns and table, all of them.

    Attributes:
        patterns: comma-separated globs over series_id.
        table: `project.dataset.table` that holds the key's columns.
        names: whole series_ids, where a job has settled which.
    """

    patterns: str = ""
    table: str = ""
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no table's name.

        Raises:
            SettingsError: the inclusion table is not named as project.dataset.table.
        """
        if self.table and not TABLE.fullmatch(self.table):
            raise SettingsError(f"'{self.table}' is not named as project.dataset.table.")

    @property
    def is_partial(self) -> bool:
        """True where some series are left out."""
        return bool(self.patterns or self.table or self.names)

    @property
    def regex(self) -> str:
        """The patterns as one RE2 expression."""
        return pattern_to_regex(self.patterns) if self.patterns else ".*"


@dataclass(frozen=True)
class Run:
    """One run of a use case.

    Attributes:
        run_id: Cloud Run's execution name, else a ULID; a retried task keeps it.
        kind: what the rows it writes count as.
        use_case: its settings.
        origins: what it looks back from, oldest first.
        is_as_issued: a replay that is published as if it had been issued.
        selection: the series it is for.
        shard: the part of them that this task has.
        settings_digest: of all settings, for the log.
        started_at: when it started.
    """

    run_id: str
    kind: RunKind
    use_case: UseCase
    origins: list[Origin]
    is_as_issued: bool = False
    selection: Selection = field(default_factory=Selection)
    shard: Shard = field(default_factory=Shard)
    settings_digest: str = ""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def job_id(self, table: str, *parts: object) -> str:
        """The id under which this run's rows of a table are loaded, the same on every retry."""
        return "-".join([self.run_id, table, self.use_case.name, *map(str, parts)])


RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def check_run_id(run_id: str) -> str:
    """Return a run id that the id of a load job can hold, character by character.

    Raises:
        SettingsError: it has other characters, or is too long.
    """
    if not RUN_ID.fullmatch(run_id):
        raise SettingsError(
            f"run id {run_id[:140]!r} is refused: 1 to 128 of the letters A-Z and a-z, digits, _ "
            "and - are allowed. The rows of a run are loaded under its id, and two ids must not "
            "become one."
        )
    return run_id


def new_run_id(environment: Mapping[str, str] = os.environ) -> str:
    """Cloud Run's execution name, or a new ULID. Errors are those of `check_run_id`."""
    return check_run_id(environment.get("CLOUD_RUN_EXECUTION") or str(ULID()))


def write_origins(warehouse: Warehouse, run: Run) -> None:
    """Write the run's origins to run_origins, which makes it the active run for SQL."""
    rows = [
        {
            "run_id": run.run_id,
            "run_kind": run.kind,
            "use_case": run.use_case.name,
            "origin_date": origin.origin_date,
            "as_of_at": origin.as_of_at,
            "is_as_issued": run.is_as_issued,
            "requested_at": run.started_at,
        }
        for origin in run.origins
    ]
    warehouse.append("run_origins", pd.DataFrame(rows), run.job_id("run_origins"))


@dataclass
class ModelPart:
    """One family's share of a step.

    Attributes:
        seconds: of the step's own.
        used: by the family's queries, of what the step's used.
    """

    seconds: float = 0.0
    used: Used = field(default_factory=Used)


@dataclass
class StepCounts:
    """Counts and cost of a step, filled in while it runs.

    Attributes:
        n_in: series, or what else came in.
        n_out: what came out.
        message: for people.
        used: by the step's queries, dbt's among them.
        models: the part of each family, by model_name; the rest is shared.
    """

    n_in: int = 0
    n_out: int = 0
    message: str = ""
    used: Used = field(default_factory=Used)
    models: dict[str, ModelPart] = field(default_factory=dict)


_STEP: ContextVar[StepCounts | None] = ContextVar("_STEP", default=None)


@contextmanager
def of_model(model_name: str) -> Iterator[None]:
    """Attribute the block's time and query cost to this family. Nested calls are ignored."""
    counts = _STEP.get()
    if counts is None:
        yield
        return
    part, start = counts.models.setdefault(model_name, ModelPart()), time.perf_counter()
    token = _STEP.set(None)
    try:
        with measured(part.used):
            yield
    finally:
        _STEP.reset(token)
        part.seconds += time.perf_counter() - start


@contextmanager
def step(warehouse: Warehouse, run: Run, name: str) -> Iterator[StepCounts]:
    """Record a step of a run in run_log: a row when it starts, a row when it ends, well or not.

    With the latter come those of the families, of event `model_ended`.
    """
    counts, start = StepCounts(), time.perf_counter()
    log(Event.STEP_STARTED, f"{name} …", run_id=run.run_id, step=name)
    _write(warehouse, run, name, [_row(run, name, "started", "running", counts)])
    token = _STEP.set(counts)
    try:
        with measured(counts.used):
            yield counts
    except BaseException as error:
        counts.message = str(error)[:2000]
        seconds = time.perf_counter() - start
        with suppress(ShelfcastError):  # the step's own error is the one to raise
            _write(warehouse, run, name, _ended(run, name, "failed", counts, seconds))
        raise
    finally:
        _STEP.reset(token)
    seconds = time.perf_counter() - start
    _write(warehouse, run, name, _ended(run, name, "done", counts, seconds))
    _log_ended(run, name, counts, seconds)


def _log_ended(run: Run, name: str, counts: StepCounts, seconds: float) -> None:
    for model_name, part in counts.models.items():
        log(
            Event.MODEL_STEP_ENDED,
            f"{name}: {model_name}, {part.seconds:.1f} s",
            level=logging.DEBUG,
            run_id=run.run_id,
            step=name,
            model_name=model_name,
            seconds=round(part.seconds, 3),
            bytes_billed=part.used.bytes_billed,
            slot_seconds=part.used.slot_seconds,
        )
    log(
        Event.STEP_ENDED,
        f"{name}: {counts.message + ', ' if counts.message else ''}{seconds:.1f} s",
        run_id=run.run_id,
        step=name,
        n_in=counts.n_in,
        n_out=counts.n_out,
        seconds=round(seconds, 3),
        bytes_billed=counts.used.bytes_billed,
        slot_seconds=counts.used.slot_seconds,
    )


def record_failure(warehouse: Warehouse, run: Run, name: str, error: BaseException) -> None:
    """Log a failed step for a run that failed before the step started; its other tasks read it."""
    counts = StepCounts(message=str(error)[:2000])
    _write(warehouse, run, name, _ended(run, name, "failed", counts, 0.0))


def _ended(
    run: Run, name: str, status: str, counts: StepCounts, seconds: float
) -> list[dict[str, Any]]:
    """The rows of a step that has ended: its own, and one of each family."""
    own = _row(run, name, "ended", status, counts) | {"seconds": seconds}
    return [
        own | {"bytes_billed": counts.used.bytes_billed, "slot_seconds": counts.used.slot_seconds},
        *(
            own
            | {
                "event": "model_ended",
                "model_name": model_name,
                "n_in": None,
                "n_out": None,
                "seconds": part.seconds,
                "bytes_billed": part.used.bytes_billed,
                "slot_seconds": part.used.slot_seconds,
                "message": "",
            }
            for model_name, part in counts.models.items()
        ),
    ]


def _row(run: Run, name: str, event: str, status: str, counts: StepCounts) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "run_kind": run.kind,
        "use_case": run.use_case.name,
        "step": name,
        "shard": run.shard.index,
        "n_shards": run.shard.count,
        "attempt": number_of_task("CLOUD_RUN_TASK_ATTEMPT"),
        "event": event,
        "status": status,
        "n_in": counts.n_in,
        "n_out": counts.n_out,
        "seconds": 0.0,
        "is_partial": run.selection.is_partial,
        "settings_hash": run.settings_digest,
        "code_version": code_version(),
        "message": counts.message,
        "logged_at": datetime.now(UTC),
    }


def _write(warehouse: Warehouse, run: Run, name: str, rows: list[dict[str, Any]]) -> None:
    event, at = rows[0]["event"], f"{rows[0]['logged_at']:%Y%m%dT%H%M%S%f}"
    job = run.job_id("run_log", name, run.shard.index, event, at)
    warehouse.append("run_log", pd.DataFrame(rows), job)
