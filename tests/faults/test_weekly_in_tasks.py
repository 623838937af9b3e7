"""A week in several Cloud Run tasks: the rows of one, whatever dies and is started again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from python_jobs.infra.errors import RunStopped, ShelfcastError
from python_jobs.infra.lease import acquire, holder
from python_jobs.infra.run import Shard
from python_jobs.infra.schedule import WEEKDAYS
from python_jobs.runs import stages, tasks
from python_jobs.runs.active import require_own_panels
from python_jobs.runs.context import RunOptions
from python_jobs.runs.issue import issue_step
from python_jobs.runs.leases import take_lease
from python_jobs.runs.recorded import recorded_run
from python_jobs.runs.stages import build_stage
from tests.support import children, golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.site import Site

TODAY = datetime.now(UTC).date()
ORIGIN = TODAY - timedelta(days=4)
WEEKS = [ORIGIN + timedelta(days=1) - timedelta(weeks=n) for n in range(8, 0, -1)]
N_TASKS = 3


def sales() -> pd.DataFrame:
    rows = [
        ("N1", "retail", f"S{n}", week, 5.0 * n + i % 3, 2.0, False)
        for n in range(1, 10)
        for i, week in enumerate(WEEKS)
    ]
    columns = ["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """Nine series that are refitted each week; one task has issued this week's forecasts."""
    site = make_site().in_bucket()
    golden.sku_settings(site)
    site.use_cases["sku_weekly"] |= {
        "week_starts_on": WEEKDAYS[WEEKS[0].weekday()],
        "time_zone": "UTC",
        "refit": "every_run",
    }
    site.write("sales", sales())
    site.write("promotions", plan())
    done(site, "run", "--run-id", "ONE")
    site.context().dbt._invoke(None, "parse")  # for tasks to go on from
    return site


def plan() -> pd.DataFrame:
    row = golden.plan(unit="N1", channel="*", sku_id="S1").iloc[0].to_dict()
    until: date = TODAY + timedelta(weeks=9)
    row |= {"start_date": WEEKS[0], "end_date": WEEKS[0], "covers_from": WEEKS[0]}
    return pd.DataFrame([row | {"covers_to": until}])


def start(site: Site, execution: str, index: int, attempt: int = 0, **more: str) -> children.Child:
    """Start a task as Cloud Run does: its own disk, its own place among the tasks.

    On its disk lies what dbt has parsed, as if the image held it; that spares each task seconds.
    """
    environment = cloud_run(execution, index, attempt)
    target = site.folder / f"target-{execution}-{index}"
    target.mkdir(exist_ok=True)
    shutil.copy(site.folder / "target" / "partial_parse.msgpack", target)
    environment |= {
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(site.folder / f"logs-{execution}-{index}"),
    }
    return children.start(site, "run", **environment, **more)


def cloud_run(
    execution: str, index: int = 0, attempt: int = 0, count: int = N_TASKS
) -> dict[str, str]:
    return {
        "CLOUD_RUN_JOB": execution.split("-", maxsplit=1)[0],
        "CLOUD_RUN_EXECUTION": execution,
        "CLOUD_RUN_TASK_INDEX": str(index),
        "CLOUD_RUN_TASK_COUNT": str(count),
        "CLOUD_RUN_TASK_ATTEMPT": str(attempt),
    }


def public(site: Site) -> tuple[set[str], list[tuple]]:
    """Whose forecasts planners see, and what they see."""
    runs = set(site.read("select distinct run_id from {champion_forecasts}")["run_id"])
    return runs, golden.public_tables(site)["forecasts"]


def steps(site: Site, run_id: str, event: str = "ended") -> list[tuple[str, int]]:
    """The steps of a run and their shards, one for each row of run_log of that event."""
    rows = site.read(
        "select step, shard from {run_log} where run_id = @run_id and event = @event "
        "and (event = 'started' or status = 'done') order by step, shard",
        run_id=run_id,
        event=event,
    )
    return list(rows.itertuples(index=False, name=None))


def lease_holder(site: Site) -> str | None:
    context = site.context()
    return holder(context.store, f"{context.connection.dataset} {context.use_case.name}")


