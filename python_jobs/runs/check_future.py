"""Check what the next forecasts would lack; no model is asked."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from python_jobs.infra.run import Run
from python_jobs.infra.schedule import origin_at
from python_jobs.prediction.gate import missing_regressors
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.executors import execute
from python_jobs.runs.intake import receive_plans
from python_jobs.runs.stages import PREPARE
from python_jobs.runs.steps import Chain, Opened, Step

CHECK_FUTURE = Chain(
    kind="check",
    command="shelfcast check-future",
    steps=(
        PREPARE,
        Step(
            "check",
            lambda context, run: missing_regressors(context.warehouse, run),
            "checked",
            reads_panels=True,
        ),
    ),
)


def check_future(
    context: RunContext, options: RunOptions | None = None, *, now: datetime | None = None
) -> tuple[Run, pd.DataFrame]:
    """Say which regressors the next forecasts would lack, were they made now. No model is asked.

    Args:
        context: the run's context.
        options: series, run id, lease.
        now: the instant; the clock's, unless a past one is meant.

    Returns:
        The run, and what is missing (see `missing_regressors`).

    Raises:
        LeaseHeld: another run of the use case is under way.
    """
    options = options or RunOptions()
    receive_plans(context)
    origin = origin_at(context.use_case, now or datetime.now(UTC))
    run = context.new_run(CHECK_FUTURE.kind, [origin], options)
    reports = execute(context, CHECK_FUTURE, options, lambda: Opened(run))
    missing: pd.DataFrame = reports["check"]
    return run, missing
