"""Runs as run_origins holds them: the newest one, or the one to go on with."""

from __future__ import annotations

from dataclasses import replace

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.run import Run, RunKind, new_run_id
from python_jobs.infra.schedule import Origin
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.tables import ensure_tables


def recorded_run(context: RunContext, options: RunOptions) -> Run | None:
    """The run of the given id, else the newest one of the use case, as run_origins holds it."""
    ensure_tables(context)
    rows = context.warehouse.read(
        """
        select distinct
            origins.run_id, origins.run_kind, origins.origin_date, origins.as_of_at,
            origins.is_as_issued
        from {run_origins} as origins
        left join (
            select run_id, max(logged_at) as begun_at
            from {run_activations}
            where use_case = @use_case and event = 'begun'
            group by run_id
        ) as activations
            on origins.run_id = activations.run_id
        where origins.use_case = @use_case and (@run_id is null or origins.run_id = @run_id)
        qualify dense_rank() over (
            order by
                activations.begun_at desc nulls last, origins.requested_at desc, origins.run_id
        ) = 1
        order by origin_date
        """,
        use_case=context.use_case.name,
        run_id=options.run_id,
    )
    if rows.empty:
        return None
    origins = [
        Origin(row.origin_date.date(), row.as_of_at.to_pydatetime()) for row in rows.itertuples()
    ]
    first = rows.iloc[0]
    return context.new_run(
        first["run_kind"],
        origins,
        options,
        is_as_issued=bool(first["is_as_issued"]),
        recorded_id=first["run_id"],
    )


def begun_or_new(
    context: RunContext, kind: RunKind, origins: list[Origin], options: RunOptions
) -> Run:
    """The run of the options' id (else of Cloud Run's execution) where it was begun, with the
    origins that it was begun with; else a new one.

    Raises:
        RunStopped: the id is that of another kind of run.
    """
    options = replace(options, run_id=options.run_id or new_run_id())
    begun = recorded_run(context, options)
    if begun is None:
        return context.new_run(kind, origins, options)
    if begun.kind != kind:
        raise RunStopped(
            f"run {begun.run_id} is of kind {begun.kind}: give this one a --run-id of its own, or "
            "none."
        )
    return begun
