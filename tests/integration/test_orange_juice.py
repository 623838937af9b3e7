"""Forty real series through the whole pipeline, one origin: the benchmark, shortened.

Expected values are computed here with pandas from the raw files, knowing nothing of the pipeline's
SQL: a row labelled Monday D is the week D+3 (a Thursday) to D+9, sold in packs of size_oz.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks import orange_juice, orange_juice_panel, peers
from benchmarks import orange_juice_peers as comparison
from tests.support.data_tests import data_tests
from tests.support.site import Site

N_SERIES, HORIZON = 40, 4
ORIGIN = pd.Timestamp("1992-09-09")
LABELS = ("1992-09-07", "1992-09-14", "1992-09-21", "1992-09-28")
"""The Mondays under which the raw file has the four weeks after the origin."""

DECIMALS = {"log_price_ratio": 12, "deal": 9, "feat": 9, "temperature_c": 9}

MISSING = orange_juice.missing_data(orange_juice.DATA_DIR)
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING or "the data is there")


@dataclass(frozen=True)
class Played:
    """A benchmark that ran: its series raw and as the peers read them, and its warehouse."""

    raw: pd.DataFrame
    sales: pd.DataFrame
    read: Callable[[str], pd.DataFrame]


@pytest.fixture(scope="module")
def played(make_site: Callable[[], Site]) -> Played:
    site = make_site()
    sales = orange_juice.shortened(
        orange_juice.DATA_DIR / orange_juice.SALES, N_SERIES, site.folder
    )
    os.environ.update(
        orange_juice.deployment(site.endpoints, site.folder, site.dataset),
        SHELFCAST_MODELS_URI=site.models_uri,
        SHELFCAST_SETTINGS=str(with_price_ratio(site.folder)),
    )
    orange_juice.load(sales, orange_juice.DATA_DIR / orange_juice.WEATHER)
    with data_tests():
        orange_juice.replay(n_origins=1)
    return Played(raw_rows(sales), orange_juice_panel.read_sales(sales), orange_juice.read)


def with_price_ratio(folder: Path) -> Path:
    """The benchmark's settings with the ratio to the regular price in the place of the price.

    The ratio is what SQL has most to do for; the price itself is an expression of the source.
    """
    settings = yaml.safe_load(orange_juice.SETTINGS.read_text())
    use_case = settings["use_cases"]["sku_weekly"]
    ratio = {"log_price_ratio": {"future": "plan", "when_missing": "carry_regular_price"}}
    price = use_case["regressors"].pop("log_price")
    assert price == {"future": "plan", "when_missing": "carry_last"}
    use_case["regressors"] = ratio | use_case["regressors"]
    path = folder / "settings.yml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


def raw_rows(sales: Path) -> pd.DataFrame:
    rows = pd.read_csv(sales)
    keys = [rows["unit"].astype(str), rows["channel"], rows["sku_id"].astype(str)]
    return rows.assign(
        series_id=["|".join(key) for key in zip(*keys, strict=True)],
        week=pd.to_datetime(rows["week_start"]) + pd.Timedelta(days=3),
        ounces=rows["units_sold"] * rows["size_oz"],
    ).sort_values(["series_id", "week"], ignore_index=True)


def beside_raw(frame: pd.DataFrame, raw: pd.DataFrame, date_column: str) -> pd.DataFrame:
    """A relation's rows with the raw row of the same series and week, where there is one."""
    return frame.merge(
        raw,
        how="left",
        left_on=["series_id", date_column],
        right_on=["series_id", "week"],
        suffixes=("", "_raw"),
    )


def test_every_series_and_step_is_accounted_for(played: Played) -> None:
    forecasts = played.read(
        "select series_id, model_name, horizon_step, target_date, outcome, yhat, is_fallback "
        "from {run_forecasts}"
    )
    assert forecasts["series_id"].nunique() == N_SERIES
    counts = forecasts.groupby("model_name").size()
    assert counts.to_dict() == dict.fromkeys(("prophet", "prophet_no_lag"), N_SERIES * HORIZON)
    assert set(forecasts["outcome"]) <= {"forecast", "fallback"}
    assert forecasts["yhat"].notna().all()
    assert (forecasts["is_fallback"] == (forecasts["outcome"] == "fallback")).all()
    weeks = forecasts.groupby("horizon_step")["target_date"].unique()
    expected = [[pd.Timestamp(label) + pd.Timedelta(days=3)] for label in LABELS]
    assert [list(dates) for dates in weeks] == expected


