"""Runs as lists of steps: which step is whose, and how `--step` names them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from python_jobs.cli.app import main
from python_jobs.fitting.train import parts_of_task
from python_jobs.infra.errors import RunStopped, SettingsError
from python_jobs.infra.run import Run, Selection, Shard
from python_jobs.infra.settings import load_settings
from python_jobs.runs.backtest import BACKTEST
from python_jobs.runs.check_future import CHECK_FUTURE
from python_jobs.runs.context import RunOptions
from python_jobs.runs.executors import require_one_task
from python_jobs.runs.issue import ISSUE
from python_jobs.runs.monitor import MONITOR
from python_jobs.runs.replay import REPLAY
from python_jobs.runs.steps import Chain, Step
from python_jobs.runs.tasks import Done
from python_jobs.runs.train import TRAIN
from python_jobs.runs.tune import TUNE
from tests.support import families  # noqa: F401 - registers the families by its import
from tests.support.site import ROOT

CHAINS = [ISSUE, TRAIN, REPLAY, BACKTEST, TUNE, MONITOR, CHECK_FUTURE]


def run(*, shard: Shard | None = None, **changes: object) -> Run:
    use_case = load_settings(ROOT, {}).use_case("sku_weekly").model_copy(update=changes)
    chosen = Selection(use_case.include, use_case.include_table)
    return Run("R", "issued", use_case, [], selection=chosen, shard=shard or Shard())


def due(chain: Chain, of: Run) -> list[str]:
    return [step.name for step in chain.steps if step.is_due(of)]


def nothing(*_: object) -> None:
    """What a step does, where only its place among the others matters."""


def done(*steps: tuple[str, int, int], shard: Shard) -> Done:
    begun = {name: n for name, _, n in steps}
    return Done(frozenset(steps), begun, run(shard=shard))


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.kind)
def test_names_of_steps_are_unique_and_groups_name_steps(chain: Chain) -> None:
    names = [step.name for step in chain.steps]
    assert len(names) == len(set(names))
    assert {one for group in chain.groups.values() for one in group} <= set(names)
    assert not set(chain.groups) & set(names)


def test_the_scheduled_run_refits_where_the_settings_say_so() -> None:
    kept = run(refit="on_retrain", families=("window",))
    assert due(ISSUE, kept) == ["before_forecast", "predict", "after_forecast"]
    local = run(refit="every_run", families=("level",))
    assert due(ISSUE, local) == ["before_forecast", "train", "predict", "after_forecast"]
    pooled = run(refit="every_run", families=("window",))
    assert due(ISSUE, pooled) == [step.name for step in ISSUE.steps]


def test_priors_are_made_by_one_task_of_all_series() -> None:
    pooled = {"families": ("window",)}
    every = ["before_forecast", "coefficients", "priors", "train"]
    assert due(TRAIN, run(**pooled)) == every
    assert due(TRAIN, run(**pooled, shard=Shard(0, 2))) == ["before_forecast", "train"]
    some = replace(run(**pooled), selection=Selection("N1|*"))
    assert due(TRAIN, some) == ["before_forecast", "train"]


def test_of_several_tasks_one_opens_each_has_the_middle_and_the_last_closes() -> None:
    assert ISSUE.opening.name == "before_forecast"
    assert [step.name for step in ISSUE.middle] == ["coefficients", "priors", "train", "predict"]
    assert [step.name for step in ISSUE.closing] == ["after_forecast"]
    assert (TRAIN.middle[-1].name, TRAIN.closing) == ("train", ())
    alone = [chain.kind for chain in CHAINS if not chain.middle]
    assert alone == ["replay", "backtest", "tune", "monitor", "check"]


def test_old_names_of_steps_are_accepted() -> None:
    def named(chain: Chain, name: str) -> list[str]:
        return [step.name for step in chain.named(name)]

    assert named(ISSUE, "before") == ["before_forecast", "coefficients", "priors", "train"]
    assert named(ISSUE, "after") == ["after_forecast"]
    assert named(TRAIN, "before") == ["before_forecast"]
    assert named(TRAIN, "fit") == ["train"]
    assert named(TRAIN, "coefficients") == ["coefficients"]


@pytest.mark.parametrize(
    ("command", "chain"), [("run", ISSUE), ("weekly", ISSUE), ("train", TRAIN)]
)
def test_the_command_line_names_every_step(command: str, chain: Chain) -> None:
    (option,) = [one for one in main.commands[command].params if one.name == "step"]
    assert list(option.type.choices) == ["all", *chain.step_names()]


def test_a_chain_ends_after_a_step() -> None:
    assert [step.name for step in ISSUE.until("train").steps] == [
        "before_forecast",
        "coefficients",
        "priors",
        "train",
    ]


def test_a_step_is_due_under_all_of_its_conditions() -> None:
    step = Step("a", nothing, "done", is_due=lambda of: of.shard.index == 0)
    both = step.only_if(lambda of: of.shard.count == 2)
    assert both.is_due(run(shard=Shard(0, 2)))
    assert not both.is_due(run(shard=Shard(1, 2)))
    assert not both.is_due(run(shard=Shard(0, 3)))


def test_a_global_family_is_the_first_task_s_and_on_all_series() -> None:
    mixed = {"families": ("ridge", "level")}

    def parts(shard: Shard) -> list[tuple[Shard, list[str]]]:
        found = parts_of_task(run(**mixed, shard=shard))
        return [(part.shard, [family.name for family in chosen]) for part, chosen in found]

    assert parts(Shard()) == [(Shard(), ["ridge", "level"])]
    assert parts(Shard(0, 3)) == [(Shard(0, 3), ["level"]), (Shard(), ["ridge"])]
    assert parts(Shard(2, 3)) == [(Shard(2, 3), ["level"])]
    assert parts_of_task(run(families=("ridge",), shard=Shard(2, 3))) == []


def test_others_wait_for_the_first_only_where_it_fits_a_model_of_all_series() -> None:
    (fit,) = [step for step in ISSUE.steps if step.name == "train"]
    assert fit.is_awaited(run(families=("level", "ridge")))
    assert not fit.is_awaited(run(families=("level",)))


def test_what_tasks_have_done() -> None:
    found = done(("train", 1, 3), ("train", 2, 3), ("predict", 1, 3), shard=Shard(1, 3))
    assert found.by_this("train")
    assert not found.by_first("train")
    assert found.by_how_many("train") == 2
    found.require_as_many("predict")
    with pytest.raises(RunStopped, match="2 of 3 tasks of run R have ended their train well"):
        found.require_all("train", "shelfcast run --step train")
    with pytest.raises(RunStopped, match="0 of 1 tasks of run R have ended their coefficients"):
        found.require_all("coefficients", "shelfcast train --step coefficients")
    with pytest.raises(RunStopped, match="begun in 3 tasks and cannot go on in 2"):
        replace(found, run=run(shard=Shard(1, 2))).require_as_many("predict")


def test_one_task_is_refused_in_several() -> None:
    require_one_task("shelfcast replay", RunOptions())
    with pytest.raises(SettingsError, match="shelfcast replay is one task, not 4"):
        require_one_task("shelfcast replay", RunOptions(shard=Shard(0, 4)))
