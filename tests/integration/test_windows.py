"""Families that read windows of y: a forecast is the mean of the last two that its origin knows.

A local and a global family, in one task, in two, step by step, in a replay and in a backtest. Of
store 1, department 1 the newest week is missing, and so is what stands before department 3 began.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from python_jobs.fitting.windows import needs_windows
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.schedule import WEEKDAYS
from python_jobs.prediction.scenarios import answer
from python_jobs.runs.context import RunOptions
from python_jobs.runs.what_if import open_what_if
from tests.support import second_use_case
from tests.support.commands import done
from tests.support.site import Site

TODAY = datetime.now(UTC).date()
WEEKS = [TODAY - timedelta(days=3) - timedelta(weeks=n) for n in range(12, 0, -1)]
LENGTH, N_TASKS = 10, 2

COMPARED = """
with last_two as (
    select series_id, origin_date, y
    from {store_weekly_context}
    qualify row_number() over (partition by series_id, origin_date order by ds desc) <= 2
),

means as (
    select series_id, origin_date, avg(y) as y_mean
    from last_two
    group by series_id, origin_date
)

select
    log.model_name, log.series_id, log.origin_date, log.horizon_step, log.shard, log.yhat,
    means.y_mean
from {forecast_log} as log
inner join means on log.series_id = means.series_id and log.origin_date = means.origin_date
where log.run_id = @run_id and log.outcome = 'forecast'
"""


def sales() -> pd.DataFrame:
    rows = [
        (store, dept, week, 100.0 * store + 10.0 * dept + i * i)
        for store in (1, 2)
        for dept in (1, 2, 3)
        for i, week in enumerate(WEEKS)
        if (store, dept, week) != (1, 1, WEEKS[-1]) and (dept != 3 or i > 3)
    ]
    return pd.DataFrame(rows, columns=["store", "dept", "week_start", "dollars"])


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site().in_bucket()
    settings = second_use_case.settings(site.use_cases["sku_weekly"])
    settings |= {
        "families": ["context", "context_of_all"],
        "context_length": LENGTH,
        "regressors": {},
        "sources": {"sales": settings["sources"]["sales"]},
        "week_starts_on": WEEKDAYS[WEEKS[0].weekday()],
        "time_zone": "UTC",
        "min_observations": 4,
    }
    second_use_case.add_models(site.copy_project(), settings)
    site.use_cases = {second_use_case.NAME: settings}
    site.use_case = second_use_case.NAME
    site.write("store_sales", sales())
    done(site, "run", "--run-id", "ONE")
    return site


def compared(site: Site, run_id: str) -> pd.DataFrame:
    """The forecasts of a run, each equal to the mean that SQL takes of its window."""
    rows = site.read(COMPARED, run_id=run_id)
    assert set(rows["model_name"]) == {"context", "context_of_all"}
    assert np.allclose(rows["yhat"], rows["y_mean"], rtol=0, atol=1e-9)
    return rows


def forecasts(site: Site, run_id: str) -> list[tuple]:
    columns = ["model_name", "series_id", "origin_date", "horizon_step", "yhat"]
    return sorted(compared(site, run_id)[columns].itertuples(index=False, name=None))


def task(execution: str, index: int, count: int = N_TASKS) -> dict[str, str]:
    return {
        "CLOUD_RUN_EXECUTION": execution,
        "CLOUD_RUN_TASK_INDEX": str(index),
        "CLOUD_RUN_TASK_COUNT": str(count),
    }


def test_a_forecast_is_the_mean_of_the_window_that_its_origin_knows(site: Site) -> None:
    rows = compared(site, "ONE")
    assert len(rows) == 2 * 6 * 3  # families, series, steps
    by_hand = rows.drop_duplicates("series_id").set_index("series_id")["yhat"].to_dict()
    # 100 or 200, 10 a department, and 10² and 11² of the last two weeks; the 11th is missing once.
    assert by_hand["1|1"] == 110 + 100
    assert by_hand["2|3"] == 230 + (100 + 121) / 2


def test_a_fit_is_given_the_windows_of_its_origin(site: Site) -> None:
    fitted = site.read(
        """
        select
            series_id, cast(json_value(metrics, '$.level') as float64) as level,
            json_value(metrics, '$.length') as length
        from {model_log} where run_id = 'ONE'
        """
    )
    assert set(fitted["length"]) == {f"{LENGTH}.0"}
    means = site.read(
        "select series_id, avg(y) as y_mean from {store_weekly_context} group by 1 "
        "union all select null, avg(y) from {store_weekly_context}"
    )
    key = {"1|1": None} | dict(zip(means["series_id"], means["y_mean"], strict=True))
    found = dict(zip(fitted["series_id"], fitted["level"], strict=True))
    assert found == pytest.approx(key, abs=1e-9)


ISSUED = """
select
    'again' as scenario, series_id, model_name, model_version, origin_date, target_date,
    horizon_step, run_id as issued_run_id, yhat as yhat_as_issued, false as is_fallback,
    cast(null as string) as reason, cast(null as float64) as interval_factor
