"""The scheduled run, `shelfcast run`: issue the forecasts of the periods ahead."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.lease import holder
from python_jobs.infra.run import Run
from python_jobs.infra.schedule import Origin, issue_deadline, origin_at
from python_jobs.prediction.predict import PredictReport
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.executors import do_step, execute, open_here, require_one_task
from python_jobs.runs.forecasting import FORECAST
from python_jobs.runs.intake import receive_plans
from python_jobs.runs.leases import lease_scope
from python_jobs.runs.models import FIT, FITTING, check_models
from python_jobs.runs.recorded import begun_or_new, recorded_run
from python_jobs.runs.stages import PREPARE, PUBLISH, prepare
from python_jobs.runs.steps import Chain, Opened, Step
from python_jobs.runs.tasks import Done, read_done


def refits(run: Run) -> bool:
    """Whether a run makes the models that it forecasts with."""
    return run.use_case.refit == "every_run"


def check_and_prepare(context: RunContext, run: Run) -> None:
    """Check the models, where the run makes none, then build what the forecast is made from.

    Raises:
        RunStopped: too many models are missing; see also `prepare`.
    """
    if not refits(run):
        check_models(context, run)
    prepare(context, run)


ISSUE = Chain(
    kind="issued",
    command="shelfcast run",
    steps=(
        replace(PREPARE, do=check_and_prepare),
        *(step.only_if(refits) for step in FITTING),
        FORECAST,
        PUBLISH,
    ),
    groups={
        "before": (PREPARE.name, *(step.name for step in FITTING)),
        "after": (PUBLISH.name,),
    },
)


def issue(
    context: RunContext, options: RunOptions | None = None, *, now: datetime | None = None
) -> PredictReport:
    """Issue the forecasts of the periods ahead: prepare, refit, forecast, publish.

    A run id that was begun goes on as of its instant.

    Args:
        context: the run's context.
        options: series, shard, run id, lease.
        now: the instant of the run; the clock's, unless a test says otherwise.

    Raises:
        RunStopped: it is too late to issue for this origin, too many models or regressors are
            missing, or actuals are stale and the settings say stop; or the first of several tasks
            did not prepare the run.
        LeaseHeld: another run of the use case is under way.
    """
    options = options or RunOptions()
    reports = execute(context, ISSUE, options, partial(_opening, context, options, now))
    report: PredictReport = reports.get(FORECAST.name, PredictReport())
    return report


def issue_step(context: RunContext, options: RunOptions, name: str) -> Any:  # noqa: ANN401
    """Do one step of the scheduled run, in a container of its own.

    Without a run id the open run is found, in another job too. Prediction in one task opens a run
    where none is open.

    Args:
        context: the run's context.
        options: series, shard, run id, lease.
        name: one of `ISSUE.step_names()`.

    Returns:
        The step's report, if it has one.

    Raises:
        SettingsError: one task is needed, and this is one of several.
        RunStopped: no run is open, or not all tasks have ended a step before.
        LeaseHeld: another run of the use case is under way.
    """
    opening, step = partial(_opening, context, options), ISSUE.named(name)[0]
    if step is ISSUE.opening:
        return open_here(context, ISSUE, options, opening, name)
    run = _find(context, options, step)
    if run is not None:
        return do_step(context, ISSUE, run, options, step)
    if step is not FORECAST:
        raise RunStopped(
            f"{context.use_case.name}: no run {options.run_id or ''} was opened. "
            f"Start with `{ISSUE.command} --step {PREPARE.name}`."
        )
    hint = (
        f" `{ISSUE.command} --step {PREPARE.name}` in one task opens a run, `shelfcast predict` "
        f"joins it in several; or `{ISSUE.command}` does all of it in several."
    )
    require_one_task("predict, where no run is open,", options, hint)
    return execute(context, ISSUE.until(FORECAST.name), options, opening)[FORECAST.name]


def open_issue(
    context: RunContext, options: RunOptions | None = None, *, now: datetime | None = None
) -> Run:
    """Describe the run that is issued now: that of the given id, if it was begun, else a new one.

    Raises:
        RunStopped: the issue window of its origin has closed.
    """
    options, instant = options or RunOptions(), now or datetime.now(UTC)
    run = begun_or_new(context, ISSUE.kind, [origin_at(context.use_case, instant)], options)
    today = instant.astimezone(context.use_case.zone).date()
    for origin in run.origins:
        deadline = issue_deadline(context.use_case, origin.origin_date)
        if today >= deadline:
            raise RunStopped(
                f"it is {today:%A} {today}: forecasts of origin {origin.origin_date} may be issued "
                f"before {deadline} (issue_window_days), so that nothing is scored that was made "
                f"after the fact. Use `shelfcast replay --from {origin.origin_date} --to {today}`."
            )
    return run


def _opening(context: RunContext, options: RunOptions, now: datetime | None = None) -> Opened:
    """Load the plans from the inbox, then say as of when the run is: it knows them."""
    receive_plans(context)
    instant = now or datetime.now(UTC)
    run = open_issue(context, options, now=instant)
    return Opened(run, is_now=run.origins[-1].as_of_at == instant)


def _find(context: RunContext, options: RunOptions, step: Step) -> Run | None:
    """The issued run that a step continues.

    A step before the last needs the run of the current origin, prepared and not yet published.
    """
    run = recorded_run(context, options)
    if run is None or run.kind != ISSUE.kind:
        return None
    if step is ISSUE.steps[-1]:
        return run
    done = read_done(context.warehouse, run)
    if run.origins != [_origin_now(context, run)] or not done.by_any(PREPARE.name):
        return None
    if step is FORECAST:
        return run if _may_predict(context, run, done) else None
    return None if done.by_any(PUBLISH.name) else run


def _may_predict(context: RunContext, run: Run, done: Done) -> bool:
    """Whether a run waits for a prediction, or this task has made its own and the run is open.

    A run that this task has predicted stays open as long as it has the lease (it will be
    published), and for a task of several, which another attempt of the same job may be.
    """
    if refits(run) and not done.by_any(FIT.name):
        return False
    if not done.by_this(FORECAST.name):
        return not done.by_any(PUBLISH.name)
    is_held = holder(context.store, lease_scope(context, run)) == run.run_id
    return is_held or run.shard.count > 1


def _origin_now(context: RunContext, run: Run) -> Origin:
    now = origin_at(context.use_case, datetime.now(UTC))
    return replace(now, as_of_at=run.origins[0].as_of_at)
