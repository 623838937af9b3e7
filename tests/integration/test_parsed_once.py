"""What the tests' sites share is what dbt would have made of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from python_jobs.infra.dbt_runner import Dbt
from python_jobs.runs.stages import ensure_tables
from tests.support import golden
from tests.support.parsed_once import parsed_once
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


def test_other_settings_are_parsed_for_themselves(make_site: Callable[[], Site]) -> None:
    first, second = make_site(), make_site()
    second.use_cases["sku_weekly"]["horizon"] = 3
    with parsed_once() as made:
        for site in (first, second):
            site.context().dbt._parsed_by_dbt()
        assert len(made) == 2
