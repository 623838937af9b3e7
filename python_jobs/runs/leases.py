"""The lease of a use case, as a run holds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from python_jobs.infra.lease import Lease, acquire, released, require_not_lost
from python_jobs.infra.logs import Event, about, log
from python_jobs.infra.run import Run
from python_jobs.runs.active import closed, require_clock, require_same_settings
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.tables import ensure_tables


@contextmanager
def leased(context: RunContext, run: Run, options: RunOptions) -> Iterator[None]:
    """Hold the use case's lease for a run, and say when the run is done."""
    with released(take_lease(context, run, options)), closed(context.warehouse, run):
        yield
    log_run_ended(run)


def take_lease(context: RunContext, run: Run, options: RunOptions) -> Lease:
    """Take the use case's lease and log that the run has started.

    Raises:
        LeaseHeld: another run of the use case is under way.
        RunStopped: the clock of this machine is wrong, or the settings are others than those that
            the run was begun with.
    """
    ensure_tables(context)
    require_clock(context.warehouse)
    require_same_settings(context, run)
    about(run_id=run.run_id, run_kind=run.kind, use_case=run.use_case.name)
    scope = lease_scope(context, run)
    job = os.environ.get("CLOUD_RUN_JOB")
    purpose = f"{run.kind}, job {job}" if job else run.kind
    lease = acquire(context.store, scope, run.run_id, purpose, take_over=options.take_over)
    origins = ", ".join(f"{origin.origin_date}" for origin in run.origins)
    log(
        Event.RUN_STARTED,
        f"{run.use_case.name} {run.kind} {run.run_id}: origin {origins}",
    )
    return lease


def require_lease(context: RunContext, run: Run) -> None:
    """Check that nobody has taken the use case from this run; what it was about to write is not
    written."""
    require_not_lost(context.store, lease_scope(context, run), run.run_id)


def lease_scope(context: RunContext, run: Run) -> str:
    """Name the lease of a use case: dataset and use case."""
    return f"{context.connection.dataset} {run.use_case.name}"


def log_run_ended(run: Run) -> None:
    """Log that a run is done."""
    log(Event.RUN_ENDED, f"{run.use_case.name} {run.kind} {run.run_id}: done", run_id=run.run_id)
    about(use_case=run.use_case.name)


def log_task_ended(run: Run, why: str) -> None:
    """Log that one task of a run is done, and why it does no more."""
    log(
        Event.TASK_ENDED,
        f"{run.use_case.name} {run.kind} {run.run_id}: task {run.shard.index} is done: {why}",
        run_id=run.run_id,
        task=run.shard.index,
    )
