"""`shelfcast models export`: a model that serves, opened in stock Prophet.

A and B sell for 60 weeks, C for four. A first model is trained on 58 weeks and forecasts; then come
two weeks, a correction of an old one and a second training, so that no table holds any more what
the first model was fitted on.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from prophet import Prophet
from prophet.serialize import model_from_json
from prophet.utilities import regressor_coefficients

from tests.support import golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.site import Site

MONDAY = date(2025, 1, 6)
N_FIRST, N_SECOND = 58, 60
A, B, C = (f"N1|retail|{sku}" for sku in "ABC")
CORRECTED_WEEK, CORRECTED_UNITS = 20, 999.0


def week(number: int) -> date:
    return MONDAY + timedelta(weeks=number)


def known(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC)


RNG = np.random.default_rng(11)
PRICE = {sku: np.round(RNG.choice([2.0, 2.0, 1.5, 1.8], N_SECOND + 8), 2) for sku in "ABC"}
UNITS = {sku: np.round(RNG.gamma(4, 10, N_SECOND) * (2.5 - PRICE[sku][:N_SECOND])) for sku in "ABC"}


def sales(sku: str, first: int, last: int) -> list[tuple]:
    return [
        ("N1", "retail", sku, week(n), UNITS[sku][n], PRICE[sku][n], False, known(week(n + 1)))
        for n in range(first, last)
    ]


COLUMNS = ["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"]


def table(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*COLUMNS, "loaded_at"])


def plan() -> pd.DataFrame:
    rows = [
        {
            "unit": "N1",
            "channel": "retail",
            "sku_id": sku,
            "start_date": week(n),
            "end_date": week(n + 1) - timedelta(days=1),
            "price": PRICE[sku][n],
            "discount": None,
            "covers_from": MONDAY,
            "covers_to": week(N_SECOND + 8),
            "loaded_at": known(MONDAY),
        }
        for sku in "ABC"
        for n in range(N_SECOND + 8)
        if PRICE[sku][n] < 2
    ]
    return pd.DataFrame(rows).astype({"discount": float})


@dataclass
class Trained:
    """A site with two generations of models, and what was forecast with the first."""

    site: Site
    first: str
    second: str
    future: pd.DataFrame
    forecasts: pd.DataFrame


FUTURE = """
select panel.series_id, panel.horizon_step, panel.target_date as ds, seeds.y_lag1,
    panel.promo_share, panel.log_price_ratio
from {sku_weekly_future_panel} as panel
inner join {sku_weekly_series} as seeds using (series_id, origin_date)
order by panel.series_id, panel.horizon_step
"""

FORECASTS = """
select series_id, horizon_step, yhat from {run_forecasts}
where not is_fallback and model_name = 'prophet'
order by series_id, horizon_step
"""


OPTIONS = {
    "transform": "log1p",
    "yearly": False,
    "candidates": [{"y_lag1": False, "growth": "flat"}, {}],
}


@pytest.fixture(scope="module")
def trained(make_site: Callable[[], Site]) -> Trained:
    site = make_site()
    settings = site.use_cases["sku_weekly"]
    settings |= {
        "horizon": 3,
        "time_zone": "UTC",
        "families": ["prophet", "level"],
        "family_options": {"prophet": OPTIONS},
        "min_pooled_series": 2,
        "regressors": {
            name: settings["regressors"][name] for name in ("promo_share", "log_price_ratio")
        },
    }
    settings["regressors"]["log_price_ratio"] |= {"sign": "positive"}
    for name in ("weather", "calendar"):
        settings["sources"].pop(name, None)
    site.write("sales", table([*sales("A", 0, N_FIRST), *sales("B", 0, N_FIRST)]))
    site.write("promotions", plan())
    wednesday = week(N_FIRST) + timedelta(days=2)
    done(site, "train", "--as-of", f"{wednesday}T20:00", "--run-id", "T1")
    done(site, "replay", "--from", f"{wednesday}", "--to", f"{wednesday}")
    future, forecasts = site.read(FUTURE), site.read(FORECASTS)
    newer = [*sales("A", N_FIRST, N_SECOND), *sales("B", N_FIRST, N_SECOND)]
    newer += sales("C", N_SECOND - 4, N_SECOND)
    late = ("N1", "retail", "A", week(CORRECTED_WEEK), CORRECTED_UNITS, 2.0, False)
    site.write("sales", table([*newer, (*late, known(week(N_SECOND)))]))
    later = wednesday + timedelta(weeks=N_SECOND - N_FIRST)
    done(site, "train", "--as-of", f"{later}T20:00", "--run-id", "T2")
    versions = [f"{week(n) - timedelta(days=1):%Y%m%d}-T{i}" for i, n in VERSIONS]
    return Trained(site, *versions, future=future, forecasts=forecasts)


VERSIONS = ((1, N_FIRST), (2, N_SECOND))


def export(site: Site, *arguments: str) -> Prophet:
    result = done(site, "models", "export", "--format", "prophet", *arguments)
    return model_from_json(result.stdout)


def test_stock_prophet_forecasts_what_was_forecast(trained: Trained) -> None:
    """Step after step, each forecast the next one's y_lag1, all in log1p units."""
    for series_id in (A, B):
        stock = export(trained.site, "--series", series_id, "--model-version", trained.first)
        rows = trained.future[trained.future["series_id"] == series_id]
        issued = trained.forecasts[trained.forecasts["series_id"] == series_id]
        assert len(rows) == len(issued) == 3
        previous, found = np.log1p(rows["y_lag1"].iloc[0]), []
        for row in rows.itertuples():
            asked = pd.DataFrame([row._asdict() | {"y_lag1": previous}])
            previous = max(0.0, stock.predict(asked)["yhat"].iloc[0])
            found.append(previous)
        np.testing.assert_allclose(found, np.log1p(issued["yhat"]), rtol=0, atol=1e-8)


