"""Regressors that hardly vary, and effects of another sign than the settings expect: real fits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_jobs.families import make_family
from python_jobs.families.base import FamilySettings, Fitted, Tuned
from python_jobs.fitting.fit import OriginFit
from python_jobs.fitting.signs import Contradicted, contradictions
from python_jobs.fitting.train import model_rows
from python_jobs.infra.logs import LOGGER
from python_jobs.infra.run import Run
from python_jobs.infra.schedule import Origin
from python_jobs.infra.settings import UseCase, load_settings
from tests.support.families import LevelFamily
from tests.support.site import ROOT, day, instant

N_WEEKS = 60
REGRESSORS = ("promo_share", "log_price_ratio")


def rows(
    series_id: str = "a", *, promos: int = 0, promo_factor: float = 2.0, elasticity: float = -2.0
) -> pd.DataFrame:
    """Weeks of one series: promotions in the last so many odd weeks, prices that move each week."""
    rng = np.random.default_rng(len(series_id))
    promo = np.zeros(N_WEEKS)
    promo[N_WEEKS - 1 - 2 * np.arange(promos)] = 1.0
    ratio = rng.normal(0, 0.2, N_WEEKS)
    y = 100 * np.exp(elasticity * ratio + rng.normal(0, 0.05, N_WEEKS)) * promo_factor**promo
    return pd.DataFrame(
        {
            "series_id": series_id,
            "ds": pd.date_range("2025-01-06", periods=N_WEEKS, freq="7D"),
            "y": y,
            "y_lag1": np.concatenate([[np.nan], y[:-1]]),
            "promo_share": promo,
            "log_price_ratio": ratio,
        }
    )


def family(**options: Any) -> Any:
    form = {"transform": "log1p", "yearly": False, "n_paths": 100}
    settings = FamilySettings("week", 4, 52, REGRESSORS, options=form | options)
    return make_family("prophet", settings)


def priors(made: Any) -> Tuned:
    row = (made.options.label, "promo_share", np.log(2.0), 0.05, 50)
    columns = ["recipe", "coefficient", "centre", "spread", "n_series"]
    return Tuned(priors=pd.DataFrame([row], columns=columns))


def uplift(made: Any, model: Any, panel: pd.DataFrame) -> float:
    """What a promotion of the whole week multiplies the first step by."""
    future = pd.DataFrame(
        {
            "model_version": ["v", "v"],
            "series_id": ["off", "on"],
            "origin_date": panel["ds"].iloc[-1] + pd.Timedelta(days=6),
            "target_date": panel["ds"].iloc[-1] + pd.Timedelta(days=7),
            "horizon_step": 1,
            "y_lag1": 100.0,
            "promo_share": [0.0, 1.0],
            "log_price_ratio": 0.0,
        }
    )
    off, on = made.predict({"v": model}, future)["yhat"] + 1
    return float(on / off)


# A regressor that hardly varies


@pytest.mark.parametrize("options", [{"pooled_priors": False}, {}, {"solver": "stan"}], ids=str)
@pytest.mark.parametrize("promos", [1, 2])
def test_one_that_differs_in_a_week_or_two_of_sixty_is_left_out(options, promos):
    panel, made = rows(promos=promos), family(**options)
    one = made.fit(panel).models["a"]
    assert one.regressors_left_out == {"promo_share": f"hardly varies ({promos} of 59 rows)"}
    assert one.model.regressors == ("log_price_ratio", "y_lag1")
    assert uplift(made, one.model, panel) == 1.0


@pytest.mark.parametrize("options", [{}, {"solver": "stan"}], ids=str)
def test_one_that_differs_in_three_weeks_stays(options):
    panel, made = rows(promos=3), family(**options)
    one = made.fit(panel).models["a"]
    assert one.regressors_left_out == {}
    assert uplift(made, one.model, panel) == pytest.approx(2.0, rel=0.15)


def test_how_many_weeks_are_enough_can_be_set():
    panel, made = rows(promos=1), family(min_varying_periods=1)
    one = made.fit(panel).models["a"]
    assert one.regressors_left_out == {}
    assert uplift(made, one.model, panel) > 1.5


def test_a_week_without_the_promotion_that_always_runs_is_as_rare():
    panel = rows().assign(promo_share=1.0)
    panel.loc[20, "promo_share"] = 0.0
    one = family().fit(panel).models["a"]
    assert one.regressors_left_out == {"promo_share": "hardly varies (1 of 59 rows)"}


def test_the_lag_of_a_series_that_hardly_ever_sells_stays():
    panel = rows().assign(y=5.0, y_lag1=5.0)
    panel.loc[[30, 31], "y"], panel.loc[[31, 32], "y_lag1"] = 9.0, 9.0
    one = family(transform="none").fit(panel).models["a"]
    assert "y_lag1" in one.model.regressors


def test_without_the_rare_weeks_a_series_is_fitted_as_if_the_column_had_never_moved():
    """Also beside others in one batch, whose own fits do not change."""
    rare, often = rows("rare", promos=1, promo_factor=1.0), rows("oft", promos=9)
    made = family()
    both = made.fit(pd.concat([rare, often], ignore_index=True)).models
    flat = made.fit(rare.assign(promo_share=0.0)).models["rare"].model
    np.testing.assert_allclose(both["rare"].model.beta, flat.beta, rtol=1e-8)
    np.testing.assert_array_equal(both["oft"].model.beta, made.fit(often).models["oft"].model.beta)


def test_what_a_series_has_hardly_seen_still_counts_for_the_portfolio():
    told = family().fit(rows(promos=1)).coefficients.set_index("coefficient")
    assert told.loc["promo_share", "estimate"] == pytest.approx(np.log(2), abs=0.3)


@pytest.mark.parametrize(("promos", "seen"), [(0, "never varies"), (1, "hardly varies (1 of 59")])
def test_with_a_prior_the_portfolios_effect_is_used_and_said_so(promos, seen):
    panel, made = rows(promos=promos), family()
    one = made.fit(panel, tuned=priors(made)).models["a"]
    reason = one.regressors_left_out["promo_share"]
    assert reason.startswith(seen)
    assert reason.endswith(": the portfolio's effect is used")
    assert uplift(made, one.model, panel) == pytest.approx(2.0, rel=0.1)


def test_a_series_that_never_changed_says_so():
    panel = rows().assign(y=4.0, y_lag1=4.0)
    one = family().fit(panel).models["a"]
    assert set(one.regressors_left_out.values()) == {"y never varies"}


# A sign that contradicts the settings


def use_case() -> UseCase:
    whole = load_settings(ROOT, {}).use_case("sku_weekly")
    chosen = {name: whole.regressors[name] for name in REGRESSORS}
    return whole.model_copy(update={"regressors": chosen})


def found(fitted: Fitted[Any], made: Any, ranges: dict[str, str]) -> dict[str, dict[str, float]]:
    return contradictions(made, fitted, ranges, use_case().regressors)


def trained(made: Any, panel: pd.DataFrame) -> tuple[Run, list[dict[str, Any]]]:
    """The rows of model_log that a training on a panel writes."""
    origin = Origin(day("2026-03-01"), instant("2026-03-04 19:00"))
    run = Run("R1", "train", use_case(), [origin])
    panel = panel.assign(left_out_reason=None)
    fitted = made.fit(panel.drop(columns="left_out_reason"))
    return run, model_rows(run, OriginFit(origin, made, fitted, panel, None), "v")


@pytest.mark.parametrize("mode", ["additive", "multiplicative"])
@pytest.mark.parametrize("transform", ["none", "log1p"])
def test_a_price_that_raises_sales_is_written_down_with_its_effect(transform, mode):
    made = family(transform=transform, seasonality_mode=mode)
    right, wrong = rows("r", promos=8), rows("wrong", promos=8, elasticity=2.0)
    _, logged = trained(made, pd.concat([right, wrong], ignore_index=True))
    told = {row["series_id"]: row["regressors_contradicting"] for row in logged}
    assert told["r"] is None
    assert set(json.loads(told["wrong"])) == {"log_price_ratio"}
    if transform == "log1p" and mode == "additive":
        assert json.loads(told["wrong"])["log_price_ratio"] == pytest.approx(2.0, rel=0.15)


def test_one_that_hardly_moves_sales_has_no_sign():
    made = family()
    panel = rows(promos=8, elasticity=0.0)
    fitted = made.fit(panel)
    effect = fitted.models["a"].model.effects["log_price_ratio"]
    assert effect != 0
    small = json.dumps({"log_price_ratio": [0.0, 0.009 / abs(effect)]})
    large = json.dumps({"log_price_ratio": [0.0, 0.011 / abs(effect)]})
    assert found(fitted, made, {"a": small}) == {}
    assert bool(found(fitted, made, {"a": large})) == (effect > 0)


def test_a_family_that_cannot_say_contradicts_nothing():
    made = LevelFamily(use_case().family_settings("level"))
    assert found(made.fit(rows()), made, {}) == {}


def test_a_training_says_once_how_many_and_what_to_do(caplog, monkeypatch):
    monkeypatch.setattr(LOGGER, "propagate", True)
    wrong = [rows("w" * n, promos=8, elasticity=2.0, promo_factor=0.5) for n in range(1, 6)]
    run, logged = trained(family(), pd.concat(wrong, ignore_index=True))
    told = Contradicted()
    told.add(logged)
    told.log(run)
    (record,) = set(caplog.records)  # pytest may hear a logger and its root
    assert record.levelname == "WARNING"
    message = record.getMessage()
    assert "log_price_ratio should lower sales and does the contrary in 5 models" in message
    assert "promo_share should raise sales and does the contrary in 5 models" in message
    assert "(w, ww, www, and 2 more)" in message
    assert "They serve. Look at the prices and promotions" in message

    caplog.clear()
    fine = Contradicted()
    fine.add(trained(family(), rows(promos=8))[1])
    fine.log(run)
    assert not caplog.records
