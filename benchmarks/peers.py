"""Other people's forecasters, each as one function of what is known and what is planned.

`history` has one row per series_id and week ds, y and the regressors never null, as
`known_at` makes it; `plan` has the weeks to forecast and their regressors, the same number for each
series, as `plan_after` makes it. Both are sorted. A forecast has series_id, ds and yhat >= 0.

Settings are those of the reference: they stand in this file and nowhere else, so that a hash of it
names them (`orange_juice_peers.forecasts`).
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.orange_juice_panel import FREQ, REGRESSORS

if TYPE_CHECKING:
    from prophet import Prophet

FloatArray = npt.NDArray[np.float64]
Forecaster = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]

SEASON, MEAN_WINDOW = 52, 8
N_JOBS = os.cpu_count() or 1
SEED = 1


@dataclass(frozen=True)
class Peer:
    """A forecaster, its key in results, its name in tables, and the packages that it needs."""

    key: str
    title: str
    forecast: Forecaster
    packages: tuple[str, ...] = ()

    def missing_packages(self) -> list[str]:
        """Name the packages that are not installed."""
        return [each for each in self.packages if importlib.util.find_spec(each) is None]


def naive(history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Repeat each series' last value."""
    return _constant(plan, history.groupby("series_id")["y"].last())


def mean_of_weeks(history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Repeat the mean of each series' last 8 weeks."""
    last = history.groupby("series_id").tail(MEAN_WINDOW)
    return _constant(plan, last.groupby("series_id")["y"].mean())


def seasonal_naive(history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Repeat the value of 52 weeks before; null where the series is shorter."""
    earlier = history[["series_id", "ds", "y"]].rename(columns={"y": "yhat"})
    earlier["ds"] += pd.Timedelta(weeks=SEASON)
    return plan[["series_id", "ds"]].merge(earlier, on=["series_id", "ds"], how="left")


def _constant(plan: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    return plan[["series_id", "ds"]].assign(yhat=plan["series_id"].map(values))


def auto_ets(history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Choose an exponential smoothing without season for each series; it sees no regressors."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    model = AutoETS(season_length=1, model="ZZN", alias="yhat")
    forecaster = StatsForecast([model], freq=FREQ, n_jobs=1)
    frame = history[["series_id", "ds", "y"]]
    yhat = forecaster.forecast(df=frame, h=_horizon(plan), id_col="series_id")
    return _at_least_zero(yhat)


def on_log1p(forecast: Forecaster) -> Forecaster:
    """Forecast log1p(y) and take the forecast back: that of a median, not of a mean."""

    def forecast_log1p(history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
        log_yhat = forecast(history.assign(y=np.log1p(history["y"])), plan)
        return log_yhat.assign(yhat=np.expm1(log_yhat["yhat"]))

    return forecast_log1p


def lightgbm_log1p(history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Fit one LightGBM over all series, on log1p(y) scaled per series, lags and regressors."""
    import lightgbm
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import ExponentiallyWeightedMean, RollingMean
    from mlforecast.target_transforms import GlobalSklearnTransformer, LocalStandardScaler
    from sklearn.preprocessing import FunctionTransformer

    model = lightgbm.LGBMRegressor(
        n_estimators=400,
        learning_rate=0.04,
        num_leaves=31,
        min_child_samples=40,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.8,
        reg_lambda=5,
        random_state=SEED,
        n_jobs=N_JOBS,
        verbosity=-1,
    )
    means = [RollingMean(4), RollingMean(8), RollingMean(13), ExponentiallyWeightedMean(0.3)]
    log1p = GlobalSklearnTransformer(FunctionTransformer(np.log1p, np.expm1))
    forecaster = MLForecast(
        {"yhat": model},
        freq=FREQ,
        lags=[1, 2, 3, 4, 8, 13, 26, 52],
        lag_transforms={1: means, 49: [RollingMean(7)]},
        date_features=["month", "dayofyear"],
        target_transforms=[log1p, LocalStandardScaler()],
    )
    columns = ["series_id", "ds", *REGRESSORS]
    names: dict[str, Any] = {"id_col": "series_id", "static_features": [], "dropna": False}
    forecaster.fit(history[[*columns, "y"]], **names)
    return _at_least_zero(forecaster.predict(_horizon(plan), X_df=plan[columns]))


def _horizon(plan: pd.DataFrame) -> int:
    return int(plan.groupby("series_id").size().iloc[0])


def _at_least_zero(forecast: pd.DataFrame) -> pd.DataFrame:
    rows = forecast[["series_id", "ds", "yhat"]]
    return rows.assign(yhat=rows["yhat"].clip(lower=0))


def stock_prophet(history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Fit Prophet to each series with its own Stan: defaults, regressors and last week's y.

    Yearly season of order 10, additive, 25 changepoints, no samples; each forecast is the next
    week's y_lag1. A process a core. y may be transformed, but not below zero (`on_log1p`).
    """
    from joblib import Parallel, delayed

    futures = dict(iter(plan.groupby("series_id")))
    tasks = (
        delayed(_forecast_one)(rows, futures[series_id])
        for series_id, rows in history.groupby("series_id")
    )
    return pd.concat(Parallel(n_jobs=N_JOBS, batch_size=8)(tasks), ignore_index=True)


def _forecast_one(history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    rows = history.assign(y_lag1=history["y"].shift()).iloc[1:]
    model = fit_stock_prophet(rows)
    yhat = predict_with_lag(model, plan, y_lag1=float(history["y"].iloc[-1]))
    return plan[["series_id", "ds"]].assign(yhat=yhat)


def fit_stock_prophet(rows: pd.DataFrame) -> Prophet:
    """Fit one series; rows have ds, y, the regressors and y_lag1."""
    logging.getLogger("prophet").setLevel(logging.CRITICAL)  # before its import, which complains
    import cmdstanpy
    from prophet import Prophet

    cmdstanpy.utils.get_logger().setLevel(logging.CRITICAL)
    model = Prophet(
        yearly_seasonality=True,
        weekly_seasonality=False,
        daily_seasonality=False,
        uncertainty_samples=0,
    )
    for name in (*REGRESSORS, "y_lag1"):
        model.add_regressor(name)
    model.fit(rows[["ds", "y", *REGRESSORS, "y_lag1"]])
    model.stan_backend.cleanup()  # it leaves two files a fit
    return model


def predict_with_lag(model: Prophet, plan: pd.DataFrame, y_lag1: float) -> FloatArray:
    """Forecast week after week, each forecast the next one's y_lag1, with one `Prophet.predict`.

    An additive Prophet is linear in its regressors: forecasts with a lag of 0 and of 1 give the
    effect of the lag, and the recursion follows from it.
    """
    both = pd.concat([plan.assign(y_lag1=0.0), plan.assign(y_lag1=1.0)])
    # Prophet sorts by ds, stably: each week's row with lag 0 comes before the one with lag 1.
    without, with_one = model.predict(both)["yhat"].to_numpy().reshape(-1, 2).T
    yhat = np.empty(len(plan))
    for step, (base, effect) in enumerate(zip(without, with_one - without, strict=True)):
        yhat[step] = y_lag1 = max(base + effect * y_lag1, 0.0)
    return yhat


PEERS = (
    Peer("naive", "naive", naive),
    Peer("seasonal_naive", "seasonal naive (52 weeks)", seasonal_naive),
    Peer("mean_8", "mean of 8 weeks", mean_of_weeks),
    Peer("autoets", "AutoETS", auto_ets, ("statsforecast",)),
    Peer("autoets_log", "AutoETS, log1p", on_log1p(auto_ets), ("statsforecast",)),
    Peer("lightgbm", "LightGBM, log1p", lightgbm_log1p, ("lightgbm", "mlforecast")),
    Peer("stock_prophet_log", "stock Prophet with y_lag1, log1p", on_log1p(stock_prophet)),
)
