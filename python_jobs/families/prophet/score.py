"""Predictions of a whole portfolio as array arithmetic over stored parameters.

What `Prophet.predict` computes for one model and its dates, for all models at once: trend,
seasons and regressors, additive or multiplicative each (Taylor and Letham 2018, equations 1 to 6).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from python_jobs.families.prophet.arrays import BoolArray, FloatArray, IntArray
from python_jobs.families.prophet.design import fourier
from python_jobs.families.prophet.model import ProphetModel, ProphetOptions, Season

_EPOCH = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True)
class Portfolio:
    """The parameters of models with one structure, a model a row, in Prophet's scaled units.

    Attributes:
        growth: linear | flat | logistic.
        seasons: of every model.
        regressors: names of the columns that have a coefficient, after the seasons.
        is_multiplicative: which terms multiply the trend, shape (n_terms,).
        start: day that is time 0, days since 1970-01-01, shape (n_models,).
        span: days from time 0 to time 1, shape (n_models,).
        y_scale: units of model space per scaled unit, shape (n_models,).
        cap: what logistic growth tends to, scaled, shape (n_models,).
        k: slope, shape (n_models,).
        m: height at time 0, shape (n_models,).
        changepoint: time of each change of slope, infinite where a model has fewer, shape
            (n_models, n_changepoints).
        delta: change of the slope, shape (n_models, n_changepoints).
        beta: coefficients, shape (n_models, n_terms).
        mu: mean taken off each regressor, shape (n_models, n_regressors).
        std: each regressor is divided by, shape (n_models, n_regressors).
    """

    growth: str
    seasons: tuple[Season, ...]
    regressors: tuple[str, ...]
    is_multiplicative: BoolArray
    start: IntArray
    span: IntArray
    y_scale: FloatArray
    cap: FloatArray
    k: FloatArray
    m: FloatArray
    changepoint: FloatArray
    delta: FloatArray
    beta: FloatArray
    mu: FloatArray
    std: FloatArray


@dataclass(frozen=True)
class Terms:
    """Forecasts taken apart, model space, one value a row.

    The forecast is base + lag_gain * y_lag1.

    Attributes:
        base: all but the lag.
        lag_gain: change of the forecast per unit of y_lag1; zero without a lag.
        trend_gain: change of the forecast per unit of trend.
    """

    base: FloatArray
    lag_gain: FloatArray
    trend_gain: FloatArray


def stack(models: Sequence[ProphetModel]) -> Iterator[tuple[IntArray, Portfolio]]:
    """Gather models with the same options, features and terms into arrays.

    Yields:
        The indices of the models in the sequence, and their parameters in that order.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, model in enumerate(models):
        key = (_code(model.options), model.features, model.seasonalities, model.regressors)
        groups.setdefault(key, []).append(i)
    for indices in groups.values():
        yield np.array(indices), _portfolio([models[i] for i in indices])


@lru_cache(maxsize=256)
def _code(options: ProphetOptions) -> str:
    """A name of the options that is quick to compare."""
    return repr(options)


def _portfolio(models: list[ProphetModel]) -> Portfolio:
    first = models[0]
    mode = first.options.seasonality_mode
    n_waves = sum(2 * season.order for season in first.seasonalities)
    start = np.array([model.train_start for model in models], dtype="datetime64[D]")
    end = np.array([model.train_end for model in models], dtype="datetime64[D]")
    span = (end - start).astype(np.int64)
    n_points = max(len(model.delta) for model in models)
    return Portfolio(
        growth=first.options.growth,
        seasons=first.seasonalities,
        regressors=first.regressors,
        is_multiplicative=np.array(
            [mode == "multiplicative"] * n_waves + [m == "multiplicative" for m in first.modes],
            dtype=bool,
        ),
        start=(start - _EPOCH).astype(np.int64),
        span=span,
        y_scale=np.array([model.y_scale for model in models]),
        cap=np.array([model.options.cap_ratio for model in models]),
        k=np.array([model.k for model in models]),
        m=np.array([model.m for model in models]),
        changepoint=_padded([m.changepoint_days for m in models], n_points, np.inf) / span[:, None],
        delta=_padded([model.delta for model in models], n_points, 0.0),
        beta=np.stack([model.beta for model in models]),
        mu=np.stack([model.mu for model in models]),
        std=np.stack([model.std for model in models]),
    )


