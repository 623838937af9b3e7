"""Prophet's inputs from a history: scales, changepoints, seasons, regressors.

The rules are those of Prophet 1.5 (`Prophet.preprocess`), applied to many series at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from python_jobs.families.prophet.arrays import BoolArray, FloatArray, IntArray
from python_jobs.families.prophet.model import ProphetOptions, Season
from python_jobs.families.prophet.solve import Problem

CHANGEPOINTS = 25
CHANGEPOINT_RANGE = 0.8
YEAR = 365.25


@dataclass(frozen=True)
class Histories:
    """The training rows of several series, padded to the longest with zero rows.

    Attributes:
        series_id: shape (n_series,).
        n_rows: rows of each, shape (n_series,).
        day: days since 1970-01-01, shape (n_series, n_rows); padding repeats the last day.
        y: model space, zero in padding, shape (n_series, n_rows).
        x: the features, zero in padding, shape (n_series, n_rows, n_features).
        is_row: shape (n_series, n_rows).
    """

    series_id: list[str]
    n_rows: IntArray
    day: IntArray
    y: FloatArray
    x: FloatArray
    is_row: BoolArray


@dataclass(frozen=True)
class Scaled:
    """A problem in Prophet's units, and what leads back from them.

    Attributes:
        problem: to solve.
        y_scale: largest |y|, shape (n_series,).
        start: first day, shape (n_series,).
        span: days from the first to the last row, shape (n_series,).
        changepoint_day: days after the start, -1 where a series has fewer, shape
            (n_series, CHANGEPOINTS); a flat trend has none, shape (n_series, 0).
        mean: taken off each feature, shape (n_series, n_features).
        sd: each feature is divided by, shape (n_series, n_features).
        varies: features with more than one value that were not taken out; the others have no
            effect of their own, shape (n_series, n_features).
        has_season: which seasons a series is long enough for, shape (n_series, n_seasons).
    """

    problem: Problem
    y_scale: FloatArray
    start: IntArray
    span: IntArray
    changepoint_day: IntArray
    mean: FloatArray
    sd: FloatArray
    varies: BoolArray
    has_season: BoolArray

    def without(self, left_out: BoolArray) -> Scaled:
        """Take features out of some series, shape (n_series, n_features)."""
        if not left_out.any():
            return self
        x = self.problem.x.copy()
        x[:, :, x.shape[2] - left_out.shape[1] :] *= ~left_out[:, None, :]
        return replace(self, problem=replace(self.problem, x=x), varies=self.varies & ~left_out)


def fourier(day: IntArray, seasons: list[Season]) -> FloatArray:
    """Sine and cosine of every order of every season.

    Args:
        day: days since 1970-01-01, any shape.
        seasons: periods in days.

    Returns:
        Shape (*day.shape, n_terms), in the order of Prophet's own columns.
    """
    unique, where = np.unique(day, return_inverse=True)
    columns = []
    for season in seasons:
        angle = 2 * np.pi * unique.astype(float)
        for order in range(1, season.order + 1):
            columns += [
                np.sin(order / season.period * angle),
                np.cos(order / season.period * angle),
            ]
    table = np.column_stack(columns) if columns else np.empty((len(unique), 0))
    return np.asarray(table[where.reshape(day.shape)])


def season_of_term(seasons: list[Season]) -> IntArray:
    """The index of the season that each wave belongs to, shape (n_waves,)."""
    return np.repeat(np.arange(len(seasons)), [2 * season.order for season in seasons])


def scale(
    histories: Histories,
    options: ProphetOptions,
    seasons: list[Season],
    has_season: BoolArray,
    multiplicative_features: BoolArray,
    is_pooled: BoolArray,
) -> Scaled:
    """Put histories into Prophet's units, with the priors of the options.

    Args:
        histories: at least two rows each.
        options: growth, mode and prior scales.
        seasons: the seasons that any of the series has.
        has_season: which a series has, shape (n_series, n_seasons).
        multiplicative_features: which features multiply the trend, shape (n_features,).
        is_pooled: features that have a prior of the portfolio's, shape (n_features,): where one
            never changed its one value is its mean, and its effect is the prior's.

    Returns:
        Scaled, with a stock prior on every term.
    """
    n_series = len(histories.series_id)
    start, last = histories.day[:, 0], histories.day[np.arange(n_series), histories.n_rows - 1]
    span = last - start
    t = (histories.day - start[:, None]) / span[:, None]
    y_scale = np.abs(histories.y).max(axis=1)
    y_scale = np.where(y_scale == 0, 1.0, y_scale)
    has_slope = np.full(n_series, options.growth == "linear")
    changepoint = _changepoints(histories) if has_slope.all() else np.zeros((n_series, 0), int)
    at = np.where(changepoint >= 0, changepoint / span[:, None], np.inf)
    hinge = np.maximum(t[:, :, None] - at[:, None, :], 0) * histories.is_row[:, :, None]
    mean, sd, varies = _standardised(histories)
    mean = np.where(is_pooled & ~varies, histories.x[:, 0, :], mean)
    regressors = (histories.x - mean[:, None, :]) / sd[:, None, :] * varies[:, None, :]
    waves = fourier(histories.day, seasons) * has_season[:, season_of_term(seasons)][:, None, :]
    x = np.concatenate([waves, regressors], axis=2) * histories.is_row[:, :, None]
    is_multiplicative = np.concatenate(
        [
            np.full(waves.shape[2], options.seasonality_mode == "multiplicative"),
            multiplicative_features,
        ]
    )
    spread = np.concatenate(
        [
            np.full(waves.shape[2], options.seasonality_prior_scale),
            np.full(regressors.shape[2], options.regressor_prior_scale),
        ]
    )
    problem = Problem(
        t=t * histories.is_row,
        y=histories.y / y_scale[:, None],
        is_row=histories.is_row,
        hinge=hinge,
        x=x,
        is_multiplicative=is_multiplicative,
        has_slope=has_slope,
        centre=np.zeros((n_series, x.shape[2])),
        spread=np.tile(spread, (n_series, 1)),
        tau=options.changepoint_prior_scale,
    )
    return Scaled(problem, y_scale, start, span, changepoint, mean, sd, varies, has_season)


def _changepoints(histories: Histories) -> IntArray:
    """Spread evenly over the rows of the first 80 %, as `Prophet.set_changepoints` does."""
    n_series = len(histories.series_id)
    days = np.full((n_series, CHANGEPOINTS), -1, dtype=np.int64)
    for n_rows in np.unique(histories.n_rows):
        rows = np.flatnonzero(histories.n_rows == n_rows)
        n_early = int(np.floor(n_rows * CHANGEPOINT_RANGE))
        n_points = CHANGEPOINTS if n_early >= CHANGEPOINTS + 1 else n_early - 1
        if n_points > 0:
            indices = np.linspace(0, n_early - 1, n_points + 1).round().astype(int)[1:]
            first = histories.day[rows, 0]
            days[rows, :n_points] = histories.day[rows][:, indices] - first[:, None]
        else:
            days[rows, 0] = 0
    return days


def n_deviating(x: FloatArray, is_row: BoolArray) -> IntArray:
    """Rows in which each feature differs from its most common value.

    Args:
        x: shape (n_series, n_rows, n_features).
        is_row: shape (n_series, n_rows).

    Returns:
        Shape (n_series, n_features).
    """
    values = np.sort(np.where(is_row[:, :, None], x, np.inf), axis=1)
    i = np.arange(values.shape[1])[None, :, None]
    is_new = np.ones(values.shape, dtype=bool)
    is_new[:, 1:] = values[:, 1:] != values[:, :-1]
    first = np.maximum.accumulate(np.where(is_new, i, 0), axis=1)
    most_common = np.where(np.isfinite(values), i - first + 1, 0).max(axis=1)
    return np.asarray(is_row.sum(axis=1)[:, None] - most_common)


def _standardised(histories: Histories) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Mean and sample deviation of each feature; a 0/1 flag and a constant stay as they are."""
    weight = histories.is_row[:, :, None]
    n = histories.n_rows[:, None].astype(float)
    low = np.where(weight, histories.x, np.inf).min(axis=1)
    high = np.where(weight, histories.x, -np.inf).max(axis=1)
    is_flag = (
        (low == 0) & (high == 1) & (((histories.x == 0) | (histories.x == 1)) | ~weight).all(axis=1)
    )
    varies = high > low
    is_scaled = varies & ~is_flag
    mean = histories.x.sum(axis=1) / n
    squares = (((histories.x - mean[:, None, :]) * weight) ** 2).sum(axis=1)
    sd = np.sqrt(squares / np.maximum(n - 1, 1))
    return np.where(is_scaled, mean, 0.0), np.where(is_scaled, sd, 1.0), varies
