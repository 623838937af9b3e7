"""The stages of a run: what each builds and tests, and that nothing is left to none of them."""

from __future__ import annotations

from typing import Any

import pytest

from python_jobs.infra import dbt_runner
from tests.support import golden
from tests.support.played import Played


def nodes(played: Played, *kinds: str) -> set[str]:
    """Nodes of the project of these kinds, as the manifest has them."""
    manifest: dict[str, Any] = played.site.context().dbt.manifest()
    return {
        name
        for name, node in manifest["nodes"].items()
        if node["resource_type"] in kinds and node["config"]["enabled"]
    }


def built(played: Played) -> set[str]:
    return set().union(*played.stages.values())


def test_the_stages_run_in_order_on_a_fresh_warehouse_without_a_failure(played: Played) -> None:
    assert list(played.stages) == ["before_forecast", "after_forecast", "monitoring"]
    for stage, statuses in played.stages.items():
        # What people open is no thing that dbt builds, and it says so.
        built = {name: of for name, of in statuses.items() if not name.startswith("exposure.")}
        assert set(built.values()) <= {"success", "pass"}, stage


def test_the_stages_together_build_every_model_and_seed(played: Played) -> None:
    assert nodes(played, "model", "seed") <= built(played)


def test_the_stages_together_run_every_data_test(played: Played) -> None:
    assert nodes(played, "test") <= built(played)


def test_a_stage_runs_no_unit_test(played: Played) -> None:
    assert not [name for name in built(played) if name.startswith("unit_test.")]


def test_each_check_on_a_run_belongs_to_the_stage_that_makes_what_it_checks(
    played: Played,
) -> None:
    stages = {
        test: [stage for stage, found in played.stages.items() if f"test.shelfcast.{test}" in found]
        for test in (
            "accepted_and_rejected_promotions_are_what_came_in",
            "accepted_and_rejected_rows_are_what_came_in",
            "accepted_and_rejected_rows_of_other_sources_are_what_came_in",
            "every_series_of_a_run_is_accounted_for",
            "forecasts_use_no_model_trained_past_its_origin",
        )
    }
    assert stages == {
        "accepted_and_rejected_promotions_are_what_came_in": ["before_forecast", "monitoring"],
        "accepted_and_rejected_rows_are_what_came_in": ["before_forecast", "monitoring"],
        "accepted_and_rejected_rows_of_other_sources_are_what_came_in": [
            "before_forecast",
            "monitoring",
        ],
        "every_series_of_a_run_is_accounted_for": ["after_forecast"],
        "forecasts_use_no_model_trained_past_its_origin": ["after_forecast"],
    }


def test_monitoring_alone_scores_what_has_arrived_since_the_run(played: Played) -> None:
    scored = golden.table(
        played.site,
        f"""
        select series_id, y, yhat from {{forecast_errors}}
        where run_kind = 'issued' and target_date = '{golden.WEEK["W9"]}' and is_champion
            and is_scored
        order by 1
        """,
    )
    assert scored == [(golden.A, 11.0, 11.0), (golden.B, 4.0, 5.0)]


def test_monitoring_builds_nothing_that_a_prediction_needs(played: Played) -> None:
    panels = [name for name in played.stages["monitoring"] if "_panel" in name or "_gate" in name]
    assert panels == []


def test_what_was_parsed_serves_every_command_of_a_use_case(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dbt tells when it cannot go on from it: a variable that selectors read has changed, say."""
    told: list[str] = []
    monkeypatch.setattr(
        dbt_runner, "_listener", lambda _: lambda event: told.append(event.info.name)
    )
    monkeypatch.setenv("SHELFCAST_USE_CASE", "another")
    dbt = played.site.context().dbt
    dbt._invoke(None, "parse")
    told.clear()
    dbt._invoke(None, "build", "--selector", "priors")  # as in a process of its own
    assert "LogModelResult" in told
    assert "UnableToPartialParse" not in told
