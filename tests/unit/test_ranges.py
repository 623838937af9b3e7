"""The regressors' training ranges, by hand."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from python_jobs.families.base import GLOBAL_SERIES, Fitted, FittedModel
from python_jobs.fitting.ranges import regressor_ranges
from python_jobs.infra.settings import load_settings
from tests.support.families import LevelFamily, RidgeFamily
from tests.support.site import ROOT

SETTINGS = load_settings(ROOT, {}).use_case("sku_weekly").family_settings("level")
NAN = float("nan")
ROWS = [
    # series, y_lag1, promo, temperature, left_out_reason
    ("a", NAN, 9.0, 1.0, "no_y_lag1"),
    ("a", 1.0, 0.5, 2.0, None),
    ("a", 1.0, 0.0, -3.0, None),
    ("a", 1.0, 99.0, 99.0, "sold_out"),
    ("b", 1.0, 0.25, NAN, None),
    ("c", 1.0, 7.0, 7.0, None),
]


def panel(rows: list[tuple[Any, ...]] = ROWS) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["series_id", "y_lag1", "promo", "t", "left_out_reason"])
    return frame.assign(ds=pd.Timestamp("2026-01-05"), y=1.0)


def fitted(**n_obs: int) -> Fitted[float]:
    start = pd.Timestamp("2026-01-05")
    return Fitted({name: FittedModel(0.0, start, start, n) for name, n in n_obs.items()})


def ranges(one: Fitted[float], rows: pd.DataFrame) -> dict[str, Any]:
    found = regressor_ranges(LevelFamily(SETTINGS), one, rows, ["promo", "t"])
    return {name: json.loads(text) for name, text in found.items()}


def test_rows_that_were_left_out_do_not_count() -> None:
    """a took two of three usable rows, so not the one without a lag; c was not fitted."""
    assert ranges(fitted(a=2, b=1), panel()) == {
        "a": {"promo": [0.0, 0.5], "t": [-3.0, 2.0]},
        "b": {"promo": [0.25, 0.25], "t": None},
    }


def test_a_row_without_a_lag_counts_where_the_model_took_all() -> None:
    assert ranges(fitted(a=3), panel())["a"] == {"promo": [0.0, 9.0], "t": [-3.0, 2.0]}


def test_a_global_model_has_one_range() -> None:
    one = regressor_ranges(RidgeFamily(SETTINGS), fitted(**{GLOBAL_SERIES: 4}), panel(), ["promo"])
    assert {name: json.loads(text) for name, text in one.items()} == {
        GLOBAL_SERIES: {"promo": [0.0, 7.0]}
    }


def test_nothing_fitted_has_no_range() -> None:
    assert ranges(fitted(), panel()) == {}
    assert ranges(fitted(a=1), panel([])) == {}
