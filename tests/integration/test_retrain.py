"""A retraining end to end: recipes compared on weeks that neither saw, and the better one serves.

The series and their weeks: tests/support/weeks_compared.py. Each test goes on from the one before.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from python_jobs.infra.errors import RunStopped, SettingsError
from python_jobs.infra.run import Selection
from python_jobs.registry.verify import verify
from python_jobs.runs import retrain as runs
from python_jobs.runs.context import RunOptions
from python_jobs.runs.retrain import champion_family, has_recipes, retrain
from tests.support import golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.data_tests import data_tests
from tests.support.site import Site, instant
from tests.support.weeks_compared import LAST, NEXT, NOW, A, B, C, D, E, make


@dataclass
class Retrained:
    site: Site
    report: Any


@pytest.fixture(scope="module")
def retrained(make_site: Callable[[], Site]) -> Retrained:
    """A site where one retraining has been, by pattern, its dbt stage with its data tests."""
    site = make(make_site().in_bucket())
    options = RunOptions(selection=Selection("N1|retail|*"), run_id="R1")
    with data_tests():
        report = retrain(site.context(), options, as_of_at=NOW)
    return Retrained(site, report)


def decisions(site: Site, run_id: str) -> list[tuple]:
    return golden.table(
        site,
        "select series_id, decision, champion_wape, challenger_wape, baseline_wape, "
        "cast(n_periods as float64) "
        f"from {{retraining_log}} where run_id = '{run_id}' order by 1",
    )


DECIDED = [
    (A, "promoted", round(240 / 1640, 9), round(120 / 1640, 9), round(400 / 1640, 9), 8),
    (B, "kept", round(96 / 656, 9), round(104 / 656, 9), round(160 / 656, 9), 8),
    (C, "serve_baseline", 1.0, 1.0, 0.75, 8),
    (D, "too_few_periods", 0.0, None, 0.0, 4),
    (E, "refused", None, None, None, None),
]


def test_each_series_gets_the_decision_that_its_weeks_ask_for(retrained: Retrained) -> None:
    assert decisions(retrained.site, "R1") == DECIDED
    assert retrained.report.decisions == {row[0]: row[1] for row in DECIDED if row[0] != E}
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
    (D, CHAMPION, "serving", "too_few_periods", "retrain"),
    (E, None, "no_model", "refused", "retrain"),
]


def test_the_winner_serves_and_the_loser_stays_a_candidate(retrained: Retrained) -> None:
    site = retrained.site
    assert events(site, "R1") == EVENTS
    context = site.context()
    levels = {
        sku: json.loads(context.store.get(f"models/sku_weekly/N1/retail/{sku}.json"))
        for sku in "ABC"
    }
    assert levels == {"A": 240.0, "B": 90.0, "C": 6.0}
    assert verify(context.warehouse, context.store, context.use_case).findings == []


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
    assert told["champion_saw_these_periods"] is False
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
    report = retrain(site.context(), RunOptions(selection=Selection("N1|retail|*"), run_id="R1"))
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
    site.context().dbt.run("test", "--select", *names)


# Later: what the policy names, what a person names


LATER = instant("2026-07-02 10:00")
AS_OF = "2026-07-02T13:00"


@pytest.fixture(scope="module")
def monitored(retrained: Retrained) -> Site:
    """A site whose policy names B, then A; C is cooling down. Nothing else cools down."""
    site = retrained.site
    site.context().dbt.build("monitoring")
    site.context().warehouse.query("delete from {retraining_candidates} where true")
    for name, error, is_due in ((A, 100.0, True), (B, 300.0, True), (C, 900.0, False)):
        site.context().warehouse.query(
            """
            insert into {retraining_candidates} (
                use_case, series_id, rule, detail, n_scored, sum_abs_error, is_cooling_down, is_due
            )
            values (
                'sku_weekly', @series_id, 'wape', 'WAPE of 8 rows', 8, @error, not @is_due, @is_due
            )
            """,
            series_id=name,
            error=error,
            is_due=is_due,
        )
    return site


def set_retraining(site: Site, **settings: Any) -> None:
    site.use_cases["sku_weekly"]["retraining"] |= settings


def test_what_was_retrained_since_monitoring_looked_is_not_due(monitored: Site) -> None:
    report = retrain(monitored.context(), RunOptions(run_id="R2"), candidates=True, as_of_at=LATER)
    assert report.decisions == {}
    assert decisions(monitored, "R2") == []


def test_the_worst_candidates_come_first_up_to_the_cap(monitored: Site) -> None:
    set_retraining(monitored, cool_down_periods=0, max_series=1)
    try:
        asked = ("retrain", "--candidates", "--as-of", AS_OF)
        told = done(monitored, *asked, "--dry-run")
        assert told.stdout.startswith(f"1 series: {B}\n")
        assert "nothing was written (--dry-run)" in told.stdout
        report = retrain(
            monitored.context(), RunOptions(run_id="R3"), candidates=True, as_of_at=LATER
        )
    finally:
        set_retraining(monitored, max_series=50)
    assert (list(report.decisions), report.n_over) == ([B], 1)
    assert "1 more are due and left to the next run" in str(report)
    assert numbers(monitored, B, "R3")["rules"] == ["wape"]
    assert numbers(monitored, B, "R3")["details"] == ["WAPE of 8 rows"]


def test_a_refit_takes_the_recipe_in_force_and_decides_nothing(monitored: Site) -> None:
    """A's is its last week by now. C's baseline goes on serving; E has its first model."""
    arguments = ("retrain", "--no-tune", "--as-of", AS_OF, "--run-id", "N1")
    done(monitored, *arguments, TARGET_COMBINATIONS="*|A,*|C,*|E", SHELFCAST_SERIES="*|B")
    version = "20260628-N1-champion"
    assert events(monitored, "N1") == [
        (name, version, "serving", "refitted", "retrain") for name in (A, C, E)
    ]
    assert json.loads(copy_of(monitored, "A")) == 250.0
    assert decisions(monitored, "N1") == [
        (name, "refitted", None, None, None, None) for name in (A, C, E)
    ]
    assert golden.table(
        monitored, "select series_id, decision, baseline from {series_decisions} order by 1"
    ) == [(A, "promoted", None), (B, "kept", None), (C, "serve_baseline", "mean_8")]


def copy_of(site: Site, sku: str) -> bytes:
    return site.context().store.get(f"models/sku_weekly/N1/retail/{sku}.json")


def test_a_series_on_its_baseline_is_compared_again(monitored: Site) -> None:
    """The gate sends it to the baseline; its recipes are compared all the same.

    As of weeks 17, 19, 21 and 23 the sums of |error| are 24 (mean of 4: 8 + 4 + 8 + 8), 16 (last: 8
    at weeks 23 and 25) and 24 (mean_8: 4 + 4 + 8 + 8), so C has a model again.
    """
    report = retrain(
        monitored.context(),
        RunOptions(selection=Selection("*|C"), run_id="R4"),
        as_of_at=LATER,
    )
    assert report.decisions == {C: "promoted"}
    told = numbers(monitored, C, "R4")
    assert told["n_periods"] == 8
    assert told["challenger"]["wape"] == pytest.approx(16 / 32)
    assert told["baseline"]["wape"] == pytest.approx(24 / 32)


def test_a_champion_chosen_on_the_weeks_compared_is_said_to_be(monitored: Site) -> None:
    """A's recipe in force was promoted as of week 24, on weeks that are compared again."""
    options = RunOptions(selection=Selection("*|A"), run_id="R5")
    report = retrain(monitored.context(), options, as_of_at=LATER)
    assert report.decisions == {A: "kept"}
    told = numbers(monitored, A, "R5")
    assert told["champion_saw_these_periods"] is True
    assert (told["champion"]["recipe"], told["challenger"]) == (LAST, None)


