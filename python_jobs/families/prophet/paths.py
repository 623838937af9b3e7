"""The lag recursion and the simulated paths behind Prophet's intervals, as array arithmetic.

Everything here is in model space (after the transform of y); a path is one possible future.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from python_jobs.families.prophet.arrays import FloatArray, IntArray

_MAX_DRAWS = 4_000_000
"""Simulated values held at a time (32 MB each for noise, trend and path)."""


def recursive_forecast(
    base: FloatArray, lag_effect: FloatArray, y_lag1: FloatArray, floor: float | None
) -> FloatArray:
    """Roll the lag through the horizon for every series at once.

    The lag is additive, so its share of each step is known without asking the model again:
    yhat_h = max(floor, base_h + lag_effect * yhat_{h-1}), with yhat_0 = y_lag1.

    Args:
        base: forecast without the lag term, model space, shape (n_series, horizon). A null step
            is null in the result, and so are the steps after it where there is a lag effect.
        lag_effect: change of yhat per unit of y_lag1, shape (n_series,), or (n_series, horizon)
            where it differs by step. Zero: no lag.
        y_lag1: last observed y, model space, shape (n_series,). Ignored where lag_effect is zero.
        floor: the least a forecast can be, applied inside the recursion; None for no floor.

    Returns:
        yhat, shape (n_series, horizon); step h uses step h-1 as its lag.

    Raises:
        ValueError: shapes disagree (names and shapes given), or y_lag1 is not finite where there
            is a lag effect (series counted).
    """
    _check_recursion(base, lag_effect, y_lag1)
    by_step = lag_effect if lag_effect.ndim == 2 else lag_effect[:, None]
    yhat = np.empty_like(base)
    previous = y_lag1
    for step in range(base.shape[1]):
        effect = by_step[:, min(step, by_step.shape[1] - 1)]
        carried = np.multiply(effect, previous, out=np.zeros_like(previous), where=effect != 0)
        previous = base[:, step] + carried
        if floor is not None:
            previous = np.maximum(previous, floor)
        yhat[:, step] = previous
    return yhat


def _check_recursion(base: FloatArray, lag_effect: FloatArray, y_lag1: FloatArray) -> None:
    shapes = (base.shape[:1], base.shape)
    if base.ndim != 2 or lag_effect.shape not in shapes or y_lag1.shape != base.shape[:1]:
        raise ValueError(
            "recursive_forecast: expected base (n_series, horizon), lag_effect (n_series,) and "
            f"y_lag1 (n_series,), got {base.shape}, {lag_effect.shape} and {y_lag1.shape}"
        )
    has_lag = np.nan_to_num(lag_effect) != 0
    has_lag = has_lag.any(axis=1) if has_lag.ndim == 2 else has_lag
    n_bad = int(np.sum(~np.isfinite(y_lag1) & has_lag))
    if n_bad:
        raise ValueError(f"recursive_forecast: y_lag1 is not finite for {n_bad} series")


@dataclass(frozen=True)
class Dynamics:
    """Parameters of the paths of n_series forecasts, one value a series, model space.

    Attributes:
        lag_effect: change of yhat per unit of y_lag1.
        y_lag1: last observed y.
        noise_sd: standard deviation of one period's noise.
        change_rate: probability that the trend changes its slope within one period.
        change_scale: mean absolute change of the slope (Laplace), per period and period.
        n_gap: periods between the last one trained on and the first one forecast, in which the
            trend may have changed unseen.
        autocorrelation: of the noise, from one period to the next; 0: each period's is its own.
        seed: seed of the series' own random numbers, see `python_jobs.infra.series.series_seed`.
    """

    lag_effect: FloatArray
    y_lag1: FloatArray
    noise_sd: FloatArray
    change_rate: FloatArray
    change_scale: FloatArray
    n_gap: IntArray
    autocorrelation: FloatArray
    seed: list[int]

    def __getitem__(self, chosen: slice | IntArray) -> Dynamics:
        """Keep some of the series."""
        arrays = {name: values[chosen] for name, values in vars(self).items() if name != "seed"}
        indices = np.arange(len(self.seed))[chosen].tolist()
        return Dynamics(**arrays, seed=[self.seed[i] for i in indices])


def path_quantiles(
    base: FloatArray,
    trend_gain: FloatArray,
    dynamics: Dynamics,
    floor: float | None,
    *,
    interval: float,
    n_paths: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bound the middle of many simulated paths, series by series and step by step.

    Args:
        base: forecast without the lag term, shape (n_series, horizon).
        trend_gain: change of y per unit of trend, shape (n_series, horizon): 1 + the
            multiplicative terms.
        dynamics: of the same n_series.
        floor: applied to each path inside the recursion; None for no floor.
        interval: share of the paths inside, a fraction in (0, 1).
        n_paths: paths a series.

    Returns:
        Lower bound, upper bound, and half the width that they have without a floor, each of shape
        (n_series, horizon).
    """
    n_series, horizon = base.shape
    bounds = np.empty((3, n_series, horizon))
    size = max(1, _MAX_DRAWS // (horizon * n_paths))
    for first in range(0, n_series, size):
        part = slice(first, first + size)
        moved = _disturbed(base[part], trend_gain[part], dynamics[part], n_paths)
        paths = _rolled(moved, dynamics[part], None)
        lower, upper = _middle(paths, interval)
        bounds[2, part] = (upper - lower) / 2
        if floor is not None:
            below = np.flatnonzero((paths < floor).any(axis=(1, 2)))
            floored = _rolled(moved[below], dynamics[part][below], floor)
            lower[below], upper[below] = _middle(floored, interval)
        bounds[0, part], bounds[1, part] = lower, upper
    return bounds[0], bounds[1], bounds[2]


def _middle(paths: FloatArray, interval: float) -> tuple[FloatArray, FloatArray]:
    """The quantiles that leave half of the rest on each side, linear between paths."""
    n_paths = paths.shape[1]
    tail = (1 - interval) / 2 * (n_paths - 1)
    low, high = int(np.floor(tail)), int(np.floor(n_paths - 1 - tail))
    share, high_share = tail - low, n_paths - 1 - tail - high
    ranks = sorted({low, low + 1, high, min(high + 1, n_paths - 1)})
    ordered = np.partition(paths, ranks, axis=1)
    lower = ordered[:, low] + share * (ordered[:, low + 1] - ordered[:, low])
    above = ordered[:, min(high + 1, n_paths - 1)]
    return lower, ordered[:, high] + high_share * (above - ordered[:, high])


def simulate_paths(
    base: FloatArray,
    trend_gain: FloatArray,
    dynamics: Dynamics,
    floor: float | None,
    n_paths: int,
) -> FloatArray:
    """Simulate y along the recursion: noise and trend changes enter the next step's lag.

    Arguments as in `path_quantiles`.

    Returns:
        y, shape (n_series, n_paths, horizon). A series' paths depend on its own values only, and
        a longer horizon leaves the earlier steps as they were.
    """
    return _rolled(_disturbed(base, trend_gain, dynamics, n_paths), dynamics, floor)


def _disturbed(
    base: FloatArray, trend_gain: FloatArray, dynamics: Dynamics, n_paths: int
) -> FloatArray:
    """Add noise and trend changes to the forecast without its lag: (n_series, n_paths, horizon)."""
    n_series, horizon = base.shape
    moved = np.empty((n_series, n_paths, horizon))
    for row in range(n_series):
        noise_rng, trend_rng = np.random.default_rng(dynamics.seed[row]).spawn(2)
        noise = draw_noise(noise_rng, horizon, n_paths) * dynamics.noise_sd[row]
        if dynamics.autocorrelation[row]:
            noise = correlated(
                noise, float(dynamics.autocorrelation[row]), int(dynamics.n_gap[row])
            )
        steps = int(dynamics.n_gap[row]) + horizon
        shift = draw_trend_shift(trend_rng, steps, n_paths, dynamics.change_rate[row])
        shift = shift[-horizon:] * dynamics.change_scale[row]
        moved[row] = (base[row, :, None] + trend_gain[row, :, None] * shift + noise).T
    return moved


def _rolled(moved: FloatArray, dynamics: Dynamics, floor: float | None) -> FloatArray:
    n_paths = moved.shape[1]
    flat = recursive_forecast(
        moved.reshape(-1, moved.shape[2]),
        np.repeat(dynamics.lag_effect, n_paths),
        np.repeat(dynamics.y_lag1, n_paths),
        floor,
    )
    return flat.reshape(moved.shape)


def draw_noise(rng: np.random.Generator, horizon: int, n_paths: int) -> FloatArray:
    """Draw standard normal noise whose sample mean and covariance are exact.

    Each step is a shuffle of the same normal scores (Latin hypercube sampling; McKay, Beckman and
    Conover 1979), then made uncorrelated with the steps before it. So 1000 paths give the
    quantiles of many more, and a forecast's spread does not shrink by chance from step to step.

    Returns:
        Noise, shape (horizon, n_paths); rows have mean 0, variance 1 and no correlation.
    """
    scores = np.tile(_normal_scores(n_paths), (horizon, 1))
    shuffled = rng.permuted(scores, axis=1)
    lower = np.linalg.cholesky(shuffled @ shuffled.T / n_paths)
    noise: FloatArray = np.linalg.solve(lower, shuffled)
    return noise


def correlated(noise: FloatArray, autocorrelation: float, n_gap: int) -> FloatArray:
    """Turn independent noise into a first-order autoregression known at the last training row.

    u_s = r u_(s-1) + sqrt(1 - r^2) e_s, s periods after that row: its variance is 1 - r^(2 s) times
    that of the noise, so it grows with every period and never exceeds it (Box and Jenkins 1970).

    Args:
        noise: shape (horizon, n_paths).
        autocorrelation: r, within -1..1.
        n_gap: periods between the last training row and the first step.

    Returns:
        Shape (horizon, n_paths).
    """
    out = np.empty_like(noise)
    out[0] = math.sqrt(1 - autocorrelation ** (2 * (n_gap + 1))) * noise[0]
    share = math.sqrt(1 - autocorrelation**2)
    for step in range(1, len(noise)):
        out[step] = autocorrelation * out[step - 1] + share * noise[step]
    return out


@lru_cache(maxsize=8)
def _normal_scores(n_paths: int) -> FloatArray:
    normal = NormalDist()
    return np.array([normal.inv_cdf((rank + 0.5) / n_paths) for rank in range(n_paths)])


def draw_trend_shift(
    rng: np.random.Generator, n_steps: int, n_paths: int, change_rate: float
) -> FloatArray:
    """Draw how far the trend moves by changes of its slope after the training data.

    Prophet's own extrapolation (Taylor and Letham 2018, section 3.1.4): in each period the slope
    changes with a probability of change_rate by a Laplace distributed amount, at mid-period.

    Returns:
        Distance from the extrapolated trend, shape (n_steps, n_paths), for slopes that change by 1
        on average (scale it).
    """
    uniform = rng.random((n_steps, n_paths))
    is_change = uniform < change_rate
    centred = np.where(is_change, uniform / max(change_rate, 1e-300), 0.5) - 0.5
    # A hair below 2, so that a uniform of exactly zero is a large change, not an infinite one.
    slope_change = -np.sign(centred) * np.log1p(-(2 - 1e-15) * np.abs(centred))
    before = np.vstack([np.zeros((1, n_paths)), slope_change[:-1]])
    smoothed: FloatArray = (slope_change + before) / 2
    return smoothed.cumsum(axis=0).cumsum(axis=0)
