"""The benchmark of promotions and weather: its use cases, and what it makes of their rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml
from scipy import stats

from benchmarks.orange_juice_regressors import (
    QUESTIONS,
    VARIANTS,
    Measured,
    differences,
    rounded,
    same_rows,
    settings_of,
    tables,
)
from python_jobs.infra.settings import load_settings
from tests.support.site import ROOT


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_the_benchmarks_use_case_with_its_own_regressors(name, tmp_path: Path):
    path = tmp_path / "settings.yml"
    path.write_text(yaml.safe_dump(settings_of(VARIANTS[name]), sort_keys=False))
    use_case = load_settings(ROOT, {"SHELFCAST_SETTINGS": str(path)}).use_case(None)
    assert tuple(use_case.regressors) == VARIANTS[name].regressors
    assert use_case.families == ("prophet",)
    assert use_case.sources.sales.table == "shelfcast-local.orange_juice_raw.sales"
    kind = use_case.sources.weather.columns.get("kind")
    assert kind == ("'forecast'" if name.endswith("_foresight") else None)


def test_each_question_is_one_of_two_variants_that_are_measured():
    assert {name for pair in QUESTIONS.values() for name in pair} == set(VARIANTS)


def rows(yhat: list[float]) -> pd.DataFrame:
    """Three origins of two series and a week each; y is 10 and 30."""
    keys = [(sid, origin) for origin in ("o1", "o2", "o3") for sid in ("a", "b")]
    frame = pd.DataFrame(keys, columns=["series_id", "origin_date"])
    return frame.assign(target_date=frame["origin_date"], y=[10.0, 30.0] * 3, yhat=yhat)


WITHOUT = [12.0, 30, 10, 36, 10, 30]
WITH_IT = [10.0, 30, 10, 32, 10, 32]


def test_differences_are_of_the_wape_origin_by_origin():
    """Errors fall by 2 and by 4 ounces of 40, then rise by 2."""
    found = differences(rows(WITHOUT), rows(WITH_IT).sample(frac=1, random_state=0))
    assert found["total"] == pytest.approx((-2 - 4 + 2) / 120)
    assert found["by_origin"] == pytest.approx([-2 / 40, -4 / 40, 2 / 40])
    mean, half = -4 / 120, stats.t.ppf(0.975, 2) * stats.sem([-2 / 40, -4 / 40, 2 / 40])
    assert (found["low"], found["high"]) == pytest.approx((mean - half, mean + half))
    assert (found["n_origins_better"], found["n_weeks_better"], found["n_weeks"]) == (2, 2, 3)
    assert found["rows_better"] == pytest.approx(2 / 6)


def test_two_origins_have_no_interval():
    found = differences(rows(WITHOUT).head(4), rows(WITH_IT).head(4))
    assert (found["low"], found["high"]) == (None, None)


def test_variants_of_other_rows_are_not_compared():
    whole, part = (
        Measured(pd.DataFrame(), pd.Series(dtype=float), frame, 0.0)
        for frame in (rows(WITHOUT), rows(WITHOUT).head(5))
    )
    assert same_rows({"both": whole, "neither": whole}) == 6
    with pytest.raises(SystemExit, match="different rows: both 6, neither 5"):
        same_rows({"both": whole, "neither": part})


def test_the_tables_have_a_line_a_variant_and_question():
    marts = {"n_scored": 6, "wape": 0.5, "smape": 0.4, "rmse": 1234.0, "bias": -0.1}
    by_step = pd.DataFrame([{"horizon_step": step, **marts} for step in (1, 2)])
    one = Measured(by_step, pd.Series(marts), rows(WITHOUT), 1.0)
    found = {
        "weather": differences(rows(WITHOUT), rows(WITH_IT)),
        "of two origins": differences(rows(WITHOUT).head(4), rows(WITH_IT).head(4)),
    }
    text = tables({"both": one, "neither": one}, found)
    assert "| promotions and weather | 50.00% | 40.00% | 1,234 | -10.0% |" in text
    assert "| WAPE by horizon step | week 1 | week 2 |" in text
    assert "| weather | -3.33 | -22.31 to +15.64 | 2 of 3 | 2 of 3 | 33.3% |" in text
    assert "| of two origins | -7.50 |  | 2 of 2 | 2 of 2 | 50.0% |" in text
    assert rounded(found["of two origins"])["by_origin"] == [-0.05, -0.1]
