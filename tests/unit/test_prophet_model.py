"""Options and stored models: what is refused, and what a model built by hand forecasts."""

import hashlib
import pickle
from datetime import date
from statistics import NormalDist

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_jobs.families.base import FamilySettings
from python_jobs.families.prophet.family import ProphetFamily, ProphetNoLagFamily
from python_jobs.families.prophet.model import ProphetModel, parse_options

Z80 = NormalDist().inv_cdf(0.9)
HEAD = ("format", "format_version", "sha256")
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def family(*, kind=ProphetFamily, regressors=("promo",), grain="week", **changes):
    options = changes.pop("options", {})
    return kind(FamilySettings(grain, 4, 52, regressors, options=options, **changes))


def model(phi=0.0, *, level=50.0, sigma=4.0, bend=0.0, options=None, **changes):
    """A flat level, a promotion worth 10, y_lag1 with an effect of phi around its mean of 40."""
    values = {
        "family": "prophet",
        "options": parse_options("prophet", options or {}),
        "features": ("promo", "y_lag1"),
        "train_start": date(2024, 11, 4),
        "train_end": date(2026, 11, 2),
        "n_obs": 105,
        "y_scale": 100.0,
        "k": 0.0,
        "m": level / 100,
        "sigma_obs": sigma / 100,
        "changepoint_days": 7 * np.arange(1, 26),
        "delta": np.array([bend] + [0.0] * 24),
        "seasonalities": (),
        "regressors": ("promo", "y_lag1"),
        "mu": np.array([0.0, 40.0]),
        "std": np.array([1.0, 20.0]),
        "beta": np.array([0.1, phi * 20.0 / 100]),
    }
    return ProphetModel(**values | changes)


def future(y_lag1=40.0, promo=(0, 0, 0, 0), origin="2026-11-08", series_id="a"):
    origin_date = pd.Timestamp(origin)
    return pd.DataFrame(
        {
            "model_version": "v1",
            "series_id": series_id,
            "origin_date": origin_date,
            "horizon_step": range(1, 5),
            "target_date": origin_date
            + pd.Timedelta(days=1)
            + pd.to_timedelta(range(0, 28, 7), "D"),
            "y_lag1": y_lag1,
            "promo": np.array(promo, float),
        }
    )


def half_width(answer):
    return (answer["yhat_upper"] - answer["yhat_lower"]).to_numpy() / 2


def test_an_unknown_option_is_named_with_the_known_ones():
    with pytest.raises(
        ValueError, match=r"unknown option\(s\) yearly_ordr; known: y_lag1, .*n_paths"
    ):
        family(options={"yearly_ordr": 3})


@pytest.mark.parametrize(
    "options",
    [
        {"yearly_order": 0},
        {"yearly_order": "10"},
        {"transform": "log"},
        {"y_lag1": "yes"},
        {"changepoint_prior_scale": 0},
        {"changepoint_prior_scale": float("nan")},
        {"seasonality_mode": "both"},
        {"growth": "exponential"},
        {"cap_ratio": 1.0},
        {"solver": "newton"},
        {"n_paths": 10},
    ],
    ids=str,
)
def test_an_impossible_option_is_named(options):
    with pytest.raises(ValueError, match=f"prophet: option {next(iter(options))}: "):
        family(options=options)


def test_options_that_contradict_the_settings_are_refused():
    with pytest.raises(ValueError, match="weekly needs daily data"):
        family(options={"weekly": True})
    with pytest.raises(ValueError, match="n_paths"):
        ProphetFamily(FamilySettings("day", 120, 7, options={"n_paths": 120}))
    with pytest.raises(ValueError, match="y_lag1 is not a regressor"):
        family(regressors=("y_lag1",))
    with pytest.raises(ValueError, match="that is the family prophet"):
        family(kind=ProphetNoLagFamily, options={"y_lag1": True})


def test_the_lag_is_on_by_name_and_can_be_switched_off():
    for made, columns in (
        (family(), ["promo", "y_lag1"]),
        (family(kind=ProphetNoLagFamily), ["promo"]),
        (family(options={"y_lag1": False}), ["promo"]),
    ):
        assert made.features(made.options) == columns


def test_a_family_and_its_models_can_be_sent_to_another_process():
    sent, stored = pickle.loads(pickle.dumps((family(options={"yearly_order": 3}), model(0.3))))
    assert sent.options.yearly_order == 3
    assert stored == model(0.3)


@given(FINITE, FINITE, st.lists(FINITE, min_size=25, max_size=25))
def test_a_model_survives_its_stored_form_bit_by_bit(k, m, delta):
    before = model(0.4, k=k, m=m, delta=np.array(delta))
    assert family().loads(family().dumps(before)) == before


