"""A run as dbt sees it once it has begun: its origins, and that it is the active one."""

from __future__ import annotations

from python_jobs.infra.run import Run, write_origins
from python_jobs.runs.active import record_activation
from python_jobs.runs.context import RunContext


def begin(context: RunContext, run: Run) -> None:
    """Write what a run looks back from, and make it the active run of its use case."""
    write_origins(context.warehouse, run)
    record_activation(context.warehouse, run, "begun")
