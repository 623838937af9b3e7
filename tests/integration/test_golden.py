"""The golden fortnight, mart by mart; then a second use case on the same spine.

The data and what follows from it are in tests/support/golden.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pandas as pd
import pytest

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.schedule import scheduled_origins
from python_jobs.runs import forecasting, replay, stages
from python_jobs.runs.context import RunOptions
from tests.support import children, golden, second_use_case
from tests.support.data_tests import data_tests, pages
from tests.support.site import Site


@pytest.fixture(scope="module", autouse=True)
def _with_pages() -> Iterator[None]:
    with pages():
        yield


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """Both use cases, trained and replayed in turns: first, second, first again."""
    site = make_site()
    golden.sku_settings(site)
    project = site.copy_project()
    second = second_use_case.settings(site.use_cases["sku_weekly"])
    second_use_case.add_models(project, second)
    site.use_cases[second_use_case.NAME] = second
    site.in_bucket()
    golden.make(site)
    sales = golden.sku_sales().query("sku_id in ('A', 'B')")
    site.write(
        "store_sales",
        pd.DataFrame(
            {
                "store": 1,
                "dept": sales["sku_id"].map({"A": 10, "B": 20}),
                "week_start": sales["week_start"],
                "dollars": sales["units_sold"] * 100,
            }
        ),
    )
    site.write("store_promotions", golden.plan(store="*", dept="10"))
    golden.train(site, "sku_weekly")
    with data_tests():
        golden.issue(site, "sku_weekly")
    return site


def test_planners_read_one_row_a_series_and_week(site: Site) -> None:
    assert golden.table(site, golden.PLANNERS_READ) == golden.PLANNERS_ROWS


def test_planners_see_where_a_forecast_leaves_what_its_model_has_seen(site: Site) -> None:
    """Trained before the promotion of W8, A has never seen one; C fell back."""
    rows = golden.table(
        site,
        """
        select sku_id, target_date, regressors_outside from {distributor_forecasts_weekly}
        where origin_date = '2026-02-15' order by 1, 2
        """,
    )
    w7, w8 = (str(golden.WEEK[week]) for week in ("W7", "W8"))
    assert rows == [
        ("A", w7, ""),
        ("A", w8, "promo_share"),
        *((sku, week, told) for sku, told in (("B", ""), ("C", None)) for week in (w7, w8)),
    ]


def test_every_series_that_got_no_forecast_of_its_own_says_why(site: Site) -> None:
    rows = golden.table(
        site,
        """
        select series_id, origin_date, outcome, reason, n_rows
        from {forecast_exceptions} where use_case = 'sku_weekly' order by 1, 2
        """,
    )
    assert rows == [
        (golden.C, golden.ORIGIN_1, "fallback", "too_short", 2),
        (golden.C, golden.ORIGIN_2, "fallback", "too_short", 2),
        (golden.D, golden.ORIGIN_1, "refused", "inactive", 2),
        (golden.D, golden.ORIGIN_2, "refused", "inactive", 2),
    ]


def test_accuracy_by_week(site: Site) -> None:
    """W7: A alone is comparable (B has no seasonal naive, C fell back). W8: A, both Wednesdays."""
    rows = golden.table(
        site,
        """
        select target_date, basis, model_name, n_scored, n_removed, n_unscored, wape, rmse, bias,
            forecast_value_added
        from {accuracy_by_target_date}
        where use_case = 'sku_weekly' and run_kind = 'issued' and n_scored > 0
        order by 1, 2, 3
        """,
    )
    w7, w8 = str(golden.WEEK["W7"]), str(golden.WEEK["W8"])
    mean_8 = 5 + 16 - 76 / 7
    assert rows == [
        (w7, "comparable", "level", 1, 2, 0, 0.1, 1.0, 0.1, 0.1),
        (w7, "comparable", "mean_4", 1, 2, 0, 0.1, 1.0, 0.1, 0.1),
        (w7, "comparable", "mean_8", 1, 2, 0, 0.1, 1.0, 0.1, 0.1),
        (w7, "comparable", "naive", 1, 2, 0, 0.2, 2.0, 0.2, 0.0),
        (w7, "comparable", "seasonal_naive", 1, 0, 2, 0.2, 2.0, -0.2, 0.0),
        (w7, "served", "served", 3, 0, 0, *nine(1 / 18, math.sqrt(1 / 3), 1 / 18), None),
        (w8, "comparable", "level", 2, 2, 2, *nine(1 / 32, 0.5, 1 / 32, 9 / 32)),
        (
            *(w8, "comparable", "mean_4", 2, 2, 2),
            *nine(9.5 / 32, math.sqrt((25 + 20.25) / 2), -9.5 / 32, 0.5 / 32),
        ),
        (
            *(w8, "comparable", "mean_8", 2, 2, 2),
            *nine(
                mean_8 / 32,
                math.sqrt((25 + (16 - 76 / 7) ** 2) / 2),
                -mean_8 / 32,
                (10 - mean_8) / 32,
            ),
        ),
        (w8, "comparable", "naive", 2, 2, 2, *nine(10 / 32, math.sqrt(26), -10 / 32, 0.0)),
        (
            *(w8, "comparable", "seasonal_naive", 2, 0, 4),
            *nine(12 / 32, 6.0, -12 / 32, -2 / 32),
        ),
        (w8, "served", "served", 4, 0, 2, *nine(1 / 38, math.sqrt(0.125), 1 / 38), None),
    ]


def nine(*values: float) -> tuple[float, ...]:
    return tuple(round(value, 9) for value in values)


def test_a_second_replay_gives_the_same_rows_beside_the_issued_ones(site: Site) -> None:
    before = golden.public_tables(site)
    replay.replay(site.context(), golden.FIRST, golden.SECOND)
    assert golden.public_tables(site) == before
    runs = site.read(
        """
        select run_id, series_id, origin_date, target_date, yhat, yhat_lower, fallback_model
        from {replay_forecasts} where use_case = 'sku_weekly'
        order by series_id, origin_date, target_date
        """
    )
    one, other = (rows.drop(columns="run_id").to_csv() for _, rows in runs.groupby("run_id"))
    assert strip_index(one) == strip_index(other)


def strip_index(csv: str) -> list[str]:
    return [line.split(",", maxsplit=1)[1] for line in csv.splitlines()]


def test_what_was_issued_is_not_published_over(site: Site) -> None:
    context = site.context()
    origin = scheduled_origins(context.use_case, golden.FIRST, golden.FIRST)[0]
    run = context.new_run("issued", [origin], RunOptions(run_id="ISSUED"))
    stages.prepare(context, run)
    forecasting.forecast(context, run)
    with pytest.raises(RunStopped, match=r"2026-02-15 were issued"):
        replay.replay(context, golden.FIRST, golden.SECOND, is_as_issued=True)


def test_use_cases_in_turns_lose_no_row(site: Site) -> None:
    """Both touch the partitions of the same two origins of the same tables."""
    first = golden.public_tables(site, "sku_weekly")
    golden.train(site, second_use_case.NAME)
    with data_tests():
        golden.issue(site, second_use_case.NAME)
    second = golden.public_tables(site, second_use_case.NAME)
    assert golden.public_tables(site, "sku_weekly") == first
    # 2 series x 2 Wednesdays x 3 weeks
    assert len(second["forecasts"]) == 12
    replay.replay(site.context("sku_weekly"), golden.FIRST, golden.SECOND)
    assert golden.public_tables(site, second_use_case.NAME) == second
    assert golden.public_tables(site, "sku_weekly") == first


def test_use_cases_at_the_same_time_lose_no_row(site: Site) -> None:
    """They share seeds, registry and calibration; each build waits for its turn."""
    names = ("sku_weekly", second_use_case.NAME)
    before = {name: golden.public_tables(site, name) for name in names}
    days = ("--from", f"{golden.SECOND}", "--to", f"{golden.SECOND}")
    both = [
        children.start(site, "--use-case", name, "replay", *days, "--run-id", f"AT-ONCE-{name}")
        for name in names
    ]
    ended = [child.wait() for child in both]
    assert [one.returncode for one in ended] == [0, 0], "".join(one.stderr for one in ended)
    accounts = golden.table(
        site,
        """
        select use_case, status, n_series - n_forecast - n_fallback - n_refused
        from {run_accounts} where run_id like 'AT-ONCE-%' order by 1
        """,
    )
    assert accounts == [(name, "done", 0) for name in names]
    assert {name: golden.public_tables(site, name) for name in names} == before


PAGES_BY_SERIES = ("overview", "worst_series", "series_periods", "value_added", "intervals")


@pytest.mark.parametrize("page", PAGES_BY_SERIES)
def test_a_page_holds_both_use_cases_each_with_its_own_key(site: Site, page: str) -> None:
    keys = golden.table(
        site,
        f"""
        select distinct use_case, unit, channel, sku_id, store, dept
        from {{report_{page}}} order by 1, 4, 6
        """,
    )
    skus = "ABCD" if page == "series_periods" else "ABC"  # D was refused: it has a history only
    assert keys == [
        *(("sku_weekly", "N1", "retail", sku, None, None) for sku in skus),
        *(("store_weekly", None, None, None, 1, dept) for dept in (10, 20)),
    ]


def test_ranks_and_settings_of_a_page_are_those_of_the_rows_use_case(site: Site) -> None:
    ranks = golden.table(
        site,
        """
        select use_case, period, min(rank_by_abs_error) as first_rank, count(*) as n_series,
            max(rank_by_abs_error) <= count(*) as is_within
        from {report_worst_series} group by 1, 2 order by 1, 2
        """,
    )
    assert {row[0] for row in ranks} == {"sku_weekly", second_use_case.NAME}
    assert all(first == 1 and is_within for _, _, first, _, is_within in ranks)
    steps = golden.table(
        site,
        """
        select use_case, max(horizon_step) as horizon
        from {report_series_periods} group by 1 order by 1
        """,
    )
    assert steps == [("sku_weekly", 2), (second_use_case.NAME, 3)]


def test_the_second_use_case_has_its_own_key_and_a_global_model(site: Site) -> None:
    keys = golden.table(site, "select store, dept from {store_weekly_keys} order by 1, 2")
    assert keys == [(1, 10), (1, 20)]
    models = golden.table(
        site,
        """
        select series_id, model_name, stage, n_obs from {models}
        where use_case = 'store_weekly'
        """,
    )
    assert models == [(None, "ridge", "serving", 8)]
    names = [stored.name for stored in site.context().store.list("models/store_weekly/")]
    assert names == ["models/store_weekly/ridge/model.json"]
