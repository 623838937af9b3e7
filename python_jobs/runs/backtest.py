"""The backtest run: past origins, production's SQL over all of them at once, no model kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from python_jobs.fitting.fit import prior_source
from python_jobs.infra.errors import RunStopped
from python_jobs.infra.run import Run, new_run_id, step
from python_jobs.infra.schedule import Origin, scheduled_origins
from python_jobs.infra.settings import UseCase
from python_jobs.prediction.gate import check_gate
from python_jobs.prediction.predict import PredictReport
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.executors import execute
from python_jobs.runs.forecasting import FORECAST, check_account
from python_jobs.runs.models import make_priors, pool_models
from python_jobs.runs.recorded import recorded_run
from python_jobs.runs.stages import PREPARE, PUBLISH
from python_jobs.runs.steps import Chain, Opened, Step
from python_jobs.selection.backtesting import backtest as backtest_job


def forecast_past(context: RunContext, run: Run) -> PredictReport:
    """Check the gate, fit and predict origin by origin, account for every series."""
    gate = check_gate(context.warehouse, run)
    _check_forecastable(run, gate)
    priors = prior_source(run)
    if priors == "run":
        due = replace(run, origins=_fitted_origins(run, gate))
        pool_models(context, due)
        make_priors(context, due)
    # The step is called predict, as in every run that forecasts: finished_runs asks for it.
    with step(context.warehouse, run, "predict") as counts:
        report = backtest_job(
            context.warehouse, run, context.n_jobs, context.show("backtest"), priors
        )
        counts.n_in, counts.n_out = len(gate), report.n_forecast
        counts.message = str(report)
        check_account("backtest", len(gate), report)
    return report


BACKTEST = Chain(
    kind="backtest",
    command="shelfcast backtest",
    # Prediction is one task: origin by origin, models are fitted on all series and thrown away.
    steps=(PREPARE, Step(FORECAST.name, forecast_past, FORECAST.past, reads_panels=True), PUBLISH),
)


def backtest(
    context: RunContext,
    n_origins: int,
    options: RunOptions | None = None,
    *,
    every: int = 1,
    last: date | None = None,
) -> PredictReport:
    """Forecast the last scheduled origins again with models fitted as of each, and score them.

    Each origin knows what was known at its scheduled instant. Models follow the settings' `refit`
    and are thrown away afterwards. Intervals are calibrated from what earlier runs forecast: the
    origins of this one do not see each other.

    Args:
        context: the run's context.
        n_origins: how many origins, counted back.
        options: series, run id, lease. With the id of an earlier backtest, its origins.
        every: take every n-th origin only, counted back from the newest.
        last: the last day that may be scored; by default yesterday.

    Raises:
        RunStopped: there is no such origin, or no series may go to a model at any of them.
        LeaseHeld: another run of the use case is under way.
    """
    options = options or RunOptions()
    run = open_backtest(context, n_origins, options, every=every, last=last)
    report: PredictReport = execute(context, BACKTEST, options, lambda: Opened(run))[FORECAST.name]
    return report


def open_backtest(
    context: RunContext,
    n_origins: int,
    options: RunOptions,
    *,
    every: int = 1,
    last: date | None = None,
) -> Run:
    """Describe a backtest, or find the one that the options' run id names.

    Raises:
        RunStopped: see `backtest_origins`, or the id is that of another kind of run.
    """
    options = replace(options, run_id=options.run_id or new_run_id())
    recorded = recorded_run(context, options)
    if recorded is None:
        origins = backtest_origins(
            context.use_case, n_origins, every=every, last=last, now=datetime.now(UTC)
        )
        return context.new_run("backtest", origins, options)
    if recorded.kind != "backtest":
        raise RunStopped(
            f"run {recorded.run_id} is of kind {recorded.kind}: give a backtest a --run-id of its "
            "own, or none."
        )
    return recorded


def backtest_origins(
    use_case: UseCase,
    n_origins: int,
    *,
    every: int = 1,
    last: date | None = None,
    now: datetime,
) -> list[Origin]:
    """The last scheduled origins whose first target period is over, oldest first.

    Args:
        use_case: whose schedule, grain and time zone count.
        n_origins: how many.
        every: take every n-th only, counted back from the newest.
        last: the last day of a period that may be scored; yesterday, if that is earlier.
        now: the instant of the run.

    Raises:
        RunStopped: n_origins or every is below 1, or the schedule has no such origin.
    """
    if n_origins < 1 or every < 1:
        raise RunStopped(
            f"backtest: --origins {n_origins} --every {every} names no origin. "
            "Both are 1 or more, such as --origins 12."
        )
    yesterday = now.astimezone(use_case.zone).date() - timedelta(days=1)
    last = min(last or yesterday, yesterday)
    period = timedelta(days=use_case.period_days)
    reach = timedelta(days=7 * (n_origins * every + 2) + use_case.period_days)
    first = last - min(reach, last - date.min - period)
    # Several instants may look back from one origin: the first of them counts.
    origins = {one.origin_date: one for one in reversed(scheduled_origins(use_case, first, last))}
    ended = sorted(one for one in origins.values() if one.origin_date + period <= last)
    chosen = ended[::-1][::every][:n_origins][::-1]
    if not chosen:
        raise RunStopped(
            f"backtest: no origin on the schedule has a {use_case.grain} to score by {last}. "
            "Give a later --to."
        )
    return chosen


def _fitted_origins(run: Run, gate: pd.DataFrame) -> list[Origin]:
    """The origins as of which models are fitted: each, or where models stay, the first that can."""
    if run.use_case.refit == "every_run":
        return run.origins
    first = gate.loc[gate["route"] == "model", "origin_date"].min().date()
    return [origin for origin in run.origins if origin.origin_date == first]


def _check_forecastable(run: Run, gate: pd.DataFrame) -> None:
    if (gate["route"] == "model").any():
        return
    reasons = ", ".join(f"{n} {reason}" for reason, n in gate["reason"].value_counts().items())
    raise RunStopped(
        f"backtest: none of {len(gate)} series-origins from {run.origins[0].origin_date} to "
        f"{run.origins[-1].origin_date} may go to a model ({reasons}). Look at --series, at --to, "
        "and at min_observations in the settings."
    )