def test_the_registry_says_what_training_found_of_the_regressors(trained: Trained) -> None:
    """The settings expect a high price to raise sales, for once; here it lowers them."""
    rows = golden.table(
        trained.site,
        """
        select series_id, model_version, regressors_left_out, regressors_contradicting
        from {models} where model_name = 'prophet' order by 1, 2
        """,
    )
    assert [row[:3] for row in rows] == [
        (series_id, version, None)
        for series_id in (A, B)
        for version in (trained.first, trained.second)
    ]
    for *_, contradicting in rows:
        told = json.loads(contradicting)
        assert set(told) == {"log_price_ratio"}
        assert told["log_price_ratio"] < 0
    result = done(trained.site, "models", "show", "--series", A)
    shown = pd.read_csv(io.StringIO(result.stdout)).query("model_name == 'prophet'")
    assert list(shown["regressors_contradicting"]) == [row[3] for row in rows[:2]]
    assert shown["regressors_left_out"].isna().all()


def test_its_history_is_what_was_known_when_it_was_trained(trained: Trained) -> None:
    first = export(trained.site, "--series", A, "--model-version", trained.first)
    second = export(trained.site, "--series", A)
    as_sold = np.log1p(UNITS["A"])
    corrected = as_sold.copy()
    corrected[CORRECTED_WEEK] = np.log1p(CORRECTED_UNITS)
    # The first week has no lag.
    for stock, expected in ((first, as_sold[1:N_FIRST]), (second, corrected[1:N_SECOND])):
        np.testing.assert_allclose(stock.history["y"], expected, rtol=0, atol=1e-9)
        assert list(stock.history["ds"].dt.date) == [week(n + 1) for n in range(len(expected))]
    assert sorted(first.extra_regressors) == ["log_price_ratio", "promo_share", "y_lag1"]


def test_nothing_is_built_or_written(trained: Trained) -> None:
    site = trained.site
    before = [golden.table(site, statement) for statement in STATE]
    export(site, "--series", B, "--model-version", trained.first)
    assert [golden.table(site, statement) for statement in STATE] == before
    assert before[0] == [(str(week(N_SECOND) - timedelta(days=1)),)]


STATE = (
    "select distinct origin_date from {sku_weekly_training_panel}",
    "select origin_date, run_id from {origins}",
    "select count(*) from {run_origins}",
    "select count(*) from {run_log}",
    "select count(*) from {model_log}",
)


def test_what_prophet_cannot_express_is_listed_beside_the_file(trained: Trained) -> None:
    path = trained.site.folder / "b.json"
    result = done(
        trained.site,
        "models",
        "export",
        "--series",
        B,
        "--format",
        "prophet",
        "--output",
        str(path),
    )
    assert result.stdout == ""
    assert model_from_json(path.read_text()).history is not None
    lines = result.stderr.splitlines()
    start = lines.index(f"{B}, version {trained.second}. Prophet cannot express:")
    told = [line.partition(":")[0] for line in lines[start + 1 :]]
    assert told == [
        f"- {what}" for what in ("log1p", "recursion", "floor", "priors", "interval", "calibration")
    ]


def test_its_coefficients_are_drawn_towards_those_of_the_portfolio(trained: Trained) -> None:
    priors = trained.site.read(
        """
        select coefficient, centre, spread, n_series from {portfolio_priors}
        where use_case = 'sku_weekly' and run_id = 'T1' order by coefficient
        """
    )
    assert priors["coefficient"].tolist() == ["log_price_ratio", "promo_share", "y_lag1"]
    assert (priors["spread"] > 0).all()
    assert (priors["n_series"] == 2).all()
    alone = trained.site.read(
        """
        select coefficient, stddev_samp(estimate) as sd from {coefficient_log}
        where run_id = 'T1' group by coefficient order by coefficient
        """
    )
    told = trained.site.read(
        """
        select distinct json_value(hyperparameters, '$.priors.run_id') as run_id
        from {model_log} where run_id = 'T1' and model_name = 'prophet' and status = 'trained'
        """
    )
    assert told["run_id"].tolist() == ["T1"]
    version = ("--model-version", trained.first)
    effects = [_effects(export(trained.site, "--series", one, *version)) for one in (A, B)]
    pooled = pd.DataFrame(effects).std()
    closer = pooled[alone["coefficient"]].to_numpy() <= alone["sd"].to_numpy() + 1e-9
    assert closer.all()


