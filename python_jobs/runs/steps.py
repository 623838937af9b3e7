"""A run is a chain of steps: what they are called, what does them, and which tasks do them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from python_jobs.infra.run import Run, RunKind
from python_jobs.runs.context import RunContext

Condition = Callable[[Run], bool]


def always(_: Run) -> bool:
    """Every run."""
    return True


def never(_: Run) -> bool:
    """No run."""
    return False


@dataclass(frozen=True)
class Step:
    """One step of a run.

    Attributes:
        name: as run_log and `--step` name it.
        do: does it, and records it in run_log under its name where it writes; returns its report,
            if it has one.
        past: what a task has done then, for messages: "predicted".
        is_sharded: each task does its part of the series; otherwise one task does the step.
        is_due: whether a run has the step.
        is_awaited: whether the other tasks wait, before they go on, until the first has done it.
        needs: the step that must have ended before it, where each is a container of its own.
        reads_panels: it reads the panels, which must be those of its run.
    """

    name: str
    do: Callable[[RunContext, Run], Any]
    past: str
    is_sharded: bool = False
    is_due: Condition = always
    is_awaited: Condition = never
    needs: str = ""
    reads_panels: bool = False

    def only_if(self, condition: Condition) -> Step:
        """The same step, due only in runs that meet one more condition."""
        is_due = self.is_due
        return replace(self, is_due=lambda run: condition(run) and is_due(run))


@dataclass(frozen=True)
class Chain:
    """The steps of a kind of run, in order. The first opens it: one task does it for all.

    Where steps are sharded, one that follows the last sharded step closes the run: one task does
    it once all have ended.

    Attributes:
        kind: what run_log and run_origins call such a run.
        command: that starts it.
        steps: in order.
        groups: other names for `--step`, each for one step or for several in one container.
    """

    kind: RunKind
    command: str
    steps: tuple[Step, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def opening(self) -> Step:
        """The step that opens the run."""
        return self.steps[0]

    @property
    def last_sharded(self) -> int:
        """The index of the last step that several tasks share; 0 where none does."""
        return max((i for i, step in enumerate(self.steps) if step.is_sharded), default=0)

    @property
    def middle(self) -> tuple[Step, ...]:
        """The steps between opening and closing, in which each task has its part."""
        return self.steps[1 : self.last_sharded + 1]

    @property
    def closing(self) -> tuple[Step, ...]:
        """The steps after the last sharded one."""
        return self.steps[self.last_sharded + 1 :]

    def until(self, name: str) -> Chain:
        """The same chain, ended after the step of that name."""
        names = [step.name for step in self.steps]
        return replace(self, steps=self.steps[: names.index(name) + 1])

    def named(self, name: str) -> tuple[Step, ...]:
        """The steps that `--step NAME` means."""
        names = self.groups.get(name, (name,))
        return tuple(step for step in self.steps if step.name in names)

    def step_names(self) -> list[str]:
        """The names that `--step` accepts: the steps, then the groups."""
        return [*(step.name for step in self.steps), *self.groups]


@dataclass(frozen=True)
class Opened:
    """A run that is about to start, or to go on.

    Attributes:
        run: the run.
        is_now: begun this very moment: what is fetched for it now, it knows.
    """

    run: Run
    is_now: bool = False


Opening = Callable[[], Opened]
"""Describes the run that is to be started; called by the task that opens it, and by no other."""

Reports = dict[str, Any]
"""The reports of the steps that were done, by step name."""
