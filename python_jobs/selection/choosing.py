"""Which recipe is best: scores over common rows, shrinkage, and a preference for the simple.

Functions of arrays; candidates stand in the order of their complexity, the simplest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from python_jobs.fitting.fit import WHOLE

FloatArray = NDArray[np.float64]

MIN_GAIN = 0.005
"""Relative gain in WAPE below which a more complex candidate is not worth it."""

MIN_SHARE = 0.5
"""A candidate that forecasts fewer of the rows is out, rather than removing them for all."""

PRIOR_ROWS = 20
"""Weight k of the segment's WAPE in `shrink`, in scored rows."""


@dataclass(frozen=True)
class Scores:
    """Metrics of each candidate on the rows that all candidates forecast.

    Attributes:
        n_scored: those rows.
        n_removed: rows with an actual that some candidate in the comparison does not forecast.
        wape: by candidate: sum |yhat - y| / sum |y|; None where it is out of the comparison,
            nothing is scored, or every y is 0.
        smape: mean of 2 |yhat - y| / (|y| + |yhat|), 0..2.
        rmse: root of the mean of (yhat - y)^2.
        bias: sum (yhat - y) / sum |y|; positive is over-forecast.
    """

    n_scored: int
    n_removed: int
    wape: list[float | None]
    smape: list[float | None]
    rmse: list[float | None]
    bias: list[float | None]

    @property
    def best(self) -> int | None:
        """The candidate of the lowest WAPE, the first of equals; None where none has one."""
        known = [(value, i) for i, value in enumerate(self.wape) if value is not None]
        return min(known)[1] if known else None

    def metrics(self, candidate: int) -> dict[str, Any]:
        """Metrics of one candidate, as model_log stores them."""
        return {
            "wape": self.wape[candidate],
            "smape": self.smape[candidate],
            "rmse": self.rmse[candidate],
            "bias": self.bias[candidate],
            "n_scored": self.n_scored,
            "n_removed": self.n_removed,
            "is_best": self.best == candidate,
        }


def score(y: FloatArray, yhat: FloatArray) -> Scores:
    """Score candidates on the rows that all of them forecast.

    Definitions are those of macros/metrics.

    Args:
        y: actuals, never null, shape (n_rows,).
        yhat: forecasts, NaN where there is none, shape (n_rows, n_candidates).
    """
    n_rows, n_candidates = yhat.shape
    is_in, common = common_rows(yhat)
    n_scored = int(common.sum())
    out: dict[str, list[float | None]] = {
        name: [None] * n_candidates for name in ("wape", "smape", "rmse", "bias")
    }
    for i in np.flatnonzero(is_in) if n_scored else ():
        values = _metrics(y[common], yhat[common, i])
        for name, value in values.items():
            out[name][i] = value
    return Scores(n_scored, n_rows - n_scored, **out)


def common_rows(yhat: FloatArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The candidates in the comparison, and the rows that all of these forecast.

    Args:
        yhat: forecasts, NaN where there is none, shape (n_rows, n_candidates).

    Returns:
        By candidate, by row.
    """
    has_forecast = np.isfinite(yhat)
    is_in = has_forecast.sum(axis=0) >= MIN_SHARE * len(yhat)
    return is_in, np.asarray(has_forecast[:, is_in].all(axis=1) & bool(is_in.any()))


def _metrics(y: FloatArray, yhat: FloatArray) -> dict[str, float | None]:
    error, sum_abs_y = yhat - y, float(np.abs(y).sum())
    scale = np.abs(y) + np.abs(yhat)
    terms = np.divide(2 * np.abs(error), scale, out=np.zeros_like(error), where=scale > 0)
    return {
        "wape": float(np.abs(error).sum()) / sum_abs_y if sum_abs_y else None,
        "smape": float(terms.mean()),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "bias": float(error.sum()) / sum_abs_y if sum_abs_y else None,
    }


def choose(wapes: Sequence[float | None]) -> int | None:
    """The candidate to use: the simplest, unless a later one is better by MIN_GAIN.

    Each is compared with the one chosen so far. None where no candidate has a score.
    """
    chosen: int | None = None
    best = float("inf")
    for i, wape in enumerate(wapes):
        if wape is not None and (chosen is None or wape < best * (1 - MIN_GAIN)):
            chosen, best = i, wape
    return chosen


def shrink(own: Scores, segment: Scores, prior_rows: int = PRIOR_ROWS) -> list[float | None]:
    """A series' WAPEs drawn towards its segment's: (n own + k segment) / (n + k).

    Args:
        own: scores of the series' n rows.
        segment: scores of all series of its segment.
        prior_rows: k.

    Returns:
        By candidate; None where the segment has no score, or where the series has scored rows and
        the candidate has none of them. A series without scored rows has its segment's.
    """
    weight = own.n_scored if any(value is not None for value in own.wape) else 0
    shrunk: list[float | None] = []
    for mine, theirs in zip(own.wape, segment.wape, strict=True):
        if theirs is None or (weight and mine is None):
            shrunk.append(None)
        else:
            total = weight * (mine or 0.0) + prior_rows * theirs
            shrunk.append(total / (weight + prior_rows))
    return shrunk


@dataclass
class Choices:
    """Index of the chosen candidate, by segment and series.

    Attributes:
        scores: by segment, the whole among them.
        by_segment: the candidate, by segment.
        series_scores: by series_id, where series choose for themselves.
        by_series: the candidate, by series_id, where series get one of their own.
        follows: segments with too few scored rows for a choice of their own.
    """

    scores: dict[str, Scores]
    by_segment: dict[str, int]
    series_scores: dict[str, Scores] = field(default_factory=dict)
    by_series: dict[str, int] = field(default_factory=dict)
    follows: set[str] = field(default_factory=set)

    def add_segment(self, segment: str, scores: Scores, min_rows: int) -> None:
        """Choose for a segment; with few scored rows it takes the portfolio's choice."""
        own = choose(scores.wape) if scores.n_scored >= min_rows else None
        self.scores[segment] = scores
        self.by_segment[segment] = self.by_segment[WHOLE] if own is None else own
        if own is None:
            self.follows.add(segment)

    def add_series(self, series_id: str, segment: str, scores: Scores) -> None:
        """Choose for a series by its own scores, drawn towards its segment's."""
        is_own = segment in self.scores and segment not in self.follows
        own = choose(shrink(scores, self.scores[segment if is_own else WHOLE]))
        self.series_scores[series_id] = scores
        self.by_series[series_id] = self.of(series_id, segment) if own is None else own

    def of(self, series_id: str, segment: str) -> int:
        """The candidate that a series gets."""
        in_segment = self.by_segment.get(segment, self.by_segment[WHOLE])
        return self.by_series.get(series_id, in_segment)
