"""The active run of a use case: the one whose origins dbt builds for.

dbt is told by a row of run_activations, which a run writes while it holds the lease of its use
case. The warehouse's clock dates the rows, so that the clocks of two machines never decide
(docs/decisions/one-active-run.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Literal

from python_jobs.infra.errors import RunStopped, ShelfcastError
from python_jobs.infra.run import Run
from python_jobs.infra.warehouse import Warehouse
from python_jobs.runs.context import RunContext

MAX_CLOCK_DIFFERENCE = timedelta(minutes=2)
"""How far the clock of this machine may be from the warehouse's."""

ActivationEvent = Literal["begun", "ended", "failed"]

ACTIVATE = """
insert into {run_activations} (run_id, run_kind, use_case, event, logged_at)
values (@run_id, @run_kind, @use_case, @event, current_timestamp())
"""

NEWEST_BEGUN = """
select run_id, run_kind
from {run_activations}
where use_case = @use_case and event = 'begun'
qualify row_number() over (order by logged_at desc) = 1
"""


BUILT_FOR = """
select series.origin_date, any_value(series.run_id) as run_id
from {series} as series
group by series.origin_date
order by series.origin_date
"""

SETTINGS_OF_RUN = """
select settings_hash, logged_at
from {run_log}
where run_id = @run_id and use_case = @use_case and settings_hash is not null
qualify row_number() over (order by logged_at) = 1
"""


def record_activation(warehouse: Warehouse, run: Run, event: ActivationEvent) -> None:
    """Log that a run is, or is no longer, the one that dbt builds for.

    Args:
        warehouse: holds run_activations.
        run: holds the lease of its use case.
        event: begun before dbt builds; ended or failed once the run is over.
    """
    warehouse.query(
        ACTIVATE, run_id=run.run_id, run_kind=run.kind, use_case=run.use_case.name, event=event
    )


@contextmanager
def closed(warehouse: Warehouse, run: Run) -> Iterator[None]:
    """Log how a run ended when the block does."""
    try:
        yield
    except BaseException:
        with suppress(ShelfcastError):  # the run's own error is the one to report
            record_activation(warehouse, run, "failed")
        raise
    record_activation(warehouse, run, "ended")


def require_own_panels(context: RunContext, run: Run) -> None:
    """Check that the panels were built for this run.

    Raises:
        RunStopped: another run was begun since, or the panels are another run's.
    """
    name = run.use_case.name
    newest = context.warehouse.read(NEWEST_BEGUN, use_case=name)
    for row in newest.itertuples():
        if row.run_id != run.run_id:
            raise RunStopped(
                f"{name}: run {row.run_id} ({row.run_kind}) was begun after run {run.run_id}, and "
                f"the panels are its own. {_remedy(run)}"
            )
    statement = BUILT_FOR.replace("{series}", f"{{{name}_series}}")
    built = context.warehouse.read(statement)
    others = sorted(set(built["run_id"]) - {run.run_id})
    if others:
        raise RunStopped(
            f"{name}: the panels were built for run {others[0]}, not for run {run.run_id}. "
            f"{_remedy(run)}"
        )


def _remedy(run: Run) -> str:
    if run.kind == "issued":
        return (
            f"`shelfcast run --step before --run-id {run.run_id}` builds them again for this run; "
            "or begin a new run."
        )
    return f"Start the command again with --run-id {run.run_id}, or begin a new run."


def require_same_settings(context: RunContext, run: Run) -> None:
    """Check that a run goes on with the settings of its first step.

    Raises:
        RunStopped: they have changed since.
    """
    rows = context.warehouse.read(SETTINGS_OF_RUN, run_id=run.run_id, use_case=run.use_case.name)
    for row in rows.itertuples():
        if row.settings_hash != run.settings_digest:
            raise RunStopped(
                f"{run.use_case.name}: run {run.run_id} was begun at "
                f"{row.logged_at:%Y-%m-%d %H:%M}Z with other settings (hash {row.settings_hash}, "
                f"now {run.settings_digest}). Put those back to go on with it, or begin a new run."
            )


def require_clock(warehouse: Warehouse) -> None:
    """Check the clock of this machine against the warehouse's: log rows carry the machine's.

    Raises:
        RunStopped: they differ by more than MAX_CLOCK_DIFFERENCE.
    """
    before = machine_now()
    theirs = warehouse.read("select current_timestamp() as now")["now"].iloc[0].to_pydatetime()
    ours = before + (machine_now() - before) / 2
    difference = abs(ours - theirs)
    if difference > MAX_CLOCK_DIFFERENCE:
        raise RunStopped(
            f"the clock of this machine says {ours:%Y-%m-%d %H:%M:%S}Z, the warehouse's "
            f"{theirs:%Y-%m-%d %H:%M:%S}Z: {difference.total_seconds() / 60:,.0f} minutes apart, "
            f"and at most {MAX_CLOCK_DIFFERENCE.total_seconds() / 60:.0f} are allowed, since the "
            "logs order what happened by time. Set the clock of this machine, and start again."
        )


def machine_now() -> datetime:
    """The instant by the clock of this machine."""
    return datetime.now(UTC)
