"""Which recipe a segment and a series get, from the scores and from the view `recipes`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from python_jobs.fitting.fit import Learned, assign_recipes
from python_jobs.selection.choosing import Choices, Scores, score

LOG, SHORT = '{"transform":"log"}', '{"window":1}'


def scores(n_rows: int, *wapes: float) -> Scores:
    """Of rows of y 100, each candidate off by its WAPE on every row."""
    y = np.full(n_rows, 100.0)
    return score(y, np.array([y * (1 + wape) for wape in wapes]).T.reshape(n_rows, len(wapes)))


@pytest.fixture
def choices() -> Choices:
    """Of all series the second candidate is best."""
    return Choices({"all": scores(500, 0.3, 0.2)}, {"all": 1})


def test_a_segment_chooses_for_itself(choices):
    choices.add_segment("smooth", scores(100, 0.2, 0.3), 100)
    assert choices.by_segment == {"all": 1, "smooth": 0}
    assert choices.of("a", "smooth") == 0


@pytest.mark.parametrize("n_rows", [0, 99])
def test_a_segment_with_few_scored_rows_takes_the_portfolios_choice(choices, n_rows):
    choices.add_segment("lumpy", scores(n_rows, 0.2, 0.3), 100)
    assert choices.by_segment["lumpy"] == 1
    assert choices.scores["lumpy"].n_scored == n_rows


def test_a_series_needs_rows_enough_to_differ_from_its_segment(choices):
    """few: (2 * 0.2 + 20 * 0.3) / 22 = 0.291 and (2 * 0.3 + 20 * 0.2) / 22 = 0.209; many turns it
    round: (60 * 0.2 + 6) / 80 = 0.225 and (60 * 0.3 + 4) / 80 = 0.275."""
    choices.add_segment("smooth", scores(100, 0.3, 0.2), 100)
    choices.add_series("few", "smooth", scores(2, 0.2, 0.3))
    choices.add_series("many", "smooth", scores(60, 0.2, 0.3))
    choices.add_series("none", "smooth", scores(0, 0.2, 0.3))
    assert choices.by_series == {"few": 1, "many": 0, "none": 1}
    assert choices.of("many", "smooth") == 0


def test_a_series_of_a_small_segment_is_drawn_towards_the_portfolio(choices):
    choices.add_segment("lumpy", scores(10, 0.2, 0.3), 100)
    choices.add_series("a", "lumpy", scores(2, 0.2, 0.3))
    assert choices.by_series == {"a": 1}


def recipes(*rows: tuple[str, str | None, str]) -> pd.DataFrame:
    columns = ["segment", "series_id", "options"]
    return pd.DataFrame(rows, columns=columns).assign(run_id="TUNE")


def test_a_series_has_its_own_recipe_else_its_classes_else_the_portfolios():
    learned = assign_recipes(
        recipes(("all", None, "{}"), ("smooth", None, LOG), ("smooth", "own", SHORT)),
        {"own": "smooth", "other": "smooth", "third": "lumpy"},
    )
    chosen = {name: learned.tuned.recipes[key] for name, key in learned.tuned.segments.items()}
    assert chosen == {"own": {"window": 1}, "other": {"transform": "log"}, "third": {}}
    assert [learned.segment(name) for name in chosen] == ["smooth", "smooth", "all"]


def test_a_series_may_be_called_like_a_segment():
    learned = assign_recipes(
        recipes(("all", None, "{}"), ("smooth", "all", SHORT)), {"all": "smooth", "b": "smooth"}
    )
    chosen = {name: learned.tuned.recipes[key] for name, key in learned.tuned.segments.items()}
    assert chosen == {"all": {"window": 1}, "b": {}}


def test_where_nothing_was_chosen_for_a_series_it_has_no_recipe():
    learned = assign_recipes(recipes(("smooth", "own", SHORT)), {"own": "smooth", "b": "smooth"})
    assert set(learned.tuned.segments) == {"own"}
    assert learned.provenance("b", None) == {"priors": None, "recipe": None, "segment": None}
    assert learned.provenance("own", None)["recipe"] == {
        "run_id": "TUNE",
        "options": {"window": 1},
    }


def test_a_model_owes_its_priors_to_the_run_that_pooled_its_own_recipe():
    day = pd.Timestamp("2026-03-01").date()
    learned = Learned(assign_recipes(recipes(), {}).tuned, pools={"log": ("RUN", day)})
    assert learned.provenance("a", "log")["priors"] == {"run_id": "RUN", "origin_date": day}
    assert learned.provenance("a", "plain")["priors"] is None
