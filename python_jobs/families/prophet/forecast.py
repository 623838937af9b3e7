"""Forecast a future panel with stored Prophet models, all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from python_jobs.families.base import FamilySettings
from python_jobs.families.prophet.arrays import BoolArray, FloatArray, IntArray
from python_jobs.families.prophet.model import ProphetModel
from python_jobs.families.prophet.paths import Dynamics, path_quantiles, recursive_forecast
from python_jobs.families.prophet.score import Portfolio, Terms, evaluate, stack
from python_jobs.infra.series import series_seed

KEY = ["model_version", "series_id", "origin_date", "horizon_step"]
INTERVAL_SOURCE = "simulated_paths"

_EPOCH = np.datetime64("1970-01-01", "D")

PERIOD = {"day": pd.Timedelta(days=1), "week": pd.Timedelta(days=7)}


@dataclass(frozen=True)
class Layout:
    """Index of each row of a future panel in a grid of forecasts and steps.

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
        return _result(future, np.empty((4, 0)), [], [])
    layout = Layout.of(future, settings.horizon)
    codes, versions = pd.factorize(future["model_version"])
    chosen = [models[version] for version in versions]
    terms, reasons = _score(chosen, codes.astype(np.int64), future, layout, settings)
    values = np.full((4, len(layout.first), layout.horizon), np.nan)
    is_usable = np.ones(len(layout.first), dtype=bool)
    is_usable[list(reasons)] = False
    usable = np.flatnonzero(is_usable)
    of_forecast = codes[layout.first]
    if len(usable):
        factor = _factors(future, layout)[usable]
        grids = Terms(**{k: layout.to_grid(v)[usable] for k, v in vars(terms).items()})
        first = future.iloc[layout.first[usable]]
        rolled = [chosen[code] for code in of_forecast[usable].tolist()]
        values[:, usable] = _roll(rolled, first, grids, factor, settings, n_paths)
    rows = np.stack([layout.to_rows(grid) for grid in values])
    transform = np.array([model.options.transform for model in chosen], dtype=object)[codes]
    texts = np.full(len(layout.first), None, dtype=object)
    for number, reason in reasons.items():
        texts[number] = reason
    return _result(future, rows, texts[layout.forecast].tolist(), transform.tolist())


def _score(
    models: list[ProphetModel],
    codes: IntArray,
    future: pd.DataFrame,
    layout: Layout,
    settings: FamilySettings,
) -> tuple[Terms, dict[int, str]]:
    """Evaluate every row; a forecast that cannot be made gets a reason instead.

    Args:
        models: the models of the panel.
        codes: index of each row's model in the list, shape (n_rows,).
        future: the panel.
        layout: its forecasts.
        settings: of the family.

    Returns:
        Terms, null where a row has none, and the reasons by number of the forecast.
    """
    n_rows = len(future)
    terms = Terms(*(np.full(n_rows, np.nan) for _ in range(3)))
    reasons: dict[int, str] = {}
    day = _days(future["target_date"])
    for indexes, portfolio in stack(models):
        owner = np.full(len(models), -1, dtype=np.int64)
        owner[indexes] = np.arange(len(indexes))
        positions = np.flatnonzero(owner[codes] >= 0)
        owner = owner[codes[positions]]
        rows = future.iloc[positions]
        numbers = layout.forecast[positions]
        objections = _objections(models[indexes[0]], portfolio, owner, rows, settings, numbers)
        for is_bad, text in objections:
            for row in positions[np.flatnonzero(is_bad)].tolist():
                target_date = future["target_date"].iloc[row]
                reason = f"{text} (target_date {target_date:%Y-%m-%d})"
                reasons.setdefault(int(layout.forecast[row]), reason)
        x = np.column_stack(
            [_floats(rows[name]) for name in portfolio.regressors] or [np.empty((len(rows), 0))]
        )
        with np.errstate(over="ignore", invalid="ignore"):
            answer = evaluate(portfolio, owner, day[positions], x)
        for name, values in vars(answer).items():
            getattr(terms, name)[positions] = values
    return terms, reasons


def _objections(
    model: ProphetModel,
    portfolio: Portfolio,
    owner: IntArray,
    rows: pd.DataFrame,
    settings: FamilySettings,
    numbers: IntArray,
) -> Iterator[tuple[BoolArray, str]]:
    """List what makes a forecast impossible: a flag a row, and what it means.

    The models of the rows share the options and features of `model`.
    """
    for name in model.features:
        yield ~np.isfinite(_floats(rows[name])), f"{name} is not a finite number"
    period = PERIOD[settings.grain].days
    seen_until = (portfolio.start + portfolio.span)[owner] + period - 1
    is_past = _days(rows["origin_date"]) < seen_until
    for until in np.unique(seen_until[is_past]).tolist():
        text = f"the model was trained on data until {_EPOCH + until}, after the origin"
        yield is_past & (seen_until == until), text
    if model.options.y_lag1:
        has_no_log = ~np.isfinite(model.options.to_model_space(_floats(rows["y_lag1"])))
        yield has_no_log, f"y_lag1 is too low for transform {model.options.transform}"
        n_steps = np.bincount(numbers)
        highest = np.zeros(len(n_steps), dtype=np.int64)
        np.maximum.at(highest, numbers, rows["horizon_step"].to_numpy(dtype=np.int64))
        yield (highest != n_steps)[numbers], "a horizon_step before the last is missing"


