"""The dbt stages of a run: before it forecasts, and from its logs to what people read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from python_jobs.data.holiday_calendar import check_calendar, warn_of_years_without_holidays
from python_jobs.data.rejected import warn_of_rejected_rows
from python_jobs.data.sources import check_sources
from python_jobs.infra.errors import DbtFailed, RunStopped
from python_jobs.infra.lease import Lease, acquire_waiting, released
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.run import Run, step, write_origins
from python_jobs.runs.account import require_account
from python_jobs.runs.active import record_activation
from python_jobs.runs.context import RunContext
from python_jobs.runs.leases import require_lease
from python_jobs.runs.steps import Step
from python_jobs.runs.tables import ensure_tables
from python_jobs.runs.tasks import read_done

BUILD_HOLD = timedelta(minutes=5)

BUILD_PATIENCE = timedelta(minutes=60)
"""Longer than the hold, so that a build that died is waited out, and than the builds of other use
cases that start at the same hour."""


def prepare(context: RunContext, run: Run) -> None:
    """Record what the run looks back from, then let dbt build from the sources to the gate.

    Raises:
        RunStopped: a source table is missing or lacks a column, sales are empty, or too old, or
            the seed has no holidays of a year that is to be forecast.
        DbtFailed: dbt did.
    """
    ensure_tables(context)
    check_sources(context.warehouse, context.use_case)
    check_calendar(context.project, context.use_case, run.origins)
    write_origins(context.warehouse, run)
    if run.kind in ("replay", "backtest") and not context.use_case.sources.sales.known_at:
        warn(
            Event.REPLAYED_AS_RESTATED,
            "sales have no known_at: replayed as restated, with every correction made since.",
            run_id=run.run_id,
        )
    with step(context.warehouse, run, "before_forecast"):
        if run.kind == "issued":
            _check_source_freshness(context)
        with building(context, run):
            record_activation(context.warehouse, run, "begun")
            context.dbt.build("before_forecast", dbt_progress(context, "dbt before"))
    warn_of_years_without_holidays(context.warehouse, context.project, context.use_case)
    warn_of_rejected_rows(context.warehouse, context.use_case, run.run_id)


def publish(context: RunContext, run: Run) -> bool:
    """Build what people read: dbt from the logs to the marts, one run at a time.

    Returns:
        False where another task of the same run is at it (see `build_stage`).
    """
    return build_stage(context, run, "after_forecast", "dbt after")


def build_stage(context: RunContext, run: Run, stage: str, what: str) -> bool:
    """Build a stage whose tables other use cases share: one run at a time, once a run.

    Args:
        context: the run's context.
        run: recorded as having done it.
        stage: the dbt selector.
        what: shown while it goes on.

    Returns:
        False where it is left to another task of the same run, which is at it.

    Raises:
        LeaseHeld: another run publishes for longer than BUILD_PATIENCE, or has taken the lease
            of the use case meanwhile.
    """
    require_lease(context, run)
    is_alone = run.shard.count == 1
    lease = _build_lease(context, run, None if is_alone else _tasks(run))
    if lease is None:
        return False
    with released(lease):
        if is_alone or not read_done(context.warehouse, run).by_any(stage):
            record_activation(context.warehouse, run, "begun")
            with step(context.warehouse, run, stage):
                context.dbt.build(stage, dbt_progress(context, what))
                require_account(context.warehouse, run)
    return True


@contextmanager
def building(context: RunContext, run: Run) -> Iterator[None]:
    """Hold the lease of the deployment's builds: use cases share seeds, registry and calibration.

    Raises:
        LeaseHeld: other runs build for longer than BUILD_PATIENCE.
    """
    lease = _build_lease(context, run)
    assert lease is not None
    with released(lease):
        yield


def _build_lease(context: RunContext, run: Run, holder_prefix: str | None = None) -> Lease | None:
    return acquire_waiting(
        context.store,
        f"publish {context.connection.dataset}",
        run.run_id if run.shard.count == 1 else f"{_tasks(run)}{run.shard.index}",
        f"dbt build, {run.kind} of {run.use_case.name}",
        patience=BUILD_PATIENCE,
        hold=BUILD_HOLD,
        holder_prefix=holder_prefix,
    )


def _tasks(run: Run) -> str:
    """How the tasks of a run begin their names in the lease of the builds."""
    return f"{run.run_id} task "


PREPARE = Step("before_forecast", prepare, "prepared the run")
PUBLISH = Step("after_forecast", publish, "published")


def dbt_progress(context: RunContext, what: str) -> Callable[[int, int, str], None]:
    """A progress callback for dbt nodes."""
    return lambda done, total, _: context.progress(what, done, total)


def _check_source_freshness(context: RunContext) -> None:
    try:
        context.dbt.run("source freshness", "--select", f"source:{context.use_case.name}_sales")
    except DbtFailed as error:
        raise RunStopped(
            f"{context.use_case.name}: the sales table is staler than error_after_days, or its "
            f"freshness cannot be read. {error}"
        ) from error
