"""Recipes are chosen on weeks that were not fitted on, and train uses what was chosen by then.

Twelve weeks, horizon 2; the tune's own origin is week 12, so the validation origins are weeks 8 and
10. The family's level is the mean of the last 4 weeks; the other candidate takes the last one.

    A  10 20 30 … 120     smooth: the last week is off by 10 and 20, the mean of 4 by 25 and 35
    B   1  9  1  9 …      erratic: both are off by 8 over two weeks (0 and 8, or 4 and 4)
    D   5  5  5  5 …      smooth, and no candidate can be fitted
    E   0  4  0  4 …      intermittent; week 11 is sold out, so three of its four rows are scored
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from python_jobs.infra.errors import DbtFailed, RunStopped
from python_jobs.infra.run import Selection
from python_jobs.infra.schedule import origin_at, validation_origins
from python_jobs.runs import replay
from python_jobs.runs import tune as tune_run
from python_jobs.runs.context import RunOptions
from python_jobs.runs.train import train_models
from python_jobs.selection.tuning import Tuning, tunable_families
from tests.support import golden
from tests.support.begun import begin
from tests.support.data_tests import data_tests
from tests.support.site import Site, day, instant

A, B, D, E = (f"N1|retail|{sku}" for sku in "ABDE")
WEEKS = [day("2026-01-05") + timedelta(weeks=n) for n in range(14)]
UNITS = {
    "A": [10.0 * n for n in range(1, 13)],
    "B": [1.0, 9.0] * 6,
    "D": [5.0] * 12,
    "E": [0.0, 4.0] * 6,
}
NOW = instant("2026-04-01 19:00")  # the Wednesday after week 12
LAST_WEEK = {"window": 1}


def sales(units: dict[str, list[float]], first: int = 0) -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("N1", "retail", sku, WEEKS[first + n], y, 2.0, (sku, first + n) == ("E", 10))
            for sku, values in units.items()
            for n, y in enumerate(values)
        ],
        columns=["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"],
    )


@dataclass
class Tuned:
    site: Site
    report: Any


@pytest.fixture(scope="module")
def tuned(make_site: Callable[[], Site]) -> Tuned:
    """A site where one tune has been, its dbt stages with their data tests."""
    site = make_site()
    golden.sku_settings(site)
    site.use_cases["sku_weekly"] |= {
        "families": ["window"],
        "family_options": {"window": {"fails_on": "D"}},
        "min_segment_rows": 4,
    }
    site.write("sales", sales(UNITS))
    plan = golden.plan(unit="N1", channel="*", sku_id="A")
    covers = {"covers_to": WEEKS[-1] + timedelta(weeks=4)}
    site.write("promotions", plan.assign(**covers))
    with data_tests():
        return Tuned(site, tune(site, RunOptions(run_id="TUNE")))


def tune(site: Site, options: RunOptions, **rest: Any) -> Any:
    return tune_run.tune(
        site.context(), options, **{"n_origins": 2, "every": 2, "as_of_at": NOW, **rest}
    )


def scores(site: Site, run_id: str, family: str = "window") -> dict[tuple[str, str], tuple]:
    rows = site.read(
        """
        select segment, options, is_chosen, is_best, wape, n_scored, n_removed
        from {recipe_scores} where run_id = @run_id and series_id is null
        """,
        run_id=run_id,
    )
    return {
        (row.segment, row.options): (
            row.is_chosen,
            row.is_best,
            None if pd.isna(row.wape) else round(row.wape, 9),
            row.n_scored,
            row.n_removed,
        )
        for row in rows.itertuples()
    }


OWN, LAST = "{}", '{"window":1}'
EXPECTED = {
    # A and B and E: |error| 120 + 16 + 6 and 60 + 16 + 4, y 420 + 20 + 8; D is in neither.
    ("all", OWN): (False, False, round(142 / 448, 9), 11, 4),
    ("all", LAST): (True, True, round(80 / 448, 9), 11, 4),
    ("smooth", OWN): (False, False, round(2 / 7, 9), 4, 4),
    ("smooth", LAST): (True, True, round(1 / 7, 9), 4, 4),
    # A tie: the simpler one stays.
    ("erratic", OWN): (True, True, 0.8, 4, 0),
    ("erratic", LAST): (False, False, 0.8, 4, 0),
    # Three rows are fewer than min_segment_rows: the portfolio's choice.
    ("intermittent", OWN): (False, False, 0.75, 3, 0),
    ("intermittent", LAST): (True, True, 0.5, 3, 0),
}


def test_every_candidate_of_each_segment_is_scored_and_one_is_chosen(tuned: Tuned) -> None:
    assert scores(tuned.site, "TUNE") == EXPECTED
    assert tuned.report.chosen == {
        "window": {"all": LAST_WEEK, "smooth": LAST_WEEK, "erratic": {}, "intermittent": LAST_WEEK}
    }
    assert (tuned.report.n_scored, tuned.report.n_chosen) == (11, 4)


def test_the_forecasts_of_the_chosen_are_logged_as_those_of_a_tune(tuned: Tuned) -> None:
    rows = golden.table(
        tuned.site,
        """
        select series_id, origin_date, horizon_step, yhat, outcome, reason, model_version
        from {forecast_log}
        where run_kind = 'tune' and origin_date = '2026-03-01' order by 1, 3
        """,
    )
    failed = (None, "fallback", "fit_failed: was told to fail", None)
    assert rows == [
        *((A, "2026-03-01", step, 80.0, "forecast", None, None) for step in (1, 2)),
        *((B, "2026-03-01", step, 5.0, "forecast", None, None) for step in (1, 2)),
        *((D, "2026-03-01", step, *failed) for step in (1, 2)),
        *((E, "2026-03-01", step, 4.0, "forecast", None, None) for step in (1, 2)),
    ]


def test_training_uses_the_recipe_of_each_series_segment(tuned: Tuned) -> None:
    """A's level is its last week; B's the mean of four. D fails."""
    report = train_models(tuned.site.context(), RunOptions(run_id="T"), as_of_at=NOW)
    assert (report.n_trained, report.n_failed) == (3, 1)
    assert trained(tuned.site, "T") == {
        A: (120.0, "smooth", {"run_id": "TUNE", "options": LAST_WEEK}),
        B: (5.0, "erratic", {"run_id": "TUNE", "options": {}}),
        E: (4.0, "intermittent", {"run_id": "TUNE", "options": LAST_WEEK}),
    }


def test_an_origin_of_the_same_week_before_the_tune_knows_no_recipe(tuned: Tuned) -> None:
    context = tuned.site.context()
    for hours, n_recipes in ((-1, 0), (0, 4)):
        origin = origin_at(context.use_case, NOW + timedelta(hours=hours))
        begin(context, context.new_run("train", [origin], RunOptions()))
        assert len(context.warehouse.read("select segment from {recipes}")) == n_recipes


def trained(site: Site, run_id: str) -> dict[str, tuple]:
    rows = site.read(
        "select series_id, segment, hyperparameters, metrics from {model_log} "
        "where run_id = @run_id and status = 'trained'",
        run_id=run_id,
    )
    return {
        row.series_id: (
            json.loads(row.metrics)["level"],
            row.segment,
            json.loads(row.hyperparameters)["recipe"],
        )
        for row in rows.itertuples()
    }


def test_weeks_after_the_tunes_own_origin_move_nothing(tuned: Tuned) -> None:
    tuned.site.write("sales", sales({"A": [999.0, 1.0], "B": [999.0, 1.0]}, first=12))
    tune(tuned.site, RunOptions(run_id="AGAIN"))
    assert scores(tuned.site, "AGAIN") == EXPECTED


def test_a_tune_of_some_series_chooses_for_these_alone(tuned: Tuned) -> None:
    """As of an hour later: B alone, whose tie stays with the settings."""
    later = NOW + timedelta(hours=1)
    options = RunOptions(selection=Selection("*|B"), run_id="PART")
    tune(tuned.site, options, as_of_at=later)
    chosen = golden.table(
        tuned.site,
        """
        select segment, series_id, hyperparameters from {model_log}
        where run_id = 'PART' and status = 'chosen'
        """,
    )
    assert chosen == [("erratic", B, OWN)]
    in_force = golden.table(
        tuned.site, "select segment, series_id, options, run_id from {recipes} order by 1, 2"
    )
    assert in_force == [
        ("all", None, LAST, "AGAIN"),
        ("erratic", None, OWN, "AGAIN"),
        ("erratic", B, OWN, "PART"),
        ("intermittent", None, LAST, "AGAIN"),
        ("smooth", None, LAST, "AGAIN"),
    ]


def test_a_sample_holds_each_segment_in_proportion_and_is_always_the_same(tuned: Tuned) -> None:
    """Of four series at most two: one of the two smooth ones, and the only one of each other."""
    context = tuned.site.context()
    current = origin_at(context.use_case, NOW + timedelta(hours=1))
    origins = validation_origins(context.use_case, current, 1, 1)
    run = context.new_run("tune", [*origins, current], RunOptions())
    families = tunable_families(context.use_case)
    drawn = [
        Tuning(context.warehouse, run, families, 1, lambda *_: None, max_series=2).series
        for _ in range(2)
    ]
    assert drawn[0].equals(drawn[1])
    assert sorted(drawn[0]["segment"]) == ["erratic", "intermittent", "smooth"]
    fingerprints = context.warehouse.read(
        "select id from unnest(@ids) as id order by farm_fingerprint(id)", ids=[A, D]
    )
    assert fingerprints["id"].iloc[0] in set(drawn[0]["series_id"])
    some = context.new_run("tune", [*origins, current], RunOptions(selection=Selection("N1|*")))
    with pytest.raises(RunStopped, match=r"4 series were selected.*at most 2"):
        _ = Tuning(context.warehouse, some, families, 1, lambda *_: None, max_series=2).series


def test_nothing_to_tune_is_said_before_anything_is_done(tuned: Tuned) -> None:
    use_case = tuned.site.context().use_case.model_copy(update={"families": ("level",)})
    with pytest.raises(RunStopped, match=r"nothing to tune. None of its families \(level\)"):
        tunable_families(use_case)


def test_too_little_history_says_how_much_it_takes(tuned: Tuned) -> None:
    """After four weeks the validation origin is week 2, and 3 weeks make a model."""
    with pytest.raises(RunStopped) as stopped:
        tune(tuned.site, RunOptions(), as_of_at=instant("2026-02-04 19:00"), n_origins=1)
    assert "takes 5 observed weeks by 2026-02-01" in str(stopped.value)
    assert "the longest series has 4" in str(stopped.value)


def test_a_forecast_whose_recipe_was_chosen_later_is_found(tuned: Tuned) -> None:
    """The models of week 12 serve a replay a week later; then the tunes are dated after both."""
    context = tuned.site.context()
    replay.replay(context, day("2026-04-08"), day("2026-04-08"))
    name = "forecasts_use_no_recipe_or_priors_chosen_later"
    context.dbt.run("test", "--select", name)
    context.warehouse.query(
        "update {model_log} set as_of_at = timestamp '2026-04-20 00:00:00+00' "
        "where status = 'chosen'"
    )
    with pytest.raises(DbtFailed, match=name):
        context.dbt.run("test", "--select", name)
