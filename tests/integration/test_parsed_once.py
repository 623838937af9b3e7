"""What the tests' sites share is what dbt would have made of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from python_jobs.infra.dbt_runner import Dbt
from python_jobs.runs.tables import ensure_tables
from tests.support import golden
from tests.support.parsed_once import READ_WHEN_RENDERED, parsed_once
from tests.support.site import Site

OF_ITS_TIME = (
    *("generated_at", "created_at", "run_started_at"),
    *("invocation_id", "invocation_started_at", "user_id"),
)


def timeless(manifest: Any) -> Any:
    """A manifest without the instants of its making."""
    if isinstance(manifest, dict):
        return {key: timeless(one) for key, one in manifest.items() if key not in OF_ITS_TIME}
    return [timeless(one) for one in manifest] if isinstance(manifest, list) else manifest


def file_of(dbt: Dbt) -> Any:
    return timeless(json.loads((dbt.target_path / "manifest.json").read_text()))


def compiled_by(dbt: Dbt, parsed: Any) -> Any:
    """The manifest that dbt writes when it has compiled everything."""
    dbt._invoke(parsed, "compile")
    return file_of(dbt)


def test_a_site_gets_what_dbt_makes_of_its_own_dataset(make_site: Callable[[], Site]) -> None:
    sites = [make_site(), make_site()]
    for site in sites:
        golden.sku_settings(site)
    with parsed_once() as made:
        _, shared = (site.context().dbt._parsed_by_dbt() for site in sites)
        assert len(made) == 1
    dbt = sites[1].context().dbt
    ensure_tables(sites[1].context())
    file, compiled = file_of(dbt), compiled_by(dbt, shared)
    own = dbt._invoke(None, "parse")
    assert file == file_of(dbt)
    assert compiled == compiled_by(dbt, own)


OTHERS: dict[str, Any] = {
    **{"week_starts_on": "sunday", "time_zone": "UTC", "horizon": 3, "season": 5, "interval": 0.5},
    **{"schedule": {"weekday": "friday", "time": "10:00"}, "issue_window_days": 2, "seed": 7},
    **{"min_observations": 9, "inactive_after": 9, "max_periods_stale": 3, "when_stale": "warn"},
    **{"max_refused_share": 0.5, "refit": "every_run", "families": ["window", "level"]},
    **{"family_options": {"window": {"window": 1}}, "min_calibration_residuals": 3},
    **{"min_pooled_series": 3, "min_segment_rows": 4, "recipe_per": "series"},
    **{"per_series_objects_up_to": 11, "alerts": {"wape": 0}, "retraining": {"min_periods": 6}},
    "regressors": {"promo_share": {"future": "plan", "when_missing": "carry_last"}},
}
"""Another value of each setting that a parse does not read."""


def test_sites_share_a_parse_whatever_is_read_when_sql_is_rendered(
    make_site: Callable[[], Site],
) -> None:
    first, second = make_site(), make_site()
    for site in (first, second):
        golden.sku_settings(site)
    before = second.use_cases["sku_weekly"]
    assert set(OTHERS) == READ_WHEN_RENDERED | {"regressors"}
    assert not [name for name, value in OTHERS.items() if before.get(name) == value]
    before |= OTHERS
    with parsed_once() as made:
        for site in (first, second):
            site.context().dbt._parsed_by_dbt()
        assert len(made) == 1
    dbt = second.context().dbt
    shared = file_of(dbt)
    dbt._invoke(None, "parse")
    assert shared == file_of(dbt)


def test_settings_that_a_parse_reads_are_parsed_for_themselves(
    make_site: Callable[[], Site],
) -> None:
    first, second = make_site(), make_site()
    second.use_cases["sku_weekly"]["sources"]["sales"]["table"] = "other_sales"
    with parsed_once() as made:
        for site in (first, second):
            site.context().dbt._parsed_by_dbt()
        assert len(made) == 2
