"""Fitting and forecasting with Stan: parity with plain Prophet, and every way to fail."""

import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from python_jobs.families import make_family
from python_jobs.families.base import FamilySettings
from python_jobs.families.prophet.model import parse_options
from python_jobs.families.prophet.stan import (
    SeriesRefusedError,
    _refusal,
    fit_series,
    load_prophet,
    rebuild,
    store,
)

REGRESSORS = ("promo", "price")
N_WEEKS = 112
FIRST_ORIGIN = pd.Timestamp("2024-01-01") + pd.Timedelta(days=7 * N_WEEKS - 1)


def weekly(y, *, series_id="a", seed=0):
    """Rows of one weekly series with its lag, a promotion flag and a price."""
    rng = np.random.default_rng(seed)
    n = len(y)
    return pd.DataFrame(
        {
            "series_id": series_id,
            "ds": pd.date_range("2024-01-01", periods=n, freq="7D"),
            "y": np.asarray(y, float),
            "y_lag1": np.concatenate([[np.nan], np.asarray(y, float)[:-1]]),
            "promo": (rng.random(n) < 0.3).astype(float),
            "price": rng.normal(3, 0.3, n),
        }
    )


def sales(*, n=N_WEEKS + 5, seed=0, slope=0.0, level=60.0):
    """y with a season, memory and a slope, never below zero."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 5, n)
    for week in range(1, n):
        noise[week] += 0.5 * noise[week - 1]
    season = 8 * np.sin(2 * np.pi * np.arange(n) / 52)
    return np.maximum(0, np.round(level + slope * np.arange(n) + season + noise))


def future_of(rows, origins=(0, 1), version="a"):
    """Four weeks after each origin, counted in weeks from FIRST_ORIGIN."""
    parts = []
    for weeks in origins:
        start = N_WEEKS + weeks
        part = rows.iloc[start : start + 4].rename(columns={"ds": "target_date"})
        parts.append(
            part.assign(
                origin_date=FIRST_ORIGIN + pd.Timedelta(weeks=weeks),
                horizon_step=np.arange(1, len(part) + 1),
                y_lag1=rows["y"].iloc[start - 1],
                model_version=version,
            )
        )
    return pd.concat(parts, ignore_index=True)


def family(name="prophet", regressors=REGRESSORS, grain="week", horizon=4, **changes):
    """A family that asks Stan, unless the options say otherwise."""
    options = {"yearly_order": 3, "n_paths": 100, "solver": "stan"} | changes.pop("options", {})
    settings = FamilySettings(grain, horizon, 52, regressors, options=options, **changes)
    return make_family(name, settings)


def fit(rows, **arguments):
    """Fit one series; returns the family and its FittedModel."""
    made = family(**arguments)
    fitted = made.fit(rows)
    assert not fitted.failures
    return made, fitted.models["a"]


def failure(rows, **arguments):
    fitted = family(**arguments).fit(rows)
    assert not fitted.models
    return fitted.failures["a"]


def plain_forecast(train, future, regressors, options, with_lag=True):
    """Fit with Prophet itself and call Prophet.predict for each step, lag and floor by hand."""
    is_log = options.get("transform") == "log1p"
    forward, back = (np.log1p, np.expm1) if is_log else (float, float)
    prophet = load_prophet()(
        yearly_seasonality=3,
        weekly_seasonality=False,
        daily_seasonality=False,
        seasonality_mode=options.get("seasonality_mode", "additive"),
        uncertainty_samples=0,
    )
    for name in regressors:
        prophet.add_regressor(name)
    if with_lag:
        prophet.add_regressor("y_lag1", mode="additive")
        train = train.dropna()
    train = train.assign(y=train["y"].map(forward), y_lag1=train["y_lag1"].map(forward))
    prophet.fit(train, algorithm="LBFGS")
    yhat = []
    for _, origin in future.groupby("origin_date", sort=False):
        previous = forward(origin["y_lag1"].iloc[0])
        for _, row in origin.iterrows():
            asked = pd.DataFrame([{**row, "ds": row["target_date"], "y_lag1": previous}])
            previous = max(0.0, prophet.predict(asked)["yhat"].iloc[0])
            yhat.append(back(previous))
    return np.array(yhat)


@pytest.mark.parametrize("regressors", [REGRESSORS, ()], ids=["regressors", "bare"])
@pytest.mark.parametrize("transform", ["none", "log1p"])
@pytest.mark.parametrize("mode", ["additive", "multiplicative"])
def test_forecast_equals_a_loop_of_prophet_predict(mode, transform, regressors):
    y = sales()
    rows = weekly(y + (15 * weekly(y)["promo"].to_numpy() if regressors else 0))
    options = {"seasonality_mode": mode, "transform": transform}
    made, fitted = fit(rows.iloc[:N_WEEKS], regressors=regressors, options=options)
    future = future_of(rows)
    answer = made.predict({"a": fitted.model}, future)
    expected = plain_forecast(rows.iloc[:N_WEEKS], future, regressors, options)
    assert abs(fitted.metrics["lag_effect"]) > 0.1
    np.testing.assert_allclose(answer["yhat"], expected, rtol=1e-9)


def test_forecast_equals_the_loop_where_the_floor_acts():
    # The trend falls below zero; a promotion in the last week lifts the forecast above it again.
    rows = weekly(sales(slope=-0.6, level=60))
    rows["y"] = np.round(rows["y"] + 30 * rows["promo"])
    rows["y_lag1"] = rows["y"].shift(1)
    rows.loc[N_WEEKS:, "promo"] = [0.0, 0.0, 0.0, 1.0, 1.0]
    made, fitted = fit(rows.iloc[:N_WEEKS])
    future = future_of(rows)
    answer = made.predict({"a": fitted.model}, future)
    assert (answer["yhat"] == 0).any()
    assert (answer["yhat"] > 5).any()
    expected = plain_forecast(rows.iloc[:N_WEEKS], future, REGRESSORS, {})
    np.testing.assert_allclose(answer["yhat"], expected, rtol=1e-9, atol=1e-9)
    free, same = fit(rows.iloc[:N_WEEKS], is_nonnegative=False)
    assert (free.predict({"a": same.model}, future)["yhat"] < 0).any()


def test_without_the_lag_the_forecast_is_prophets_own():
    rows = weekly(sales())
    made, fitted = fit(rows.iloc[:N_WEEKS], name="prophet_no_lag")
    future = future_of(rows).assign(y_lag1=np.nan)
    expected = plain_forecast(rows.iloc[:N_WEEKS], future, REGRESSORS, {}, with_lag=False)
    answer = made.predict({"a": fitted.model}, future.drop(columns="y_lag1"))
    np.testing.assert_allclose(answer["yhat"], expected, rtol=1e-9)
    assert fitted.n_obs == N_WEEKS


@pytest.mark.parametrize(
    ("grain", "options"),
    [
        ("week", {}),
        ("week", {"seasonality_mode": "multiplicative", "transform": "log1p"}),
        ("week", {"growth": "flat"}),
        ("week", {"yearly": False}),
        ("day", {"yearly": True, "weekly": True}),
        ("day", {"yearly": False, "weekly": "auto", "seasonality_mode": "multiplicative"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("columns", [["promo", "price", "y_lag1"], []], ids=["regressors", "bare"])
def test_a_rebuilt_prophet_predicts_as_the_fitted_one(grain, options, columns):
    rows = weekly(1 + sales(n=80)).dropna()
    if grain == "day":
        rows["ds"] = pd.date_range("2024-01-01", periods=len(rows))
    chosen = parse_options("prophet", options)
    fitted = fit_series(rows[["ds", "y", *columns]], chosen, grain)
    rebuilt = rebuild(store(fitted, "prophet", chosen, columns))
    asked = rows.drop(columns="y").rename(columns={name: f"x_{name}" for name in columns})
    pd.testing.assert_frame_equal(rebuilt.predict(asked), fitted.predict(asked), rtol=1e-10)


def test_loading_a_stored_model_changes_no_forecast():
    rows = weekly(sales())
    made, fitted = fit(rows.iloc[:N_WEEKS])
    again = made.loads(made.dumps(fitted.model))
    pd.testing.assert_frame_equal(
        made.predict({"a": again}, future_of(rows)),
        made.predict({"a": fitted.model}, future_of(rows)),
        check_exact=True,
    )


def test_a_stored_model_is_small_and_holds_no_history():
    rows = weekly(sales() + 1 / 3).assign(**{f"x{i}": np.sin(i + sales()) for i in range(4)})
    regressors = (*REGRESSORS, *(f"x{i}" for i in range(4)))
    made, fitted = fit(rows, regressors=regressors, options={"yearly": True, "yearly_order": 10})
    assert len(fitted.model.beta) == 27
    # Stan leaves every change of slope a little off zero, each with all its digits.
    assert len(made.dumps(fitted.model)) < 2 * 1024


def test_the_registry_row_of_a_fit():
    rows = weekly(sales()).assign(price=3.0)
    rows.loc[50, "y_lag1"] = np.nan
    _, fitted = fit(rows)
    assert (fitted.train_start, fitted.train_end) == (rows["ds"].iloc[1], rows["ds"].iloc[-1])
    assert fitted.n_obs == len(rows) - 2
    assert fitted.metrics["n_left_out"] == 2
    assert 3 < fitted.metrics["noise_sd"] < 8
    assert fitted.hyperparameters["yearly_order"] == 3
    assert fitted.hyperparameters["seasonalities"] == {"yearly": 3}
    assert fitted.regressors_left_out == {"price": "never varies"}


@pytest.mark.parametrize(
    ("n", "yearly", "expected"),
    [(106, "auto", {}), (107, "auto", {"yearly": 3}), (60, True, {"yearly": 3}), (120, False, {})],
)
def test_a_yearly_season_needs_730_days_between_first_and_last_row(n, yearly, expected):
    # One row has no lag: 106 rows leave 105, which span 104 * 7 = 728 days.
    _, fitted = fit(weekly(sales(n=n)), options={"yearly": yearly})
    assert fitted.hyperparameters["seasonalities"] == expected


def test_daily_data_get_a_weekly_season():
    rows = weekly(sales(n=60))
    rows["ds"] = pd.date_range("2024-01-01", periods=60)
    _, fitted = fit(rows, grain="day")
    assert fitted.hyperparameters["seasonalities"] == {"weekly": 3}
    _, fitted = fit(rows, grain="day", options={"weekly": False})
    assert fitted.hyperparameters["seasonalities"] == {}


def test_regressors_may_have_names_that_prophet_reserves():
    rows = weekly(sales()).rename(columns={"promo": "holidays", "price": "trend"})
    made, fitted = fit(rows.iloc[:N_WEEKS], regressors=("holidays", "trend"))
    assert made.predict({"a": fitted.model}, future_of(rows))["yhat"].notna().all()


def test_newton_is_never_used(monkeypatch):
    from cmdstanpy import CmdStanModel

    algorithms = []
    optimize = CmdStanModel.optimize

    def spy(self, *args, **kwargs):
        algorithms.append(kwargs["algorithm"])
        return optimize(self, *args, **kwargs)

    monkeypatch.setattr(CmdStanModel, "optimize", spy)
    fit(weekly(sales(n=40)))
    assert algorithms == ["LBFGS"]


def test_stan_leaves_no_files_behind(tmp_path, monkeypatch):
    import cmdstanpy

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = list(Path(cmdstanpy._TMPDIR).iterdir())
    fit(weekly(sales(n=40)))
    assert list(tmp_path.iterdir()) == []
    assert list(Path(cmdstanpy._TMPDIR).iterdir()) == before


def test_stan_leaves_no_files_behind_where_it_fails(tmp_path, monkeypatch):
    import cmdstanpy

    def broken(*args):
        assert list(tmp_path.glob("*/*.csv")), "Stan has not written yet"
        raise RuntimeError("Error during optimization!\n  no\n convergence")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("prophet.models.CmdStanPyBackend.stan_to_dict_numpy", broken)
    before = list(Path(cmdstanpy._TMPDIR).iterdir())
    reason = failure(weekly(sales(n=40)))
    assert reason == (
        "Prophet could not fit: RuntimeError: Error during optimization! no convergence"
    )
    assert list(tmp_path.iterdir()) == []
    assert list(Path(cmdstanpy._TMPDIR).iterdir()) == before


def test_an_optimiser_that_fails_is_not_replaced_by_newton(monkeypatch):
    calls = []

    def broken(self, *args, **kwargs):
        calls.append(kwargs["algorithm"])
        raise RuntimeError("line search")

    monkeypatch.setattr("cmdstanpy.CmdStanModel.optimize", broken)
    assert "RuntimeError: line search" in failure(weekly(sales(n=40)))
    assert calls == ["LBFGS"]


def test_parameters_that_are_not_finite_are_a_failure(monkeypatch):
    from prophet.models import CmdStanPyBackend

    honest = CmdStanPyBackend.stan_to_dict_numpy

    def lost(names, values):
        return honest(names, values) | {"k": np.array([np.nan])}

    monkeypatch.setattr(CmdStanPyBackend, "stan_to_dict_numpy", staticmethod(lost))
    assert "k is not finite" in failure(weekly(sales(n=40)))


def spoil(column, value, row=20):
    rows = weekly(sales(n=60))
    rows.loc[row, column] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "options", "reason"),
    [
        (weekly(sales(n=8)), {}, "7 usable row(s), at least 8 are needed"),
        (weekly(sales(n=30)), {"min_observations": 40}, "29 usable row(s), at least 40"),
        (weekly([5.0]), {}, "0 usable row(s), at least 8 are needed"),
        (spoil("y", np.nan), {}, "y is nan on 2024-05-20"),
        (spoil("y", np.inf), {}, "y is inf on 2024-05-20"),
        (spoil("price", np.nan), {}, "price is nan on 2024-05-20"),
        (spoil("y_lag1", -np.inf), {}, "y_lag1 is -inf on 2024-05-20"),
        (spoil("y", -1.0), {"transform": "log1p"}, "y is -1 on 2024-05-20"),
        (spoil("y_lag1", -3.0), {"transform": "log1p"}, "transform log1p (1 row(s))"),
        (spoil("ds", pd.Timestamp("2024-05-13")), {}, "ds 2024-05-13 appears more than once"),
        (spoil("ds", pd.NaT), {}, "ds is null in 1 row(s)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_series_that_cannot_be_fitted_says_why(rows, options, reason):
    assert reason in failure(rows, options=options)


def test_one_series_that_fails_stops_no_other():
    bad = spoil("price", np.nan).assign(series_id="b")
    panel = pd.concat(
        [weekly(sales(n=60)), bad, weekly(sales(n=60)).assign(series_id="c")], ignore_index=True
    )
    fitted = family().fit(panel)
    assert list(fitted.models) == ["a", "c"]
    assert list(fitted.failures) == ["b"]
    assert fitted.models["a"].model == fitted.models["c"].model


def test_a_panel_that_breaks_its_contract_is_an_error():
    rows = weekly(sales(n=60))
    with pytest.raises(ValueError, match=r"panel: missing column\(s\) price, y_lag1"):
        family().fit(rows.drop(columns=["price", "y_lag1"]))
    with pytest.raises(ValueError, match="series a is not sorted by ds"):
        family().fit(rows.iloc[::-1])
    mixed = pd.concat([rows, rows.assign(series_id="b"), rows])
    with pytest.raises(
        ValueError, match=r"not sorted by series_id, 1 series are split \(first: a\)"
    ):
        family().fit(mixed)
    with pytest.raises(ValueError, match="60 row"):
        family().fit(rows.assign(series_id=None))


def test_an_empty_panel_has_no_models():
    fitted = family().fit(weekly(sales()).iloc[:0])
    assert (fitted.models, fitted.failures) == ({}, {})


@pytest.mark.parametrize("transform", ["none", "log1p"])
@pytest.mark.parametrize("level", [0.0, 7.0])
def test_a_constant_series_is_forecast_as_that_constant(level, transform):
    rows = weekly(np.full(N_WEEKS + 5, level))
    made, fitted = fit(rows.iloc[:N_WEEKS], options={"transform": transform})
    answer = made.predict({"a": fitted.model}, future_of(rows))
    for column in ("yhat", "yhat_lower", "yhat_upper"):
        np.testing.assert_allclose(answer[column], level, atol=1e-5)


def test_a_price_that_never_changed_has_no_effect_when_it_does():
    rows = weekly(sales()).assign(price=2.0)
    made, fitted = fit(rows.iloc[:N_WEEKS])
    future = future_of(rows)
    pd.testing.assert_frame_equal(
        made.predict({"a": fitted.model}, future),
        made.predict({"a": fitted.model}, future.assign(price=20.0)),
    )


@pytest.fixture(scope="module")
def portfolio():
    """Three fitted series, two origins each: the family, its models, the future panel."""
    rows = {name: weekly(sales(seed=i), series_id=name, seed=i) for i, name in enumerate("abc")}
    made = family()
    fitted = made.fit(pd.concat([part.iloc[:N_WEEKS] for part in rows.values()]))
    models = {f"{name}-v1": fit.model for name, fit in fitted.models.items()}
    future = pd.concat([future_of(part, version=f"{name}-v1") for name, part in rows.items()])
    return made, models, future.reset_index(drop=True)


def test_order_and_sharding_change_no_row(portfolio):
    made, models, future = portfolio
    whole = made.predict(models, future)
    shuffled = future.sample(frac=1, random_state=4)
    pd.testing.assert_frame_equal(
        made.predict(models, shuffled).loc[whole.index], whole, rtol=1e-12
    )
    shards = [made.predict(models, part) for _, part in future.groupby("series_id")]
    pd.testing.assert_frame_equal(pd.concat(shards), whole, rtol=1e-12)
    one = future[(future["series_id"] == "b") & (future["origin_date"] != FIRST_ORIGIN)]
    pd.testing.assert_frame_equal(made.predict(models, one), whole.loc[one.index], rtol=1e-12)


def test_rows_keep_their_index(portfolio):
    made, models, future = portfolio
    renamed = future.set_axis([f"row {i}" for i in range(len(future))])
    assert made.predict(models, renamed).index.equals(renamed.index)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("promo", np.nan, "promo is not a finite number (target_date 2026-03-09)"),
        ("price", np.inf, "price is not a finite number (target_date 2026-03-09)"),
        ("y_lag1", np.nan, "y_lag1 is not a finite number (target_date 2026-03-09)"),
    ],
)
def test_a_value_that_is_missing_stops_its_forecast_only(portfolio, column, value, reason):
    made, models, future = portfolio
    expected = made.predict(models, future)
    is_hit = (future["series_id"] == "b") & (future["origin_date"] == FIRST_ORIGIN)
    spoilt = future.copy()
    spoilt.loc[is_hit & (future["horizon_step"] == 3), column] = value
    answer = made.predict(models, spoilt)
    assert answer.loc[is_hit, ["yhat", "yhat_lower", "yhat_upper"]].isna().all(axis=None)
    assert set(answer.loc[is_hit, "reason"]) == {reason}
    assert answer.loc[is_hit, "interval_source"].isna().all()
    pd.testing.assert_frame_equal(answer[~is_hit], expected[~is_hit], rtol=1e-12)


def test_a_missing_step_stops_a_forecast_with_a_lag(portfolio):
    made, models, future = portfolio
    without = future[future["horizon_step"] != 2]
    answer = made.predict(models, without)
    assert answer["reason"].str.startswith("a horizon_step before the last is missing").all()
    short = future[future["horizon_step"] <= 2]
    whole = made.predict(models, future).loc[short.index]
    pd.testing.assert_frame_equal(made.predict(models, short), whole, rtol=1e-12)


def test_a_missing_step_is_no_matter_without_a_lag():
    rows = weekly(sales())
    made, fitted = fit(rows.iloc[:N_WEEKS], name="prophet_no_lag")
    future = future_of(rows)
    whole, last = made.predict({"a": fitted.model}, future), future["horizon_step"] == 4
    answer = made.predict({"a": fitted.model}, future[last])
    pd.testing.assert_frame_equal(answer, whole[last], rtol=1e-12)


def test_a_lag_without_a_logarithm_stops_its_forecast():
    rows = weekly(sales())
    made, fitted = fit(rows.iloc[:N_WEEKS], options={"transform": "log1p"})
    answer = made.predict({"a": fitted.model}, future_of(rows).assign(y_lag1=-1.0))
    assert answer["reason"].str.startswith("y_lag1 is too low for transform log1p").all()


def test_a_future_panel_that_breaks_its_contract_is_an_error(portfolio):
    made, models, future = portfolio
    with pytest.raises(ValueError, match=r"future: missing column\(s\) promo"):
        made.predict(models, future.drop(columns="promo"))
    with pytest.raises(ValueError, match=r"1 model version\(s\) have no model \(first: b-v1\)"):
        made.predict({name: models[name] for name in ("a-v1", "c-v1")}, future)
    with pytest.raises(ValueError, match="2 repeat one"):
        made.predict(models, pd.concat([future, future.iloc[:2]]))
    for shift in (-1, 1):
        moved = future.assign(horizon_step=future["horizon_step"] + shift)
        with pytest.raises(ValueError, match=r"6 row\(s\) have a horizon_step outside 1\.\.4"):
            made.predict(models, moved)


def test_an_empty_future_has_the_columns_of_a_forecast(portfolio):
    made, models, future = portfolio
    answer = made.predict(models, future.iloc[:0])
    assert list(answer) == list(made.predict(models, future))
    assert len(answer) == 0


def test_intervals_are_as_wide_as_prophets_own():
    # Without a lag both simulate the same thing; a trend that bends, so that its changes matter.
    y = sales(n=N_WEEKS) + 4 * np.abs(np.arange(N_WEEKS) - 70)
    options = {"changepoint_prior_scale": 0.5, "n_paths": 20_000}
    made, fitted = fit(weekly(y), name="prophet_no_lag", regressors=(), horizon=26, options=options)
    ahead = pd.DataFrame({"horizon_step": range(1, 27)})
    ahead["target_date"] = FIRST_ORIGIN + pd.to_timedelta(7 * ahead["horizon_step"] - 6, "D")
    ahead = ahead.assign(series_id="a", origin_date=FIRST_ORIGIN, model_version="a")
    answer = made.predict({"a": fitted.model}, ahead)
    prophet = rebuild(fitted.model)
    prophet.uncertainty_samples = 20_000
    np.random.seed(0)
    theirs = prophet.predict(ahead.rename(columns={"target_date": "ds"}))
    width = (answer["yhat_upper"] - answer["yhat_lower"]).to_numpy()
    their_width = (theirs["yhat_upper"] - theirs["yhat_lower"]).to_numpy()
    assert width[-1] > 1.5 * width[0]
    np.testing.assert_allclose(width, their_width, rtol=0.05)
    np.testing.assert_allclose(width.mean(), their_width.mean(), rtol=0.02)


def test_nothing_is_logged(caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        fit(weekly(sales(n=20)), options={"yearly": True})
    output = capfd.readouterr()
    assert (output.out, output.err) == ("", "")
    talkers = {record.name.split(".")[0] for record in caplog.records}
    assert not talkers & {"prophet", "cmdstanpy"}


def test_a_fresh_process_fits_in_a_pool_in_silence_and_leaves_nothing(tmp_path):
    script = """
import numpy as np, pandas as pd
from python_jobs.families import make_family
from python_jobs.families.base import FamilySettings
from python_jobs.fitting.pool import fit_local
y = 20 + np.sin(np.arange(30.0))
rows = pd.DataFrame({"ds": pd.date_range("2026-01-05", periods=30, freq="7D"), "y": y})
panel = pd.concat([rows.assign(series_id=name, y_lag1=rows["y"].shift(1)) for name in "abcd"])
family = make_family("prophet", FamilySettings("week", 4, 52))
print(len(fit_local(family, panel, n_jobs=2).models))
"""
    environment = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("4\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_reason_names_no_folder_of_the_machine():
    said = "Command '/opt/env/lib/stan_model/prophet.bin data=/tmp/x1/in.json a/b 1/2' failed"
    with pytest.raises(SeriesRefusedError) as refused, _refusal("fit"):
        raise RuntimeError(said)
    assert str(refused.value) == (
        "Prophet could not fit: RuntimeError: Command 'prophet.bin data=in.json a/b 1/2' failed"
    )