def _factors(future: pd.DataFrame, layout: Layout) -> FloatArray:
    """Calibration's factors as a grid, null where the interval stays as it is."""
    if "interval_factor" not in future.columns:
        return np.full((len(layout.first), layout.horizon), np.nan)
    return layout.to_grid(_floats(future["interval_factor"]))


def _days(dates: pd.Series[pd.Timestamp]) -> IntArray:
    """Days since 1970-01-01."""
    day = dates.to_numpy(dtype="datetime64[ns]").astype("datetime64[D]") - _EPOCH
    return np.asarray(day.astype(np.int64))


def _floats(values: pd.Series[float]) -> FloatArray:
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _roll(
    models: list[ProphetModel],
    first: pd.DataFrame,
    terms: Terms,
    factor: FloatArray,
    settings: FamilySettings,
    n_paths: int,
) -> FloatArray:
    """Carry the lag through the horizon of all forecasts at once, and simulate their paths.

    Args:
        models: one a forecast.
        first: one row of the future panel a forecast.
        terms: grids of shape (n_forecasts, horizon).
        factor: of the half-width, null for the interval of the paths, same shape.
        settings: of the family.
        n_paths: paths a forecast.

    Returns:
        yhat, lower and upper bound in units per period, half-width in model space, shape
        (4, n_forecasts, horizon).
    """
    dynamics = _dynamics(models, first, settings)
    terms = replace(terms, base=terms.base + _carried(models, dynamics, terms.base.shape[1]))
    floor = 0.0 if settings.is_nonnegative else None
    with np.errstate(over="ignore", invalid="ignore"):
        yhat = recursive_forecast(terms.base, terms.lag_gain, dynamics.y_lag1, floor)
        lower, upper, half_width = path_quantiles(
            terms.base,
            terms.trend_gain,
            dynamics,
            floor,
            interval=settings.interval,
            n_paths=n_paths,
        )
        is_calibrated = np.isfinite(factor)
        reach = np.where(is_calibrated, factor, 0.0) * half_width
        lower, upper = (
            np.where(is_calibrated, yhat - reach, np.minimum(lower, yhat)),
            np.where(is_calibrated, yhat + reach, np.maximum(upper, yhat)),
        )
        if floor is not None:
            lower = np.maximum(lower, floor)
        values = np.stack([yhat, lower, upper])
        is_log = np.array([model.options.transform == "log1p" for model in models])
        values[:, is_log] = np.expm1(values[:, is_log])
    return np.concatenate([values, half_width[None]])


def _carried(models: list[ProphetModel], dynamics: Dynamics, horizon: int) -> FloatArray:
    """The carried part of the last residual at each step, model space: (n_forecasts, horizon)."""
    last = np.array([model.last_residual * model.y_scale for model in models])
    periods = dynamics.n_gap[:, None] + np.arange(1, horizon + 1)
    return np.asarray(last[:, None] * dynamics.autocorrelation[:, None] ** periods)


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
        autocorrelation=np.array([model.autocorrelation for model in models]),
        seed=[series_seed(series, origin.date(), settings.seed) for series, origin in keys],
    )


def _last_observed(models: list[ProphetModel], first: pd.DataFrame) -> FloatArray:
    """Read y_lag1 in model space; zero, and unused, where a model has no lag."""
    y_lag1 = np.zeros(len(models))
    if "y_lag1" in first.columns:
        has_lag = np.array(["y_lag1" in model.regressors for model in models])
        is_log = np.array([model.options.transform == "log1p" for model in models])
        observed = _floats(first["y_lag1"])
        with np.errstate(divide="ignore", invalid="ignore"):
            observed = np.where(is_log, np.log1p(observed), observed)
        y_lag1[has_lag] = observed[has_lag]
    return y_lag1


def _result(
    future: pd.DataFrame, values: FloatArray, reasons: list[str | None], transforms: list[str]
) -> pd.DataFrame:
    """Put the forecast beside its reason: each row has a number or says why not."""
    is_known: BoolArray = np.asarray(np.isfinite(values).all(axis=0))
    yhat, lower, upper, half_width = np.where(is_known, values, np.nan)
    overflow = "the forecast is not a finite number"
    texts = [
        None if known else reason or overflow
        for known, reason in zip(is_known.tolist(), reasons, strict=True)
    ]
    source = [INTERVAL_SOURCE if known else None for known in is_known.tolist()]
    transform = [
        name if known else None for name, known in zip(transforms, is_known.tolist(), strict=True)
    ]
    columns = {
        "yhat": yhat,
        "yhat_lower": lower,
        "yhat_upper": upper,
        "interval_source": pd.Series(source, index=future.index, dtype=object),
        "half_width": half_width,
        "transform": pd.Series(transform, index=future.index, dtype=object),
        "reason": pd.Series(texts, index=future.index, dtype=object),
    }
    return pd.DataFrame(columns, index=future.index)
