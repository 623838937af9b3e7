"""The tables that a run writes, made where they are missing."""

from __future__ import annotations

from python_jobs.runs.context import RunContext


def ensure_tables(context: RunContext) -> None:
    """Create the log tables where they are missing; dbt owns what they look like."""
    tables = ("run_log", "run_activations")
    if not all(context.warehouse.exists(name) for name in tables):
        context.dbt.run("run-operation", "create_log_tables")


def ensure_input_tables(context: RunContext) -> None:
    """Create what people fill, or the columns it lacks; it takes the right to write `_raw`."""
    context.dbt.run("run-operation", "create_input_tables")
