"""Three ways to do the steps of a run: all here, as one task of several, or one by one.

The tasks of a run know of each other through run_log alone. A task that is started again finds
there what it had done, and the last one to finish finds that it is the last
(docs/decisions/a-run-is-a-list-of-steps.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

from python_jobs.infra.errors import RunStopped, SettingsError, ShelfcastError
from python_jobs.infra.lease import give_back, kept, renewed, require_not_lost
from python_jobs.infra.run import Run, record_failure
from python_jobs.runs.active import record_activation, require_own_panels
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.intake import refresh_weather
from python_jobs.runs.leases import (
    lease_scope,
    leased,
    log_run_ended,
    log_task_ended,
    take_lease,
)
from python_jobs.runs.recorded import recorded_run
from python_jobs.runs.steps import Chain, Opened, Opening, Reports, Step
from python_jobs.runs.tables import ensure_tables
from python_jobs.runs.tasks import Done, read_done, shared_run_id, wait_for_the_first


def execute(context: RunContext, chain: Chain, options: RunOptions, opening: Opening) -> Reports:
    """Do a run: all of it here, or as one task of several.

    Args:
        context: the run's context.
        chain: its steps.
        options: series, shard, run id, lease.
        opening: describes the run.

    Returns:
        The reports of the steps that this task did, by step name.

    Raises:
        SettingsError: it is one task, and was started in several.
        RunStopped: a step stopped the run, or the first task did not open it.
        LeaseHeld: another run of the use case is under way.
    """
    if options.shard.count > 1 and chain.middle:
        return _as_task(context, chain, options, opening)
    require_one_task(chain.command, options)
    opened = opening()
    with leased(context, opened.run, options):
        return {
            **_open(context, chain, opened),
            **_do(context, opened.run, chain.steps[1:]),
        }


def open_here(
    context: RunContext, chain: Chain, options: RunOptions, opening: Opening, name: str
) -> Run:
    """Do the opening step, and what else `--step NAME` means, in a container of its own.

    The run keeps the lease for its next step; a run that fails here gives it back.
    """
    require_one_task(f"{chain.command} --step {name}", options)
    opened = opening()
    with kept(take_lease(context, opened.run, options)):
        _open(context, chain, opened)
        _do(context, opened.run, chain.named(name)[1:])
    return opened.run


def do_step(context: RunContext, chain: Chain, run: Run, options: RunOptions, step: Step) -> object:
    """Do one step of a run that is open, in a container of its own, or this shard's part of it.

    The step that ends the run gives the lease back.

    Raises:
        SettingsError: the step is one task, and was started in several.
        RunStopped: not all tasks have ended a step before it.
        LeaseHeld: another run of the use case is under way.
    """
    if not step.is_sharded:
        require_one_task(f"{chain.command} --step {step.name}", options)
    done = read_done(context.warehouse, run)
    _require_steps_before(chain, done, step)
    ends_the_run = step is chain.steps[-1]
    if ends_the_run and not step.is_sharded:
        with leased(context, run, options):
            return _do_one(context, run, step)
    report = None
    if step.is_sharded and done.by_this(step.name):
        log_task_ended(run, f"its series were {step.past} before")
    else:
        with renewed(take_lease(context, run, options)):
            report = _do_one(context, run, step)
    if ends_the_run:
        _close(context, chain, run)
    return report


def _require_steps_before(chain: Chain, done: Done, step: Step) -> None:
    """Check that all tasks have ended the steps before, and that a shard is of as many as others.

    Raises:
        RunStopped: they have not, or it is not.
    """
    if step.is_sharded:
        done.require_as_many(step.name)
    for earlier in chain.steps[1 : chain.steps.index(step)]:
        if earlier.name in done.begun or earlier.name == step.needs:
            done.require_all(earlier.name, f"{chain.command} --step {earlier.name}")


def require_one_task(what: str, options: RunOptions, hint: str = "") -> None:
    """Check that what only one task can do was not started in several.

    Raises:
        SettingsError: it was.
    """
    if options.shard.count > 1:
        raise SettingsError(f"{what} is one task, not {options.shard.count}.{hint}")


def _open(context: RunContext, chain: Chain, opened: Opened) -> Reports:
    """Do the opening step. A resumed run keeps the weather that it began with."""
    if opened.is_now:
        refresh_weather(context, opened.run.origins[-1].as_of_at)
    return _do(context, opened.run, [chain.opening])


def _do(context: RunContext, run: Run, steps: Iterable[Step]) -> Reports:
    return {step.name: _do_one(context, run, step) for step in steps if step.is_due(run)}


def _do_one(context: RunContext, run: Run, step: Step) -> Any:  # noqa: ANN401 - its report
    """Do a step, on the panels of its run or on none."""
    if step.reads_panels:
        require_own_panels(context, run)
    return step.do(context, run)


def _as_task(context: RunContext, chain: Chain, options: RunOptions, opening: Opening) -> Reports:
    """Do one task of several. What an earlier attempt of it has done is not done again.

    A task that fails leaves the lease to the others and to its retry.
    """
    options = replace(options, run_id=shared_run_id(options.run_id))
    ensure_tables(context)
    named = context.new_run(chain.kind, [], options)
    if chain.closing and read_done(context.warehouse, named).by_any(chain.closing[-1].name):
        give_back(context.store, lease_scope(context, named), named.run_id)
        log_task_ended(named, f"nothing to do, the run is {chain.closing[-1].past}")
        return {}
    run = _opened_by_the_first(context, chain, named, options, opening)
    with renewed(take_lease(context, run, replace(options, take_over=False))):
        reports = _do_own_part(context, chain, run)
    _close(context, chain, run)
    return reports


def _opened_by_the_first(
    context: RunContext, chain: Chain, named: Run, options: RunOptions, opening: Opening
) -> Run:
    """Let the first task open the run, and the others wait for it and take its origins.

    Args:
        context: the run's context.
        chain: its steps.
        named: the run as its tasks know it before it is begun.
        options: shard, run id, lease.
        opening: describes the run; called in the first task alone, unless an earlier attempt of it
            has opened the run.

    Raises:
        RunStopped: the first task did not open it (see `wait_for_the_first`).
        LeaseHeld: another run of the use case is under way.
    """
    step = chain.opening
    if named.shard.index == 0:
        if not read_done(context.warehouse, named).by_any(step.name):
            _open_or_record_why_not(context, chain, named, options, opening)
    else:

        def look() -> None:
            if not options.take_over:
                require_not_lost(context.store, lease_scope(context, named), named.run_id)

        wait_for_the_first(context.warehouse, named, step, look)
    run = recorded_run(context, replace(options, run_id=named.run_id))
    if run is None:
        raise RunStopped(f"run {named.run_id} is prepared, yet run_origins does not hold it.")
    return run


def _open_or_record_why_not(
    context: RunContext, chain: Chain, named: Run, options: RunOptions, opening: Opening
) -> None:
    """Open the run; where that fails, give the lease back and let the other tasks know."""
    try:
        opened = opening()
        with kept(take_lease(context, opened.run, options)):
            _open(context, chain, opened)
    except Exception as error:
        with suppress(ShelfcastError):  # the first error is the one to report
            record_failure(context.warehouse, named, chain.opening.name, error)
        raise


def _do_own_part(context: RunContext, chain: Chain, run: Run) -> Reports:
    """Do this task's part of each step after the last one that it has done."""
    done = read_done(context.warehouse, run)
    done.require_as_many(chain.steps[chain.last_sharded].name)
    due = [step for step in chain.middle if step.is_due(run)]
    n_done = max((i + 1 for i, step in enumerate(due) if done.by_this(step.name)), default=0)
    reports: Reports = {}
    for before, step in pairwise([chain.opening, *due]):
        if step in due[n_done:]:
            if run.shard.index and before.is_awaited(run):
                wait_for_the_first(context.warehouse, run, before)
            reports[step.name] = _do_one(context, run, step)
    return reports


def _close(context: RunContext, chain: Chain, run: Run) -> None:
    """End the run once every task has done its part; of two that finish at once, one does."""
    shared = chain.steps[chain.last_sharded]
    n_done = read_done(context.warehouse, run).by_how_many(shared.name)
    if n_done < run.shard.count:
        what = f"{n_done} of {run.shard.count} tasks have {shared.past}"
        log_task_ended(run, f"{what}, the last one publishes" if chain.closing else what)
        return
    for step in chain.closing:
        if _do_one(context, run, step) is False:
            log_task_ended(run, "another task is publishing")
            return
    record_activation(context.warehouse, run, "ended")
    give_back(context.store, lease_scope(context, run), run.run_id)
    log_run_ended(run)
