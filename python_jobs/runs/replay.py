"""The replay: forecast again as of past instants, with what was known then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.run import Run
from python_jobs.infra.schedule import Origin, scheduled_origins
from python_jobs.prediction.predict import PredictReport
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.executors import execute
from python_jobs.runs.forecasting import FORECAST
from python_jobs.runs.models import FIT, fit_models, why_none
from python_jobs.runs.stages import PREPARE, PUBLISH, prepare
from python_jobs.runs.steps import Chain, Opened, Step
from python_jobs.runs.tables import ensure_tables

SERVED_ORIGINS = """
select distinct origin_date
from {serving_models}
where use_case = @use_case and model_name = @model_name and train_end <= origin_date
"""

TRAINED_ORIGINS = """
select distinct origin_date
from {model_log}
where use_case = @use_case and model_name = @model_name and status = 'trained'
    and run_id not in (select run_id from {run_origins} where run_kind = 'retrain')
"""
"""A retraining of some series leaves the others to the next scheduled fit."""


def refuse_issued_and_prepare(context: RunContext, run: Run) -> None:
    """Check that a replay as issued takes no issued forecast's place, then prepare.

    Raises:
        RunStopped: forecasts of one of its origins were issued; see also `prepare`.
    """
    if run.is_as_issued:
        _refuse_issued(context, run)
    prepare(context, run)


def fit_where_nothing_served(context: RunContext, run: Run) -> None:
    """Train as of each origin that no model serves; a model then serves the later origins too,
    unless models are refitted in every run. An origin at which no series can be trained is left to
    the baselines."""
    missing = _origins_without_models(context, run)
    while missing:
        chosen = missing if context.use_case.refit == "every_run" else missing[:1]
        report = fit_models(context, replace(run, origins=chosen))
        if not report.n_trained:
            warn(Event.SERIES_FELL_BACK, why_none(context, run), run_id=run.run_id)
        tried = set(chosen)
        still = _origins_without_models(context, run)
        missing = [origin for origin in missing if origin in still and origin not in tried]


REPLAY = Chain(
    kind="replay",
    command="shelfcast replay",
    steps=(
        replace(PREPARE, do=refuse_issued_and_prepare),
        Step(FIT.name, fit_where_nothing_served, FIT.past, reads_panels=True),
        # One task: whether an origin lacks models is asked of all series.
        replace(FORECAST, is_sharded=False),
        PUBLISH,
    ),
)


def replay(
    context: RunContext,
    first: date,
    last: date,
    options: RunOptions | None = None,
    *,
    every: int = 1,
    is_as_issued: bool = False,
) -> PredictReport:
    """Forecast again as of the scheduled instants of first..last, in one pass.

    Each origin knows what was known then: a run that was issued lends its instant, the schedule
    gives it otherwise. A series is forecast by the model that served then; where none did, models
    are trained as of that origin first.

    Args:
        context: the run's context.
        first: first day of the schedule to replay.
        last: last day of it.
        options: series, run id, lease.
        every: take every n-th origin only.
        is_as_issued: publish the origins for which nothing was ever issued as if they had been.

    Raises:
        RunStopped: the schedule has no instant in first..last, one of them lies in the future, or
            as issued was asked for an origin that has been issued.
        LeaseHeld: another run of the use case is under way.
    """
    options = options or RunOptions()
    origins = replayed_origins(context, first, last, every)
    run = context.new_run(REPLAY.kind, origins, options, is_as_issued=is_as_issued)
    report: PredictReport = execute(context, REPLAY, options, lambda: Opened(run))[FORECAST.name]
    return report


def replayed_origins(context: RunContext, first: date, last: date, every: int = 1) -> list[Origin]:
    """The origins of a replay, each with its second clock. Errors: see `replay`."""
    scheduled = scheduled_origins(context.use_case, first, last)[::every]
    if not scheduled:
        raise RunStopped(
            f"no {context.use_case.schedule.weekday} lies in {first}..{last}: nothing to replay."
        )
    if scheduled[-1].as_of_at > datetime.now(UTC):
        raise RunStopped(
            f"{scheduled[-1].as_of_at:%Y-%m-%d %H:%M %Z} has not come yet: replay up to today."
        )
    ensure_tables(context)
    issued = context.warehouse.read(
        """
        select origin_date, max(as_of_at) as as_of_at
        from {run_origins}
        where use_case = @use_case and run_kind = 'issued'
        group by origin_date
        """,
        use_case=context.use_case.name,
    )
    known = {row.origin_date.date(): row.as_of_at.to_pydatetime() for row in issued.itertuples()}
    return [replace(one, as_of_at=known.get(one.origin_date, one.as_of_at)) for one in scheduled]


def _refuse_issued(context: RunContext, run: Run) -> None:
    issued = context.warehouse.read(
        """
        select distinct origins.origin_date
        from {run_origins} as origins
        inner join {run_log} as ended
            on origins.run_id = ended.run_id and ended.step = 'predict' and ended.status = 'done'
        where origins.use_case = @use_case and origins.run_kind = 'issued'
            and origins.origin_date in unnest(@origins)
        order by origins.origin_date
        """,
        use_case=run.use_case.name,
        origins=[origin.origin_date for origin in run.origins],
    )
    if not issued.empty:
        dates = ", ".join(f"{day:%Y-%m-%d}" for day in issued["origin_date"])
        raise RunStopped(
            f"replay --as-issued: forecasts of {dates} were issued at the time and stay what they "
            "are. Leave --as-issued out to see the replay beside them."
        )


def _origins_without_models(context: RunContext, run: Run) -> list[Origin]:
    """Origins without a serving champion. With `refit: every_run` each origin needs its own."""
    served = context.warehouse.read(
        TRAINED_ORIGINS if context.use_case.refit == "every_run" else SERVED_ORIGINS,
        use_case=run.use_case.name,
        model_name=run.use_case.champion,
    )
    known = {day.date() for day in served["origin_date"]}
    return [origin for origin in run.origins if origin.origin_date not in known]