from {forecast_log}
where run_id = 'ONE' and outcome = 'forecast'
order by series_id, origin_date, horizon_step
"""


def test_a_forecast_is_made_again_while_its_window_is_held(site: Site) -> None:
    context = site.context()
    run = open_what_if(context, RunOptions())
    panel = site.read(ISSUED)
    rows = answer(context.warehouse, context.store, run, panel, 1, lambda done, total: None)
    assert rows["yhat"].tolist() == panel["yhat_as_issued"].tolist()
    later = panel.assign(origin_date=panel["origin_date"] + pd.Timedelta(weeks=1))
    gone = answer(context.warehouse, context.store, run, later, 1, lambda done, total: None)
    assert gone["yhat"].isna().all()
    assert set(gone["reason"]) == {"no_window: a later run looks back from elsewhere"}


def test_tasks_give_the_rows_of_one(site: Site) -> None:
    rows = forecasts(site, "ONE")
    for index in range(N_TASKS):
        environment = task("w-tasks", index)
        if index == 0:
            done(site, "run", "--step", "before_forecast", **task("w-tasks", 0, 1))
            done(site, "run", "--step", "train", "--run-id", "w-tasks", **task("x", 1))
        done(site, "run", **environment)
    assert forecasts(site, "w-tasks") == rows
    assert set(compared(site, "w-tasks")["shard"]) == set(range(N_TASKS))


def test_named_steps_give_the_rows_of_one_task(site: Site) -> None:
    rows = forecasts(site, "ONE")
    done(site, "run", "--step", "before_forecast", **task("w-steps", 0, 1))
    for step in ("train", "predict"):
        for index in (1, 0):
            done(site, "run", "--step", step, "--run-id", "w-steps", **task(f"x-{step}", index))
    done(site, "run", "--step", "after_forecast", "--run-id", "w-steps")
    assert forecasts(site, "w-steps") == rows


def test_a_backtest_looks_through_the_windows_of_its_origins(site: Site) -> None:
    done(site, "backtest", "--origins", "2", "--run-id", "BACK")
    rows = compared(site, "BACK")
    assert rows["origin_date"].nunique() == 2
    newest = rows[rows["series_id"] == "2|2"].groupby("origin_date")["yhat"].first()
    assert newest.is_monotonic_increasing


def test_the_future_moves_no_forecast(site: Site) -> None:
    """A replay of two weeks ago, before and after all that was sold since has changed."""
    first, last = TODAY - timedelta(days=20), TODAY - timedelta(days=14)
    replay = ("replay", "--from", str(first), "--to", str(last))
    done(site, *replay, "--run-id", "BEFORE")
    before = forecasts(site, "BEFORE")
    origin = max(row[2] for row in before).date()
    site.context().warehouse.query(
        f"update {site.dataset}_raw.store_sales set dollars = dollars * 3 + 1 "
        "where date_add(week_start, interval 6 day) > @origin",
        origin=origin,
    )
    done(site, *replay, "--run-id", "AFTER")
    assert forecasts(site, "AFTER") == before
    site.context().warehouse.query(
        f"update {site.dataset}_raw.store_sales set dollars = dollars + 1 "
        "where week_start <= @origin",
        origin=origin,
    )
    done(site, *replay, "--run-id", "PAST")
    assert forecasts(site, "PAST") != before


def test_a_family_that_reads_windows_needs_a_length(site: Site) -> None:
    use_case = site.context().use_case
    assert needs_windows(use_case)
    with pytest.raises(
        SettingsError, match="context_length is 0, and context, context_of_all need"
    ):
        needs_windows(use_case.model_copy(update={"context_length": 0}))