def test_a_series_falls_back_only_where_its_last_weeks_are_missing(played: Played) -> None:
    rows = played.read("select distinct series_id, reason from {run_forecasts} where is_fallback")
    last = played.raw[played.raw["week"] < ORIGIN].groupby("series_id")["week"].max()
    newest = pd.Timestamp("1992-09-03")
    stale = last[last < newest - pd.Timedelta(weeks=2)].index
    assert set(rows["series_id"]) == set(stale)
    assert rows["reason"].str.startswith("stale_actuals").all()


def test_actuals_are_ounces_on_the_thursday_that_the_week_began(played: Played) -> None:
    actuals = played.read("select series_id, ds, y, is_gap_filled from {sku_weekly_actuals}")
    found = beside_raw(actuals, played.raw, "ds")
    assert (actuals["ds"].dt.day_name() == "Thursday").all()
    assert (found["is_gap_filled"] == found["ounces"].isna()).all()
    observed = found[~found["is_gap_filled"]]
    assert len(observed) == len(played.raw)
    np.testing.assert_array_equal(observed["y"], observed["ounces"])
    assert found["y"].isna().equals(found["is_gap_filled"])


def test_a_week_worked_by_hand(played: Played) -> None:
    """Store 100, brand 1, label 1992-08-31: 389 packs of 64 oz at 2.49, deal and feature.

    The week before sold 172 packs. Of the 13 weeks before, five had neither deal nor feature, at
    2.99, 2.99, 2.97, 2.9863 and 2.7329: median 2.9863. The seven days from Thursday 3 September
    had 19.722, 18.611, 21.389, 23.889, 23.056, 17.778 and 17.222 degrees Celsius.
    """
    row = played.read(
        "select y, y_lag1, log_price_ratio, deal, feat, temperature_c "
        "from {sku_weekly_training_panel} "
        "where series_id = '100|grocery|1' and ds = '1992-09-03'"
    )
    expected = [[389 * 64, 172 * 64, math.log(2.49 / 2.9863), 1, 1, 20.238]]
    np.testing.assert_allclose(row.to_numpy(dtype=float), expected, atol=1e-3)


def test_weather_is_of_the_days_on_which_the_week_was_sold(played: Played) -> None:
    weather = pd.read_csv(
        orange_juice.DATA_DIR / orange_juice.WEATHER, index_col="date", parse_dates=True
    )["temp"]
    panel = played.read(
        "select ds, temperature_c, weather_source from {sku_weekly_training_panel} "
        "where weather_source = 'observed'"
    )
    by_week = panel.groupby("ds")["temperature_c"].agg(["min", "max"])
    means = [weather[ds : ds + pd.Timedelta(days=6)].mean() for ds in by_week.index]
    np.testing.assert_allclose(by_week["min"], means, atol=1e-9)
    np.testing.assert_allclose(by_week["max"], means, atol=1e-9)
    # The week under the label Monday 31 August 1992: Thursday 3 to Wednesday 9 September.
    assert weather["1992-09-03":"1992-09-09"].size == 7
    one = by_week.loc[pd.Timestamp("1992-09-03"), "min"]
    assert one == pytest.approx(weather["1992-09-03":"1992-09-09"].mean())
    assert one != pytest.approx(weather["1992-08-31":"1992-09-06"].mean())


def test_future_weather_is_climatology_of_earlier_years(played: Played) -> None:
    future = played.read("select distinct weather_source from {sku_weekly_future_panel}")
    assert list(future["weather_source"]) == ["climatology"]


def expected_log_price_ratio(history: pd.DataFrame, price: float) -> float:
    """ln(price / median of the last 13 weeks' prices, of those without deal and feature)."""
    last = history.tail(13)
    regular = last[(last["deal"] == 0) & (last["feat"] == 0)]
    return float(np.log(price / (regular if len(regular) else last)["price"].median()))


def test_future_regressors_are_the_raw_file_s(played: Played) -> None:
    future = played.read(
        "select series_id, horizon_step, target_date, log_price_ratio, deal, feat, promo_source "
        "from {sku_weekly_future_panel}"
    )
    found = beside_raw(future, played.raw, "target_date")
    known = found[found["week"].notna()]
    assert (known["promo_source"] == "plan").all()
    assert (found.loc[found["week"].isna(), "promo_source"] == "unknown").all()
    assert known["deal"].nunique() == 2 and known["log_price_ratio"].std() > 0.05
    for name in ("deal", "feat"):
        np.testing.assert_allclose(known[name], known[f"{name}_raw"], atol=1e-9)
    past = dict(list(played.raw[played.raw["week"] < ORIGIN].groupby("series_id")))
    expected = [
        expected_log_price_ratio(past[row.series_id], row.price) for row in known.itertuples()
    ]
    np.testing.assert_allclose(known["log_price_ratio"], expected, atol=1e-9)