def _effects(prophet: Prophet) -> dict[str, float]:
    """The effect of each regressor in log1p units."""
    table = regressor_coefficients(prophet)
    return dict(zip(table["regressor"], table["coef"], strict=True))


def test_a_changed_source_is_refused(trained: Trained) -> None:
    """A row that says it was known before the training, and was not there."""
    site = trained.site
    backdated = ("N1", "retail", "B", week(3), 5000.0, 2.0, False, known(week(5)))
    site.write("sales", table([backdated]))
    wednesday = week(N_SECOND) + timedelta(days=2)
    done(site, "replay", "--from", f"{wednesday}", "--to", f"{wednesday}")
    refused = shelfcast(site, "models", "export", "--series", B, "--format", "prophet")
    assert refused.exit_code == 1
    assert refused.stdout == ""
    message = error_of(refused)
    assert message.startswith(f"{B}: the history is not that of the fit: scale of y 8.5")
    assert f"{trained.second} was trained as of" in message
    export(site, "--series", A)


REFUSED = {
    "an unknown series": (
        ("--series", "N1|retail|Z"),
        2,
        "sku_weekly has no series 'N1|retail|Z'. --series takes one whole series_id here",
    ),
    "a pattern": (("--series", "N1|*"), 2, "sku_weekly has no series 'N1|*'"),
    "a series without a model": (
        ("--series", C),
        1,
        f"{C}: no model of family 'prophet' serves. `shelfcast models list` shows",
    ),
    "an unknown version": (
        ("--series", A, "--model-version", "20200101-X"),
        1,
        f"{A}: no model of family 'prophet' of version 20200101-X is stored",
    ),
    "no Prophet": (
        ("--series", A, "--model-name", "level"),
        1,
        f"{A}: models of family 'level' are no Prophet models, and --format prophet writes nothing "
        "else. Name another family with --model-name (prophet).",
    ),
    "an unknown family": (
        ("--series", A, "--model-name", "arima"),
        2,
        "sku_weekly has no family 'arima' (families: prophet, level)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_exported_says_why(trained: Trained, case: str) -> None:
    arguments, code, message = REFUSED[case]
    refused = shelfcast(trained.site, "models", "export", "--format", "prophet", *arguments)
    assert refused.exit_code == code
    assert refused.stdout == ""
    assert message in error_of(refused)


def test_a_model_that_was_damaged_in_the_store_is_refused(trained: Trained) -> None:
    site = trained.site
    (row,) = golden.table(
        site,
        "select object from {models} where series_id = 'N1|retail|A' "
        "and model_name = 'prophet' and stage = 'serving' order by stage_as_of_at desc limit 1",
    )
    store = site.context().store
    packed = store.get(row[0])
    damaged = packed.replace(b"n_obs", b"n_0bs")
    assert damaged != packed
    try:
        store.put(row[0], damaged)
        refused = shelfcast(site, "models", "export", "--series", A, "--format", "prophet")
    finally:
        store.put(row[0], packed)
    assert refused.exit_code == 1
    assert f"{A}: version {trained.second} cannot be read: {row[0]}" in error_of(refused)


def test_tune_chooses_among_prophets_recipes_and_training_takes_the_choice(
    trained: Trained,
) -> None:
    site, later = trained.site, week(N_SECOND) + timedelta(days=2)
    done(site, "tune", "--as-of", f"{later}T21:00", "--origins", "2", "--run-id", "TUNE")
    done(site, "train", "--as-of", f"{later}T22:00", "--run-id", "T3")
    scores = site.read(
        """
        select options, is_chosen, wape, n_scored from {recipe_scores}
        where run_id = 'TUNE' and segment = 'all' order by options
        """
    )
    assert len(scores) == 2
    assert scores["is_chosen"].sum() == 1
    assert (scores["n_scored"] > 0).all()
    (chosen,) = scores.loc[scores["is_chosen"], "options"]
    fitted = site.read(
        """
        select
            series_id,
            json_value(hyperparameters, '$.recipe.run_id') as tuned_by,
            json_value(hyperparameters, '$.growth') as growth,
            json_value(hyperparameters, '$.y_lag1') as y_lag1
        from {model_log}
        where run_id = 'T3' and model_name = 'prophet' and status = 'trained'
        order by series_id
        """
    )
    assert fitted["series_id"].tolist() == [A, B]
    assert set(fitted["tuned_by"]) == {"TUNE"}
    simple = "flat" in chosen
    assert set(fitted["growth"]) == {"flat" if simple else "linear"}
    assert set(fitted["y_lag1"]) == {"false" if simple else "true"}
    answer = done(site, "models", "export", "--series", A, "--format", "prophet")
    assert model_from_json(answer.stdout).growth == ("flat" if simple else "linear")
