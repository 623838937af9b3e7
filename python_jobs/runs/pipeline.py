"""The runs: weekly, replay, train and tune, each a chain of dbt stages and jobs under one lease."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal

import pandas as pd

from python_jobs.data.fetch_weather import FetchReport, fetch_weather, newest_forecast
from python_jobs.data.holiday_calendar import check_calendar, warn_of_untold_years
from python_jobs.data.inbox import read_inbox
from python_jobs.data.sources import check_sources
from python_jobs.fitting.coefficients import pool_coefficients
from python_jobs.fitting.fit import PriorSource, families_of, is_pooled, prior_source
from python_jobs.fitting.train import TrainReport, train
from python_jobs.infra.dbt_runner import Dbt
from python_jobs.infra.errors import DbtFailed, RunStopped, SettingsError, ShelfcastError
from python_jobs.infra.lease import (
    Lease,
    acquire,
    acquire_waiting,
    give_back,
    holder,
    kept,
    released,
    renewed,
    require_not_lost,
)
from python_jobs.infra.logs import Event, about, log, warn
from python_jobs.infra.run import (
    Run,
    RunKind,
    Selection,
    Shard,
    new_run_id,
    record_failure,
    step,
    write_origins,
)
from python_jobs.infra.schedule import (
    Origin,
    issue_deadline,
    origin_at,
    scheduled_origins,
    validation_origins,
)
from python_jobs.infra.scope import is_whole_portfolio, series_in_scope
from python_jobs.infra.settings import (
    Connection,
    Settings,
    UseCase,
    connection,
    load_settings,
    project_dir,
)
from python_jobs.infra.store import ModelStore, open_store
from python_jobs.infra.warehouse import MissingRelation, Warehouse
from python_jobs.prediction.gate import check_gate, missing_regressors
from python_jobs.prediction.predict import PredictReport, predict
from python_jobs.registry.verify import verify
from python_jobs.runs.tasks import (
    read_done,
    require_local_families,
    shared_run_id,
    wait_for_the_first,
)
from python_jobs.selection.tuning import TuneReport, Tuning, tunable_families

SERVED_ORIGINS = """
select distinct origin_date
from {serving_models}
where use_case = @use_case and model_name = @model_name and train_end <= origin_date
"""

WHY_NONE = """
select coalesce(reason, 'forecastable, yet without a row to train on') as reason, count(*) as n
from {series}
where {scope}
group by 1
order by n desc
"""

TRAINED_ORIGINS = """
select distinct origin_date
from {model_log}
where use_case = @use_case and model_name = @model_name and status = 'trained'
    and run_id not in (select run_id from {run_origins} where run_kind = 'retrain')
"""
"""A retraining of some series leaves the others to the weekly fit."""

PLACES = Path("seeds") / "places.csv"
PUBLISH_HOLD = timedelta(minutes=15)
PUBLISH_PATIENCE = timedelta(minutes=20)
"""Longer than the hold: a publication that died is waited out."""

TrainStep = Literal["before", "coefficients", "priors", "fit"]

Progress = Callable[[str, int, int], None]
"""Called with what goes on, how much of it is done, and how much there is."""


def no_progress(what: str, done: int, total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class RunOptions:
    """What whoever starts a run may choose.

    Attributes:
        selection: the series; a run of some of them is marked partial and hides no others' newest
            forecast. None: those that the settings include.
        run_id: of a run to go on with, after a crash or in another container; else a new one.
        take_over: take the lease although a run that crashed holds it.
        shard: the part of the series that this task has.
    """

    selection: Selection | None = None
    run_id: str | None = None
    take_over: bool = False
    shard: Shard = field(default_factory=Shard)


@dataclass(frozen=True)
class RunContext:
    """Everything that a run works with: settings, dbt, warehouse, store.

    Attributes:
        project: the dbt project's folder.
        connection: where warehouse and store are.
        settings: every use case.
        use_case: the one at work.
        n_jobs: processes for local families; -1 is one a core.
        progress: told what goes on.
    """

    project: Path
    connection: Connection
    settings: Settings
    use_case: UseCase
    n_jobs: int = -1
    progress: Progress = no_progress

    @cached_property
    def dbt(self) -> Dbt:
        """dbt over this project."""
        return Dbt(self.project, self.connection, self.settings, self.use_case.name)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse; table names come from the manifest."""
        return Warehouse(self.connection, self.dbt.names())

    @cached_property
    def store(self) -> ModelStore:
        """The model store.

        Raises:
            SettingsError: SHELFCAST_MODELS_URI is not set.
        """
        if self.connection.models_uri is None:
            raise SettingsError(
                "SHELFCAST_MODELS_URI is not set. Name the model store: "
                "gs://bucket/prefix, or a folder."
            )
        return open_store(self.connection.models_uri, self.connection.project)

    def show(self, what: str) -> Callable[[int, int], None]:
        """A progress callback for one thing."""
        return lambda done, total: self.progress(what, done, total)

    def new_run(
        self,
        kind: RunKind,
        origins: list[Origin],
        options: RunOptions,
        *,
        is_as_issued: bool = False,
    ) -> Run:
        """Describe a run of this use case; its id is new unless the options give one."""
        return Run(
            run_id=options.run_id or new_run_id(),
            kind=kind,
            use_case=self.use_case,
            origins=origins,
            is_as_issued=is_as_issued,
            selection=options.selection
            or Selection(self.use_case.include, self.use_case.include_table),
            shard=options.shard,
            settings_digest=self.settings.digest,
        )


