"""A use case with features of its own, from the sales table to a forecast, beside a naive loop.

`store_weekly` has two departments of two stores, sixteen weeks and one hole. A direct family learns
from the features alone, a row a horizon step; Ridge is given the rows of step 1. What the direct
one forecasts is computed again here from the sales by plain Python: no SQL, no panel.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_jobs.data.rejected import warn_of_rejected_rows
from python_jobs.infra.logs import LOGGER
from python_jobs.infra.schedule import scheduled_origins
from python_jobs.runs.replay import replay
from python_jobs.runs.train import train_models
from tests.support import commands, own_features, second_use_case
from tests.support.data_tests import data_tests, found, view_changed
from tests.support.families import ridge_coefficients
from tests.support.site import Site, day

NAME = second_use_case.NAME
ORIGIN = day("2026-02-15")
WEEKS = [date(2025, 10, 27) + timedelta(weeks=n) for n in range(16)]
HORIZON = 3
SIZES = {1: 10.0, 2: 25.5}
MISSING = ("2|20", date(2026, 1, 12))
FEATURES = {
    "lags": [1, 2],
    "rolling": [{"statistic": "mean", "window": 3, "lag": 3}],
    "date_parts": ["month"],
    "attributes": ["store_size"],
    "columns": ["total_y_lag3"],
}
NAMES = ["y_lag2", "y_roll_mean_3_lag3", "month", "store_size", "total_y_lag3"]
WRITTEN = """
{# What all series together sold three weeks before. #}
with totals as (
    select
        origin_date,
        ds,
        sum(if(is_observed, y, null)) as total_y
    from {{ ref('store_weekly_history') }}
    group by origin_date, ds
)

select
    periods.series_id,
    periods.origin_date,
    periods.ds,
    periods.horizon_step,
    round(totals.total_y, 9) as total_y_lag3
from {{ ref('store_weekly_panel_features') }} as periods
left join totals
    on
        periods.origin_date = totals.origin_date
        and {{ add_periods('store_weekly', 'periods.ds', -3) }} = totals.ds
"""


def settings(first: dict[str, Any]) -> dict[str, Any]:
    second = second_use_case.settings(first)
    regressors = {"promo_share": {"future": "plan", "when_missing": "none"}}
    dimension = {"columns": {"store": "shop", "store_size": "square_feet / 10"}}
    return second | {
        "families": ["direct", "ridge"],
        "season": 4,
        "horizon": HORIZON,
        "min_observations": 3,
        "refit": "on_retrain",
        "regressors": regressors,
        "features": FEATURES,
        "training_grain": "horizon_step",
        "context_length": 2,
        "sources": {**second["sources"], "attributes": dimension},
    }


def units() -> dict[str, dict[date, float]]:
    """By series, what was sold in each week."""
    return {
        f"{store}|{dept}": {
            week: float(20 * store + dept / 10 + n * n % 7 + n / 4)
            for n, week in enumerate(WEEKS)
            if (f"{store}|{dept}", week) != MISSING
        }
        for store in (1, 2)
        for dept in (10, 20)
    }


def write_sales(site: Site) -> None:
    rows = [
        (*map(int, series.split("|")), week, y)
        for series, sold in units().items()
        for week, y in sold.items()
    ]
    site.write(
        "store_sales", pd.DataFrame(rows, columns=["store", "dept", "week_start", "dollars"])
    )
    sizes = [*SIZES.items(), (1, 999.0), (None, 70.0), (None, 80.0)]
    stores = pd.DataFrame(sizes, columns=["shop", "square_feet"]).astype({"shop": "Int64"})
    stores["square_feet"] *= 10
    stores.to_csv(site.folder / "stores.csv", index=False)
    commands.done(site, "load", str(site.folder / "stores.csv"), "--as", "attributes")
    nothing_planned = {
        **{"store": ["*"], "dept": ["*"]},
        **{name: [day("2030-01-07")] for name in ("start_date", "end_date")},
        **{"covers_from": [WEEKS[0]], "covers_to": [day("2030-01-07")]},
    }
    site.write("store_promotions", pd.DataFrame(nothing_planned))


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    project = site.copy_project()
    site.use_cases = {NAME: settings(site.use_cases["sku_weekly"])}
    site.use_case = NAME
    own_features.add_models(project, NAME, site.use_cases[NAME], WRITTEN)
    write_sales(site)
    context = site.context()
    start = day("2026-02-18")
    as_of = scheduled_origins(context.use_case, start, start)[0].as_of_at
    with data_tests():
        train_models(context, as_of_at=as_of)
    replay(context, start, start, is_as_issued=True)  # over the same panels
    return site


def test_rows_of_the_dimension_that_cannot_be_used_are_kept_and_counted(site: Site) -> None:
    rejected = site.read(
        "select source_name, rejected_because, count(*) as n from {rejected_rows} "
        "where source_name = 'attributes' group by 1, 2 order by 2"
    )
    assert rejected.to_numpy().tolist() == [
        ["attributes", "duplicate", 1],
        ["attributes", "null_key", 2],
    ]
    told = "3 rows of attributes are not used: 2 null_key, 1 duplicate (first: {"
    assert f"ok    rejected rows: {told}" in commands.done(site, "doctor").stdout


def test_a_run_says_how_many_rows_it_cannot_use(site: Site, caplog, monkeypatch) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)
    warn_of_rejected_rows(site.context().warehouse, site.context().use_case, "R1")
    (said,) = set(caplog.messages)
    assert said.startswith(f"{NAME}: 3 rows of attributes are not used: 2 null_key, 1 duplicate")


def test_a_row_of_another_source_that_has_vanished_is_found(site: Site) -> None:
    """Five rows came in: two are used, three are rejected."""
    test = "accepted_and_rejected_rows_of_other_sources_are_what_came_in"
    assert found(site, test).empty
    staged = f"stg_{NAME}_attributes"
    with view_changed(site, staged, "select * from {old} where store != '2'"):
        rows = found(site, test)
    columns = ["source_name", "n_came_in", "n_accepted", "n_rejected"]
    assert rows[columns].to_numpy().tolist() == [["attributes", 5, 1, 1]]


@dataclass
class Naive:
    """The features of a row, looked up one by one in what was sold."""

    sold: dict[str, dict[date, float]] = field(default_factory=units)

    def features(self, series: str, ds: date, step: int) -> list[float]:
        known = self.sold[series]
        before = [ds - timedelta(weeks=n) for n in range(6)]
        window = [known[week] for week in before[3:6] if week in known]
        totals = [sold[before[3]] for sold in self.sold.values() if before[3] in sold]
        return [
            known.get(before[2], 0.0) if step <= 2 else 0.0,
            float(np.mean(window)) if window else 0.0,
            float(ds.month),
            SIZES[int(series.split("|", maxsplit=1)[0])],
            sum(totals),
        ]

    def forecasts(self) -> dict[tuple[str, int], float]:
        """By series and horizon step."""
        newest, made = WEEKS[-1], {}
        for step in range(1, HORIZON + 1):
            rows = [(series, ds, y) for series, sold in self.sold.items() for ds, y in sold.items()]
            x = np.array([[1.0, *self.features(series, ds, step)] for series, ds, _ in rows])
            beta = ridge_coefficients(x, np.array([y for *_, y in rows]))
            for series in self.sold:
                target = newest + timedelta(weeks=step)
                made[series, step] = float(beta @ [1.0, *self.features(series, target, step)])
        return made


def test_forecasts_are_those_of_a_naive_loop_over_the_sales(site: Site) -> None:
    rows = site.read(
        "select series_id, horizon_step, yhat from {forecast_log} where model_name = 'direct'"
    )
    found = {(row.series_id, row.horizon_step): row.yhat for row in rows.itertuples()}
    assert found == pytest.approx(Naive().forecasts(), abs=1e-6)


def test_the_training_panel_has_a_row_a_step_and_ridge_learns_from_the_first(site: Site) -> None:
    n_known = 4 * len(WEEKS) - 1
    counted = site.read(
        "select horizon_step, countif(coalesce(left_out_reason, 'no_y_lag1') = 'no_y_lag1') as n "
        f"from {{{NAME}_training_panel}} group by 1 order by 1"
    )
    assert list(counted.itertuples(index=False, name=None)) == [
        (1, n_known),
        (2, n_known),
        (3, n_known),
    ]
    fitted = site.read("select model_name, n_obs from {models} where stage = 'serving'")
    # Of step 1, the first week of each series and the one after the hole have no y_lag1.
    assert dict(fitted.itertuples(index=False, name=None)) == {"direct": 3 * n_known, "ridge": 58}


def test_y_lag1_of_a_row_is_the_newest_that_its_step_could_know(site: Site) -> None:
    rows = site.read(
        f"select horizon_step, y_lag1 from {{{NAME}_training_panel}} "
        "where series_id = '1|10' and ds = @ds order by 1",
        ds=WEEKS[5],
    )
    sold = units()["1|10"]
    assert list(rows["y_lag1"]) == [sold[WEEKS[4]], sold[WEEKS[3]], sold[WEEKS[2]]]


def test_a_model_says_what_it_has_seen_of_its_features_and_a_forecast_what_it_saw(
    site: Site,
) -> None:
    ranges = site.read("select regressor_ranges from {model_log} where model_name = 'direct'")
    seen = json.loads(ranges["regressor_ranges"][0])
    assert seen["store_size"] == [10.0, 25.5]
    assert seen["month"] == [1.0, 12.0]
    assert set(seen) == {"promo_share", *NAMES}
    logged = site.read(
        "select horizon_step, regressors_as_known from {forecast_log} "
        "where model_name = 'direct' and series_id = '2|20' order by 1"
    )
    known = [json.loads(text) for text in logged["regressors_as_known"]]
    assert [one["month"] for one in known] == [2.0, 2.0, 3.0]
    assert [one["y_lag2"] for one in known] == [
        units()["2|20"][WEEKS[-2]],
        units()["2|20"][WEEKS[-1]],
        None,
    ]


def test_the_context_is_the_last_periods_of_each_series(site: Site) -> None:
    rows = site.read(f"select ds, y from {{{NAME}_context}} where series_id = '2|20' order by ds")
    sold = units()["2|20"]
    assert [day(f"{ds:%Y-%m-%d}") for ds in rows["ds"]] == WEEKS[-2:]
    assert list(rows["y"]) == [sold[week] for week in WEEKS[-2:]]
