"""The training run: fit every forecastable series and put the models in service."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from python_jobs.fitting.train import TrainReport
from python_jobs.infra.errors import RunStopped
from python_jobs.infra.schedule import origin_at
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.executors import do_step, execute, open_here
from python_jobs.runs.intake import is_loaded_apart
from python_jobs.runs.models import COEFFICIENTS, FIT, PRIORS, fit_families
from python_jobs.runs.recorded import begun_or_new, recorded_run
from python_jobs.runs.stages import PREPARE
from python_jobs.runs.steps import Chain, Opened

TRAIN = Chain(
    kind="train",
    command="shelfcast train",
    steps=(
        PREPARE,
        COEFFICIENTS,
        PRIORS,
        replace(FIT, do=partial(fit_families, must_train=True)),
    ),
    groups={"before": (PREPARE.name,), "fit": (FIT.name,)},
)


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
    reports = execute(context, TRAIN, options, partial(_opening, context, options, as_of_at))
    report: TrainReport = reports.get(FIT.name, TrainReport())
    return report


def train_step(
    context: RunContext, options: RunOptions, name: str, *, as_of_at: datetime | None = None
) -> Any:  # noqa: ANN401
    """Do one step of a training, where each is a container (or many) of its own under one run id.

    before_forecast: the panels, in one task. coefficients: pooled families fitted without priors,
    a shard a task. priors: made of them, in one task. train: every family fitted and put in
    service, a shard a task; the last one gives the lease back.

    Args:
        context: the run's context.
        options: series, shard, run id, lease.
        name: one of `TRAIN.step_names()`.
        as_of_at: the instant; now, unless models are made for the past.

    Returns:
        The step's report, if it has one.

    Raises:
        SettingsError: the step is one task, and this is one of several.
        RunStopped: the run was not opened, or priors are asked for before every shard has written
            its coefficients.
        LeaseHeld: another run of the use case is under way.
    """
    step = TRAIN.named(name)[0]
    if step is TRAIN.opening:
        opening = partial(_opening, context, options, as_of_at)
        return open_here(context, TRAIN, options, opening, name)
    run = recorded_run(context, options) if options.run_id else None
    if run is None or run.kind != TRAIN.kind:
        raise RunStopped(
            f"{context.use_case.name}: no training {options.run_id or ''} was opened. Start with "
            f"`{TRAIN.command} --step {PREPARE.name} --run-id …` in one task."
        )
    return do_step(context, TRAIN, run, options, step)


def _opening(context: RunContext, options: RunOptions, as_of_at: datetime | None) -> Opened:
    """Describe the training; one as of now knows the weather that is fetched for it."""
    origin = origin_at(context.use_case, as_of_at or datetime.now(UTC))
    run = begun_or_new(context, TRAIN.kind, [origin], options)
    is_new = run.origins == [origin]
    return Opened(run, is_now=is_new and as_of_at is None and not is_loaded_apart(context))