def test_a_stored_model_is_text_that_describes_itself():
    content = orjson.loads(family().dumps(model()))
    assert content["format"] == "shelfcast-prophet"
    assert content["format_version"] == 2
    assert content["family"] == "prophet"
    assert content["features"] == ["promo", "y_lag1"]
    assert content["options"] == {}
    assert content["train_end"] == "2026-11-02"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not a model in the format shelfcast-prophet"),
        ({"format_version": 1}, "format version 1, this code reads 2"),
        ({"family": "prophet_no_lag"}, "of family prophet_no_lag"),
        ({"m": None}, "m: "),
        ({"beta": [0.1, "0.2"]}, r"beta\.1: "),
        ({"sigma_obs": 0.0}, "sigma_obs: "),
        ({"beta": [0.1]}, "beta has 1 values, the terms ask for 2"),
        ({"delta": [0.1]}, "delta has 1 values for 25 changepoints"),
        ({"features": ["y_lag1"]}, r"regressor\(s\) \['promo'\] are not among the features"),
        ({"train_end": "2024-11-04"}, "train_end 2024-11-04 is not after 2024-11-04"),
        ({"train_end": "soon"}, "train_end: "),
        ({"history": [1, 2]}, "history: Extra inputs"),
        ({"options": {"yearly_ordr": 1}}, "yearly_ordr: Extra inputs"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_damaged_model_is_refused_with_what_is_wrong(change, message):
    content = orjson.loads(family().dumps(model())) | change
    body = {key: content[key] for key in content if key not in HEAD}
    content["sha256"] = hashlib.sha256(orjson.dumps(body)).hexdigest()
    with pytest.raises(ValueError, match=message):
        family().loads(orjson.dumps(content))


def test_a_model_that_was_changed_is_refused_by_its_checksum():
    data = family().dumps(model(level=50.0))
    assert data.count(b'"m":0.5') == 1
    with pytest.raises(ValueError, match="checksum is not that of its content"):
        family().loads(data.replace(b'"m":0.5', b'"m":0.6'))
    with pytest.raises(ValueError, match="the model is not JSON"):
        family().loads(data[:-20])


@pytest.mark.parametrize("data", [b"", b"{", b"\x80\x04model", b"[]", b"null", b'{"m": NaN}'])
def test_anything_else_is_not_a_model(data):
    with pytest.raises(ValueError, match=r"prophet: (the model is not JSON|not a model)"):
        family().loads(data)


def test_a_parameter_that_is_not_finite_cannot_be_stored():
    with pytest.raises(ValueError, match="finite"):
        model(k=float("nan"))


def test_forecast_is_worked_by_hand():
    # Base 50, promotion +10 at step 2, lag effect 0.5 around 40; y_lag1 = 60.
    # 50 + .5*20 = 60; 60 + .5*20 = 70; 50 + .5*30 = 65; 50 + .5*25 = 62.5
    answer = family().predict({"v1": model(0.5)}, future(60.0, promo=(0, 1, 0, 0)))
    np.testing.assert_allclose(answer["yhat"], [60, 70, 65, 62.5], rtol=1e-12)
    assert set(answer["interval_source"]) == {"simulated_paths"}
    assert answer["reason"].isna().all()


def test_without_a_lag_intervals_are_gaussian():
    answer = family().predict({"v1": model()}, future())
    np.testing.assert_allclose(half_width(answer), 4 * Z80, rtol=0.02)


def test_with_a_strong_lag_intervals_grow_as_an_ar1():
    answer = family(is_nonnegative=False).predict({"v1": model(0.8)}, future())
    expected = 4 * Z80 * np.sqrt(np.cumsum(0.64 ** np.arange(4)))
    np.testing.assert_allclose(half_width(answer), expected, rtol=0.04)


def test_a_wider_interval_holds_the_narrower_one():
    wide = family(interval=0.95).predict({"v1": model(0.3)}, future())
    narrow = family(interval=0.5).predict({"v1": model(0.3)}, future())
    assert (wide["yhat_lower"] < narrow["yhat_lower"]).all()
    assert (wide["yhat_upper"] > narrow["yhat_upper"]).all()


def test_intervals_hold_the_forecast_even_where_the_middle_of_the_paths_does_not():
    # Without noise y stays at the floor. With it, y_2 = max(0, .9 max(0, e_1) + e_2) is above zero
    # in more than half of the paths, and their middle 5 % too.
    narrow = family(interval=0.05)
    answer = narrow.predict({"v1": model(0.9, level=36.0)}, future(0.0))
    np.testing.assert_allclose(answer["yhat"], 0, atol=1e-12)
    assert (answer["yhat_lower"] <= answer["yhat"]).all()
    assert answer["yhat_upper"].iloc[-1] > 1


def test_a_forecast_far_below_the_floor_is_zero_with_its_interval():
    answer = family().predict({"v1": model(level=-30.0)}, future())
    assert (answer[["yhat", "yhat_lower", "yhat_upper"]] == 0).all(axis=None)


def test_the_floor_is_only_for_measures_that_cannot_be_negative():
    down = {"v1": model(level=-30.0)}
    assert (family(is_nonnegative=False).predict(down, future())["yhat"] == -30).all()


def test_paths_depend_on_seed_series_and_origin_only():
    base = family(seed=1).predict({"v1": model(0.3)}, future())
    assert not np.allclose(
        family(seed=2).predict({"v1": model(0.3)}, future())["yhat_upper"],
        base["yhat_upper"],
        rtol=1e-9,
    )
    other = family(seed=1).predict({"v1": model(0.3)}, future(series_id="b"))
    assert not np.allclose(other["yhat_upper"], base["yhat_upper"], rtol=1e-9)
    again = family(seed=1).predict({"w": model(0.3)}, future().assign(model_version="w"))
    pd.testing.assert_frame_equal(again, base)


def test_a_model_that_saw_the_future_is_refused():
    late = model(train_end=date(2026, 11, 9))
    answer = family().predict({"v1": late}, future())
    assert answer["yhat"].isna().all()
    assert "trained on data until 2026-11-15, after the origin" in answer["reason"].iloc[0]


def test_an_older_model_has_wider_intervals_for_the_trend_may_have_changed_since():
    bends = {"v1": model(bend=10.0)}
    new = half_width(family().predict(bends, future()))
    old = half_width(family().predict(bends, future(origin="2027-02-14")))
    assert (old > 1.2 * new).all()


def test_a_row_that_overflows_says_so():
    answer = family(regressors=()).predict(
        {"v1": model(50.0, options={"transform": "log1p"})}, future(1e30)
    )
    assert answer["yhat"].isna().tolist() == [True] * 4
    assert set(answer["reason"]) == {"the forecast is not a finite number"}
    assert answer["interval_source"].isna().all()