ALL_STEPS = [
    ("after_forecast", None),
    ("before_forecast", 0),
    *(("predict", n) for n in range(N_TASKS)),
    *(("train", n) for n in range(N_TASKS)),
]


def assert_done_once(site: Site, run_id: str) -> None:
    found = [
        (step, None if step == "after_forecast" else shard) for step, shard in steps(site, run_id)
    ]
    assert found == ALL_STEPS
    assert lease_holder(site) is None


def test_three_tasks_at_once_publish_the_rows_of_one(site: Site) -> None:
    runs, rows = public(site)
    assert runs == {"ONE"}
    assert len(rows) > 9
    ended = [child.wait() for child in [start(site, "w-three", n) for n in range(N_TASKS)]]
    assert [one.returncode for one in ended] == [0] * N_TASKS, "".join(one.stdout for one in ended)
    assert public(site) == ({"w-three"}, rows)
    assert_done_once(site, "w-three")
    shards = site.read("select distinct shard from {forecast_log} where run_id = 'w-three'")
    assert len(shards) > 1, "the series of the test fall into one shard"


def test_a_task_that_dies_twice_goes_on_where_it_was(site: Site) -> None:
    """It dies when its forecasts are logged and unfinished, then as it publishes, as the last."""
    before = public(site)
    for index in (0, 2):
        done(site, "run", **cloud_run("w-dies", index))
    # run_log, model_log, model_events, run_log (train); run_log, forecast_log (predict)
    assert children.was_killed(start(site, "w-dies", 1, TEST_KILL_AFTER_LOADS="6").wait())
    done(site, "run", "--step", "after", "--dry-run")
    with pytest.raises(RunStopped, match="2 of 3 tasks of run w-dies have ended their predict"):
        issue_step(site.context(), RunOptions(run_id="w-dies"), "after")
    assert public(site) == before, "without its last task a run is not finished"
    # run_log, forecast_log, run_log (predict); run_log (after_forecast)
    second = start(site, "w-dies", 1, attempt=1, TEST_KILL_AFTER_LOADS="4").wait()
    assert children.was_killed(second), second.stdout
    assert lease_holder(site) == "w-dies"
    done(site, "run", **cloud_run("w-dies", 1, attempt=2))
    assert public(site) == ({"w-dies"}, before[1])
    assert_done_once(site, "w-dies")
    assert steps(site, "w-dies", "started").count(("train", 1)) == 1
    doubled = site.read(
        "select series_id from {forecast_log} where run_id = 'w-dies' "
        "group by series_id, model_name, target_date having count(*) > 1"
    )
    assert doubled.empty
    fourth = done(site, "run", **cloud_run("w-dies", 0, attempt=1))
    assert "task 0 is done: nothing to do, the run is published" in fourth.stdout


def test_two_that_finish_at_the_same_moment_publish_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = site.context()
    shard = RunOptions(run_id="w-three", shard=Shard(1, N_TASKS))
    run = recorded_run(context, shard)
    assert run is not None
    published = []
    monkeypatch.setattr(type(context.dbt), "build", lambda *_: published.append(1))
    scope = f"publish {context.connection.dataset}"
    other = acquire(context.store, scope, "w-three task 0", "publish")
    assert not build_stage(context, run, "after_forecast", "")  # left to the other
    other.release()
    assert build_stage(context, run, "after_forecast", "")  # which has done it
    assert published == []
    foreign = acquire(context.store, scope, "w-thre", "publish")
    monkeypatch.setattr(stages, "BUILD_PATIENCE", timedelta(0))
    with pytest.raises(ShelfcastError, match="is held by run w-thre"):
        build_stage(context, run, "after_forecast", "")
    foreign.release()


def test_a_second_job_at_once_is_told_of_the_first(site: Site) -> None:
    """Each of its tasks exits at once, and so does a retry."""
    context = site.context()
    scope = f"{context.connection.dataset} {context.use_case.name}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUD_RUN_JOB", "predict-weekly")
        run = context.new_run("issued", [], RunOptions(run_id="w-first"))
        first = take_lease(context, run, RunOptions())
    for index, attempt in ((0, 0), (0, 1), (1, 0), (1, 1)):
        refused = shelfcast(site, "run", **cloud_run("w-second", index, attempt))
        assert refused.exit_code == 1
        assert f"{scope.replace(' ', '%20')}.json is held by run w-first (issued, job " in (
            error_of(refused)
        )
        assert f"job predict-weekly) since {first.taken_at[:16]}" in error_of(refused)
    first.renew()
    refused = shelfcast(site, "run")
    assert f"since {first.taken_at[:19]}Z, until" in error_of(refused)
    first.release()


