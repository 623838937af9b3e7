"""Stored models in stock Prophet: same predictions, its own plots, and what it is told."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from prophet.diagnostics import cross_validation
from prophet.serialize import model_from_json
from prophet.utilities import regressor_coefficients

from python_jobs.families import make_family
from python_jobs.families.base import FamilySettings, Tuned
from python_jobs.families.prophet.export import dump_stock, not_expressed, to_stock
from python_jobs.families.prophet.stan import rebuild

matplotlib.use("Agg")

N = 112
REGRESSORS = ("promo", "price")


def panel(*, n=N, grain="week", y=None):
    """Rows of one series with its lag; the first has none."""
    rng = np.random.default_rng(3)
    if y is None:
        y = np.maximum(0, 60 + 8 * np.sin(2 * np.pi * np.arange(n) / 52) + rng.normal(0, 6, n))
    return pd.DataFrame(
        {
            "series_id": "a",
            "ds": pd.date_range("2024-01-01", periods=n, freq="7D" if grain == "week" else "D"),
            "y": np.asarray(y, float),
            "y_lag1": np.concatenate([[np.nan], np.asarray(y, float)[:-1]]),
            "promo": (rng.random(n) < 0.3).astype(float),
            "price": rng.normal(3, 0.3, n),
            "holidays": rng.normal(0, 1, n),
        }
    )


def fit(rows, *, name="prophet", grain="week", regressors=REGRESSORS, **options):
    made = make_family(name, FamilySettings(grain, 4, 52, regressors, options=options))
    fitted = made.fit(rows.drop(columns="y_lag1") if name == "prophet_no_lag" else rows)
    assert not fitted.failures
    return made, fitted.models["a"].model


def in_model_space(rows, model):
    """What a prediction is asked with: ds and the model's columns, y_lag1 transformed."""
    asked = rows[["ds", *model.regressors]].dropna().copy()
    if "y_lag1" in asked:
        asked["y_lag1"] = model.options.to_model_space(asked["y_lag1"].to_numpy())
    return asked


def opened(model, rows, interval=0.8):
    return model_from_json(dump_stock(to_stock(model, rows, interval)))


KINDS = {
    "plain": {},
    "log1p": {"transform": "log1p"},
    "multiplicative": {"seasonality_mode": "multiplicative", "yearly": True, "yearly_order": 3},
    "flat": {"growth": "flat"},
    "logistic": {"growth": "logistic", "transform": "log1p"},
    "no lag": {"name": "prophet_no_lag", "yearly": True, "yearly_order": 2},
    "bare": {"name": "prophet_no_lag", "regressors": (), "yearly": False},
    "daily": {"grain": "day", "weekly": True, "yearly": False},
    "few rows": {"n": 12},
}


@pytest.mark.parametrize("kind", KINDS)
def test_stock_prophet_predicts_what_the_stored_model_does(kind):
    asked_for = dict(KINDS[kind])
    rows = panel(n=asked_for.pop("n", N), grain=asked_for.get("grain", "week"))
    _, model = fit(rows, **asked_for)
    stock = opened(model, rows)
    asked = in_model_space(rows, model)
    own = asked.rename(columns={name: f"x_{name}" for name in model.regressors})
    if model.options.growth == "logistic":
        asked["cap"] = own["cap"] = model.options.cap_ratio * model.y_scale
    columns = ["trend", "yhat", "additive_terms", "multiplicative_terms"]
    expected = rebuild(model).predict(own)[columns]
    pd.testing.assert_frame_equal(stock.predict(asked)[columns], expected, rtol=0, atol=1e-8)


def test_a_series_that_never_changed_goes_on_as_it_was():
    rows = panel(y=np.full(N, 7.0))
    _, model = fit(rows)
    answer = opened(model, rows).predict(rows[["ds"]])
    np.testing.assert_allclose(answer["yhat"], 7.0, rtol=0, atol=1e-8)


def test_its_history_is_the_rows_of_the_fit():
    rows = panel()
    _, model = fit(rows, transform="log1p")
    stock = opened(model, rows)
    np.testing.assert_allclose(stock.history["y"], np.log1p(rows["y"].iloc[1:]), rtol=0, atol=1e-8)
    assert list(stock.history["ds"]) == list(rows["ds"].iloc[1:])
    assert list(stock.changepoints) == [
        rows["ds"].iloc[1] + pd.Timedelta(days=int(day)) for day in model.changepoint_days
    ]


