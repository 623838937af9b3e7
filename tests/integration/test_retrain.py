"""A retraining end to end: recipes compared on weeks that neither saw, and the better one serves.

Twenty-six weeks, horizon 2; the retraining's own origin is week 24. Tuning looks back from weeks
10, 12 and 14; what it chooses is compared with the recipe in force as of weeks 16, 18, 20 and 22.
The family's level is the mean of the last 4 weeks; the other candidate takes the last one. Sums of
|error| over the eight weeks compared:

                                                     mean of 4   last   mean_8       y
    A  10 20 30 … 260                                      240    120      400    1640
    B  4 8 12 …, and 9 more or less from week 17 on         96    104      160     656
    C  2 2 2 2 2 2 10 10 again and again                    32     32       24      32
    D  5, from week 18 on: at weeks 20 and 22 it can be forecast
    E  5, from week 23 on: too short for a model

In the weeks before, the last week is the better guess for A, B and C.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from python_jobs import pipeline
from python_jobs.jobs.verify import verify
from python_jobs.pipeline import RunOptions
from python_jobs.retrain import retrain
from python_jobs.run import Selection
from tests.support import golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.site import Site, day, instant, without_data_tests

A, B, C, D, E = (f"N1|retail|{sku}" for sku in "ABCDE")
WEEKS = [day("2026-01-05") + timedelta(weeks=n) for n in range(26)]
UNITS = {
    "A": {n: 10.0 * n for n in range(1, 27)},
    "B": {n: 4.0 * n + (n > 16) * (9 if n % 2 else -9) for n in range(1, 27)},
    "C": {n: 10.0 if n % 8 in (7, 0) else 2.0 for n in range(1, 27)},
    "D": {n: 5.0 for n in range(18, 27)},
    "E": {n: 5.0 for n in range(23, 27)},
}
BEFORE = instant("2026-06-17 19:00")  # the Wednesday after week 23
NOW = instant("2026-06-24 19:00")  # after week 24
NEXT = day("2026-07-01")
LAST = {"window": 1}


def sales() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("N1", "retail", sku, WEEKS[n - 1], y, 2.0, False)
            for sku, values in UNITS.items()
            for n, y in values.items()
        ],
        columns=["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"],
    )


def make(site: Site) -> Site:
    golden.sku_settings(site)
    site.use_cases["sku_weekly"] |= {
        "families": ["window"],
        "min_segment_rows": 4,
        "retraining": {"min_weeks": 6, "simulations": 200},
    }
    site.write("sales", sales())
    plan = golden.plan(unit="N1", channel="*", sku_id="A")
    site.write("promotions", plan.assign(covers_to=WEEKS[-1] + timedelta(weeks=9)))
    with without_data_tests():
        pipeline.train_models(site.place(), RunOptions(run_id="T0"), as_of_at=BEFORE)
    return site


@dataclass
class Retrained:
    site: Site
    report: Any


@pytest.fixture(scope="module")
def retrained(make_site: Callable[[], Site]) -> Iterator[Retrained]:
    """A site where one retraining has been, by pattern, its dbt stage with its data tests."""
    site = make(make_site().in_bucket())
    options = RunOptions(selection=Selection("N1|retail|*"), run_id="R1")
    report = retrain(site.place(), options, as_of_at=NOW)
    with without_data_tests():
        yield Retrained(site, report)


def decisions(site: Site, run_id: str) -> list[tuple]:
    return golden.table(
        site,
        "select series_id, decision, champion_wape, challenger_wape, baseline_wape, n_weeks "
        f"from {{retraining_log}} where run_id = '{run_id}' order by 1",
    )


DECIDED = [
    (A, "promoted", round(240 / 1640, 9), round(120 / 1640, 9), round(400 / 1640, 9), 8),
    (B, "kept", round(96 / 656, 9), round(104 / 656, 9), round(160 / 656, 9), 8),
    (C, "serve_baseline", 1.0, 1.0, 0.75, 8),
    (D, "too_few_weeks", 0.0, None, 0.0, 4),
]


def test_each_series_gets_the_decision_that_its_weeks_ask_for(retrained: Retrained) -> None:
    assert decisions(retrained.site, "R1") == DECIDED
    assert retrained.report.decisions == {row[0]: row[1] for row in DECIDED}
    assert retrained.report.left_out == {E: "too_short"}


CHAMPION, CHALLENGER = "20260621-R1-champion", "20260621-R1-challenger"


def events(site: Site, run_id: str) -> list[tuple]:
    return golden.table(
        site,
        "select series_id, model_version, stage, reason, actor from {model_events} "
        f"where run_id = '{run_id}' order by 1, 2",
    )


EVENTS = [
    (A, CHALLENGER, "serving", "promoted", "retrain"),
    (A, CHAMPION, "candidate", "promoted", "retrain"),
    (B, CHALLENGER, "candidate", "kept", "retrain"),
    (B, CHAMPION, "serving", "kept", "retrain"),
    (C, CHALLENGER, "candidate", "serve_baseline", "retrain"),
    (C, CHAMPION, "serving", "serve_baseline", "retrain"),
    (D, CHAMPION, "serving", "too_few_weeks", "retrain"),
]


def test_the_winner_serves_and_the_loser_stays_a_candidate(retrained: Retrained) -> None:
    site = retrained.site
    assert events(site, "R1") == EVENTS
    place = site.place()
    levels = {
        sku: json.loads(place.store.get(f"models/sku_weekly/N1/retail/{sku}.json")) for sku in "ABC"
    }
    assert levels == {"A": 240.0, "B": 90.0 + 0.0, "C": 6.0}
    assert not [one for one in verify(place.warehouse, place.store, place.use_case).findings]


def test_the_promoted_recipe_alone_is_in_force_from_now_on(retrained: Retrained) -> None:
    assert golden.table(
        retrained.site,
        "select series_id, hyperparameters from {model_log} where status = 'chosen'",
    ) == [(A, '{"window":1}')]


def numbers(site: Site, series_id: str, run_id: str = "R1") -> dict[str, Any]:
    (text,) = site.read(
        "select any_value(numbers) as numbers from {model_events} "
        "where run_id = @run_id and series_id = @series_id",
        run_id=run_id,
        series_id=series_id,
    )["numbers"]
    return json.loads(text)


def test_the_event_has_what_it_takes_to_judge_the_decision(retrained: Retrained) -> None:
    told = numbers(retrained.site, A)
    assert told["champion"]["hyperparameters"] == {}
    assert told["challenger"]["hyperparameters"] == LAST
    assert told["champion"]["rmse"] == pytest.approx((7400 / 8) ** 0.5)
    assert told["challenger"]["rmse"] == pytest.approx((2000 / 8) ** 0.5)
    assert told["baseline"] == {"name": "mean_8", "wape": 400 / 1640}
    assert told["origins"] == ["2026-04-26", "2026-05-10", "2026-05-24", "2026-06-07"]
    assert (told["n_scored"], told["margin"], told["rules"]) == (8, 0.05, ["by_hand"])
    assert told["served_before"] == "20260614-T0"
    assert told["champion_saw_these_weeks"] is False
    # Four origins: of the sixteen ways to swap, the challenger wins where it is itself in at least
    # three of them (5), since half and half is no gain.
    assert told["chance_promotion_rate"] == pytest.approx(5 / 16, abs=0.08)
    tried = {json.dumps(one["recipe"]): one["wape"] for one in told["tried"]}
    assert tried == {"{}": pytest.approx(180 / 810), '{"window": 1}': pytest.approx(90 / 810)}


def test_the_same_run_again_changes_nothing(retrained: Retrained) -> None:
    site = retrained.site
    counted = "select count(*) as n from {%s} where run_id = 'R1'"
    tables = ("model_log", "model_events", "run_origins")
    before = {name: site.read(counted % name)["n"][0] for name in tables}
    report = retrain(site.place(), RunOptions(selection=Selection("N1|retail|*"), run_id="R1"))
    assert report.decisions == retrained.report.decisions
    assert {name: site.read(counted % name)["n"][0] for name in tables} == before
    assert events(site, "R1") == EVENTS


def test_the_next_week_is_forecast_by_what_was_decided(retrained: Retrained) -> None:
    """A by its last week; C by mean_8, with the reason. The data tests of the stage pass."""
    site = retrained.site
    done(site, "replay", "--from", str(NEXT), "--to", str(NEXT), "--run-id", "P1")
    rows = golden.table(
        site,
        """
        select series_id, yhat, is_fallback, fallback_model, reason, model_version
        from {run_forecasts} where run_id = 'P1' and horizon_step = 1 order by 1
        """,
    )
    assert rows[:4] == [
        (A, 240.0, False, None, None, CHALLENGER),
        (B, 90.0, False, None, None, CHAMPION),
        (C, 4.0, True, "mean_8", "serve_baseline: mean_8", None),
        (D, 5.0, False, None, None, CHAMPION),
    ]
    names = (
        "forecasts_use_no_recipe_or_priors_chosen_later",
        "forecasts_use_no_model_trained_past_its_origin",
        "every_series_of_a_run_is_accounted_for",
    )
    site.place().dbt.run("test", "--select", *names)
