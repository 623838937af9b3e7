"""The page as a file: what it weighs, what it keeps of the numbers, and what it lets through."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import re
from datetime import UTC, date, datetime
from typing import Any

import altair
import numpy as np
import pandas as pd
import pytest

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings import UseCase, load_settings
from python_jobs.infra.warehouse import MissingRelation
from python_jobs.report import compact
from python_jobs.report.charts import charts
from python_jobs.report.marts import NothingIssued, read_marts
from python_jobs.report.page import VEGA_LITE, content, make_page
from tests.support.report_marts import ODD, made_up
from tests.support.site import ROOT

MADE_AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SIX_MEGABYTES = 6_000_000


@pytest.fixture(scope="module")
def use_case() -> UseCase:
    return load_settings(ROOT, {}).use_case("sku_weekly")


@pytest.fixture(scope="module")
def page(use_case: UseCase) -> str:
    return make_page(made_up(n_series=14, n_periods=30), use_case, 1, MADE_AT)


def unpacked(page: str) -> dict[str, Any]:
    packed = re.search(r'id="data">([^<]*)</script>', page)
    assert packed
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


def test_525_series_of_three_years_weigh_less_than_six_megabytes(use_case: UseCase):
    page = make_page(made_up(n_series=525, n_periods=156), use_case, 1, MADE_AT)
    size = len(page.encode())
    assert size < SIX_MEGABYTES, f"{size / 1e6:.2f} MB"
    series = unpacked(page)["periods"]["series"]
    assert (len(series["id"]), set(series["length"])) == (525, {156})


def test_the_page_asks_for_nothing_from_outside(page: str):
    elements = re.sub(r"(<script[^>]*>).*?</script>", r"\1", page, flags=re.DOTALL)
    loaded = re.findall(r"(?:src|href)=[\"']?([^\"' >]+)", elements)
    assert loaded == ["data:,"]
    assert "@import" not in page


def test_the_same_marts_make_the_same_file(use_case: UseCase):
    marts = made_up(n_series=3, n_periods=8)
    assert make_page(marts, use_case, 1, MADE_AT) == make_page(marts, use_case, 1, MADE_AT)


def test_the_page_says_what_step_1_is(page: str):
    definition = unpacked(page)["meta"]["definitions"]["Horizon step"]
    assert definition.startswith("1 is the period under way when the forecast was issued")
    assert "the one under way when it was issued" in page


def test_names_with_markup_stay_text(page: str):
    assert "alert(1)" not in page
    names = unpacked(page)["periods"]["series"]["key"]["unit"]["names"]
    assert set(ODD) <= set(names)


def test_nothing_in_a_script_ends_the_script(page: str):
    assert len(re.findall(r"</script", page, flags=re.IGNORECASE)) == 4
    assert page.count("<!--") == 0


def test_a_number_keeps_four_digits_and_null_stays_null(use_case: UseCase):
    marts = made_up(n_series=14, n_periods=30)
    decoded = content(marts, use_case, 1, MADE_AT)["periods"]
    scale = 10 ** decoded["decimals"]
    for name in compact.NUMBERS:
        values = [None if value is None else value / scale for value in decoded["periods"][name]]
        expected = [None if np.isnan(value) else value for value in marts.periods[name]]
        assert [value is None for value in values] == [value is None for value in expected], name
        known = [(a, b) for a, b in zip(values, expected, strict=True) if a is not None]
        assert all(a == pytest.approx(b, abs=0.5 / scale) for a, b in known), name


def test_small_units_keep_their_digits():
    assert compact.decimals_of(pd.Series([0.002, 0.004, 0.003])) == 6
    assert compact.decimals_of(pd.Series([120.0, 80.0, 0.0])) == 1
    assert compact.decimals_of(pd.Series([np.nan, 0.0])) == 0


def test_series_that_start_at_other_weeks_stay_apart():
    frame = pd.DataFrame(
        [
            ("a", "2026-01-05", 1.0, True),
            ("a", "2026-01-19", 3.0, False),  # the week between has no row
            ("b", "2026-01-12", 7.0, None),
        ],
        columns=["series_id", "ds", "y", "is_promo"],
    )
    frame["ds"] = pd.to_datetime(frame["ds"])
    frame["is_promo"] = frame["is_promo"].astype("boolean")
    for name in (*compact.NUMBERS[1:], *compact.NEWEST, "sum_smape_term"):
        frame[name] = np.nan
    for name in ("is_gap_filled", "is_sold_out", "is_retrained"):
        frame[name] = False
    frame["is_fallback"], frame["is_covered"] = None, None
    frame["n_scored"], frame["n_comparable"], frame["demand_class"] = 0, 0, None
    packed = compact.series_periods(frame.assign(unit="N1"), ["unit"], 7)
    assert packed["series"]["start"] == [0, 1]
    assert packed["series"]["length"] == [3, 1]
    assert packed["periods"]["y"] == [1000, None, 3000, 7000]
    known, promoted = compact.FLAGS["is_promo_known"], compact.FLAGS["is_promo"]
    assert packed["periods"]["flags"] == [known + promoted, 0, known, 0]
    assert packed["series"]["demand_class"]["names"] == ["unknown"]


def test_a_cell_of_every_kind_is_json():
    cells = [None, pd.NaT, pd.NA, float("nan"), np.int64(3), np.float64(0.1), np.bool_(True)]
    assert [compact.plain(cell) for cell in cells] == [None, None, None, None, 3, 0.1, True]
    assert compact.plain(pd.Timestamp("2026-01-05")) == "2026-01-05"
    assert compact.plain(pd.Timestamp("2026-01-05 10:00", tz="UTC")) == "2026-01-05T10:00:00+00:00"
    assert compact.plain(date(2026, 1, 5)) == "2026-01-05"


def test_the_library_draws_the_version_that_altair_writes():
    assert altair.SCHEMA_VERSION.removeprefix("v").startswith(f"{VEGA_LITE}.")


def test_every_chart_has_its_place_in_the_page(page: str):
    places = re.findall(r'<div id="([\w-]+)" class="chart">', page)
    assert sorted(places) == sorted(charts("week"))


def test_before_any_actual_the_page_says_so(use_case: UseCase):
    marts = dataclasses.replace(
        made_up(n_series=2, n_periods=6), last_period=None, first_period=None, is_complete=False
    )
    meta = unpacked(make_page(marts, use_case, 1, MADE_AT))["meta"]
    assert meta["last_period"] is None
    assert meta["window"] == "no week yet"


class Marts:
    """A warehouse whose marts hold what a test says."""

    def __init__(self, rows: int | None) -> None:
        self.rows = rows

    def read(self, statement: str, **_: Any) -> pd.DataFrame:
        if self.rows is None:
            raise MissingRelation("a table is missing: p.d.t")
        return pd.DataFrame([{"n_rows": self.rows}])


def test_a_page_of_marts_that_were_never_built_is_refused(use_case: UseCase):
    with pytest.raises(NothingIssued, match=r"were never built .*`shelfcast run`"):
        read_marts(Marts(None), use_case, 1)  # type: ignore[arg-type]


def test_a_page_of_empty_marts_is_refused(use_case: UseCase):
    with pytest.raises(NothingIssued, match="no forecast was issued yet"):
        read_marts(Marts(0), use_case, 1)  # type: ignore[arg-type]


def test_a_horizon_step_that_is_not_forecast_is_refused(use_case: UseCase):
    with pytest.raises(SettingsError, match="--horizon-step 9: sku_weekly forecasts steps 1 to 4"):
        read_marts(Marts(1), use_case, 9)  # type: ignore[arg-type]