def test_a_lost_race_is_told_and_nothing_is_lost(
    monitored: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody replaces A's copy while B and A are fitted; the same run, again, puts A in place."""
    before, context = copy_of(monitored, "A"), monitored.context()
    theirs, path = b"theirs", "models/sku_weekly/N1/retail/A.json"
    options = RunOptions(selection=Selection("*|A,*|B"), run_id="L1")
    seen = runs.seen_copies

    def seen_before_another_wrote(*arguments: Any) -> dict[str, int]:
        found = seen(*arguments)
        context.store.put(path, theirs)
        return found

    later = LATER + timedelta(hours=1)
    with monkeypatch.context() as patch, pytest.raises(RunStopped) as stopped:
        patch.setattr(runs, "seen_copies", seen_before_another_wrote)
        retrain(context, options, tune=False, as_of_at=later)
    assert "1 of 2 series were not promoted" in str(stopped.value)
    assert f"{path} was replaced by somebody else meanwhile; theirs stays" in str(stopped.value)
    assert "--run-id L1" in str(stopped.value)
    assert copy_of(monitored, "A") == theirs
    assert [row[0] for row in events(monitored, "L1")] == [B]

    context.store.put(path, before)
    report = retrain(context, options, tune=False)
    assert report.decisions == {A: "refitted", B: "refitted"}
    assert [row[:3] for row in events(monitored, "L1")] == [
        (name, "20260628-L1-champion", "serving") for name in (A, B)
    ]


# Versions


def test_every_version_is_shown_with_what_became_of_it(monitored: Site) -> None:
    shown = pd.read_csv(io.StringIO(done(monitored, "models", "show", "--series", A).stdout))
    told = list(zip(shown["model_version"], shown["stage"], shown["actor"], strict=True))
    assert told[:3] == [
        ("20260614-T0", "serving", "train"),
        (CHALLENGER, "serving", "retrain"),
        (CHAMPION, "candidate", "retrain"),
    ]
    serving = shown[shown["is_serving"]]
    assert serving["model_version"].tolist() == ["20260628-L1-champion"]
    validation = json.loads(shown["metrics"][1])["validation"]
    assert validation["wape"] == pytest.approx(120 / 1640)
    assert json.loads(shown["hyperparameters"][1])["recipe"] == {"run_id": "R1", "options": LAST}


def test_a_rollback_lets_the_version_before_serve(monitored: Site) -> None:
    """And once more is back where it was. Whoever refits A then does so with that recipe."""
    site = monitored
    result = done(site, "models", "rollback", "--series", A)
    assert "rolled back: 20260628-R5-champion serves, in place of 20260628-L1" in result.stderr
    assert "refit: every_run" not in result.stderr
    assert serving_now(site, A) == "20260628-R5-champion"
    done(site, "models", "rollback", "--series", A)
    assert serving_now(site, A) == "20260628-L1-champion"
    told = golden.table(
        site,
        "select model_version, stage, reason from {model_events} where actor = 'rollback' "
        "order by logged_at, stage desc",
    )
    there, back = "20260628-R5-champion", "20260628-L1-champion"
    assert told == [
        (there, "serving", "rolled_back"),
        (back, "retired", "rolled_back"),
        (back, "serving", "rolled_back"),
        (there, "retired", "rolled_back"),
    ]


def serving_now(site: Site, series_id: str) -> str:
    shown = pd.read_csv(io.StringIO(done(site, "models", "show", "--series", series_id).stdout))
    (version,) = shown.loc[shown["is_serving"], "model_version"].unique()
    return str(version)


def test_any_stored_version_can_be_promoted(monitored: Site) -> None:
    """The loser, then a version before; with refit: every_run it says for how long."""
    monitored.use_cases["sku_weekly"]["refit"] = "every_run"
    version = "20260628-R4-champion"
    ask = ("models", "promote", "--series", C, "--model-version")
    try:
        result = done(monitored, *ask, version)
        assert f"{C}: promoted: {version} serves" in result.stderr
        assert "the next run fits the series anew, with this version's recipe" in result.stderr
        again = done(monitored, *ask, version)
        assert f"{C}: {version} serves already; nothing was done." in again.stderr
        result = done(monitored, *ask, CHALLENGER)
        assert f"in place of {version}" in result.stderr
    finally:
        monitored.use_cases["sku_weekly"]["refit"] = "on_retrain"
    assert json.loads(copy_of(monitored, "C")) == 10.0
    chosen = golden.table(
        monitored,
        "select hyperparameters from {model_log} where status = 'chosen' and series_id = "
        f"'{C}' order by trained_at",
    )
    assert chosen == [('{"window":1}',), ("{}",), ('{"window":1}',)]


REFUSED = {
    "no series": ((), 2, "say which series"),
    "a pattern that matches nothing": (
        ("--series", "*|A,N7|*,*|Z"),
        2,
        "retrain: 2 of 3 patterns match no series of sku_weekly: 'N7|*', '*|Z'. A series_id is "
        "unit|channel|sku_id",
    ),
    "the id of another run": (("--series", "*|A", "--run-id", "T0"), 1, "is of kind train"),
    "an id with other options": (
        ("--series", "*|A", "--no-tune", "--run-id", "R1"),
        1,
        "go on with the options and settings that it was begun with",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_retrained_says_why(monitored: Site, case: str) -> None:
    arguments, code, message = REFUSED[case]
    refused = shelfcast(monitored, "retrain", *arguments)
    assert refused.exit_code == code
    assert message in (refused.stderr if code == 2 and not arguments else error_of(refused))
    assert list(monitored.context().store.list("leases/")) == []


def test_a_series_that_cannot_be_forecast_is_a_row_with_its_reason(monitored: Site) -> None:
    """Once, however often the run is tried; and nobody rests for it."""
    asked = ("retrain", "--series", "*|E", "--as-of", "2026-06-24T22:00", "--run-id", "F1")
    for _ in range(2):
        refused = shelfcast(monitored, *asked)
        assert refused.exit_code == 1
        assert (
            f"nothing to retrain: 1 series cannot be forecast now and are left out: {E} (too_short)"
        ) in error_of(refused)
        assert events(monitored, "F1") == [(E, None, "no_model", "refused", "retrain")]
    told = numbers(monitored, E, "F1")
    assert told["why"] == "cannot be forecast now: too_short"
    assert told["rules"] == ["by_hand"]


def test_more_series_than_one_run_retrains_are_refused_where_somebody_names_them(
    monitored: Site,
) -> None:
    set_retraining(monitored, max_series=2)
    try:
        refused = shelfcast(monitored, "retrain", "--series", "*", "--as-of", AS_OF)
    finally:
        set_retraining(monitored, max_series=50)
    assert refused.exit_code == 2
    assert "5 series were named, and one run retrains at most 2" in error_of(refused)


VERSIONS_REFUSED = {
    "an unknown series": (("show", "--series", "N1|retail|Z"), "has no model of a series"),
    "an unknown version": (
        ("promote", "--series", A, "--model-version", "V9"),
        f"{A}: no version 'V9' is stored. There are",
    ),
    "nothing before": (("rollback", "--series", E), f"{E}: nothing to go back to"),
}


@pytest.mark.parametrize("case", VERSIONS_REFUSED)
def test_what_cannot_serve_says_why(monitored: Site, case: str) -> None:
    arguments, message = VERSIONS_REFUSED[case]
    refused = shelfcast(monitored, "models", *arguments)
    assert refused.exit_code != 0
    assert message in error_of(refused)


def test_a_global_champion_is_no_series_to_retrain(monitored: Site) -> None:
    use_case = monitored.context().use_case
    with pytest.raises(SettingsError, match="ridge is one model for all series"):
        champion_family(use_case.model_copy(update={"families": ("ridge",)}))
    level = champion_family(use_case.model_copy(update={"families": ("level",)}))
    assert not has_recipes(level)
