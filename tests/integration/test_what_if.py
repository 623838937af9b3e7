"""Scenarios, and the weather that came, on Prophet models whose sales follow known rules.

Sales of A and B are 60 units, 1 more for each degree, half as much again under promotion and 4 less
for each 10 % of price; C is too short for a model. Two Wednesdays are issued, six weeks apart; the
weather of the first one's weeks was forecast 8 degrees too warm. `what-if` asks about the second.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from python_jobs.runs import replay
from python_jobs.runs.monitor import monitor
from python_jobs.runs.what_if import what_if
from tests.support.commands import done, error_of, heard, shelfcast
from tests.support.site import Site, day, instant

A, B, C = (f"N1|retail|{sku}" for sku in "ABC")
WEEKS = [day("2025-01-06") + timedelta(weeks=n) for n in range(70)]
FIRST, LAST = 60, 66
"""The weeks that run when the two forecasts are issued, on their Wednesdays."""
TARGETS = WEEKS[LAST : LAST + 4]
PROMOTED = {"A": range(2, 70, 7), "B": range(4, 70, 9)}
CUT = {"A": range(2, 58, 5), "B": range(4, 58, 6)}


def temperature(n: int) -> float:
    return round(10 + 8 * np.sin(n / 3.7) + 3 * np.cos(n * 1.3), 1)


def units(sku: str, n: int) -> float:
    price = -0.2 if n in CUT[sku] else 0.0
    base = 60 + temperature(n) - 40 * price
    return round(base * (1.5 if n in PROMOTED[sku] else 1.0), 1)


def sales() -> pd.DataFrame:
    rows = [
        ("N1", "retail", sku, WEEKS[n], units(sku, n), 8.0 if n in CUT[sku] else 10.0, False)
        for sku in "AB"
        for n in range(LAST)
    ]
    rows += [("N1", "retail", "C", WEEKS[n], 7.0, 10.0, False) for n in range(LAST - 3, LAST)]
    columns = ["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"]
    return pd.DataFrame(rows, columns=columns)


def plan() -> pd.DataFrame:
    rows = [(sku, WEEKS[n], WEEKS[n] + timedelta(days=6)) for sku in "AB" for n in PROMOTED[sku]]
    frame = pd.DataFrame(rows, columns=["sku_id", "start_date", "end_date"])
    return frame.assign(
        unit="N1",
        channel="retail",
        price=pd.Series([None] * len(frame), dtype=float),
        discount=pd.Series([None] * len(frame), dtype=float),
        covers_from=WEEKS[0],
        covers_to=WEEKS[-1] + timedelta(days=6),
        loaded_at=instant("2025-01-01 00:00"),
    )


def weather() -> pd.DataFrame:
    """Observed the morning after each day; forecast, 8 degrees too warm, for the first issue."""
    rows = []
    for n, week in enumerate(WEEKS):
        for date in (week + timedelta(days=i) for i in range(7)):
            known = pd.Timestamp(date + timedelta(days=1), tz="UTC")
            if n < LAST + 2:
                rows.append((date, "observed", temperature(n), known))
            if FIRST <= n < FIRST + 4:
                issued = pd.Timestamp(WEEKS[FIRST], tz="UTC")
                rows.append((date, "forecast", temperature(n) + 8, issued))
    columns = ["date", "kind", "temperature_c", "issued_at"]
    return pd.DataFrame(rows, columns=columns).assign(location="N1")


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    settings = site.use_cases["sku_weekly"]
    settings |= {
        "min_observations": 8,
        "families": ["prophet"],
        "family_options": {"prophet": {"yearly": False}},
        "refit": "on_retrain",
    }
    settings["regressors"].pop("holiday_share")
    settings["sources"].pop("calendar")
    settings["sources"]["sales"].pop("known_at")
    site.write("sales", sales())
    site.write("promotions", plan())
    site.write("weather_daily", weather())
    context = site.context()
    wednesdays = [WEEKS[n] + timedelta(days=2) for n in (FIRST, LAST)]
    replay.replay(context, *wednesdays, every=LAST - FIRST, is_as_issued=True)
    return site


def suppose(site: Site, *rows: tuple, name: str = "s") -> None:
    """Load rows (sku, day, promo_share, price) as a scenario."""
    path = site.folder / f"{name}.csv"
    columns = ["sku_id", "date", "promo_share", "price"]
    frame = pd.DataFrame(rows, columns=columns).assign(scenario=name, unit="N1", channel="retail")
    frame.to_csv(path, index=False)
    done(site, "load", str(path), "--as", "scenarios", "--again")


def asked(site: Site, name: str = "s") -> pd.DataFrame:
    what_if(site.context(), name)
    found = site.read(
        "select * from {scenario_forecasts} where scenario = @name order by series_id, target_date",
        name=name,
    )
    return found.set_index(["series_id", found["target_date"].dt.date])


def test_a_scenario_that_supposes_what_is_known_changes_nothing_to_the_last_bit(site: Site):
    suppose(site, ("A", TARGETS[0], 0, 10.0), ("A", TARGETS[1], 0, 10.0))
    found = asked(site)
    assert len(found) == 4
    assert (found["yhat"] == found["yhat_as_issued"]).all()
    assert (found["uplift"] == 0).all()
    assert found["is_supposed"].tolist() == [True, True, False, False]
    assert not found["is_outside_range"].any()


def test_a_promotion_and_a_price_cut_raise_the_weeks_that_they_name(site: Site):
    suppose(site, ("A", TARGETS[1] + timedelta(days=3), 1, None), ("B", TARGETS[2], None, 8.0))
    found = asked(site)
    share = found["uplift_share"]
    assert share[A, TARGETS[1]] == pytest.approx(0.5, abs=0.2)
    assert 0.03 < share[B, TARGETS[2]] < 0.3
    assert abs(share[A, TARGETS[0]]) == 0
    known, supposed = (
        json.loads(found.loc[(B, TARGETS[2]), f"regressors_as_{how}"])
        for how in ("known", "supposed")
    )
    assert known["log_price_ratio"] == 0
    assert supposed["log_price_ratio"] == pytest.approx(np.log(0.8))
    assert supposed["temperature_c"] == known["temperature_c"]


def test_of_two_rows_that_speak_of_one_week_the_one_that_names_more_counts(site: Site):
    suppose(site, ("*", TARGETS[0], 1, None), ("B", TARGETS[0], 0, None))
    found = asked(site)
    assert found["uplift_share"][A, TARGETS[0]] > 0.2
    assert found["uplift"][B, TARGETS[0]] == 0


def test_what_no_model_was_trained_on_is_flagged_and_told(
    site: Site, caplog: pytest.LogCaptureFixture
):
    suppose(site, ("A", TARGETS[0], 1, 1.0))
    with heard(caplog):
        found = asked(site)
    assert found["is_outside_range"].tolist() == [True, False, False, False]
    assert found["outside_range"].iloc[0].startswith("log_price_ratio -2.30259 not in -0.223144..0")
    assert "extrapolated" in caplog.text


def test_a_baseline_is_moved_by_nothing_and_says_why(site: Site, caplog: pytest.LogCaptureFixture):
    suppose(site, ("C", TARGETS[0], 1, None))
    with heard(caplog):
        found = asked(site)
    assert (found["yhat"] == 7).all()
    assert found["reason"].str.contains("too_short").all()
    assert "1 series have no model to ask" in caplog.text


def test_rows_that_concern_no_forecast_are_told_and_the_others_are_answered(
    site: Site, caplog: pytest.LogCaptureFixture
):
    rows = [("A", TARGETS[0], 1, None), ("A", WEEKS[3], 1, None), ("Z", TARGETS[0], 1, None)]
    suppose(site, *rows, ("B", TARGETS[0], None, -1))
    with heard(caplog):
        found = what_if(site.context(), "s")
    assert sorted(found.unused["rejected_because"]) == [
        "bad_price",
        "no_such_week_was_forecast",
        "unknown_sku_id",
    ]
    assert set(found.rows["series_id"]) == {A}
    assert "3 rows are not used" in caplog.text


def test_a_newer_load_of_a_scenario_replaces_it(site: Site):
    suppose(site, ("A", TARGETS[0], 1, None), ("B", TARGETS[0], 1, None), name="n")
    suppose(site, ("B", TARGETS[1], 1, None), name="n")
    found = asked(site, "n")
    assert {name for name, _ in found.index} == {B}
    assert found["is_supposed"].tolist() == [False, True, False, False]


def test_nothing_that_was_issued_changes_and_no_scenario_is_scored(site: Site):
    issued = "select * from {forecasts} order by series_id, model_name, origin_date, target_date"
    logged = "select count(*) as n from {forecast_log}"
    before, n_before = site.read(issued), site.read(logged)["n"].iloc[0]
    suppose(site, ("*", TARGETS[0], 1, 8.0))
    assert len(asked(site)) == 12
    pd.testing.assert_frame_equal(before, site.read(issued))
    assert site.read(logged)["n"].iloc[0] == n_before


def test_the_command_prints_the_weeks_side_by_side(site: Site):
    suppose(site, ("A", TARGETS[0], 1, None))
    n_before = site.read("select count(*) as n from {scenario_log}")["n"].iloc[0]
    printed = done(site, "what-if", "--scenario", "s", "--dry-run").stdout.splitlines()
    assert printed[0].startswith("target_date,n_series,as_issued,supposed,uplift,uplift_share")
    assert len(printed) == 5
    assert site.read("select count(*) as n from {scenario_log}")["n"].iloc[0] == n_before


def test_a_scenario_that_is_not_there_is_refused_with_those_that_are(site: Site):
    suppose(site, ("A", TARGETS[0], 1, None), name="spring")
    result = shelfcast(site, "what-if", "--scenario", "sprung")
    assert result.exit_code == 2
    assert "no scenario is named 'sprung'" in error_of(result)
    assert "spring (1 rows)" in error_of(result)


def test_a_scenario_file_without_its_columns_is_refused(site: Site):
    path = site.folder / "bad.csv"
    path.write_text("scenario,date\ns,2026-01-05\n")
    result = shelfcast(site, "load", str(path), "--as", "scenarios")
    assert result.exit_code == 1
    assert "3 of the columns" in error_of(result)


def test_the_weather_that_came_is_asked_once_and_shows_what_it_cost(site: Site):
    for n_expected in (8, 0):
        n_before = site.read("select count(*) as n from {scenario_log}")["n"].iloc[0]
        monitor(site.context(), as_of_at=instant("2026-05-08 12:00"))
        n_after = site.read("select count(*) as n from {scenario_log}")["n"].iloc[0]
        assert n_after - n_before == n_expected
    rows = site.read("select * from {weather_value} order by horizon_step")
    assert rows["horizon_step"].tolist() == [1, 2, 3, 4]
    assert (rows["weather_source"] == "forecast").all()
    assert (rows["n_scored"] == 2).all()
    assert (rows["wape_as_it_came"] < 0.04).all()
    assert (rows["wape_lost"] > 0.05).all()
