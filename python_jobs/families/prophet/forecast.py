"""Forecast a future panel with stored Prophet models: Prophet once a model, then arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from python_jobs.families.base import FamilySettings
from python_jobs.families.prophet.model import ProphetModel
from python_jobs.families.prophet.paths import (
    Dynamics,
    FloatArray,
    IntArray,
    path_quantiles,
    path_seed,
    recursive_forecast,
)
from python_jobs.families.prophet.stan import SeriesRefusedError, Terms, evaluate

KEY = ["model_version", "series_id", "origin_date", "horizon_step"]
INTERVAL_SOURCE = "simulated_paths"

BoolArray = npt.NDArray[np.bool_]

PERIOD = {"day": pd.Timedelta(days=1), "week": pd.Timedelta(days=7)}


@dataclass(frozen=True)
class Layout:
    """Where the rows of a future panel lie in a grid of forecasts and steps.

    A forecast is one model_version, series_id and origin_date.

    Attributes:
        forecast: number of each row's forecast, shape (n_rows,).
        step: each row's horizon_step less one, shape (n_rows,).
        first: one row of each forecast, shape (n_forecasts,).
        horizon: the highest horizon_step.
    """

    forecast: IntArray
    step: IntArray
    first: IntArray
    horizon: int

    @classmethod
    def of(cls, future: pd.DataFrame, horizon: int) -> Layout:
        """Lay out a panel of at least one row.

        Raises:
            ValueError: a horizon_step is outside 1..horizon, or a forecast has one twice (counted).
        """
        step = future["horizon_step"].to_numpy(dtype=np.int64) - 1
        forecast = future.groupby(KEY[:3], sort=False, dropna=False).ngroup().to_numpy(np.int64)
        n_outside = int(np.sum((step < 0) | (step >= horizon)))
        n_twice = int(pd.DataFrame({"forecast": forecast, "step": step}).duplicated().sum())
        if n_outside or n_twice:
            raise ValueError(
                f"future: {n_outside} row(s) have a horizon_step outside 1..{horizon}, "
                f"{n_twice} repeat one"
            )
        first: IntArray = np.unique(forecast, return_index=True)[1].astype(np.int64)
        return cls(np.asarray(forecast), step, first, int(step.max()) + 1)

    def to_grid(self, values: FloatArray) -> FloatArray:
        """Spread one value a row over (n_forecasts, horizon), null where there is no row."""
        grid = np.full((len(self.first), self.horizon), np.nan)
        grid[self.forecast, self.step] = values
        return grid

    def to_rows(self, grid: FloatArray) -> FloatArray:
        """Read a grid back, one value a row."""
        rows: FloatArray = grid[self.forecast, self.step]
        return rows


def forecast(
    models: Mapping[str, ProphetModel],
    future: pd.DataFrame,
    settings: FamilySettings,
    n_paths: int,
) -> pd.DataFrame:
    """Forecast every row; arguments and result as `Family.predict`, columns already checked."""
    if future.empty:
        return _result(future, np.empty((3, 0)), [])
    layout = Layout.of(future, settings.horizon)
    terms, reasons = _ask_models(models, future, layout, settings)
    values = np.full((3, len(layout.first), layout.horizon), np.nan)
    usable = np.setdiff1d(np.arange(len(layout.first)), list(reasons))
    if len(usable):
        first = future.iloc[layout.first[usable]]
        chosen = [models[version] for version in first["model_version"]]
        grids = Terms(layout.to_grid(terms.base)[usable], layout.to_grid(terms.trend_gain)[usable])
        values[:, usable] = _roll(chosen, first, grids, settings, n_paths)
    rows = np.stack([layout.to_rows(grid) for grid in values])
    return _result(future, rows, [reasons.get(number) for number in layout.forecast.tolist()])


def _ask_models(
    models: Mapping[str, ProphetModel],
    future: pd.DataFrame,
    layout: Layout,
    settings: FamilySettings,
) -> tuple[Terms, dict[int, str]]:
    """Evaluate each model once; a forecast that it cannot make gets a reason instead."""
    terms = Terms(np.full(len(future), np.nan), np.full(len(future), np.nan))
    reasons: dict[int, str] = {}
    codes, versions = pd.factorize(future["model_version"])
    by_version = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    for version, positions in zip(versions, by_version, strict=True):
        model, numbers = models[version], layout.forecast[positions]
        refused = _refusals(model, future.iloc[positions], numbers, settings)
        asked = positions[~np.isin(numbers, list(refused))]
        reasons |= refused
        if not len(asked):
            continue
        try:
            answer = evaluate(model, future.iloc[asked])
        except SeriesRefusedError as error:
            reasons |= dict.fromkeys(layout.forecast[asked].tolist(), str(error))
        else:
            terms.base[asked], terms.trend_gain[asked] = answer.base, answer.trend_gain
    return terms, reasons


def _refusals(
    model: ProphetModel, rows: pd.DataFrame, numbers: IntArray, settings: FamilySettings
) -> dict[int, str]:
    """Say which forecasts of one model cannot be made: the first reason of each, by number."""
    reasons: dict[int, str] = {}
    for is_bad, text in _objections(model, rows, numbers, settings):
        for row in np.flatnonzero(is_bad).tolist():
            target_date = rows["target_date"].iloc[row]
            reason = f"{text} (target_date {target_date:%Y-%m-%d})"
            reasons.setdefault(int(numbers[row]), reason)
    return reasons


def _objections(
    model: ProphetModel, rows: pd.DataFrame, numbers: IntArray, settings: FamilySettings
) -> Iterator[tuple[BoolArray, str]]:
    """List what makes a forecast impossible: a flag a row, and what it means."""
    for name in model.features:
        yield ~np.isfinite(_floats(rows[name])), f"{name} is not a finite number"
    seen_until = pd.Timestamp(model.train_end) + PERIOD[settings.grain] - pd.Timedelta(days=1)
    is_past = (rows["origin_date"] < seen_until).to_numpy()
    yield is_past, f"the model was trained on data until {seen_until:%Y-%m-%d}, after the origin"
    if model.options.y_lag1:
        has_no_log = ~np.isfinite(model.options.to_model_space(_floats(rows["y_lag1"])))
        yield has_no_log, f"y_lag1 is too low for transform {model.options.transform}"
        steps = rows["horizon_step"].groupby(numbers)
        is_broken = steps.transform("max") != steps.transform("size")
        yield is_broken.to_numpy(), "a horizon_step before the last is missing"


def _floats(values: pd.Series[float]) -> FloatArray:
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _roll(
    models: list[ProphetModel],
    first: pd.DataFrame,
    terms: Terms,
    settings: FamilySettings,
    n_paths: int,
) -> FloatArray:
    """Carry the lag through the horizon of all forecasts at once, and simulate their paths.

    Args:
        models: one a forecast.
        first: one row of the future panel a forecast.
        terms: grids of shape (n_forecasts, horizon).
        settings: of the family.
        n_paths: paths a forecast.

    Returns:
        yhat, lower and upper bound, units per period, shape (3, n_forecasts, horizon).
    """
    dynamics = _dynamics(models, first, settings)
    lag_mean = np.array([model.lag.mu if model.lag else 0.0 for model in models])
    base = terms.base - (dynamics.lag_effect * lag_mean)[:, None]
    floor = 0.0 if settings.is_nonnegative else None
    with np.errstate(over="ignore", invalid="ignore"):
        yhat = recursive_forecast(base, dynamics.lag_effect, dynamics.y_lag1, floor)
        lower, upper = path_quantiles(
            base,
            terms.trend_gain,
            dynamics,
            floor,
            interval=settings.interval,
            n_paths=n_paths,
        )
        values = np.stack([yhat, np.minimum(lower, yhat), np.maximum(upper, yhat)])
        return np.stack([m.options.to_units(values[:, i]) for i, m in enumerate(models)], axis=1)


def _dynamics(
    models: list[ProphetModel], first: pd.DataFrame, settings: FamilySettings
) -> Dynamics:
    """Collect what moves the paths, one value a forecast, model space and periods."""
    period = PERIOD[settings.grain]
    train_end = pd.to_datetime([model.train_end for model in models])
    ahead = np.rint((first["target_date"].to_numpy() - train_end.to_numpy()) / period)
    pace = np.array([period.days / model.train_days for model in models])
    size = np.array([np.mean(np.abs(model.delta)) + 1e-8 for model in models])
    y_scale = np.array([model.y_scale for model in models])
    moves = np.array([model.options.growth == "linear" for model in models])
    keys = zip(first["series_id"], first["origin_date"], strict=True)
    return Dynamics(
        lag_effect=np.array([model.lag_effect for model in models]),
        y_lag1=_last_observed(models, first),
        noise_sd=np.array([model.sigma_obs for model in models]) * y_scale,
        change_rate=np.array([len(model.delta) for model in models]) * pace * moves,
        change_scale=size * pace * y_scale,
        n_gap=np.maximum(ahead - first["horizon_step"].to_numpy(), 0).astype(np.int64),
        seed=[path_seed(series, origin.date(), settings.seed) for series, origin in keys],
    )


def _last_observed(models: list[ProphetModel], first: pd.DataFrame) -> FloatArray:
    """Read y_lag1 in model space; zero, and unused, where a model has no lag."""
    y_lag1 = np.zeros(len(models))
    if "y_lag1" in first.columns:
        observed = _floats(first["y_lag1"])
        for row, model in enumerate(models):
            if model.lag is not None:
                y_lag1[row] = model.options.to_model_space(observed[row])
    return y_lag1


def _result(future: pd.DataFrame, values: FloatArray, reasons: list[str | None]) -> pd.DataFrame:
    """Put the forecast beside its reason: each row has a number or says why not."""
    is_known: BoolArray = np.asarray(np.isfinite(values).all(axis=0))
    yhat, lower, upper = np.where(is_known, values, np.nan)
    overflow = "the forecast is not a finite number"
    texts = [
        None if known else reason or overflow
        for known, reason in zip(is_known.tolist(), reasons, strict=True)
    ]
    source = [INTERVAL_SOURCE if known else None for known in is_known.tolist()]
    columns = {
        "yhat": yhat,
        "yhat_lower": lower,
        "yhat_upper": upper,
        "interval_source": pd.Series(source, index=future.index, dtype=object),
        "reason": pd.Series(texts, index=future.index, dtype=object),
    }
    return pd.DataFrame(columns, index=future.index)
