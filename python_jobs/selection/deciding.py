"""The promotion rule: champion, challenger or baseline; and how often chance alone promotes.

Pure functions of arrays. Champion, challenger and baseline are the three columns of a comparison,
in that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from python_jobs.selection.choosing import FloatArray, Scores, common_rows, score

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

Decision = Literal["promoted", "kept", "refitted", "serve_baseline", "too_few_periods"]

CHAMPION, CHALLENGER, BASELINE = range(3)

ROUNDING = 1e-12
"""Relative; sums that are equal on paper differ by less than this."""


@dataclass(frozen=True)
class Rule:
    """Thresholds that a challenger must pass.

    Attributes:
        margin: relative gain in pooled WAPE, a fraction; 0 still asks for some.
        min_periods: distinct periods with a scored row, below which nothing is decided.
        min_origins: distinct origins with one, likewise.
        baseline: its name, declared before anything is compared.
    """

    margin: float = 0.05
    min_periods: int = 12
    min_origins: int = 3
    baseline: str = "mean_8"

    def improves(
        self, absolute: tuple[FloatArray, FloatArray], squared: tuple[FloatArray, FloatArray]
    ) -> BoolArray:
        """Whether the challenger's errors are smaller by the margin, and RMSE is not worse.

        Over the same rows the sums say what WAPE and RMSE would.

        Args:
            absolute: sums of |error| of champion and challenger, of one shape.
            squared: sums of error^2 of both.
        """
        is_less = absolute[1] < absolute[0] * (1 - ROUNDING)
        by_margin = absolute[1] <= absolute[0] * (1 - self.margin) * (1 + ROUNDING)
        return np.asarray(is_less & by_margin & (squared[1] <= squared[0] * (1 + ROUNDING)))


@dataclass(frozen=True)
class Comparison:
    """The rows of one series whose actual is known, as of origins that saw none of them.

    Attributes:
        y: actuals, never null, shape (n_rows,).
        yhat: champion, challenger, baseline; NaN where there is none, shape (n_rows, 3).
        origins: a number for each origin, shape (n_rows,).
        periods: a number for each target period, shape (n_rows,).
    """

    y: FloatArray
    yhat: FloatArray
    origins: IntArray
    periods: IntArray

    @cached_property
    def is_scored(self) -> BoolArray:
        """The rows that all three forecast; one that forecasts under half of them is left aside."""
        return common_rows(self.yhat)[1]

    @cached_property
    def scores(self) -> Scores:
        """Scores of champion, challenger and baseline on the scored rows."""
        return score(self.y, self.yhat)

    @property
    def n_periods(self) -> int:
        """Distinct target periods with a scored row."""
        return len(np.unique(self.periods[self.is_scored]))

    @property
    def n_origins(self) -> int:
        """Distinct origins with a scored row."""
        return len(np.unique(self.origins[self.is_scored]))

    def block_sums(self) -> tuple[FloatArray, FloatArray]:
        """Sums of |error| and of error^2 by origin and column, each of shape (n_origins, 3)."""
        _, block = np.unique(self.origins[self.is_scored], return_inverse=True)
        error = self.yhat[self.is_scored] - self.y[self.is_scored, None]
        absolute, squared = np.zeros((2, self.n_origins, 3))
        np.add.at(absolute, block, np.abs(error))
        np.add.at(squared, block, error**2)
        return absolute, squared


@dataclass(frozen=True)
class Verdict:
    """The decision on one series.

    Attributes:
        decision: which of them serves.
        why: a sentence.
    """

    decision: Decision
    why: str

    @property
    def is_promotion(self) -> bool:
        """Whether the challenger takes the champion's place."""
        return self.decision == "promoted"


def decide(comparison: Comparison, rule: Rule) -> Verdict:
    """Judge by the rule, in this order: enough periods, the baseline, the margin.

    A tie leaves the champion where it is; to beat the baseline is to have a smaller WAPE.
    """
    short = _too_few(comparison, rule)
    if short:
        return Verdict("too_few_periods", short)
    champion, challenger, baseline = comparison.scores.wape
    if not np.abs(comparison.y[comparison.is_scored]).sum():
        return Verdict("kept", "nothing was sold in the scored periods, so WAPE says nothing")
    known = [one for one in (champion, challenger) if one is not None]
    if not known:
        return Verdict("too_few_periods", "neither recipe forecast half of the periods")
    if baseline is not None and min(known) >= baseline * (1 - ROUNDING):
        message = ", ".join(f"{one:.4f}" for one in known)
        why = f"WAPE {message}: not below {rule.baseline}'s {baseline:.4f}"
        return Verdict("serve_baseline", why)
    return _between(comparison, rule)


