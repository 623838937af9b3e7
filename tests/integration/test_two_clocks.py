"""Twenty rows, two Wednesdays: what each run may know, worked out by hand.

Sales of a week to Sunday are loaded on Monday and corrected on Friday; the plan changes on
Tuesday; the run is on Wednesday at 19:00 UTC. Weeks start on Monday: W1 = 5 January 2026.

    sales        A: W1 10 | W2 12, from Fri 23 11 | W3 15, from Fri 30 18 | W4 20, from 6 Feb 22
                 B: W1  5 | W2 a gap until Thu 29, then 6 | W3 sold out | W4 7
    plan 13 Jan  covers  5 Jan - 22 Feb: A 19-21 Jan, A 26 Jan - 1 Feb, all 9-15 Feb
    plan 27 Jan  covers 26 Jan -  1 Mar: A 29 Jan - 4 Feb at 1.5, B 16-22 Feb, B 23 Feb - 1 Mar
    plan  3 Feb  covers  2 Feb -  8 Mar: A 9-11 Feb at 1.4, B 16-17 Feb, A 26 Feb - 4 Mar
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest

from python_jobs.infra.schedule import Origin
from python_jobs.runs import stages
from python_jobs.runs.context import RunOptions
from tests.support.site import Site, day, instant

A, B = "N1|retail|A17", "N1|retail|B2"
FIRST, SECOND = "2026-01-25", "2026-02-01"
AS_OF = {FIRST: instant("2026-01-28 19:00"), SECOND: instant("2026-02-04 19:00")}

SALES = [
    ("A17", "2026-01-05", 10.0, 2.0, False, "2026-01-12 06:00"),
    ("A17", "2026-01-12", 12.0, 2.0, False, "2026-01-19 06:00"),
    ("A17", "2026-01-12", 11.0, 2.0, False, "2026-01-23 15:00"),
    ("A17", "2026-01-19", 15.0, 1.8, False, "2026-01-26 06:00"),
    ("A17", "2026-01-19", 18.0, 1.8, False, "2026-01-30 15:00"),
    ("A17", "2026-01-26", 20.0, 1.6, False, "2026-02-02 06:00"),
    ("A17", "2026-01-26", 22.0, 1.6, False, "2026-02-06 15:00"),
    ("B2", "2026-01-05", 5.0, 3.0, False, "2026-01-12 06:00"),
    ("B2", "2026-01-12", 6.0, 3.0, False, "2026-01-29 15:00"),
    ("B2", "2026-01-19", 0.0, 3.0, True, "2026-01-26 06:00"),
    ("B2", "2026-01-26", 7.0, 3.0, False, "2026-02-02 06:00"),
]
PLAN = [
    ("N1", "A17", "2026-01-19", "2026-01-21", None, 0.1, "2026-01-13"),
    ("N1", "A17", "2026-01-26", "2026-02-01", None, 0.2, "2026-01-13"),
    ("*", "*", "2026-02-09", "2026-02-15", None, 0.3, "2026-01-13"),
    ("N1", "A17", "2026-01-29", "2026-02-04", 1.5, None, "2026-01-27"),
    ("N1", "B2", "2026-02-16", "2026-02-22", None, 0.25, "2026-01-27"),
    ("*", "B2", "2026-02-23", "2026-03-01", None, 0.5, "2026-01-27"),
    ("N1", "A17", "2026-02-09", "2026-02-11", 1.4, None, "2026-02-03"),
    ("N1", "B2", "2026-02-16", "2026-02-17", None, 0.5, "2026-02-03"),
    ("N1", "A17", "2026-02-26", "2026-03-04", None, 0.1, "2026-02-03"),
]
COVERS = {
    "2026-01-13": ("2026-01-05", "2026-02-22"),
    "2026-01-27": ("2026-01-26", "2026-03-01"),
    "2026-02-03": ("2026-02-02", "2026-03-08"),
}


def sales_frame() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("N1", "retail", sku, day(week), units, price, sold_out, instant(loaded))
            for sku, week, units, price, sold_out, loaded in SALES
        ],
        columns=[
            *("unit", "channel", "sku_id", "week_start", "units_sold", "price"),
            *("is_sold_out", "loaded_at"),
        ],
    )


def plan_frame() -> pd.DataFrame:
    return pd.DataFrame(
        [
            (
                *(unit, "retail", sku, day(start), day(end), price, discount),
                *(day(edge) for edge in COVERS[loaded]),
                instant(f"{loaded} 07:00"),
            )
            for unit, sku, start, end, price, discount, loaded in PLAN
        ],
        columns=[
            *("unit", "channel", "sku_id", "start_date", "end_date", "price", "discount"),
            *("covers_from", "covers_to", "loaded_at"),
        ],
    )


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    use_case = site.use_cases["sku_weekly"]
    for name in ("temperature_c", "holiday_share"):
        del use_case["regressors"][name]
    for name in ("weather", "calendar"):
        del use_case["sources"][name]
    use_case["min_observations"] = 1
    site.write("sales", sales_frame())
    site.write("promotions", plan_frame())
    context = site.context()
    origins = [Origin(day(origin), as_of) for origin, as_of in AS_OF.items()]
    stages.prepare(context, context.new_run("replay", origins, RunOptions()))
    return site


def rows(site: Site, columns: str, relation: str, order: str) -> dict[tuple[str, str], list]:
    """Rows of a relation by series and origin, dates as text, null as None."""
    frame = site.read(
        f"select series_id, origin_date, {columns} from {{{relation}}} order by {order}"
    )
    found: dict[tuple[str, str], list] = {}
    for values in frame.itertuples(index=False):
        series_id, origin, *rest = (_plain(value) for value in values)
        found.setdefault((series_id, origin), []).append(tuple(rest))
    return found


def _plain(value: object) -> object:
    if value is None or value is pd.NaT or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return round(value, 6) if isinstance(value, float) else value


def ln(value: float) -> float:
    return round(math.log(value), 6)


def test_history_holds_the_versions_that_each_wednesday_knew(site: Site) -> None:
    found = rows(site, "ds, y, is_observed", "sku_weekly_history", "ds")
    assert found == {
        (A, FIRST): [
            ("2026-01-05", 10.0, True),
            ("2026-01-12", 11.0, True),
            ("2026-01-19", 15.0, True),
        ],
        (A, SECOND): [
            ("2026-01-05", 10.0, True),
            ("2026-01-12", 11.0, True),
            ("2026-01-19", 18.0, True),
            ("2026-01-26", 20.0, True),
        ],
        (B, FIRST): [
            ("2026-01-05", 5.0, True),
            ("2026-01-12", None, False),
            ("2026-01-19", 0.0, False),
        ],
        (B, SECOND): [
            ("2026-01-05", 5.0, True),
            ("2026-01-12", 6.0, True),
            ("2026-01-19", 0.0, False),
            ("2026-01-26", 7.0, True),
        ],
    }


def test_scoring_reads_the_version_that_holds_in_the_end(site: Site) -> None:
    frame = site.read(
        """
        select series_id, ds, y from {sku_weekly_actuals}
        where superseded_at = timestamp '9999-12-31 00:00:00+00' order by series_id, ds
        """
    )
    assert frame["y"].tolist() == [10, 11, 18, 22, 5, 6, 0, 7]


def test_seeds_are_the_last_observed_and_say_how_old_they_are(site: Site) -> None:
    found = rows(site, "y_lag1, observed_ds, periods_stale", "sku_weekly_series", "1")
    assert found == {
        (A, FIRST): [(15.0, "2026-01-19", 0)],
        (A, SECOND): [(20.0, "2026-01-26", 0)],
        (B, FIRST): [(5.0, "2026-01-05", 2)],
        (B, SECOND): [(7.0, "2026-01-26", 0)],
    }


def test_future_panel_follows_the_newest_plan_known_for_each_day(site: Site) -> None:
    columns = "horizon_step, target_date, promo_share, log_price_ratio, promo_source"
    found = rows(site, columns, "sku_weekly_future_panel", "horizon_step")
    assert found == {
        (A, FIRST): [
            (1, "2026-01-26", round(4 / 7, 6), ln((4 * 0.75 + 3) / 7), "plan"),
            (2, "2026-02-02", round(3 / 7, 6), ln((3 * 0.75 + 4) / 7), "plan"),
            (3, "2026-02-09", 0.0, 0.0, "plan"),
            (4, "2026-02-16", 0.0, 0.0, "plan"),
        ],
        (A, SECOND): [
            (1, "2026-02-02", 0.0, 0.0, "plan"),
            (2, "2026-02-09", round(3 / 7, 6), ln((3 * 0.7 + 4) / 7), "plan"),
            (3, "2026-02-16", 0.0, 0.0, "plan"),
            (4, "2026-02-23", round(4 / 7, 6), ln((4 * 0.9 + 3) / 7), "plan"),
        ],
        (B, FIRST): [
            (1, "2026-01-26", 0.0, 0.0, "plan"),
            (2, "2026-02-02", 0.0, 0.0, "plan"),
            (3, "2026-02-09", 0.0, 0.0, "plan"),
            (4, "2026-02-16", 1.0, ln(0.75), "plan"),
        ],
        (B, SECOND): [
            (1, "2026-02-02", 0.0, 0.0, "plan"),
            (2, "2026-02-09", 0.0, 0.0, "plan"),
            (3, "2026-02-16", round(2 / 7, 6), ln((2 * 0.5 + 5) / 7), "plan"),
            (4, "2026-02-23", 0.0, 0.0, "plan"),
        ],
    }


def test_training_rows_lag_by_date_and_say_why_they_are_left_out(site: Site) -> None:
    columns = "ds, y, y_lag1, promo_share, log_price_ratio, left_out_reason"
    found = rows(site, columns, "sku_weekly_training_panel", "ds")
    assert found == {
        (A, FIRST): [
            ("2026-01-05", 10.0, None, 0.0, 0.0, "no_y_lag1"),
            ("2026-01-12", 11.0, 10.0, 0.0, 0.0, None),
            ("2026-01-19", 15.0, 11.0, round(3 / 7, 6), ln(1.8 / 2), None),
        ],
        (A, SECOND): [
            ("2026-01-05", 10.0, None, 0.0, 0.0, "no_y_lag1"),
            ("2026-01-12", 11.0, 10.0, 0.0, 0.0, None),
            ("2026-01-19", 18.0, 11.0, round(3 / 7, 6), ln(1.8 / 2), None),
            ("2026-01-26", 20.0, 18.0, round(4 / 7, 6), ln(1.6 / 2), None),
        ],
        (B, FIRST): [
            ("2026-01-05", 5.0, None, 0.0, 0.0, "no_y_lag1"),
            ("2026-01-12", None, 5.0, 0.0, 0.0, "gap"),
            ("2026-01-19", 0.0, None, 0.0, 0.0, "sold_out"),
        ],
        (B, SECOND): [
            ("2026-01-05", 5.0, None, 0.0, 0.0, "no_y_lag1"),
            ("2026-01-12", 6.0, 5.0, 0.0, 0.0, None),
            ("2026-01-19", 0.0, 6.0, 0.0, 0.0, "sold_out"),
            ("2026-01-26", 7.0, None, 0.0, 0.0, "no_y_lag1"),
        ],
    }