def test_prophets_plots_and_tools_work():
    rows = panel()
    _, model = fit(rows, yearly=True, yearly_order=3)
    stock = opened(model, rows, interval=0.9)
    answer = stock.predict(in_model_space(rows, model))
    assert (answer["yhat_lower"] < answer["yhat_upper"]).all()
    inside = (stock.history["y"] >= answer["yhat_lower"]) & (
        stock.history["y"] <= answer["yhat_upper"]
    )
    assert 0.82 < inside.mean() < 0.98
    assert len(stock.plot(answer).axes[0].lines) >= 2
    titles = [axis.get_ylabel() for axis in stock.plot_components(answer).axes]
    assert titles == ["trend", "yearly", "extra_regressors_additive"]
    effects = regressor_coefficients(stock).set_index("regressor")["coef"]
    assert effects["y_lag1"] == pytest.approx(model.lag_effect, rel=1e-9)
    tried = cross_validation(
        stock, horizon="28 days", initial="560 days", period="112 days", disable_tqdm=True
    )
    assert tried["yhat"].notna().all()


def test_a_name_that_prophet_reserves_gets_a_prefix_and_is_told():
    rows = panel()
    made, model = fit(rows, regressors=("holidays", "promo"))
    stock = opened(model, rows)
    assert list(stock.extra_regressors) == ["x_holidays", "promo", "y_lag1"]
    assert "names that Prophet keeps for itself: x_holidays for holidays." in not_expressed(
        model, made.settings
    )


CHANGES = {
    "a row less": (lambda rows: rows.iloc[:-1], r"rows 110, fitted with 111; last ds 2026-02-09"),
    "another start": (lambda rows: rows.iloc[5:], r"rows 107.*; first ds 2024-02-05, fitted with"),
    "a higher peak": (lambda rows: rows.assign(y=rows["y"] * 1.01), r"scale of y .*, fitted with"),
    "another price": (
        lambda rows: rows.assign(price=rows["price"] + 0.01),
        r"mean of price 3\.\d+, fitted with",
    ),
    "a promotion less": (
        lambda rows: rows.assign(price=rows["price"].iloc[::-1].to_numpy() ** 2),
        r"deviation of price",
    ),
    "no promotions": (lambda rows: rows.drop(columns="promo"), r"panel: missing column\(s\) promo"),
    "no rows": (lambda rows: rows.iloc[:0], r"rows 0, fitted with 111; first ds None"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_history_that_is_not_that_of_the_fit_is_refused(change):
    rows = panel()
    _, model = fit(rows)
    changed, message = CHANGES[change]
    with pytest.raises(ValueError, match=message):
        to_stock(model, changed(rows), 0.8)


def test_what_prophet_cannot_express_follows_from_the_model():
    rows = panel()
    made, model = fit(rows, transform="log1p")
    told = [sentence.partition(":")[0] for sentence in not_expressed(model, made.settings)]
    assert told == ["log1p", "recursion", "floor", "priors", "interval", "calibration"]

    made, model = fit(rows.assign(promo=0.0), name="prophet_no_lag")
    told = not_expressed(model, made.settings)
    assert [sentence.partition(":")[0] for sentence in told] == [
        "floor",
        "priors",
        "interval",
        "calibration",
        "hardly varied in training, so without effect and left out",
    ]
    assert told[-1].endswith(": promo.")


def test_a_promotion_that_a_series_never_had_keeps_the_effect_of_the_portfolio():
    rows = panel().assign(promo=0.0, price=3.0)
    settings = FamilySettings("week", 4, 52, REGRESSORS, options={"transform": "log1p"})
    made = make_family("prophet", settings)
    columns = ["recipe", "coefficient", "centre", "spread", "n_series"]
    told = [(made.options.label, name, 0.5, 0.1, 30) for name in ("promo", "price")]
    fitted = made.fit(rows, tuned=Tuned(priors=pd.DataFrame(told, columns=columns)))
    model = fitted.models["a"].model
    assert {"promo", "price"} < set(model.regressors)
    asked = in_model_space(rows, model)[-4:].assign(promo=[0.0, 1.0, 0.0, 0.0], price=3.2)
    stock = opened(model, rows).predict(asked)["yhat"]
    own = rebuild(model).predict(asked.rename(columns=lambda name: renamed(name, model)))["yhat"]
    np.testing.assert_allclose(stock, own, rtol=1e-8)
    other = opened(model, rows).predict(asked.assign(promo=0.0))["yhat"]
    np.testing.assert_allclose((stock - other)[1], 0.5, rtol=1e-6)
    with pytest.raises(ValueError, match="mean of price 2, fitted with 3"):
        to_stock(model, rows.assign(price=2.0), 0.8)


def renamed(name, model):
    return f"x_{name}" if name in model.regressors else name


def test_a_residual_that_is_carried_on_is_told():
    made, model = fit(panel(), y_lag1=False, ar1=True)
    (told,) = [one for one in not_expressed(model, made.settings) if one.startswith("memory: ")]
    assert f"{model.autocorrelation:.4g}^h" in told
    assert any(one.startswith("priors: ") for one in not_expressed(model, made.settings))
    made, model = fit(panel(), pooled_priors=False)
    told = " ".join(not_expressed(model, made.settings))
    assert "memory: " not in told
    assert "priors: " not in told