def _too_few(comparison: Comparison, rule: Rule) -> str:
    if comparison.n_periods < rule.min_periods:
        return f"{comparison.n_periods} periods could be scored, {rule.min_periods} are asked for"
    if comparison.n_origins < rule.min_origins:
        return f"{comparison.n_origins} origins could be scored, {rule.min_origins} are asked for"
    return ""


def _between(comparison: Comparison, rule: Rule) -> Verdict:
    """Choose between champion and challenger when at least one beats the baseline."""
    champion, challenger, _ = comparison.scores.wape
    if challenger is None:
        return Verdict("kept", "there is no other recipe to compare with")
    if champion is None:
        return Verdict("promoted", "the champion's recipe forecast under half of the periods")
    absolute, squared = (sums.sum(axis=0) for sums in comparison.block_sums())
    is_better = rule.improves(
        (absolute[CHAMPION], absolute[CHALLENGER]), (squared[CHAMPION], squared[CHALLENGER])
    )
    gain = 1 - challenger / champion if champion else 0.0
    message = f"WAPE {champion:.4f} to {challenger:.4f} ({abs(gain):.1%} "
    message += "better)" if gain >= 0 else "worse)"
    if is_better:
        return Verdict("promoted", f"{message}, and RMSE is not worse")
    if gain >= rule.margin and gain > 0:
        return Verdict("kept", f"{message}, yet RMSE is worse")
    return Verdict("kept", f"{message}, under the margin of {rule.margin:.1%}")


def chance_of_promotion(
    comparison: Comparison, rule: Rule, seed: int, simulations: int
) -> float | None:
    """Promotion rate of the rule when champion and challenger labels are shuffled at random.

    A randomization test (Fisher 1935): in each simulation the two swap their forecasts of an
    origin, all its rows together, by the toss of a coin.

    Args:
        comparison: the series' rows.
        rule: the rule.
        seed: of the coin.
        simulations: how many.

    Returns:
        The share of them that promote; None where there was nothing to judge.
    """
    champion, challenger, baseline = comparison.scores.wape
    if champion is None or challenger is None or _too_few(comparison, rule):
        return None
    absolute, squared = comparison.block_sums()
    tosses = np.random.default_rng(seed).integers(0, 2, (simulations, len(absolute))) == 1
    sums = [
        tuple(np.where(tosses, sums[:, one], sums[:, other]).sum(axis=1) for one, other in PAIRS)
        for sums in (absolute, squared)
    ]
    promoted = rule.improves((sums[0][0], sums[0][1]), (sums[1][0], sums[1][1]))
    if baseline is not None:
        promoted &= sums[0][1] < absolute[:, BASELINE].sum() * (1 - ROUNDING)
    return float(promoted.mean())


PAIRS = ((CHALLENGER, CHAMPION), (CHAMPION, CHALLENGER))


def promoted_of_equals(
    rule: Rule,
    *,
    n_series: int,
    n_origins: int,
    horizon: int,
    seed: int,
    likeness: float = 0.8,
    spread: float = 0.3,
) -> float:
    """Promotion rate of the rule for two equally good simulated recipes.

    Every period sells 100; each recipe errs by a normal error, part of which both share.

    Args:
        rule: the rule; the baseline plays no part.
        n_series: series to simulate.
        n_origins: origins of each.
        horizon: periods of each origin.
        seed: of the errors.
        likeness: correlation of the two recipes' errors, a fraction.
        spread: standard deviation of an error, as a share of sales.
    """
    draw = np.random.default_rng(seed).standard_normal
    periods, origins = np.arange(n_origins * horizon), np.repeat(np.arange(n_origins), horizon)
    y, no_baseline = np.full(len(periods), 100.0), np.full(len(periods), np.nan)
    n_promoted = 0
    for _ in range(n_series):
        shared, own = draw((len(periods), 1)), draw((len(periods), 2))
        error = 100 * spread * (likeness**0.5 * shared + (1 - likeness) ** 0.5 * own)
        yhat = np.column_stack([y[:, None] + error, no_baseline])
        n_promoted += decide(Comparison(y, yhat, origins, periods), rule).is_promotion
    return n_promoted / n_series
