"""The scheduled run: issue the forecasts of the periods ahead."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from python_jobs.infra.errors import RunStopped, ShelfcastError
from python_jobs.infra.lease import give_back, holder, kept, renewed, require_not_lost
from python_jobs.infra.run import Run, record_failure
from python_jobs.infra.schedule import Origin, issue_deadline, origin_at
from python_jobs.prediction.predict import PredictReport
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.forecasting import forecast
from python_jobs.runs.intake import receive_plans, refresh_weather
from python_jobs.runs.leases import lease_scope, leased, take_lease, tell_ended, tell_task_ended
from python_jobs.runs.models import check_models, fit_models
from python_jobs.runs.recorded import (
    begun_or_new,
    n_shards,
    recorded_run,
    require_own_panels,
    require_shards,
)
from python_jobs.runs.stages import build_stage, ensure_tables, prepare, publish
from python_jobs.runs.tasks import (
    read_done,
    require_local_families,
    shared_run_id,
    wait_for_the_first,
)


def weekly(
    context: RunContext, options: RunOptions | None = None, *, now: datetime | None = None
) -> PredictReport:
    """Issue this week's forecasts: check the models, dbt before, predict, dbt after.

    Of several tasks the first does what comes before, each refits and predicts its shard of the
    series, and the last one to finish publishes. A run id that was begun goes on as of its instant.

    Args:
        context: the run's context.
        options: series, shard, run id, lease.
        now: the instant of the run; the clock's, unless a test says otherwise.

    Raises:
        RunStopped: it is too late to issue for this origin, too many models or regressors are
            missing, or actuals are stale and the settings say stop; or the first task did not
            prepare the run.
        LeaseHeld: another run of the use case is under way.
    """
    options = options or RunOptions()
    if options.shard.count > 1:
        return _weekly_in_tasks(context, options, now)
    run, instant = _begin_weekly(context, options, now)
    with leased(context, run, options):
        _before(context, run, instant)
        _refit(context, run)
        report = forecast(context, run)
        publish(context, run)
    return report


def _weekly_in_tasks(
    context: RunContext, options: RunOptions, now: datetime | None
) -> PredictReport:
    """One task of several. What an earlier attempt of it has done is not done again."""
    if context.use_case.refit == "weekly":
        require_local_families(context.use_case)
    options = replace(options, run_id=shared_run_id(options.run_id))
    ensure_tables(context)
    named = context.new_run("issued", [], options)
    if read_done(context.warehouse, named).is_published:
        give_back(context.store, lease_scope(context, named), named.run_id)
        tell_task_ended(named, "nothing to do, the run is published")
        return PredictReport()

    def begin() -> Run:
        run, instant = _begin_weekly(context, options, now)
        with kept(take_lease(context, run, options)):
            _before(context, run, instant)
        return run

    run = prepared_by_the_first(context, named, options, begin)
    with renewed(take_lease(context, run, replace(options, take_over=False))):
        require_own_panels(context, run)
        done, report = read_done(context.warehouse, run), PredictReport()
        done.require_as_many()
        if context.use_case.refit == "weekly" and not (
            done.by_this("train") or done.by_this("predict")
        ):
            _refit(context, run)
        if not done.by_this("predict"):
            report = forecast(context, run)
    _publish_after_the_last(context, run)
    return report


def prepared_by_the_first(
    context: RunContext, named: Run, options: RunOptions, begin: Callable[[], Run]
) -> Run:
    """Let the first task prepare the run, and the others wait for it and take its origins.

    Args:
        context: the run's context.
        named: the run as its tasks know it before it is begun.
        options: shard, run id, lease.
        begin: prepares the run; called in the first task alone, unless an earlier attempt did it.

    Raises:
        RunStopped: the first task did not prepare it (see `wait_for_the_first`).
        LeaseHeld: another run of the use case is under way.
    """
    if named.shard.index == 0:
        if not read_done(context.warehouse, named).is_prepared:
            try:
                begin()
            except Exception as error:
                with suppress(ShelfcastError):  # the first error is the one to tell
                    record_failure(context.warehouse, named, "before_forecast", error)
                raise
    else:

        def look() -> None:
            if not options.take_over:
                require_not_lost(context.store, lease_scope(context, named), named.run_id)

        wait_for_the_first(context.warehouse, named, look)
    run = recorded_run(context, replace(options, run_id=named.run_id))
    if run is None:
        raise RunStopped(f"run {named.run_id} is prepared, yet run_origins does not hold it.")
    return run


def _publish_after_the_last(context: RunContext, run: Run) -> None:
    """Publish once every task has predicted; of two that finish at once, one does."""
    done = read_done(context.warehouse, run)
    n_done = done.by_how_many("predict")
    if n_done < run.shard.count:
        tell_task_ended(
            run, f"{n_done} of {run.shard.count} tasks have predicted, the last one publishes"
        )
        return
    if not build_stage(context, run, "after_forecast", "dbt after"):
        tell_task_ended(run, "another task is publishing")
        return
    give_back(context.store, lease_scope(context, run), run.run_id)
    tell_ended(run)


def weekly_before(context: RunContext, options: RunOptions) -> Run:
    """The first step of `weekly` in a container of its own: open the run, keep the lease.

    A run that fails here gives its lease back.
    """
    _require_one_task("weekly --step before", options)
    run, instant = _begin_weekly(context, options)
    with kept(take_lease(context, run, options)):
        _before(context, run, instant)
        _refit(context, run)
    return run


def weekly_after(context: RunContext, options: RunOptions) -> None:
    """The last step of `weekly` in a container of its own: it publishes and gives the lease back.

    Without a run id it is that of the newest run.

    Raises:
        RunStopped: no run of that id was opened, or not all of its tasks have predicted.
    """
    _require_one_task("weekly --step after", options)
    run = recorded_run(context, options)
    if run is None or run.kind != "issued":
        raise RunStopped(
            f"{context.use_case.name}: no run {options.run_id or ''} was opened. "
            "Start with `shelfcast weekly --step before`."
        )
    if n_shards(context, run, "predict"):
        require_shards(context, run, "predict", "shelfcast predict")
    with leased(context, run, options):
        publish(context, run)


def open_weekly(
    context: RunContext, options: RunOptions | None = None, *, now: datetime | None = None
) -> Run:
    """Describe the run that is issued now: that of the given id, if it was begun, else a new one.

    Raises:
        RunStopped: the issue window of its origin has closed.
    """
    options, instant = options or RunOptions(), now or datetime.now(UTC)
    run = begun_or_new(context, "issued", [origin_at(context.use_case, instant)], options)
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


def predict_models(context: RunContext, options: RunOptions | None = None) -> PredictReport:
    """The second of the weekly run's three steps, for the run that is open; opens one if none is.

    The open run is found by itself, in another job too. A task whose shard is done is content.

    Raises:
        RunStopped: as `weekly`; or no run is open and this is one task of several, which cannot
            each open one.
        LeaseHeld: as `weekly`.
    """
    options = options or RunOptions()
    run = open_run(context, options)
    if run is not None:
        done = read_done(context.warehouse, run)
        done.require_as_many()
        if done.by_this("predict"):
            tell_task_ended(run, "its series were predicted before")
            return PredictReport()
        with renewed(take_lease(context, run, options)):
            return forecast(context, run)
    _require_one_task("predict, where no run is open,", options)
    run, instant = _begin_weekly(context, options)
    with leased(context, run, options):
        _before(context, run, instant)
        _refit(context, run)
        return forecast(context, run)


def _require_one_task(what: str, options: RunOptions) -> None:
    if options.shard.count > 1:
        raise RunStopped(
            f"{what} is one task, not {options.shard.count}. `shelfcast weekly --step before` in "
            "one task opens a run, `shelfcast predict` joins it in several; or `shelfcast weekly` "
            "does all of it in several."
        )


def _begin_weekly(
    context: RunContext, options: RunOptions, now: datetime | None = None
) -> tuple[Run, datetime]:
    """Take in the plans that were dropped, then say as of when the run is: it knows them."""
    receive_plans(context)
    instant = now or datetime.now(UTC)
    return open_weekly(context, options, now=instant), instant


def _before(context: RunContext, run: Run, instant: datetime) -> None:
    """Fetch the weather, check the models, build what the forecast is made from.

    A run that goes on keeps the weather that it was begun with.
    """
    if run.origins[-1].as_of_at == instant:
        refresh_weather(context, instant)
    if context.use_case.refit == "on_retrain":
        check_models(context, run)
    prepare(context, run)


def _refit(context: RunContext, run: Run) -> None:
    if context.use_case.refit == "weekly":
        fit_models(context, run)


def open_run(context: RunContext, options: RunOptions) -> Run | None:
    """The issued run to go on with: of this week, prepared, not predicted to its end yet.

    One that this task has predicted stays open as long as it has the lease (it will be published),
    and for a task of several, which another attempt of the same job may be.
    """
    run = recorded_run(context, options)
    if run is None or run.kind != "issued" or run.origins != [_origin_now(context, run)]:
        return None
    done = read_done(context.warehouse, run)
    is_ready = done.is_prepared and (context.use_case.refit != "weekly" or done.by_any("train"))
    if not is_ready:
        return None
    if not done.by_this("predict"):
        return None if done.is_published else run
    is_held = holder(context.store, lease_scope(context, run)) == run.run_id
    return run if is_held or run.shard.count > 1 else None


def _origin_now(context: RunContext, run: Run) -> Origin:
    now = origin_at(context.use_case, datetime.now(UTC))
    return replace(now, as_of_at=run.origins[0].as_of_at)
