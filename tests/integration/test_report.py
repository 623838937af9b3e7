"""`shelfcast report` in a browser: no network, no complaint, filters, and a series at a click.

Debian's chromium is what .ci/run installs; where there is no browser these tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from python_jobs.infra.run import Selection
from python_jobs.infra.settings import load_settings
from python_jobs.report.marts import read_marts
from python_jobs.report.page import make_page
from tests.support import browser, golden
from tests.support.browser import Page, needs_browser
from tests.support.commands import done, error_of, shelfcast
from tests.support.played import Played
from tests.support.report_marts import ODD, made_up
from tests.support.site import ROOT

READY = "document.documentElement.dataset.ready === 'true'"

SERVED = """
select
    safe_divide(sum(sum_abs_error), sum(sum_abs_y)) as wape,
    safe_divide(sum(sum_smape_term), sum(n_scored)) as smape,
    safe_divide(sum(sum_error), sum(sum_abs_y)) as bias
from {report_overview}
where use_case = 'sku_weekly' and horizon_step = 1 and target_date = (
    select max(target_date) from {report_overview} where use_case = 'sku_weekly' and is_complete
)
"""


def shown(page: Page, element: str) -> str:
    return page.value(f"document.getElementById('{element}').innerText")


def tiles(page: Page) -> dict[str, str]:
    """The headline numbers by their titles."""
    return page.value(
        "Object.fromEntries([...document.querySelectorAll('.tile')]"
        ".map((t) => [t.querySelector('b').innerText, t.querySelector('strong').innerText]))"
    )


def rows(page: Page, table: str) -> list[list[str]]:
    """The cells of a table's body."""
    return page.value(
        f"[...document.querySelectorAll('#{table} tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    )


def chosen(page: Page) -> str:
    return page.value("document.getElementById('series-name').dataset.series")


@pytest.fixture(scope="module")
def made_up_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """28 series of a year, with names that a page could trip over."""
    use_case = load_settings(ROOT, {}).use_case("sku_weekly")
    file = tmp_path_factory.mktemp("report") / "report.html"
    marts = made_up(n_series=28, n_periods=52)
    file.write_text(make_page(marts, use_case, 1, datetime(2026, 11, 22, tzinfo=UTC)))
    return file


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser.opened(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(tab: Page, made_up_page: Path) -> Iterator[Page]:
    """The made-up page, fresh. Whatever a test does with it, it asks and complains of nothing."""
    yield from opened(tab, made_up_page)


def opened(tab: Page, file: Path) -> Iterator[Page]:
    tab.errors.clear()
    tab.asked.clear()
    tab.open(file.as_uri())
    tab.wait(READY)
    yield tab
    assert tab.errors == []
    assert [url for url in tab.asked if not url.startswith("data:")] == [file.as_uri()]


@needs_browser
def test_every_chart_and_table_is_drawn(page: Page):
    empty = page.value(
        "[...document.querySelectorAll('.chart')]"
        ".filter((c) => !c.querySelector('svg path, svg rect')).map((c) => c.id)"
    )
    assert empty == []
    for table in ("worst", "worth", "baselines", "intervals", "alerts", "candidates", "runs"):
        assert rows(page, table), table
    assert shown(page, "failed") == ""


@needs_browser
@pytest.mark.parametrize("width", [1280, 1024, 700])
def test_nothing_is_wider_than_the_window(page: Page, width: int):
    page.size(width, 800)
    page.wait(f"window.innerWidth === {width} && document.documentElement.scrollWidth <= {width}")
    page.size(1280, 800)


@needs_browser
def test_names_with_markup_are_shown_as_they_are(page: Page):
    units = page.value("[...document.getElementById('filter-unit').options].map((o) => o.text)")
    assert set(ODD) <= set(units)
    page.choose("#filter-unit", ODD[0])
    assert {row[0].split(" / ")[0] for row in rows(page, "worst")} == {ODD[0]}
    assert page.value("document.querySelectorAll('main b > b').length") == 0


@needs_browser
def test_a_dropdown_leaves_its_series_and_shows_one_of_them(page: Page):
    before = chosen(page), tiles(page)
    page.choose("#filter-unit", "Kazan")
    page.choose("#filter-channel", "retail")
    assert shown(page, "found") == "2 of 28 series"
    assert chosen(page).startswith("Kazan|retail|")
    assert (chosen(page), tiles(page)) != before
    skus = page.value("[...document.getElementById('filter-sku_id').options].map((o) => o.value)")
    page.choose("#filter-sku_id", skus[-1])
    assert chosen(page) == f"Kazan|retail|{skus[-1]}"
    assert shown(page, "series-name") == f"Kazan / retail / {skus[-1]}"


@needs_browser
def test_a_click_on_a_worst_series_shows_it(page: Page):
    series = page.value("document.querySelectorAll('#worst tbody tr')[4].dataset.series")
    assert chosen(page) != series
    page.click("#worst tbody tr:nth-child(5) td")
    page.wait(f"document.getElementById('series-name').dataset.series === {series!r}")
    drawn = "[...document.querySelectorAll('#series-chart svg path')].length"
    assert page.wait(drawn) > 3
    assert page.value("document.querySelectorAll('#worst [aria-selected]').length") == 1
    page.wait("Math.abs(document.getElementById('one').getBoundingClientRect().top) < 120")


@needs_browser
@pytest.mark.parametrize(("sort", "column"), [("sum_abs_error", 2), ("wape", 3), ("smape", 4)])
def test_the_worst_series_are_sorted_by_what_is_asked_for(page: Page, sort: str, column: int):
    page.choose("#sort", sort)
    numbers = [float(row[column].strip(" %").replace(",", "")) for row in rows(page, "worst")]
    assert len(numbers) == 12
    assert numbers == sorted(numbers, reverse=True)


@needs_browser
def test_dates_of_retraining_stand_in_the_chart_and_the_log(page: Page):
    page.value("document.querySelector('#range [data-range=all]').click()")
    dotted = "document.querySelectorAll('#series-chart svg line[stroke-dasharray]').length"
    assert page.wait(dotted) >= 1
    assert [row[2] for row in rows(page, "retraining")] == ["promoted"]


@needs_browser
def test_the_played_fortnight_shows_the_numbers_of_the_marts(
    played: Played, tab: Page, tmp_path: Path
):
    file = tmp_path / "report.html"
    ended = done(played.site, "report", "--out", str(file))
    assert "report.html: 1." in ended.stderr
    served = played.site.read(SERVED).iloc[0]
    for page in opened(tab, file):
        headline = tiles(page)
        assert headline["WAPE, last week"] == f"{served['wape']:.1%}".replace("%", " %")
        assert headline["sMAPE, last week"] == f"{served['smape']:.1%}".replace("%", " %")
        bias = f"{abs(served['bias']):.1%}".replace("%", " %")
        assert headline["Bias, last week"].lstrip("+−") == bias
        assert {row[0] for row in rows(page, "worst")} >= {"N1 / retail / A", "N1 / retail / B"}
        assert [row[1] for row in rows(page, "runs")] == ["22 Feb 2026", "15 Feb 2026"]


@needs_browser
def test_what_is_not_known_says_so_and_is_never_zero(played: Played, tab: Page, tmp_path: Path):
    """Step 2 of the newest weeks: no interval was scored, and C has none at all."""
    file = tmp_path / "report.html"
    done(played.site, "report", "--out", str(file), "--horizon-step", "2")
    for page in opened(tab, file):
        page.choose("#filter-sku_id", "D")  # inactive: nothing was ever forecast
        headline = tiles(page)
        assert headline["WAPE, last week"] == "not known"
        assert headline["Inside the interval"] == "not known"
        assert shown(page, "worst") == "No series was scored in this window."


def test_a_step_beyond_the_horizon_is_refused_by_the_command(played: Played, tmp_path: Path):
    result = shelfcast(
        played.site, "report", "--out", str(tmp_path / "r.html"), "--horizon-step", "7"
    )
    assert result.exit_code == 2
    assert "forecasts steps 1 to 2" in error_of(result)


def test_before_anything_is_built_the_command_says_what_to_run(make_site: Any, tmp_path: Path):
    site = make_site()
    result = shelfcast(site, "report", "--out", str(tmp_path / "r.html"))
    assert result.exit_code == 1
    assert "were never built" in error_of(result)
    assert not (tmp_path / "r.html").exists()


def test_some_series_make_a_page_of_them(played: Played, tmp_path: Path):
    context = played.site.context()
    marts = read_marts(context.warehouse, context.use_case, 1, Selection("N1|retail|A,*|C"))
    assert set(marts.periods["series_id"]) == {golden.A, golden.C}
    for name in ("by_step", "value_added", "intervals", "worst"):
        assert set(getattr(marts, name)["series_id"]) <= {golden.A, golden.C}, name
    out = str(tmp_path / "r.html")
    refused = shelfcast(played.site, "report", "--out", out, "--series", "nowhere|*")
    assert refused.exit_code == 2
    assert "no series matches 'nowhere|*'" in error_of(refused)


def test_a_place_that_cannot_be_written_to_is_named(played: Played, tmp_path: Path):
    result = shelfcast(played.site, "report", "--out", str(tmp_path / "missing" / "r.html"))
    assert result.exit_code == 2
    assert "No such file or directory" in error_of(result)
