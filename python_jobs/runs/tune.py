"""The tuning run: choose the recipe of each segment."""

from __future__ import annotations

from datetime import UTC, datetime

from python_jobs.fitting.fit import is_pooled
from python_jobs.infra.run import Run, step
from python_jobs.infra.schedule import origin_at, validation_origins
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.executors import execute
from python_jobs.runs.models import make_priors
from python_jobs.runs.stages import PREPARE
from python_jobs.runs.steps import Chain, Opened, Step
from python_jobs.selection.tuning import TuneReport, Tuning, tunable_families


def choose_recipes(context: RunContext, run: Run) -> TuneReport:
    """Fit and score every candidate, and log the recipe that each segment is given."""
    families = tunable_families(run.use_case)
    tuning = Tuning(context.warehouse, run, families, context.n_jobs, context.show("tune"))
    if any(is_pooled(family) for family in families):
        with step(context.warehouse, run, "coefficients") as counts:
            counts.n_in = counts.n_out = tuning.pool()
        make_priors(context, run)
    with step(context.warehouse, run, "tune") as counts:
        report = tuning.choose()
        counts.n_in, counts.n_out = report.n_scored, report.n_chosen
        counts.message = str(report)
    return report


TUNE = Chain(
    kind="tune",
    command="shelfcast tune",
    # One task: a recipe is chosen over all series of a segment.
    steps=(PREPARE, Step("tune", choose_recipes, "chosen recipes", reads_panels=True)),
)


def tune(
    context: RunContext,
    options: RunOptions | None = None,
    *,
    n_origins: int = 3,
    every: int = 4,
    as_of_at: datetime | None = None,
) -> TuneReport:
    """Choose the recipe of each segment by what it is worth on periods that it was not fitted on.

    Every candidate of every tunable family is fitted as of past origins, as training would have
    fitted it then, and scored on the actuals known as of the tune. No model is stored.

    Args:
        context: the run's context.
        options: series (a tune of some of them chooses for these alone), run id, lease.
        n_origins: validation origins.
        every: take every n-th scheduled origin only.
        as_of_at: the instant; now, unless the past is tuned.

    Raises:
        RunStopped: no family has recipes to choose from, history is too short for every validation
            origin, no candidate forecast a scored row, or more series were selected than are tuned
            one by one.
        LeaseHeld: another run of the use case is under way.
    """
    options = options or RunOptions()
    tunable_families(context.use_case)  # one that has none fails before it is begun
    current = origin_at(context.use_case, as_of_at or datetime.now(UTC))
    origins = validation_origins(context.use_case, current, n_origins, every)
    run = context.new_run(TUNE.kind, [*origins, current], options)
    report: TuneReport = execute(context, TUNE, options, lambda: Opened(run))["tune"]
    return report
