"""The tasks of one run: what each has done, and how the others wait for the first.

Tasks know of each other through run_log alone: a task that is started again finds there what it
had done, and the last one to finish finds that it is the last.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from python_jobs.infra.errors import RunStopped, SettingsError
from python_jobs.infra.run import Run
from python_jobs.infra.warehouse import Warehouse
from python_jobs.runs.steps import Step

PREPARE_PATIENCE = timedelta(minutes=60)
"""How long tasks wait for the first to prepare the run, or to fit a model of all series."""
RETRY_PATIENCE = timedelta(minutes=10)
"""How long they wait for the first to be started again after it has failed."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two looks at run_log; each is a query that is paid for."""

DONE = """
select step, shard, n_shards, logical_or(event = 'ended' and status = 'done') as is_done
from {run_log}
where run_id = @run_id and use_case = @use_case
group by step, shard, n_shards
"""

LAST_OF_FIRST_TASK = """
select step, status, message, logged_at
from {run_log}
where run_id = @run_id and use_case = @use_case and shard = 0
qualify row_number() over (order by logged_at desc, event) = 1
"""


@dataclass(frozen=True)
class Done:
    """The finished steps of a run's tasks.

    Attributes:
        steps: (step, shard, number of shards) of each that ended well.
        begun: by step, in how many tasks it was begun.
        run: whose tasks they are.
    """

    steps: frozenset[tuple[str, int, int]]
    begun: Mapping[str, int]
    run: Run

    def require_as_many(self, step: str) -> None:
        """Check that the tasks are as many as those that a step was begun with.

        Raises:
            RunStopped: they were others, whose parts of the series are not these.
        """
        run = self.run
        others = {n for name, _, n in self.steps if name == step and n != run.shard.count}
        if others:
            raise RunStopped(
                f"{run.use_case.name}: run {run.run_id} was begun in {others.pop()} tasks and "
                f"cannot go on in {run.shard.count}: each has its own part of the series. Start it "
                "with as many, or begin a new run."
            )

    def require_all(self, step: str, command: str) -> None:
        """Check that every task has ended its part of a step.

        Args:
            step: the step.
            command: does the rest of it.

        Raises:
            RunStopped: some tasks have not.
        """
        wanted, done = max(self.begun.get(step, 0), 1), self.by_how_many(step)
        if done < wanted:
            raise RunStopped(
                f"{self.run.use_case.name}: {done} of {wanted} tasks of run {self.run.run_id} have "
                f"ended their {step} well. Wait for them, or run `{command}` for the rest."
            )

    def by_any(self, step: str) -> bool:
        """Whether one task has done a step."""
        return any(name == step for name, _, _ in self.steps)

    def by_first(self, step: str) -> bool:
        """Whether the first task has done its part of a step, or all of it."""
        return any(name == step and shard == 0 for name, shard, _ in self.steps)

    def by_this(self, step: str) -> bool:
        """Whether this task, in an earlier attempt, has done its part of a step."""
        return (step, self.run.shard.index, self.run.shard.count) in self.steps

    def by_how_many(self, step: str) -> int:
        """How many tasks have done their part of a step."""
        return len({shard for name, shard, _ in self.steps if name == step})


def read_done(warehouse: Warehouse, run: Run) -> Done:
    """Read what the tasks of a run have done."""
    rows = warehouse.read(DONE, run_id=run.run_id, use_case=run.use_case.name)
    begun: dict[str, int] = {}
    for row in rows.itertuples():
        begun[row.step] = max(begun.get(row.step, 0), int(row.n_shards))
    ended = rows[rows["is_done"].astype(bool)]
    steps = ((row.step, int(row.shard), int(row.n_shards)) for row in ended.itertuples())
    return Done(frozenset(steps), begun, run)


def shared_run_id(given: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The run id that all tasks of a job know: the one that was given, else Cloud Run's execution.

    Raises:
        SettingsError: there is neither, so that each task would make a run of its own.
    """
    run_id = given or environment.get("CLOUD_RUN_EXECUTION")
    if not run_id:
        raise SettingsError(
            "several tasks share one run: give each the same --run-id (on Cloud Run the execution "
            "names it)."
        )
    return run_id


def wait_for_the_first(
    warehouse: Warehouse, run: Run, step: Step, look: Callable[[], None] | None = None
) -> None:
    """Wait until the first task has done its part of a step.

    Args:
        warehouse: holds run_log.
        run: whose first task it is.
        step: the step.
        look: called before each pause; raises where there is nothing to wait for.

    Raises:
        RunStopped: the first task failed and was not started again within RETRY_PATIENCE, or has
            not done the step within PREPARE_PATIENCE.
    """
    deadline, pause = time.monotonic() + PREPARE_PATIENCE.total_seconds(), FIRST_PAUSE
    while not (warehouse.exists("run_log") and read_done(warehouse, run).by_first(step.name)):
        if look is not None:
            look()
        _require_hope(warehouse, run)
        if time.monotonic() > deadline:
            raise RunStopped(
                f"task {run.shard.index} of run {run.run_id}: task 0 has not {step.past} "
                f"within {PREPARE_PATIENCE}. Look at its log, and start the tasks again."
            )
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _require_hope(warehouse: Warehouse, run: Run) -> None:
    if not warehouse.exists("run_log"):
        return
    rows = warehouse.read(LAST_OF_FIRST_TASK, run_id=run.run_id, use_case=run.use_case.name)
    for row in rows.itertuples():
        if row.status == "failed" and row.logged_at < datetime.now(UTC) - RETRY_PATIENCE:
            raise RunStopped(
                f"task {run.shard.index} of run {run.run_id}: task 0 failed in {row.step} at "
                f"{row.logged_at:%Y-%m-%d %H:%M:%S}Z and was not started again within "
                f"{RETRY_PATIENCE}: {row.message} Mend that, and start the job again."
            )
