"""Which fit serves which origin of a backtest, local and global, without a warehouse."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from python_jobs.infra.run import Run
from python_jobs.infra.schedule import Origin
from python_jobs.infra.settings import load_settings
from python_jobs.prediction.predict import PredictReport
from python_jobs.selection.backtesting import backtest
from tests.support import families  # noqa: F401 - registers the families by its import
from tests.support.site import ROOT, instant

ORIGINS = [date(2026, 2, 8), date(2026, 2, 15), date(2026, 2, 22)]
Y = {"a": 10.0, "b": 20.0}


@dataclass
class FakeWarehouse:
    """Panels of two series; b has no history at the first origin. Rows that are appended are kept.

    Attributes:
        appended: by job id.
        fitted: origins whose training panel was read.
    """

    appended: dict[str, pd.DataFrame] = field(default_factory=dict)
    fitted: list[date] = field(default_factory=list)

    def read(self, statement: str, **parameters: Any) -> pd.DataFrame:
        if "interval_calibration" in statement:
            return pd.DataFrame(
                {
                    "series_id": ["a"],
                    "origin_date": pd.to_datetime([ORIGINS[1]]),
                    "horizon_step": [1],
                    "segment": ["smooth"],
                    "interval_factor": [1.5],
                }
            )
        if "training_panel" in statement:
            self.fitted.append(parameters["origin_date"])
            return panel(parameters["origin_date"])
        return future()

    def append(self, name: str, frame: pd.DataFrame, job_id: str) -> bool:
        self.appended[job_id] = frame
        return True

    def rows(self, table: str) -> pd.DataFrame:
        frames = [frame for job, frame in self.appended.items() if f"-{table}-" in job]
        return pd.concat(frames, ignore_index=True)


def panel(origin: date) -> pd.DataFrame:
    """Four weeks up to the origin; every later origin is one unit up."""
    names = ["a"] if origin == ORIGINS[0] else ["a", "b"]
    weeks = [origin - timedelta(days=6 + 7 * n) for n in (3, 2, 1, 0)]
    level = ORIGINS.index(origin)
    rows = [(name, week, Y[name] + level, Y[name], 0.0, None) for name in names for week in weeks]
    columns = ["series_id", "ds", "y", "y_lag1", "promo_share", "left_out_reason"]
    return pd.DataFrame(rows, columns=columns).astype({"ds": "datetime64[s]"})


def future() -> pd.DataFrame:
    rows = [
        {
            "series_id": name,
            "origin_date": origin,
            "as_of_at": instant("2026-02-25 19:00"),
            "horizon_step": step,
            "target_date": origin + timedelta(days=1 + 7 * (step - 1)),
            "promo_share": 0.0,
            "promo_source": "plan",
            "weather_source": "none",
            "share_forecast": 0.0,
            "reference_price": 2.0,
            "route": "model",
            "reason": None,
            "missing_regressors": None,
            "y_lag1": Y[name],
        }
        for name in Y
        for origin in ORIGINS
        for step in (1, 2)
    ]
    return pd.DataFrame(rows).astype(
        {"origin_date": "datetime64[s]", "target_date": "datetime64[s]"}
    )


def played(family: str, refit: str) -> tuple[FakeWarehouse, PredictReport, list[tuple[int, int]]]:
    use_case = load_settings(ROOT, {}).use_case("sku_weekly")
    regressors = {"promo_share": use_case.regressors["promo_share"]}
    changes = {"families": (family,), "refit": refit, "horizon": 2, "regressors": regressors}
    origins = [Origin(one, instant("2026-02-25 19:00")) for one in ORIGINS]
    run = Run("R", "backtest", use_case.model_copy(update=changes), origins)
    warehouse, told = FakeWarehouse(), list[tuple[int, int]]()
    report = backtest(warehouse, run, 1, lambda *done: told.append(done))  # type: ignore[arg-type]
    return warehouse, report, told


def first_steps(warehouse: FakeWarehouse) -> list[tuple]:
    rows = warehouse.rows("forecast_log").query("horizon_step == 1")
    rows = rows.sort_values(["series_id", "origin_date"])
    yhat = rows["yhat"].astype(object).where(rows["yhat"].notna(), None)
    return list(zip(rows["series_id"], yhat, rows["model_version"], strict=True))


def test_refitted_weekly_each_origin_has_its_own_models():
    warehouse, report, told = played("level", "every_run")
    assert warehouse.fitted == ORIGINS
    assert first_steps(warehouse) == [
        ("a", 10.0, "20260208-R"),
        ("a", 11.0, "20260215-R"),
        ("a", 12.0, "20260222-R"),
        ("b", None, None),
        ("b", 21.0, "20260215-R"),
        ("b", 22.0, "20260222-R"),
    ]
    assert str(report) == "6 series-origins in = 5 forecast + 1 fallen back + 0 refused"
    assert told[-1] == (6, 6)
    assert told == sorted(told)


def test_refitted_on_demand_the_first_models_go_on_serving():
    """A series that had no model then has none until models are retrained, as in production."""
    warehouse, _, _ = played("level", "on_retrain")
    assert warehouse.fitted == ORIGINS[:1]
    assert first_steps(warehouse) == [
        *[("a", 10.0, "20260208-R")] * 3,
        *[("b", None, None)] * 3,
    ]
    reasons = warehouse.rows("forecast_log").query("series_id == 'b'")["reason"]
    assert set(reasons) == {"no_model"}


@pytest.mark.parametrize(("refit", "n_fits"), [("every_run", 3), ("on_retrain", 1)])
def test_a_global_model_serves_every_series(refit, n_fits):
    warehouse, report, _ = played("ridge", refit)
    assert report.n_forecast == 6
    logged = warehouse.rows("model_log")
    assert logged["series_id"].isna().all()
    assert logged["status"].tolist() == ["backtest"] * n_fits
    assert "object" not in logged


def test_a_factor_that_was_used_is_named():
    warehouse, _, _ = played("band", "every_run")
    rows = warehouse.rows("forecast_log")
    calibrated = rows[rows["interval_calibration"] == "conformal:smooth"]
    assert calibrated[["series_id", "horizon_step"]].values.tolist() == [["a", 1]]
    assert (calibrated["yhat_upper"] - calibrated["yhat"]).tolist() == [3.0]
    assert set(rows["interval_calibration"]) == {"none", "conformal:smooth"}
    level, _, _ = played("level", "every_run")
    assert set(level.rows("forecast_log")["interval_calibration"]) == {"none"}


def test_each_load_has_an_id_that_a_retry_has_again():
    warehouse, _, _ = played("level", "every_run")
    again, _, _ = played("level", "every_run")
    assert warehouse.appended.keys() == again.appended.keys()
    assert "R-forecast_log-sku_weekly-level-2026-02-15-0" in warehouse.appended
    assert len(warehouse.appended) == 6
