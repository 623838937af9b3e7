"""Scores over common rows, the choice between candidates, and shrinkage, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from python_jobs.selection.choosing import choose, score, shrink

NAN = float("nan")


def scores(y, *candidates):
    return score(np.array(y, dtype=float), np.array(candidates, dtype=float).T)


def test_metrics_are_those_of_the_definitions():
    """Errors 2 and -1 on y 4 and 6: WAPE 3/10, bias 1/10, sMAPE (4/10 + 2/11) / 2."""
    found = scores([4, 6], [6, 5])
    assert found.wape == [0.3] and found.bias == [0.1]
    assert found.smape[0] == pytest.approx((4 / 10 + 2 / 11) / 2)
    assert found.rmse[0] == pytest.approx(np.sqrt(2.5))
    assert found.metrics(0)["is_best"] and found.metrics(0)["n_scored"] == 2


def test_only_rows_that_all_candidates_forecast_count():
    found = scores([4, 6, 8], [4, 6, 0], [5, 6, NAN])
    assert (found.n_scored, found.n_removed) == (2, 1)
    assert found.wape == [0.0, 0.1]


def test_a_candidate_that_fails_on_most_rows_removes_none():
    found = scores([4, 6, 8], [4, 6, 0], [5, NAN, NAN])
    assert (found.n_scored, found.n_removed) == (3, 0)
    assert found.wape == [8 / 18, None]
    assert found.best == 0


@pytest.mark.parametrize("y", [[], [4, 6]])
def test_nothing_is_scored_where_nothing_was_forecast(y):
    found = scores(y, [NAN] * len(y), [NAN] * len(y))
    assert (found.n_scored, found.n_removed) == (0, len(y))
    assert found.wape == [None, None] and found.best is None


def test_wape_and_bias_are_null_where_nothing_was_sold_and_smape_counts_right_zeros():
    found = scores([0, 0], [0, 1])
    assert found.wape == [None] and found.bias == [None]
    assert found.smape == [1.0]


@pytest.mark.parametrize(
    ("wapes", "chosen"),
    [
        ([0.5], 0),
        ([0.5, 0.5], 0),  # a tie
        ([0.5, 0.498], 0),  # 0.4 % better
        ([0.5, 0.497], 1),  # 0.6 %
        ([0.5, 0.498, 0.497], 2),  # against the one chosen so far
        ([0.5, 0.497, 0.4955], 1),  # 0.3 % better than that
        ([0.4, 0.5, 0.3], 2),
        ([None, 0.5], 1),
        ([0.0, 0.0], 0),
        ([None, None], None),
        ([], None),
    ],
)
def test_a_more_complex_candidate_must_be_worth_it(wapes, chosen):
    assert choose(wapes) == chosen


def test_a_series_is_drawn_towards_its_segment():
    """5 rows of its own beside 20: (5 * 0.2 + 20 * 0.4) / 25 and (5 * 0.6 + 20 * 0.3) / 25."""
    own = scores([5] * 5, [4] * 5, [8] * 5)
    segment = scores([10] * 9, [6] * 9, [7] * 9)
    assert shrink(own, segment) == pytest.approx([0.36, 0.36])


def test_a_series_without_a_score_has_its_segments():
    segment = scores([10], [6], [7])
    assert shrink(scores([], [], []), segment) == pytest.approx([0.4, 0.3])
    assert shrink(scores([0], [1], [2]), segment) == pytest.approx([0.4, 0.3])


def test_a_candidate_that_fails_on_a_series_is_not_chosen_for_it():
    own = scores([5] * 5, [4] * 5, [NAN] * 5)
    assert shrink(own, scores([10], [6], [1]))[1] is None