def test_a_first_task_that_fails_for_good_does_not_keep_the_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = site.use_cases["sku_weekly"]["sources"]["promotions"]
    source["table"] = "nowhere"
    try:
        failed = shelfcast(site, "run", **cloud_run("w-fails", 0))
        assert "_raw.nowhere does not exist" in error_of(failed)
        monkeypatch.setattr(tasks, "PREPARE_PATIENCE", timedelta(0))
        waits = shelfcast(site, "run", **cloud_run("w-fails", 1))
        assert "task 0 has not prepared the run within 0:00:00" in error_of(waits)
        monkeypatch.setattr(tasks, "RETRY_PATIENCE", timedelta(0))
        hopeless = shelfcast(site, "run", **cloud_run("w-fails", 1))
        assert "task 0 failed in before_forecast at" in error_of(hopeless)
        assert "_raw.nowhere does not exist" in error_of(hopeless)
    finally:
        source["table"] = "promotions"
    assert lease_holder(site) is None, "the next run need not wait"


def test_tasks_without_a_common_run_are_refused(site: Site) -> None:
    execution = cloud_run("", 0) | {"CLOUD_RUN_EXECUTION": ""}
    refused = shelfcast(site, "run", **execution)
    assert refused.exit_code == 2
    assert "give each the same --run-id" in error_of(refused)


def test_a_task_that_comes_back_late_reads_no_other_run_s_panels(site: Site) -> None:
    done(site, "check-future")
    late = shelfcast(site, "predict", "--run-id", "w-three", **cloud_run("p-late", 1))
    assert late.exit_code == 0  # it was done
    context = site.context()
    run = recorded_run(context, RunOptions(run_id="w-three"))
    assert run is not None
    with pytest.raises(RunStopped, match=r"\(check\) was begun after run w-three"):
        require_own_panels(context, run)


def test_three_jobs_find_the_open_run(site: Site) -> None:
    """Each is an execution of its own; the first one's name is the run's."""
    rows = public(site)[1]
    alone = shelfcast(site, "predict", **cloud_run("predict-0", 1))
    assert "`shelfcast run --step before_forecast` in one task opens a run" in error_of(alone)
    before = cloud_run("before-1", count=1)
    many = shelfcast(site, "run", "--step", "before", **cloud_run("before-1", 1))
    assert "run --step before is one task, not 3" in error_of(many)
    done(site, "run", "--step", "before", **before)
    first = done(site, "predict", **cloud_run("predict-1", 0, count=2))
    said = [json.loads(line) for line in first.stdout.splitlines()]
    assert {one["run_id"] for one in said if "run_id" in one} == {"before-1"}
    early = shelfcast(site, "run", "--step", "after", **cloud_run("after-1", count=1))
    assert "1 of 2 tasks of run before-1 have ended their predict well" in error_of(early)
    again = done(site, "predict", **cloud_run("predict-1", 0, attempt=1, count=2))
    assert "task 0 is done: its series were predicted before" in again.stdout
    other = shelfcast(site, "predict", **cloud_run("predict-1", 2, count=4))
    assert "was begun in 2 tasks and cannot go on in 4" in error_of(other)
    done(site, "predict", **cloud_run("predict-1", 1, count=2))
    assert lease_holder(site) == "before-1"
    done(site, "run", "--step", "after", **cloud_run("after-1", count=1))
    assert lease_holder(site) is None
    assert public(site) == ({"before-1"}, rows)
    done(site, "predict", **cloud_run("predict-1", 1, attempt=1, count=2))
    begun = site.read(
        "select distinct run_id from {run_origins} where run_id like '%predict-%' "
        "or run_id like '%after-%'"
    )
    assert begun.empty
