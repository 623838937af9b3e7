"""A family that is one model for all series: one task fits it, each task forecasts with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from python_jobs.infra.lease import holder
from python_jobs.infra.schedule import WEEKDAYS
from python_jobs.runs import tasks
from tests.support import golden, second_use_case
from tests.support.commands import done, error_of, shelfcast
from tests.support.site import Site

TODAY = datetime.now(UTC).date()
WEEKS = [TODAY - timedelta(days=3) - timedelta(weeks=n) for n in range(8, 0, -1)]
N_TASKS = 2


def sales() -> pd.DataFrame:
    """Six series, each on a level of its own and no two alike."""
    rows = [
        (store, dept, week, 100.0 * store + 10.0 * dept + (i * dept) % 7)
        for store in (1, 2)
        for dept in (1, 2, 3)
        for i, week in enumerate(WEEKS)
    ]
    return pd.DataFrame(rows, columns=["store", "dept", "week_start", "dollars"])


def plan() -> pd.DataFrame:
    row = golden.plan(store="*", dept="1").iloc[0].to_dict()
    row |= {"start_date": WEEKS[2], "end_date": WEEKS[2], "covers_from": WEEKS[0]}
    return pd.DataFrame([row | {"covers_to": TODAY + timedelta(weeks=9)}])


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """A global champion beside a local family, refitted each week; one task has issued."""
    site = make_site().in_bucket()
    golden.sku_settings(site)
    settings = second_use_case.settings(site.use_cases["sku_weekly"])
    settings |= {
        "families": ["ridge", "level"],
        "week_starts_on": WEEKDAYS[WEEKS[0].weekday()],
        "time_zone": "UTC",
        "refit": "every_run",
    }
    second_use_case.add_models(site.copy_project(), settings)
    site.use_cases = {second_use_case.NAME: settings}
    site.use_case = second_use_case.NAME
    site.write("store_sales", sales())
    site.write("store_promotions", plan())
    done(site, "run", "--run-id", "ONE")
    return site


def task(execution: str, index: int = 0, count: int = N_TASKS) -> dict[str, str]:
    return {
        "CLOUD_RUN_EXECUTION": execution,
        "CLOUD_RUN_TASK_INDEX": str(index),
        "CLOUD_RUN_TASK_COUNT": str(count),
    }


def public(site: Site) -> tuple[set[str], list[tuple]]:
    """Whose forecasts planners see, and what they see."""
    runs = set(site.read("select distinct run_id from {champion_forecasts}")["run_id"])
    return runs, golden.public_tables(site, second_use_case.NAME)["forecasts"]


def trained(site: Site, run_id: str) -> list[tuple]:
    """The models of a run: family, series and the rows that each was fitted on."""
    return golden.table(
        site,
        f"""
        select model_name, series_id, n_obs from {{model_log}}
        where run_id = '{run_id}' and status = 'trained' order by 1, 2
        """,
    )


def assert_as_one_task(site: Site, run_id: str, rows: list[tuple]) -> None:
    assert public(site) == ({run_id}, rows)
    assert trained(site, run_id) == trained(site, "ONE")
    shards = site.read(f"select distinct shard from {{forecast_log}} where run_id = '{run_id}'")
    assert len(shards) == N_TASKS, "the series of the test fall into one shard"
    context = site.context()
    assert holder(context.store, f"{context.connection.dataset} {context.use_case.name}") is None


def test_one_task_fits_one_model_of_all_series(site: Site) -> None:
    models = trained(site, "ONE")
    assert [name for name, *_ in models] == ["level"] * 6 + ["ridge"]
    assert models[-1] == ("ridge", None, 6 * (len(WEEKS) - 1))  # a series' first week has no lag


def test_the_other_tasks_wait_for_the_model_of_all_series(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = public(site)[1]
    done(site, "run", "--step", "before_forecast", **task("g-waits", count=1))
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "PREPARE_PATIENCE", timedelta(0))
        waits = shelfcast(site, "run", **task("g-waits", 1))
    assert "task 0 has not trained within 0:00:00" in error_of(waits)
    assert {name for name, *_ in trained(site, "g-waits")} == {"level"}
    done(site, "run", **task("g-waits", 0))
    last = done(site, "run", **task("g-waits", 1))
    assert "train …" not in last.output, "its part of the local family was fitted before"
    assert_as_one_task(site, "g-waits", rows)


def test_named_steps_of_several_tasks_share_the_model(site: Site) -> None:
    rows = public(site)[1]
    done(site, "run", "--step", "before_forecast", **task("g-steps", count=1))
    done(site, "run", "--step", "train", "--run-id", "g-steps", **task("x-train", 1))
    early = shelfcast(site, "run", "--step", "predict", "--run-id", "g-steps", **task("x", 1))
    assert "1 of 2 tasks of run g-steps have ended their train well" in error_of(early)
    done(site, "run", "--step", "train", "--run-id", "g-steps", **task("x-train", 0))
    for index in (1, 0):
        done(site, "run", "--step", "predict", "--run-id", "g-steps", **task("x-predict", index))
    done(site, "run", "--step", "after_forecast", "--run-id", "g-steps")
    assert_as_one_task(site, "g-steps", rows)


def test_a_training_in_tasks_puts_one_model_in_service(site: Site) -> None:
    for index in range(N_TASKS):
        done(site, "train", **task("g-train", index))
    assert trained(site, "g-train") == trained(site, "ONE")
    serving = site.read(
        """
        select run_id from {models}
        where model_name = 'ridge' and stage = 'serving'
        qualify row_number() over (order by stage_as_of_at desc, stage_at desc) = 1
        """
    )
    assert list(serving["run_id"]) == ["g-train"]
    names = [stored.name for stored in site.context().store.list("models/store_weekly/")]
    assert "models/store_weekly/ridge/model.json" in names
