"""The retraining run: champion against challenger on held-out periods, for some series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from python_jobs.families import make_family
from python_jobs.families.base import Family
from python_jobs.fitting.fit import tunable
from python_jobs.infra.errors import RunStopped, SettingsError
from python_jobs.infra.logs import Event, log, warn
from python_jobs.infra.run import Run, Selection, new_run_id, of_model, step
from python_jobs.infra.schedule import origin_at
from python_jobs.infra.settings import UseCase
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.executors import execute
from python_jobs.runs.recorded import recorded_run
from python_jobs.runs.stages import PREPARE
from python_jobs.runs.steps import Chain, Opened, Step
from python_jobs.selection.retrain_record import (
    Record,
    RetrainReport,
    carry_out,
    log_decisions,
    record_refused,
    remembered,
    seen_copies,
    was_begun,
)
from python_jobs.selection.retrain_series import (
    Candidates,
    Chosen,
    RetrainOrigins,
    Why,
    choose_series,
    left_out_of,
    read_candidates,
    retrain_origins,
    series_asked_for,
)
from python_jobs.selection.retraining import Retraining


def retrain(
    context: RunContext,
    options: RunOptions | None = None,
    *,
    candidates: bool = False,
    tune: bool = True,
    as_of_at: datetime | None = None,
) -> RetrainReport:
    """Retrain some series of the champion family, and let the better recipe serve each.

    The challenger's recipe is chosen on past periods; then it and the recipe in force are refitted
    as of the same later origins and scored on periods that neither saw. The rule, the baseline and
    its margin are the settings' (`retraining`). Both are fitted as of now and stored.

    Args:
        context: the run's context.
        options: the series, run id, lease. With the id of an earlier retraining it goes on with
            what that one had decided.
        candidates: only those of the series that are due by `retraining_candidates`.
        tune: look for a challenger and compare; otherwise refit with the recipes in force.
        as_of_at: the instant; now, unless the past is retrained.

    Raises:
        SettingsError: the champion is one model for all series, a pattern matches no series, or
            more series were named than one run retrains.
        RunStopped: nothing was ever monitored (candidates), no series can be forecast now, or a
            public copy was replaced by somebody else meanwhile (everything else is done).
        LeaseHeld: another run of the use case is under way.
    """
    options = options or RunOptions()
    run, origins = open_retrain(context, options, tune=tune, as_of_at=as_of_at)
    policy = read_candidates(context.warehouse, run, needed=candidates)
    if candidates and not policy.due and not was_begun(context.store, run):
        log(Event.RETRAINED, f"{context.use_case.name}: no series is due.", run_id=run.run_id)
        return RetrainReport()
    compare = partial(_compare, origins=origins, policy=policy, only_candidates=candidates)
    report: RetrainReport = execute(context, _chain(compare), options, lambda: Opened(run))[
        "retrain"
    ]
    if report.lost:
        n_series = len(report.lost) + len(report.decisions)
        raise RunStopped(
            f"retrain: {len(report.lost)} of {n_series} series were not promoted: "
            f"{next(iter(report.lost.values()))} Run `shelfcast retrain` again with "
            f"--run-id {run.run_id}."
        )
    return report


def _chain(compare: Callable[[RunContext, Run], RetrainReport]) -> Chain:
    """The steps of a retraining, one task: it compares a few series at a time."""
    return Chain(
        kind="retrain",
        command="shelfcast retrain",
        steps=(PREPARE, Step("retrain", compare, "retrained", reads_panels=True)),
    )


def _compare(
    context: RunContext,
    run: Run,
    *,
    origins: RetrainOrigins,
    policy: Candidates,
    only_candidates: bool,
) -> RetrainReport:
    """Choose the series, compare champion and challenger, and carry out what was decided."""
    family = champion_family(run.use_case)
    chosen = _chosen(context, run, policy, only_candidates=only_candidates)
    record_refused(context.warehouse, run, family, chosen)
    if not chosen.classes:
        why = left_out_of(chosen) if chosen.left_out else "no candidate is among those named."
        raise RunStopped(f"{run.use_case.name}: nothing to retrain: {why}")
    run = replace(run, selection=Selection(names=tuple(chosen.classes)))
    with step(context.warehouse, run, "retrain") as counts, of_model(family.name):
        report = _carry_through(context, run, origins, family, chosen)
        counts.n_in, counts.n_out = len(chosen.classes), len(report.decisions)
        counts.message = str(report)
    return report


def open_retrain(
    context: RunContext,
    options: RunOptions,
    *,
    tune: bool = True,
    as_of_at: datetime | None = None,
) -> tuple[Run, RetrainOrigins]:
    """Describe a retraining, or find the one that the options' run id names.

    Raises:
        SettingsError: more than one task, or the champion is a global family.
        RunStopped: the id is that of another kind of run, or of one that was begun otherwise.
    """
    if options.shard.count > 1:
        raise SettingsError("retrain is one task: it compares a few series at a time.")
    family = champion_family(context.use_case)
    options = replace(options, run_id=options.run_id or new_run_id())
    recorded = recorded_run(context, options)
    instant = recorded.origins[-1].as_of_at if recorded else as_of_at or datetime.now(UTC)
    current = origin_at(context.use_case, instant)
    is_tuned = tune and has_recipes(family)
    origins = retrain_origins(context.use_case, current, compare=tune, tune=is_tuned)
    run = context.new_run("retrain", origins.all, options)
    if recorded is not None and (recorded.kind, recorded.origins) != (run.kind, run.origins):
        raise RunStopped(
            f"run {recorded.run_id} is of kind {recorded.kind} and looks back from "
            f"{len(recorded.origins)} origins, this one from {len(run.origins)}: go on with the "
            "options and settings that it was begun with, or give another --run-id."
        )
    if tune and not is_tuned:
        warn(
            Event.TUNED,
            f"retrain: {family.name} has no recipes to choose from, so there is no challenger: its "
            f"series are compared with {context.use_case.retraining.baseline} and fitted again.",
            run_id=run.run_id,
        )
    return run, origins


def champion_family(use_case: UseCase) -> Family[Any]:
    """The family whose series are retrained.

    Raises:
        SettingsError: it is one model for all series.
    """
    family = make_family(use_case.champion, use_case.family_settings(use_case.champion))
    if family.scope == "global":
        raise SettingsError(
            f"{use_case.name}: {family.name} is one model for all series, none of which can be "
            "retrained alone. `shelfcast tune` and `shelfcast train` make it anew."
        )
    return family


def has_recipes(family: Family[Any]) -> bool:
    """Whether there is more than one recipe to choose from."""
    able = tunable(family)
    return able is not None and len(able.candidates()) > 1


def would_retrain(context: RunContext, run: Run, *, candidates: bool) -> list[str]:
    """The series that a retraining would look at, by what was built last; nothing is written."""
    asked = series_asked_for(context.warehouse, run)
    if not candidates:
        return asked
    known = set(asked)
    due = read_candidates(context.warehouse, run, needed=True).due
    return [name for name in due if name in known][: run.use_case.retraining.max_series]


def _chosen(context: RunContext, run: Run, policy: Candidates, *, only_candidates: bool) -> Chosen:
    """The series of this run, the same in every attempt."""

    def choose() -> dict[str, Any]:
        return asdict(
            choose_series(context.warehouse, run, policy, only_candidates=only_candidates)
        )

    kept = remembered(context.store, run, "series", choose)
    why = {name: Why(**one) for name, one in kept["why"].items()}
    return Chosen(**{**kept, "why": why})


def _carry_through(
    context: RunContext, run: Run, origins: RetrainOrigins, family: Family[Any], chosen: Chosen
) -> RetrainReport:
    seen = seen_copies(context.store, run, family, chosen.classes)

    def decide() -> dict[str, Any]:
        retraining = Retraining(
            context.warehouse,
            context.store,
            run,
            origins,
            family,
            chosen,
            context.n_jobs,
            context.show("retrain"),
        )
        return asdict(retraining.decide())

    record = Record(**remembered(context.store, run, "decisions", decide))
    lost = carry_out(context.warehouse, context.store, run, family, record, seen)
    log_decisions(run, chosen, record, lost)
    decisions = {n: one["decision"] for n, one in record.series.items() if n not in lost}
    return RetrainReport(decisions, chosen.left_out, lost, chosen.n_over, record.chance)
