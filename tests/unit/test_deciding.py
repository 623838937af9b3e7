"""The rule that promotes a recipe, by hand, and how often chance meets it.

Every week sells 10. A comparison is written as the errors of champion, challenger and baseline.
"""

from __future__ import annotations

import numpy as np
import pytest

from python_jobs.selection.deciding import (
    Comparison,
    Rule,
    chance_of_promotion,
    decide,
    promoted_of_equals,
)

NAN = float("nan")
RULE = Rule(margin=0.05, min_periods=6, min_origins=3, baseline="mean_8")
SIX = [0, 0, 1, 1, 2, 2]


def compared(
    champion: list[float],
    challenger: list[float],
    baseline: list[float] | float = 9.0,
    origins: list[int] = SIX,
    y: float = 10.0,
) -> Comparison:
    n_rows = len(champion)
    errors = np.column_stack([champion, challenger, np.full(n_rows, baseline)])
    actual = np.full(n_rows, y)
    return Comparison(actual, actual[:, None] + errors, np.array(origins), np.arange(n_rows))


def test_a_gain_of_the_margin_promotes() -> None:
    """40 of 60 against 38 of 60: exactly 5 %; with 38.1 it is less."""
    champion = [10.0, 10, 5, 5, 5, 5]
    verdict = decide(compared(champion, [9.0, 10, 5, 5, 5, 4]), RULE)
    assert verdict.decision == "promoted"
    assert verdict.why == "WAPE 0.6667 to 0.6333 (5.0% better), and RMSE is not worse"
    less = decide(compared(champion, [9.1, 10, 5, 5, 5, 4]), RULE)
    assert less.decision == "kept"
    assert less.why.endswith("(4.7% better), under the margin of 5.0%")


def test_a_worse_rmse_keeps_the_champion() -> None:
    """|errors| 12 against 9; squares 24 against 81."""
    verdict = decide(compared([2.0] * 6, [9.0, 0, 0, 0, 0, 0]), RULE)
    assert (verdict.decision, verdict.why[-17:]) == ("kept", "yet RMSE is worse")


def test_a_tie_keeps_the_champion_even_without_a_margin() -> None:
    rule = Rule(margin=0.0, min_periods=6)
    assert decide(compared([2.0] * 6, [-2.0] * 6), rule).decision == "kept"
    assert decide(compared([2.0] * 6, [-2.0] * 5 + [1.9]), rule).decision == "promoted"


@pytest.mark.parametrize(
    ("champion", "challenger", "baseline", "decision"),
    [
        (4.0, 3.0, 2.0, "serve_baseline"),
        (4.0, 3.0, 3.0, "serve_baseline"),  # to be as good is not to beat it
        (4.0, 3.0, 3.5, "promoted"),
        (3.0, 3.0, 3.5, "kept"),
        # The challenger beats the baseline and not the champion by the margin: the champion stays.
        (3.0, 2.9, 2.95, "kept"),
        (4.0, 3.0, NAN, "promoted"),
        (4.0, NAN, 3.0, "serve_baseline"),
        (4.0, NAN, 5.0, "kept"),
        (NAN, 4.0, 5.0, "promoted"),
        (NAN, 4.0, 3.0, "serve_baseline"),
        (NAN, NAN, 3.0, "too_few_periods"),
        (0.0, 0.0, 1.0, "kept"),
    ],
)
def test_who_serves(champion: float, challenger: float, baseline: float, decision: str) -> None:
    one = compared([champion] * 6, [challenger] * 6, baseline)
    assert decide(one, RULE).decision == decision


def test_too_few_periods_or_origins_change_nothing() -> None:
    good: list[float] = [1.0] * 6
    short = decide(compared(good, [0.0] * 6), Rule(min_periods=7))
    assert short.decision == "too_few_periods"
    assert short.why == "6 periods could be scored, 7 are asked for"
    one_origin = decide(compared(good, [0.0] * 6, origins=[0] * 6), RULE)
    assert one_origin.why == "1 origins could be scored, 3 are asked for"


def test_a_week_that_one_of_them_does_not_forecast_counts_for_none() -> None:
    """The challenger's missing week would have been the champion's worst."""
    one = compared([2.0, 2, 2, 2, 2, 9], [2.0, 2, 2, 2, 2, NAN])
    assert one.n_periods == 5
    assert decide(one, Rule(min_periods=5)).decision == "kept"
    assert decide(one, RULE).decision == "too_few_periods"


def test_where_nothing_was_sold_the_champion_stays() -> None:
    verdict = decide(compared([2.0] * 6, [1.0] * 6, 0.0, y=0.0), RULE)
    assert verdict.decision == "kept"
    assert "nothing was sold" in verdict.why


def test_no_row_at_all_is_too_few() -> None:
    assert decide(compared([], [], [], []), RULE).decision == "too_few_periods"


def test_chance_is_the_share_of_relabellings_that_the_rule_promotes() -> None:
    """By origin the champion errs by 6, 2 and 4, the challenger by 0, 0 and 4.

    Whoever has the first origin's 6 loses, whatever becomes of the 2: half of the relabellings.
    """
    one = compared([3.0, 3, 1, 1, 2, 2], [0.0, 0, 0, 0, 2, 2])
    chance = chance_of_promotion(one, RULE, seed=1, simulations=4000)
    assert chance == pytest.approx(0.5, abs=0.03)
    assert chance == chance_of_promotion(one, RULE, seed=1, simulations=4000)
    assert chance != chance_of_promotion(one, RULE, seed=2, simulations=4000)


def test_chance_promotes_nothing_past_the_baseline() -> None:
    one = compared([3.0, 3, 1, 1, 2, 2], [0.0, 0, 0, 0, 2, 2], baseline=0.5)
    assert chance_of_promotion(one, RULE, seed=1, simulations=100) == 0.0


@pytest.mark.parametrize("challenger", [NAN, 1.0])
def test_chance_is_unknown_where_nothing_is_judged(challenger: float) -> None:
    rule = RULE if np.isnan(challenger) else Rule(min_periods=7)
    assert chance_of_promotion(compared([2.0] * 6, [challenger] * 6), rule, 1, 10) is None


def test_equal_recipes_are_promoted_less_often_the_larger_the_margin() -> None:
    """Twelve weeks, errors that correlate by 0.8: a margin of 5 % is no proof by itself."""
    shares = [
        promoted_of_equals(Rule(margin, 12), n_series=1000, n_origins=3, horizon=4, seed=7)
        for margin in (0.0, 0.05, 0.2, 0.5)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(0.41, abs=0.05)
    assert 0.2 < shares[1] < 0.4
    assert shares[3] < 0.01


def test_more_weeks_leave_less_to_chance() -> None:
    few, many = (
        promoted_of_equals(Rule(), n_series=500, n_origins=n, horizon=4, seed=7) for n in (3, 26)
    )
    assert many < few - 0.08
