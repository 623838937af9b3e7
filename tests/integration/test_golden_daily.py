"""A daily use case with an integer key, and one with an empty key, mart by mart.

The data and what follows from it are in tests/support/golden_daily.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from python_jobs.infra.run import Selection
from python_jobs.report.marts import read_marts
from python_jobs.report.page import make_page
from python_jobs.runs.monitor import monitor
from tests.support import browser, golden
from tests.support import golden_daily as daily
from tests.support.browser import needs_browser
from tests.support.data_tests import data_tests, pages
from tests.support.site import Site, instant

LEVEL, TOTAL = 76 / 7, 106 / 7
D8, D9, D10 = (str(daily.DAY[name]) for name in ("D8", "D9", "D10"))
ORIGIN_1, ORIGIN_2 = (str(daily.DAY[name]) for name in ("D7", "D8"))


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """Both use cases, trained and replayed, the first with every data test."""
    site = daily.make(make_site())
    daily.train(site, daily.SHOPS)
    with data_tests():
        daily.issue(site, daily.SHOPS)
    daily.train(site, daily.TOTAL)
    with pages():
        daily.issue(site, daily.TOTAL)
    return site


def rounded(*values: float | None) -> tuple[float | None, ...]:
    return tuple(None if value is None else round(value, 9) for value in values)


def test_a_morning_forecasts_the_day_under_way_and_the_next(site: Site) -> None:
    rows = golden.table(
        site,
        """
        select series_id, origin_date, target_date, horizon_step, yhat, yhat_lower, is_fallback
        from {champion_forecasts} where use_case = 'shop_daily' order by 1, 2, 3
        """,
    )
    days = [(ORIGIN_1, D8, 1), (ORIGIN_1, D9, 2), (ORIGIN_2, D9, 1), (ORIGIN_2, D10, 2)]
    levels = {"1": LEVEL, "2": 5.0}
    assert rows == [
        (series_id, *one, *rounded(level, level - 2), False)
        for series_id, level in levels.items()
        for one in days
    ]


def test_the_second_clock_is_the_daily_schedule(site: Site) -> None:
    rows = site.read(
        """
        select distinct origin_date, as_of_at from {run_forecasts}
        where use_case = 'shop_daily' order by 1
        """
    )
    assert list(rows["as_of_at"]) == [instant("2026-02-09 06:00"), instant("2026-02-10 06:00")]


def test_a_missing_day_is_a_gap_and_shifts_no_lag(site: Site) -> None:
    rows = golden.table(
        site,
        """
        select ds, y, y_lag1, left_out_reason from {shop_daily_training_panel}
        where series_id = '2' and origin_date = '2026-02-09'
            and ds between '2026-02-03' and '2026-02-06'
        order by ds
        """,
    )
    assert rows == [
        ("2026-02-03", 5.0, 5.0, None),
        ("2026-02-04", None, 5.0, "gap"),
        ("2026-02-05", 5.0, None, "no_y_lag1"),
        ("2026-02-06", 5.0, 5.0, None),
    ]


def test_accuracy_by_day(site: Site) -> None:
    """D8: 16 and 5 sold, one morning. D9: 12 and 5, two mornings. D10 has no actual yet."""
    rows = golden.table(
        site,
        """
        select target_date, model_name, n_scored, wape, bias
        from {accuracy_by_target_date}
        where use_case = 'shop_daily' and run_kind = 'issued' and basis = 'comparable'
            and n_scored > 0
        order by 1, 2
        """,
    )
    assert rows == [
        (D8, "band", 2, *rounded((16 - LEVEL) / 21, (LEVEL - 16) / 21)),
        (D8, "mean_4", 2, *rounded(4.5 / 21, -4.5 / 21)),
        (D8, "mean_8", 2, *rounded((16 - LEVEL) / 21, (LEVEL - 16) / 21)),
        (D8, "naive", 2, *rounded(6 / 21, -6 / 21)),
        (D8, "seasonal_naive", 2, *rounded(6 / 21, -6 / 21)),
        (D9, "band", 4, *rounded(2 * (12 - LEVEL) / 34, 2 * (LEVEL - 12) / 34)),
        (D9, "mean_4", 4, *rounded(1.5 / 34, 0.5 / 34)),
        (D9, "mean_8", 4, *rounded((12.5 - LEVEL) / 34, (LEVEL - 12.5) / 34)),
        (D9, "naive", 4, *rounded(6 / 34, 2 / 34)),
        (D9, "seasonal_naive", 4, 0.0, 0.0),
    ]


def test_an_integer_key_keeps_its_type_on_the_pages(site: Site) -> None:
    rows = site.read(
        """
        select distinct shop, series_id from {report_overview}
        where use_case = 'shop_daily' order by 1
        """
    )
    assert [(int(row.shop), row.series_id) for row in rows.itertuples()] == [(1, "1"), (2, "2")]


def test_an_empty_key_is_one_series_named_total(site: Site) -> None:
    rows = golden.table(
        site,
        """
        select series_id, target_date, y, yhat, error from {forecast_errors}
        where use_case = 'total_daily' and run_kind = 'issued' and model_name = 'band'
        order by origin_date, target_date
        """,
    )
    assert rows == [
        ("total", D8, 21.0, *rounded(TOTAL, TOTAL - 21)),
        ("total", D9, 17.0, *rounded(TOTAL, TOTAL - 17)),
        ("total", D9, 17.0, *rounded(TOTAL, TOTAL - 17)),
        ("total", D10, None, round(TOTAL, 9), None),
    ]


def test_the_total_has_two_segments_the_whole_and_its_demand_class(site: Site) -> None:
    rows = golden.table(
        site,
        "select segment_type, segment from {series_segments} where use_case = 'total_daily' "
        "order by 1",
    )
    assert rows == [("demand_class", "smooth"), ("total", "all")]


def test_monitoring_names_each_morning_without_a_run(site: Site) -> None:
    """On the morning of D11 the runs of D10 and D11 are missing: the origins D9 and D10."""
    context = site.context(daily.SHOPS)
    monitor(context, as_of_at=datetime(2026, 2, 12, 7, tzinfo=UTC))
    rows = golden.table(
        site,
        """
        select since_date from {accuracy_alerts}
        where use_case = 'shop_daily' and alert = 'missing_run' order by 1
        """,
    )
    assert rows == [(D9,), (D10,)]


@needs_browser
def test_the_report_speaks_of_days(site: Site, tmp_path: Path) -> None:
    """As of the second morning D8 is the newest day that is over: 21 sold, 106/7 forecast."""
    context = site.context(daily.TOTAL)
    marts = read_marts(context.warehouse, context.use_case, 1, Selection())
    file = tmp_path / "report.html"
    file.write_text(make_page(marts, context.use_case, 1, datetime(2026, 2, 12, tzinfo=UTC)))
    with browser.opened(tmp_path) as page:
        page.open(file.as_uri())
        page.wait("document.documentElement.dataset.ready === 'true'")
        tiles = page.value("document.getElementById('tiles').innerText")
        buttons = page.value("document.getElementById('range').innerText")
        assert page.errors == []
    assert f"WAPE, last day\n{(21 - TOTAL) / 21:.1%}".replace("%", " %") in tiles
    assert "no day before it" in tiles
    assert "week" not in tiles
    assert buttons.split("\n") == ["28 days", "91 days", "All"]