def open_context(
    use_case: str | None = None, *, n_jobs: int = -1, progress: Progress = no_progress
) -> RunContext:
    """Open the workplace that environment and settings describe.

    Args:
        use_case: its name; may be left out where there is only one.
        n_jobs: processes for local families.
        progress: told what goes on.

    Raises:
        SettingsError: the settings are wrong (all faults named).
    """
    project = project_dir()
    settings = load_settings(project)
    chosen = settings.use_case(use_case)
    about(use_case=chosen.name)
    return RunContext(project, connection(), settings, chosen, n_jobs=n_jobs, progress=progress)


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
        give_back(context.store, _lease_scope(context, named), named.run_id)
        _tell_task_ended(named, "nothing to do, the run is published")
        return PredictReport()

    def begin() -> Run:
        run, instant = _begin_weekly(context, options, now)
        with kept(_take_lease(context, run, options)):
            _before(context, run, instant)
        return run

    run = _prepared_by_the_first(context, named, options, begin)
    with renewed(_take_lease(context, run, replace(options, take_over=False))):
        _require_own_panels(context, run)
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


def _prepared_by_the_first(
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
                require_not_lost(context.store, _lease_scope(context, named), named.run_id)

        wait_for_the_first(context.warehouse, named, look)
    run = recorded_run(context, replace(options, run_id=named.run_id))
    if run is None:
        raise RunStopped(f"run {named.run_id} is prepared, yet run_origins does not hold it.")
    return run


def _require_own_panels(context: RunContext, run: Run) -> None:
    """The panels hold one run's origins: a task that comes back late must not read another's."""
    newest = recorded_run(context, RunOptions())
    if newest is not None and newest.run_id != run.run_id:
        raise RunStopped(
            f"{run.use_case.name}: run {newest.run_id} ({newest.kind}) was begun after run "
            f"{run.run_id}, and the panels are its own. Begin a new run."
        )


def _publish_after_the_last(context: RunContext, run: Run) -> None:
    """Publish once every task has predicted; of two that finish at once, one does."""
    done = read_done(context.warehouse, run)
    n_done = done.by_how_many("predict")
    if n_done < run.shard.count:
        _tell_task_ended(
            run, f"{n_done} of {run.shard.count} tasks have predicted, the last one publishes"
        )
        return
    if not build_stage(context, run, "after_forecast", "dbt after"):
        _tell_task_ended(run, "another task is publishing")
        return
    give_back(context.store, _lease_scope(context, run), run.run_id)
    _tell_ended(run)


def _tell_task_ended(run: Run, why: str) -> None:
    log(
        Event.TASK_ENDED,
        f"{run.use_case.name} {run.kind} {run.run_id}: task {run.shard.index} is done: {why}",
        run_id=run.run_id,
        task=run.shard.index,
    )


def _tell_ended(run: Run) -> None:
    log(Event.RUN_ENDED, f"{run.use_case.name} {run.kind} {run.run_id}: done", run_id=run.run_id)
    about(use_case=run.use_case.name)


def weekly_before(context: RunContext, options: RunOptions) -> Run:
    """The first step of `weekly` in a container of its own: open the run, keep the lease.

    A run that fails here gives its lease back.
    """
    _require_one_task("weekly --step before", options)
    run, instant = _begin_weekly(context, options)
    with kept(_take_lease(context, run, options)):
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
    if _n_shards(context, run, "predict"):
        _require_shards(context, run, "predict", "shelfcast predict")
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
    run = _begun_or_new(context, "issued", [origin_at(context.use_case, instant)], options)
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


def _begun_or_new(
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
    run = context.new_run("check", [origin_at(context.use_case, now or datetime.now(UTC))], options)
    with leased(context, run, options):
        prepare(context, run)
        return run, missing_regressors(context.warehouse, run)


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
    run = context.new_run("replay", origins, options, is_as_issued=is_as_issued)
    with leased(context, run, options):
        if is_as_issued:
            _refuse_issued(context, run)
        prepare(context, run)
        _fit_where_nothing_served(context, run)
        report = forecast(context, run)
        publish(context, run)
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


def train_models(
    context: RunContext, options: RunOptions | None = None, *, as_of_at: datetime | None = None
) -> TrainReport:
    """Fit every forecastable series as of an instant and put the models in service.

    Args:
        context: the run's context.
        options: series, shard, run id, lease.
        as_of_at: the instant; now, unless models are made for the past.

    Raises:
        RunStopped: no series can be forecast (the reasons are counted).
        LeaseHeld: another run of the use case is under way.
    """
    options = options or RunOptions()
    origins = [origin_at(context.use_case, as_of_at or datetime.now(UTC))]
    is_current = as_of_at is None
    if options.shard.count > 1:
        return _train_in_tasks(context, options, origins, is_current=is_current)
    run = _begun_or_new(context, "train", origins, options)
    with leased(context, run, options):
        _before_training(context, run, is_current=is_current)
        report = fit_models(context, run)
        if not report.n_trained:
            raise RunStopped(_why_none(context, run))
    return report


def _train_in_tasks(
    context: RunContext, options: RunOptions, origins: list[Origin], *, is_current: bool
) -> TrainReport:
    """One task of several. One that fails leaves the lease to the others and to its retry."""
    require_local_families(context.use_case)
    options = replace(options, run_id=shared_run_id(options.run_id))
    ensure_tables(context)
    named = context.new_run("train", origins, options)

    def begin() -> Run:
        run = _begun_or_new(context, "train", origins, options)
        with kept(_take_lease(context, run, options)):
            _before_training(context, run, is_current=is_current)
        return run

    run = _prepared_by_the_first(context, named, options, begin)
    with renewed(_take_lease(context, run, replace(options, take_over=False))):
        _require_own_panels(context, run)
        report = fit_models(context, run)
        if report.n_series and not report.n_trained:
            raise RunStopped(_why_none(context, run))
    _release_after_the_last(context, run)
    return report


def _before_training(context: RunContext, run: Run, *, is_current: bool) -> None:
    if is_current and not is_loaded_apart(context):
        refresh_weather(context, run.origins[-1].as_of_at)
    prepare(context, run)


def train_step(
    context: RunContext, options: RunOptions, which: TrainStep, *, as_of_at: datetime | None = None
) -> Run:
    """One step of training, where each is a container (or many) of its own under one run id.

    before: the panels, in one task. coefficients: pooled families fitted without priors, a shard
    a task. priors: made of them, in one task. fit: every family fitted and put in service, a shard
    a task; the last one gives the lease back. A run of one task may start with coefficients.

    Raises:
        RunStopped: the run was not opened, or priors are asked for before every shard has written
            its coefficients.
        LeaseHeld: another run of the use case is under way.
    """
    run = recorded_run(context, options) if options.run_id else None
    is_new, instant = run is None, as_of_at or datetime.now(UTC)
    if run is None:
        if which not in ("before", "coefficients") or options.shard.count > 1:
            raise RunStopped(
                f"{context.use_case.name}: no run {options.run_id or ''} was opened. Start with "
                "`shelfcast train --step before --run-id …` in one task."
            )
        run = context.new_run("train", [origin_at(context.use_case, instant)], options)
    with renewed(_take_lease(context, run, options)):
        if is_new and as_of_at is None:
            refresh_weather(context, instant)
        if is_new or which == "before":
            prepare(context, run)
        if which == "coefficients":
            pool_models(context, run)
        elif which == "priors":
            _require_shards(context, run, "coefficients", "shelfcast train --step coefficients")
            make_priors(context, run)
        elif which == "fit":
            fit_models(context, run, "run" if is_whole_portfolio(run) else "in_force")
    if which == "fit":
        _release_after_the_last(context, run)
    return run


def _require_shards(context: RunContext, run: Run, which: str, command: str) -> None:
    """What follows is one task; how many came before stands in the log."""
    wanted = max(_n_shards(context, run, which), 1)
    done = read_done(context.warehouse, run).by_how_many(which)
    if done < wanted:
        raise RunStopped(
            f"{run.use_case.name}: {done} of {wanted} tasks of run {run.run_id} have ended "
            f"their {which} well. Wait for them, or run `{command}` for the rest."
        )


def _n_shards(context: RunContext, run: Run, which: str) -> int:
    """In how many tasks a step was begun; 0 where it was not."""
    rows = context.warehouse.read(
        "select coalesce(max(n_shards), 0) as n from {run_log} "
        "where run_id = @run_id and use_case = @use_case and step = @step",
        run_id=run.run_id,
        use_case=run.use_case.name,
        step=which,
    )
    return int(rows["n"].iloc[0])


def tune(
    context: RunContext,
    options: RunOptions | None = None,
    *,
    n_origins: int = 3,
    every: int = 4,
    as_of_at: datetime | None = None,
) -> TuneReport:
    """Choose the recipe of each segment by what it is worth on weeks that it was not fitted on.

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
    if options.shard.count > 1:
        raise SettingsError("tune is one task: a recipe is chosen over all series of a segment.")
    families = tunable_families(context.use_case)
    current = origin_at(context.use_case, as_of_at or datetime.now(UTC))
    origins = validation_origins(context.use_case, current, n_origins, every)
    run = context.new_run("tune", [*origins, current], options)
    with leased(context, run, options):
        prepare(context, run)
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


def predict_models(context: RunContext, options: RunOptions | None = None) -> PredictReport:
    """The second of the weekly run's three steps, for the run that is open; opens one if none is.

    The open run is found by itself, in another job too. A task whose shard is done is content.

    Raises:
        RunStopped: as `weekly`; or no run is open and this is one task of several, which cannot
            each open one.
        LeaseHeld: as `weekly`.
    """
    options = options or RunOptions()
    run = _open_run(context, options)
    if run is not None:
        done = read_done(context.warehouse, run)
        done.require_as_many()
        if done.by_this("predict"):
            _tell_task_ended(run, "its series were predicted before")
            return PredictReport()
        with renewed(_take_lease(context, run, options)):
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


def receive_plans(context: RunContext) -> None:
    """Load what lies in the inbox of promotion plans, before the run says as of when it is.

    An inbox that cannot be read is told; the run goes on with the plans that it has, and the gate
    says what they lack. Where sources are loaded apart, it is not read at all.
    """
    ensure_tables(context)
    if is_loaded_apart(context):
        return
    try:
        read_inbox(context.warehouse, context.connection, context.use_case)
    except ShelfcastError as error:
        warn(Event.UPLOAD_REFUSED, f"{error} The run goes on with the plans loaded before.")


def is_loaded_apart(context: RunContext) -> bool:
    """Whether jobs of their own load what this run reads; then it says so."""
    if context.connection.loading != "apart":
        return False
    log(
        Event.LOADED_APART,
        f"{context.use_case.name}: plans and weather are loaded by jobs of their own "
        "(SHELFCAST_LOADING=apart): this run reads what `shelfcast load-inbox` and "
        "`shelfcast fetch-weather` have loaded.",
        use_case=context.use_case.name,
    )
    return True


def refresh_weather(context: RunContext, fetched_at: datetime) -> None:
    """Fetch weather, where the settings say so; what fails is told in one line, and stops nothing.

    Where sources are loaded apart, nothing is fetched.

    Args:
        context: the run's context.
        fetched_at: the instant of the run, so that the run knows what is fetched for it.
    """
    weather = context.use_case.sources.weather
    is_apart = context.connection.loading == "apart"
    if is_apart or weather is None or not weather.fetch.is_on:
        return
    try:
        report = fetch_missing_weather(context, fetched_at)
    except Exception as error:  # noqa: BLE001 - whatever it is, the forecasts do not wait for it
        failure = f"weather: {str(error).removesuffix('.') or type(error).__name__}"
    else:
        log(Event.WEATHER_FETCHED, str(report))
        failure = report.failure
    if failure:
        warn(Event.WEATHER_NOT_FETCHED, f"{failure}. {_weather_that_stands_in(context)}")


def fetch_missing_weather(
    context: RunContext, fetched_at: datetime, *, dry_run: bool = False
) -> FetchReport:
    """Fetch the weather that is due. Arguments and errors are those of `fetch_weather`."""
    ensure_tables(context)
    return fetch_weather(
        context.warehouse,
        context.connection,
        context.use_case,
        context.project / PLACES,
        fetched_at=fetched_at,
        dry_run=dry_run,
    )


def _weather_that_stands_in(context: RunContext) -> str:
    try:
        issued_at = newest_forecast(context.warehouse, context.use_case)
    except ShelfcastError:
        issued_at = None
    if issued_at is None:
        return "Climatology stands in where earlier years are known."
    day = issued_at.astimezone(context.use_case.zone).date()
    return f"The forecast of {day} stands in as far as it goes, then climatology."


def check_models(context: RunContext, run: Run) -> None:
    """Verify the models that should serve.

    Raises:
        RunStopped: more than max_refused_share of the forecastable series have no usable model.
    """
    try:
        found = verify(context.warehouse, context.store, context.use_case)
    except MissingRelation as error:
        raise RunStopped(
            f"{context.use_case.name}: nothing was ever built or trained here ({error}). "
            "Run `shelfcast train` first."
        ) from error
    if not found.findings:
        return
    limit = context.use_case.max_refused_share
    if found.n_unusable > limit * found.n_forecastable:
        raise RunStopped(
            f"models: {found.n_unusable} of {found.n_forecastable} forecastable series have no "
            f"usable model, more than max_refused_share {limit:.0%}. {found} Run `shelfcast train`."
        )
    warn(Event.MODELS_FAULTY, f"models: {found}", run_id=run.run_id, n_faults=len(found.findings))


def ensure_tables(context: RunContext) -> None:
    """Create the log tables where they are missing; dbt owns what they look like."""
    if not context.warehouse.exists("run_log"):
        context.dbt.run("run-operation", "create_log_tables")


def ensure_input_tables(context: RunContext) -> None:
    """Create what people fill, or the columns it lacks; it takes the right to write `_raw`."""
    context.dbt.run("run-operation", "create_input_tables")


def prepare(context: RunContext, run: Run) -> None:
    """The first step: say what the run looks back from, then dbt from sources to the gate.

    Raises:
        RunStopped: a source table is missing or lacks a column, sales are empty, or too old, or
            the seed has no holidays of a year that is to be forecast.
        DbtFailed: dbt did.
    """
    ensure_tables(context)
    check_sources(context.warehouse, context.use_case)
    check_calendar(context.project, context.use_case, run.origins)
    write_origins(context.warehouse, run)
    if run.kind in ("replay", "backtest") and not context.use_case.sources.sales.known_at:
        warn(
            Event.REPLAYED_AS_RESTATED,
            "sales have no known_at: replayed as restated, with every correction made since.",
            run_id=run.run_id,
        )
    with step(context.warehouse, run, "before_forecast"):
        if run.kind == "issued":
            _check_source_freshness(context)
        context.dbt.build("before_forecast", _dbt_progress(context, "dbt before"))
    warn_of_untold_years(context.warehouse, context.project, context.use_case)


def fit_models(context: RunContext, run: Run, priors: PriorSource | None = None) -> TrainReport:
    """Train as of the run's origins.

    Args:
        context: the run's context.
        run: the run.
        priors: where those of pooled families come from; None makes them first where this run can.
    """
    source = priors or prior_source(run)
    if priors is None and source == "run":
        pool_models(context, run)
        make_priors(context, run)
    with step(context.warehouse, run, "train") as counts:
        report = train(
            context.warehouse, context.store, run, context.n_jobs, context.show("train"), source
        )
        counts.n_in, counts.n_out = report.n_series, report.n_trained
        counts.message = f"{report.n_trained} models trained, {report.n_failed} failed"
    return report


def pool_models(context: RunContext, run: Run) -> None:
    """Fit pooled families without priors and log what each series says of each coefficient."""
    with step(context.warehouse, run, "coefficients") as counts:
        counts.n_in, counts.n_out = pool_coefficients(
            context.warehouse, run, context.n_jobs, context.show("coefficients")
        )


def make_priors(context: RunContext, run: Run) -> None:
    """Let dbt make the portfolio's priors of the coefficients that the run has logged."""
    if not any(is_pooled(family) for family in families_of(run.use_case)):
        return
    with step(context.warehouse, run, "priors"):
        context.dbt.build("priors", _dbt_progress(context, "dbt priors"))


def forecast(context: RunContext, run: Run) -> PredictReport:
    """The second step: check the gate, predict, account for every series."""
    gate = check_gate(context.warehouse, run)
    with step(context.warehouse, run, "predict") as counts:
        report = PredictReport()
        if len(gate):
            report = predict(
                context.warehouse, context.store, run, context.n_jobs, context.show("predict")
            )
        counts.n_in, counts.n_out = len(gate), report.n_forecast
        counts.message = str(report)
        check_account("predict", len(gate), report)
        _require_lease(context, run)
    return report


def check_account(job: str, n_in: int, report: PredictReport) -> None:
    """Compare what went into a job with what came out of it.

    Raises:
        RunStopped: a series-origin is neither forecast, nor fallen back, nor refused.
    """
    if n_in != report.n_forecast + report.n_fallback + report.n_refused:
        raise RunStopped(
            f"{job}: {n_in} series-origins went in and {report}. Nothing is published; "
            "start the run again."
        )


def publish(context: RunContext, run: Run) -> None:
    """The third step: dbt from the logs to the marts, one run at a time."""
    build_stage(context, run, "after_forecast", "dbt after")


def build_stage(context: RunContext, run: Run, stage: str, what: str) -> bool:
    """Build a stage whose tables other use cases share: one run at a time, once a run.

    Args:
        context: the run's context.
        run: recorded as having done it.
        stage: the dbt selector.
        what: shown while it goes on.

    Returns:
        False where it is left to another task of the same run, which is at it.

    Raises:
        LeaseHeld: another run publishes for longer than PUBLISH_PATIENCE, or has taken the lease
            of the use case meanwhile.
    """
    _require_lease(context, run)
    is_alone = run.shard.count == 1
    tasks = f"{run.run_id} task "
    lease = acquire_waiting(
        context.store,
        f"publish {context.connection.dataset}",
        run.run_id if is_alone else f"{tasks}{run.shard.index}",
        "publish",
        patience=PUBLISH_PATIENCE,
        hold=PUBLISH_HOLD,
        unless_held_by=None if is_alone else tasks,
    )
    if lease is None:
        return False
    with released(lease):
        if is_alone or not read_done(context.warehouse, run).by_any(stage):
            with step(context.warehouse, run, stage):
                context.dbt.build(stage, _dbt_progress(context, what))
    return True


def _require_lease(context: RunContext, run: Run) -> None:
    """Check that nobody has taken the use case from this run; what it was about to write is not
    written."""
    require_not_lost(context.store, _lease_scope(context, run), run.run_id)


def _dbt_progress(context: RunContext, what: str) -> Callable[[int, int, str], None]:
    return lambda done, total, _: context.progress(what, done, total)


def _check_source_freshness(context: RunContext) -> None:
    try:
        context.dbt.run("source freshness", "--select", f"source:{context.use_case.name}_sales")
    except DbtFailed as error:
        raise RunStopped(
            f"{context.use_case.name}: the sales table is staler than error_after_days, or its "
            f"freshness cannot be read. {error}"
        ) from error


@contextmanager
def leased(context: RunContext, run: Run, options: RunOptions) -> Iterator[None]:
    """Hold the use case's lease for a run, and say when the run is done."""
    with released(_take_lease(context, run, options)):
        yield
    _tell_ended(run)


def _release_after_the_last(context: RunContext, run: Run) -> None:
    n_done = read_done(context.warehouse, run).by_how_many("train")
    if n_done < run.shard.count:
        _tell_task_ended(run, f"{n_done} of {run.shard.count} tasks have trained")
        return
    give_back(context.store, _lease_scope(context, run), run.run_id)
    _tell_ended(run)


def _lease_scope(context: RunContext, run: Run) -> str:
    return f"{context.connection.dataset} {run.use_case.name}"


def _take_lease(context: RunContext, run: Run, options: RunOptions) -> Lease:
    about(run_id=run.run_id, run_kind=run.kind, use_case=run.use_case.name)
    scope = _lease_scope(context, run)
    job = os.environ.get("CLOUD_RUN_JOB")
    purpose = f"{run.kind}, job {job}" if job else run.kind
    lease = acquire(context.store, scope, run.run_id, purpose, take_over=options.take_over)
    origins = ", ".join(f"{origin.origin_date}" for origin in run.origins)
    log(
        Event.RUN_STARTED,
        f"{run.use_case.name} {run.kind} {run.run_id}: origin {origins}",
    )
    return lease


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


def _fit_where_nothing_served(context: RunContext, run: Run) -> None:
    """Train as of each origin that no model serves; a model then serves the later origins too,
    unless models are refitted every week. An origin at which no series can be trained is left to
    the baselines."""
    missing = _origins_without_models(context, run)
    while missing:
        chosen = missing if context.use_case.refit == "weekly" else missing[:1]
        report = fit_models(context, replace(run, origins=chosen))
        if not report.n_trained:
            warn(Event.SERIES_FELL_BACK, _why_none(context, run), run_id=run.run_id)
        tried = set(chosen)
        still = _origins_without_models(context, run)
        missing = [origin for origin in missing if origin in still and origin not in tried]


def _why_none(context: RunContext, run: Run) -> str:
    condition, parameters = series_in_scope(run)
    statement = WHY_NONE.replace("{series}", f"{{{context.use_case.name}_series}}")
    found = context.warehouse.read(statement.replace("{scope}", condition), **parameters)
    reasons = ", ".join(f"{row.n} {row.reason}" for row in found.itertuples())
    return (
        f"{context.use_case.name}: no model was trained as of {run.origins[-1].origin_date}; "
        f"{int(found['n'].sum())} series are in scope{f' ({reasons})' if reasons else ''}. Look at "
        "--series, at --as-of, and at min_observations in the settings."
    )


def _origins_without_models(context: RunContext, run: Run) -> list[Origin]:
    """The origins that no champion serves; where each has its own, those without one."""
    served = context.warehouse.read(
        TRAINED_ORIGINS if context.use_case.refit == "weekly" else SERVED_ORIGINS,
        use_case=run.use_case.name,
        model_name=run.use_case.champion,
    )
    known = {day.date() for day in served["origin_date"]}
    return [origin for origin in run.origins if origin.origin_date not in known]


def _open_run(context: RunContext, options: RunOptions) -> Run | None:
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
    is_held = holder(context.store, _lease_scope(context, run)) == run.run_id
    return run if is_held or run.shard.count > 1 else None


def _origin_now(context: RunContext, run: Run) -> Origin:
    now = origin_at(context.use_case, datetime.now(UTC))
    return replace(now, as_of_at=run.origins[0].as_of_at)


def recorded_run(context: RunContext, options: RunOptions) -> Run | None:
    """The run of the given id, else the newest one of the use case, as run_origins holds it."""
    ensure_tables(context)
    rows = context.warehouse.read(
        """
        select run_id, run_kind, origin_date, as_of_at, is_as_issued, requested_at
        from {run_origins}
        where use_case = @use_case and (@run_id is null or run_id = @run_id)
        qualify dense_rank() over (order by requested_at desc, run_id) = 1
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
        replace(options, run_id=first["run_id"]),
        is_as_issued=bool(first["is_as_issued"]),
    )


def environment_selection(environment: dict[str, str] | None = None) -> Selection | None:
    """The selection that SHELFCAST_SERIES and SHELFCAST_SERIES_TABLE ask for, if they do."""
    given = os.environ if environment is None else environment
    patterns, table = given.get("SHELFCAST_SERIES", ""), given.get("SHELFCAST_SERIES_TABLE", "")
    return Selection(patterns, table) if patterns or table else None
