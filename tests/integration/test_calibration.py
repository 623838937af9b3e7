"""Intervals calibrated by what an earlier backtest missed, number by number.

`band` is the mean of y, +- 2. Coverage is 0.5, and a segment needs three residuals a step.

    A  10 12  8 10 14 12 10 16      smooth; mean of W1..W3 10, of W1..W6 11
    B   5  5  -  5  5  5  5  5      smooth; too short as of W3
    E   0  0  9  0  0  1  0  0      lumpy;  mean of W1..W3 3, of W1..W6 10/6

The first backtest looks back from W3, W4 and W5, with the models of W3. Scores |y - yhat| / 2:

    target   step 1: W4   W5   W6        step 2: W5   W6   W7
    A                0    2    1                  2    1    0
    E                1.5  1.5  1                  1.5  1    1.5

The second one's first origin is the end of W6: W7 is not over, step 2 has two residuals a series.
    smooth  step 1: ceil(4 * 0.5) = the 2nd of 0 1 2 = 1        step 2: two residuals, none
    lumpy   step 1: the 2nd of 1 1.5 1.5 = 1.5                  step 2: none
    all     step 1: the 4th of 0 1 1 1.5 1.5 2 = 1.5            step 2: the 3rd of 1 1 1.5 2 = 1.5
Its second origin is the end of W7.
    smooth  step 2: the 2nd of 0 1 2 = 1                        lumpy step 2: the 2nd = 1.5
    all     step 2: the 4th of 0 1 1 1.5 1.5 2 = 1.5
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from python_jobs.runs import backtest as backtests
from python_jobs.runs import stages
from python_jobs.runs.context import RunOptions
from tests.support import golden
from tests.support.site import Site, day

E = "N1|retail|E"
FACTORS = [
    (golden.ORIGIN_1, "all", 1, 1.5, 6, 3),
    (golden.ORIGIN_1, "all", 2, 1.5, 4, 2),
    (golden.ORIGIN_1, "lumpy", 1, 1.5, 3, 3),
    (golden.ORIGIN_1, "smooth", 1, 1.0, 3, 3),
    (golden.ORIGIN_2, "all", 1, 1.5, 6, 3),
    (golden.ORIGIN_2, "all", 2, 1.5, 6, 3),
    (golden.ORIGIN_2, "lumpy", 1, 1.5, 3, 3),
    (golden.ORIGIN_2, "lumpy", 2, 1.5, 3, 3),
    (golden.ORIGIN_2, "smooth", 1, 1.0, 3, 3),
    (golden.ORIGIN_2, "smooth", 2, 1.0, 3, 3),
]
"""origin_date, segment, horizon_step, factor, n_residuals, n_origins."""


def sales_of_e() -> pd.DataFrame:
    rows = golden.sku_sales().query("sku_id == 'A'")
    return rows.assign(sku_id="E", units_sold=[0.0, 0.0, 9.0, 0.0, 0.0, 1.0, 0.0, 0.0])


def backtest(site: Site, run_id: str, n_origins: int, last: str) -> None:
    """A backtest up to its forecasts; nobody reads its marts here."""
    context = site.context()
    options = RunOptions(run_id=run_id)
    run = backtests.open_backtest(context, n_origins, options, last=day(last))
    stages.prepare(context, run)
    backtests.forecast_past(context, run)


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    site = golden.make(make_site())
    site.use_cases["sku_weekly"] |= {
        "families": ["band"],
        "interval": 0.5,
        "min_calibration_residuals": 3,
    }
    site.write("sales", sales_of_e())
    site.write("promotions", golden.plan(unit="N1", channel="*", sku_id="E"))
    backtest(site, "FIRST", 3, "2026-02-15")
    backtest(site, "SECOND", 2, "2026-03-01")
    return site


def factors(site: Site) -> list[tuple]:
    return golden.table(
        site,
        """
        select origin_date, segment, horizon_step, factor, n_residuals, n_origins
        from {interval_calibration} order by 1, 2, 3
        """,
    )


def forecasts(site: Site, run_id: str) -> list[tuple]:
    return golden.table(
        site,
        f"""
        select series_id, horizon_step, yhat_lower, yhat_upper, half_width, transform,
            interval_calibration
        from {{forecast_log}}
        where run_id = '{run_id}' and origin_date = '{golden.ORIGIN_1}' and outcome != 'refused'
        order by 1, 2
        """,
    )


def test_factors_are_conformal_quantiles_of_what_was_over(site: Site) -> None:
    assert factors(site) == FACTORS


def test_a_fresh_warehouse_calibrates_nothing(site: Site) -> None:
    rows = site.read(
        "select interval_calibration, yhat_upper - yhat_lower as width from {forecast_log} "
        "where run_id = 'FIRST' and outcome = 'forecast'"
    )
    assert set(rows["interval_calibration"]) == {"none"}
    assert set(rows["width"]) == {4.0}


def test_forecasts_take_the_factor_of_their_class_else_that_of_all(site: Site) -> None:
    """The half width before calibration is logged, so that the next run calibrates it afresh."""
    e = round(10 / 6, 9)
    assert forecasts(site, "SECOND") == [
        (golden.A, 1, 9.0, 13.0, 2.0, "none", "conformal:smooth"),
        (golden.A, 2, 8.0, 14.0, 2.0, "none", "conformal:all"),
        (golden.B, 1, 3.0, 7.0, 2.0, "none", "conformal:smooth"),
        (golden.B, 2, 2.0, 8.0, 2.0, "none", "conformal:all"),
        (golden.C, 1, None, None, None, None, "none"),
        (golden.C, 2, None, None, None, None, "none"),
        (E, 1, round(e - 3, 9), round(e + 3, 9), 2.0, "none", "conformal:lumpy"),
        (E, 2, round(e - 3, 9), round(e + 3, 9), 2.0, "none", "conformal:all"),
    ]


def test_a_residual_that_was_not_over_moves_nothing(site: Site) -> None:
    """W7 was under way at the first origin and over at the second, where 1 1 2 ... grow."""
    warehouse = site.context().warehouse
    w7 = (
        "update {forecast_log} set yhat = yhat + %s "
        f"where run_id = 'FIRST' and target_date = '{golden.WEEK['W7']}'"
    )
    warehouse.query(w7 % 100)
    try:
        moved = rebuilt(site)
    finally:
        warehouse.query(w7 % -100)
    assert moved[:4] == FACTORS[:4]
    # smooth, step 2: the 2nd of 1 2 50; all: the 4th of 1 1 1.5 2 and two far away.
    assert moved[4:] == [
        *FACTORS[4:5],
        (golden.ORIGIN_2, "all", 2, 2.0, 6, 3),
        *FACTORS[6:9],
        (golden.ORIGIN_2, "smooth", 2, 2.0, 3, 3),
    ]
    assert rebuilt(site) == FACTORS


def rebuilt(site: Site) -> list[tuple]:
    site.context().dbt.run("run", "--select", "interval_calibration")
    return factors(site)
