"""docs/your-data.md does what it says: its settings, its file and its commands, as they stand."""

from __future__ import annotations

import io
import re
import shlex
import textwrap
from collections.abc import Callable, Iterator
from contextlib import chdir
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import yaml

from python_jobs.infra.settings import load_settings
from tests.support import golden
from tests.support.commands import done
from tests.support.site import ROOT, Site, project_vars

PAGE = (ROOT / "docs" / "your-data.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", PAGE, flags=re.M | re.S)
    return [textwrap.dedent(text) for _, text in found]


def receipts() -> str:
    """Two years of receipts of four articles up to 8 November 2026, in the page's own columns."""
    header = blocks("csv")[0].splitlines()[0]
    days = pd.date_range("2024-10-28", date(2026, 11, 8))
    noise = np.random.default_rng(7)
    lines = [
        f"{day.date()},{shop},{article},{noise.poisson(base * (1.5 if day.weekday() > 4 else 1))},"
        f"{price}"
        for shop, article, base, price in [
            ("Mill Lane", "0012", 4, 2.49),
            ("Mill Lane", "0040", 2, 11.9),
            ("High Street", "0012", 6, 2.59),
        ]
        for day in days
    ]
    odd = ["2026-10-08,Mill Lane,0012,-1,2.49", "08.11.2026,Mill Lane,0012,3,2.49"]
    odd += ["2026-10-09,Mill Lane,0012,2,2.49"] * 3
    return "\n".join([header, *lines, *odd]) + "\n"


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Iterator[Site]:
    """The page followed to its third step."""
    site = make_site().in_bucket()
    settings = yaml.safe_load(blocks("yaml")[0])
    site.use_cases = settings["use_cases"]
    (site.folder / "receipts.csv").write_text(receipts())
    with chdir(site.folder):
        for command in commands("load", "sql", "replay")[:6]:
            done(site, *command)
        yield site


def commands(*names: str) -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    split = [shlex.split(line) for line in lines if line.startswith("shelfcast ")]
    return [words[1:] for words in split if words[1] in names]


def test_the_sample_file_has_the_columns_that_the_settings_map():
    sample = pd.read_csv(io.StringIO(blocks("csv")[0]), dtype=str)
    columns = yaml.safe_load(blocks("yaml")[0])["use_cases"]["sku_weekly"]["sources"]["sales"]
    mapped = {text for text in columns["columns"].values() if not text.startswith("'")}
    assert mapped == set(sample.columns)


def test_days_become_weeks_with_equal_receipts_counted_and_returns_subtracted(site: Site):
    days = pd.read_csv(io.StringIO(receipts()), dtype={"article": str})
    days = days[(days["shop"] == "Mill Lane") & (days["article"] == "0012")]
    october = days[days["day"].between("2026-10-05", "2026-10-11")]
    assert len(october) == 7 + 1 + 3
    rows = golden.table(
        site,
        """
        select y from {sku_weekly_actuals}
        where series_id = 'Mill Lane|till|0012' and ds = '2026-10-05'
        """,
    )
    assert rows == [(october["pieces"].sum(),)]


def test_each_wednesday_was_forecast_and_scored(site: Site):
    made = golden.table(
        site,
        """
        select forecast_date, count(*), countif(is_fallback)
        from {distributor_forecasts_weekly} group by 1 order by 1
        """,
    )
    assert made == [(str(date(2026, 9, 23) + timedelta(weeks=week)), 12, 0) for week in range(4)]
    wape = dict(
        golden.table(
            site,
            """
            select model_name, sum(sum_abs_error) / sum(sum_abs_y)
            from {accuracy_by_target_date} where run_kind = 'issued' and basis = 'comparable'
            group by 1
            """,
        )
    )
    assert set(wape) == {"prophet", "naive", "seasonal_naive", "mean_4", "mean_8"}
    assert 0 < wape["prophet"] < wape["naive"]


def test_what_could_not_be_used_is_kept_with_its_reason(site: Site):
    rejected = golden.table(site, "select rejected_because, source_row from {rejected_sales}")
    assert [reason for reason, _ in rejected] == ["bad_date"]
    assert "08.11.2026" in rejected[0][1]


def test_every_settings_example_is_sound(tmp_path):
    """Each fragment is laid over the project's own settings, which then must load."""
    for text in blocks("yaml"):
        fragment = yaml.safe_load(text)
        use_cases = project_vars()["use_cases"]
        use_case = use_cases["sku_weekly"]
        given = fragment.get("use_cases", {"sku_weekly": fragment})["sku_weekly"]
        sources = {**use_case["sources"], **given.get("sources", {})}
        use_cases["sku_weekly"] = {**use_case, **given, "sources": sources}
        path = tmp_path / "settings.yml"
        path.write_text(yaml.safe_dump({"use_cases": use_cases}, sort_keys=False))
        load_settings(ROOT, {"SHELFCAST_SETTINGS": str(path)})


def test_every_setting_that_the_page_names_exists():
    known = {
        *project_vars()["use_case_defaults"],
        *project_vars()["source_defaults"]["sales"],
        *("use_cases", "sources", "sales", "columns", "publish"),
    }
    table = PAGE.split("## What a setting decides")[1].split("##")[0]
    named = re.findall(r"`(\w+):", table)
    assert named
    assert set(named) - known <= {"is_sold_out"}
