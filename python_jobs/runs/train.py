"""The training run: fit every forecastable series and put the models in service."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from python_jobs.fitting.train import TrainReport
from python_jobs.infra.errors import RunStopped
from python_jobs.infra.lease import give_back, kept, renewed
from python_jobs.infra.run import Run
from python_jobs.infra.schedule import Origin, origin_at
from python_jobs.infra.scope import is_whole_portfolio
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.intake import is_loaded_apart, refresh_weather
from python_jobs.runs.issue import prepared_by_the_first
from python_jobs.runs.leases import lease_scope, leased, take_lease, tell_ended, tell_task_ended
from python_jobs.runs.models import fit_models, make_priors, pool_models, why_none
from python_jobs.runs.recorded import begun_or_new, recorded_run, require_own_panels, require_shards
from python_jobs.runs.stages import ensure_tables, prepare
from python_jobs.runs.tasks import read_done, require_local_families, shared_run_id

TrainStep = Literal["before", "coefficients", "priors", "fit"]


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
    run = begun_or_new(context, "train", origins, options)
    with leased(context, run, options):
        _before_training(context, run, is_current=is_current)
        report = fit_models(context, run)
        if not report.n_trained:
            raise RunStopped(why_none(context, run))
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
        run = begun_or_new(context, "train", origins, options)
        with kept(take_lease(context, run, options)):
            _before_training(context, run, is_current=is_current)
        return run

    run = prepared_by_the_first(context, named, options, begin)
    with renewed(take_lease(context, run, replace(options, take_over=False))):
        require_own_panels(context, run)
        report = fit_models(context, run)
        if report.n_series and not report.n_trained:
            raise RunStopped(why_none(context, run))
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
    with renewed(take_lease(context, run, options)):
        if is_new and as_of_at is None:
            refresh_weather(context, instant)
        if is_new or which == "before":
            prepare(context, run)
        if which == "coefficients":
            pool_models(context, run)
        elif which == "priors":
            require_shards(context, run, "coefficients", "shelfcast train --step coefficients")
            make_priors(context, run)
        elif which == "fit":
            fit_models(context, run, "run" if is_whole_portfolio(run) else "in_force")
    if which == "fit":
        _release_after_the_last(context, run)
    return run


def _release_after_the_last(context: RunContext, run: Run) -> None:
    n_done = read_done(context.warehouse, run).by_how_many("train")
    if n_done < run.shard.count:
        tell_task_ended(run, f"{n_done} of {run.shard.count} tasks have trained")
        return
    give_back(context.store, lease_scope(context, run), run.run_id)
    tell_ended(run)