def test_past_regressors_look_back_from_the_week_before(played: Played) -> None:
    series_id = played.raw["series_id"].iloc[0]
    rows = played.raw[played.raw["series_id"] == series_id].reset_index(drop=True)
    panel = played.read(
        "select ds, log_price_ratio, deal, feat, y_lag1 from {sku_weekly_training_panel} "
        f"where series_id = '{series_id}' and left_out_reason is null"
    ).set_index("ds")
    assert len(panel) > 80
    weeks = dict(zip(rows["week"], rows.index, strict=True))
    for ds, found in panel.iterrows():
        row = rows.loc[weeks[ds]]
        before = rows.loc[weeks[ds - pd.Timedelta(days=7)]]
        ratio = expected_log_price_ratio(rows.loc[: weeks[ds] - 1], row["price"])
        expected = [ratio, row["deal"], row["feat"], before["ounces"]]
        np.testing.assert_allclose(found.to_numpy(dtype=float), expected, atol=1e-9)


def test_regressors_carry_no_noise_of_float_sums(played: Played) -> None:
    """Sums of floats end in other bits each time, and a fit makes much of little."""
    for relation in ("sku_weekly_training_panel", "sku_weekly_future_panel"):
        values = played.read(
            f"select log_price_ratio, deal, feat, temperature_c from {{{relation}}}"
        )
        np.testing.assert_allclose(values, values.round(DECIMALS), rtol=0, atol=1e-14)


def test_prophet_beats_the_baselines_on_the_rows_that_all_forecast(played: Played) -> None:
    overall = played.read(orange_juice.OVERALL).set_index("model_name")
    assert set(overall.index) == set(orange_juice.MODELS)
    assert overall["n_scored"].nunique() == 1
    scored = overall.loc["prophet"]
    assert scored[["n_scored", "n_removed", "n_unscored"]].sum() == N_SERIES * HORIZON
    assert scored["n_scored"] > 0.9 * N_SERIES * HORIZON
    wape = overall["wape"]
    assert wape["prophet"] < wape["naive"]
    assert wape["prophet"] < wape["seasonal_naive"]


def test_the_published_wape_is_that_of_a_plain_loop_over_the_raw_file(played: Played) -> None:
    overall = played.read(orange_juice.OVERALL).set_index("model_name")
    rows = played.read(
        "select series_id, target_date, yhat from {forecast_errors} "
        "where run_kind = 'issued' and is_comparable and model_name = 'prophet'"
    )
    found = beside_raw(rows, played.raw, "target_date")
    assert len(found) == overall["n_scored"]["prophet"]
    error = (found["yhat"] - found["ounces"]).abs().sum() / found["ounces"].sum()
    assert error == pytest.approx(overall["wape"]["prophet"], rel=1e-12)


def test_the_tables_and_the_last_line_can_be_made(played: Played) -> None:
    by_step, overall = played.read(orange_juice.BY_STEP), played.read(orange_juice.OVERALL)
    text = orange_juice.tables(by_step, overall)
    assert "| Prophet with y_lag1 |" in text and "week 4" in text
    scored = overall.set_index("model_name")
    result = orange_juice.own_figures(overall)
    assert result["coverage_80"] == round(scored["coverage"]["prophet"], 4)
    assert result["n_scored"] == scored["n_scored"]["prophet"]
    assert set(played.read(orange_juice.SECONDS)["step"]) == set(orange_juice.STAGES)


def test_ours_stand_beside_the_peers_on_the_rows_that_all_have(played: Played) -> None:
    """A fallback is not ours: its rows leave the comparison of all."""
    panel = orange_juice_panel.weekly(played.sales)
    naive = [peer for peer in peers.PEERS if peer.key == "naive"]
    ours = played.read(orange_juice.OURS)
    assert ours["yhat"].isna().any()
    rows, seconds = orange_juice.beside_peers(ours, panel, naive, cache=None)
    assert list(seconds) == ["naive"]
    assert rows.groupby("model").size().to_dict() == dict.fromkeys(
        ("naive", "prophet", "prophet_no_lag"), N_SERIES * HORIZON
    )
    scores = comparison.accuracy(rows)
    wide = rows.pivot(index=["series_id", "target"], columns="model", values="yhat")
    y = rows.groupby(["series_id", "target"])["y"].first()
    kept = wide.notna().all(axis=1) & y.notna()
    for model in wide:
        error = (wide[model] - y)[kept].abs().sum() / y[kept].sum()
        assert scores["wape"][model] == pytest.approx(error, rel=1e-12)
    figures = orange_juice.score_figures(scores, N_SERIES)
    assert figures[f"wape_prophet_{N_SERIES}"] == round(scores["wape"]["prophet"], 4)
    assert figures[f"n_compared_{N_SERIES}"] == int(kept.sum())