def _padded(rows: Sequence[FloatArray | IntArray], width: int, fill: float) -> FloatArray:
    if all(len(row) == width for row in rows):
        return np.stack(rows).astype(float)
    padded = np.full((len(rows), width), fill)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded


def evaluate(portfolio: Portfolio, owner: IntArray, day: IntArray, x: FloatArray) -> Terms:
    """Evaluate each row with its model.

    Args:
        portfolio: the models.
        owner: row of the portfolio for each row, shape (n_rows,).
        day: the date forecast, days since 1970-01-01, shape (n_rows,).
        x: the portfolio's regressors in their own units, shape (n_rows, n_regressors); the column
            y_lag1 is not read.

    Returns:
        Terms, shape (n_rows,) each.
    """
    trend = _trend(portfolio, owner, day) * portfolio.y_scale[owner]
    n_waves = portfolio.beta.shape[1] - len(portfolio.regressors)
    added, times = np.zeros(len(owner)), np.ones(len(owner))
    lag_added, lag_times = np.zeros(len(owner)), np.zeros(len(owner))
    if n_waves:
        is_multiplicative = portfolio.is_multiplicative[0]
        wave = _season_effect(portfolio, owner, day, n_waves)
        (times if is_multiplicative else added)[:] += wave
    for i, name in enumerate(portfolio.regressors):
        term = n_waves + i
        slope = (portfolio.beta[:, term] / portfolio.std[:, i])[owner]
        mean = portfolio.mu[owner, i]
        is_multiplicative = portfolio.is_multiplicative[term]
        if name == "y_lag1":
            (lag_times if is_multiplicative else lag_added)[:] += slope
        effect = slope * (-mean if name == "y_lag1" else x[:, i] - mean)
        (times if is_multiplicative else added)[:] += effect
    scale = portfolio.y_scale[owner]
    return Terms(
        base=trend * times + added * scale,
        lag_gain=lag_added * scale + lag_times * trend,
        trend_gain=times,
    )


def _season_effect(
    portfolio: Portfolio, owner: IntArray, day: IntArray, n_waves: int
) -> FloatArray:
    """Sum of the seasons; dates are few, so their waves are computed once a date."""
    unique, where = np.unique(day, return_inverse=True)
    waves = fourier(unique, list(portfolio.seasons))
    beta = portfolio.beta[:, :n_waves]
    if len(unique) * len(beta) <= 4 * len(owner):
        return np.asarray((waves @ beta.T)[where, owner])
    return np.asarray(np.einsum("rk,rk->r", waves[where], beta[owner]))


def _trend(portfolio: Portfolio, owner: IntArray, day: IntArray) -> FloatArray:
    """The trend, scaled, at each row."""
    t = (day - portfolio.start[owner]) / portfolio.span[owner]
    if portfolio.growth == "flat":
        return portfolio.m[owner]
    offset = _offset_changes(portfolio)
    last = np.where(np.isfinite(portfolio.changepoint), portfolio.changepoint, -np.inf)
    if (t >= last.max(axis=1)[owner]).all():  # forecasts lie behind every change
        rate = (portfolio.k + portfolio.delta.sum(axis=1))[owner]
        level = (portfolio.m + offset.sum(axis=1))[owner]
    else:
        is_past = portfolio.changepoint[owner] <= t[:, None]
        rate = portfolio.k[owner] + (portfolio.delta[owner] * is_past).sum(axis=1)
        level = portfolio.m[owner] + (offset[owner] * is_past).sum(axis=1)
    if portfolio.growth == "linear":
        return np.asarray(rate * t + level)
    return np.asarray(portfolio.cap[owner] / (1 + np.exp(-rate * (t - level))))


def _offset_changes(portfolio: Portfolio) -> FloatArray:
    """Change of the offset at each change of slope, so that the trend does not jump."""
    changes = np.zeros_like(portfolio.delta)
    is_there = np.isfinite(portfolio.changepoint)
    at = np.where(is_there, portfolio.changepoint, 0.0)
    if portfolio.growth == "linear":
        return np.asarray(-portfolio.delta * at)
    rate = np.column_stack([portfolio.k, portfolio.k[:, None] + portfolio.delta.cumsum(axis=1)])
    level = portfolio.m.copy()
    for j in range(changes.shape[1]):
        step = (at[:, j] - level) * (1 - rate[:, j] / rate[:, j + 1])
        changes[:, j] = np.where(is_there[:, j], step, 0.0)
        level = level + changes[:, j]
    return changes
