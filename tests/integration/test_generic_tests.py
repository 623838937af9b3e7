"""The generic data tests on planted rows: each passes on good ones and fails on each defect."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import yaml

from python_jobs.infra.errors import DbtFailed
from tests.support import rendered
from tests.support.site import ROOT, Site

DECLARED = {
    "config": {"meta": {"grain": ["series_id", "ds"]}},
    "columns": [
        {"name": "series_id", "constraints": [{"type": "not_null"}]},
        {"name": "ds"},
        {"name": "y", "constraints": [{"type": "not_null"}]},
        {"name": "price"},
    ],
    "data_tests": ["holds_its_contract"],
}
RANGES = {
    "data_tests": [
        {
            "mutually_exclusive_ranges": {
                "arguments": {
                    "lower_bound_column": "known_at",
                    "upper_bound_column": "superseded_at",
                    "partition_by": "series_id",
                }
            }
        }
    ]
}

CONTRACTS = {
    "good": ("[('a', 1, 1, 1), ('a', 2, 1, null), ('b', 1, 1, 1), ('b', null, 1, 1)]", 0),
    "duplicated": ("[('a', 1, 1, 1), ('a', 1, 2, 2), ('a', 1, 1, 1), ('b', 1, 1, 1)]", 1),
    "duplicated_with_a_null_in_the_grain": ("[('a', null, 1, 1), ('a', null, 1, 1)]", 1),
    "null": ("[('a', 1, 1, 1), ('a', 2, null, 1), ('b', 1, null, 1)]", 2),
    "null_in_the_grain": ("[('a', 1, 1, 1), (null, 1, 1, 1)]", 1),
}
"""Rows of series_id, ds, y and price; how many keys of the grain fail."""

VERSIONS = {
    "apart": ("[('a', 1, 3), ('a', 3, 5), ('a', 7, 9), ('b', 2, 4)]", 0),
    "overlapping": ("[('a', 1, 4), ('a', 3, 5), ('b', 4, 6)]", 1),
    "within": ("[('a', 1, 9), ('a', 3, 5), ('a', 9, 12)]", 1),
    "twice": ("[('a', 1, 3), ('a', 1, 3)]", 1),
    "empty": ("[('a', 3, 3)]", 1),
    "backwards": ("[('a', 5, 3)]", 1),
}
"""Rows of series_id, known_at and superseded_at; how many fail."""


def rows_of(fields: str, rows: str) -> str:
    return f"select * from unnest(array<struct<{fields}>>{rows})"


def planted_models() -> dict[str, str]:
    """{model: its rows as SQL}, a model for each case."""
    contracts = "series_id string, ds int64, y int64, price int64"
    versions = "series_id string, known_at int64, superseded_at int64"
    return {
        **{f"rows_{name}": rows_of(contracts, rows) for name, (rows, _) in CONTRACTS.items()},
        **{f"versions_{name}": rows_of(versions, rows) for name, (rows, _) in VERSIONS.items()},
        "without_grain": rows_of(contracts, CONTRACTS["good"][0]),
        "without_constraint": rows_of(contracts, CONTRACTS["good"][0]),
    }


def properties(name: str) -> dict[str, Any]:
    declared: dict[str, Any] = RANGES if name.startswith("versions_") else DECLARED
    left_out = {"without_grain": "config", "without_constraint": "columns"}.get(name)
    return {"name": name, **{key: value for key, value in declared.items() if key != left_out}}


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """Ephemeral models of literal rows, each with one generic test: nothing is built."""
    site = make_site()
    models = planted_models()
    project = rendered.macro_project(site, {}, models).project
    shutil.copytree(ROOT / "tests/data/generic", project / "tests/data/generic")
    content = {"models": [properties(name) for name in models]}
    (project / "models" / "planted.yml").write_text(yaml.safe_dump(content))
    return site


@pytest.fixture(scope="module")
def results(site: Site) -> dict[str, dict[str, Any]]:
    """dbt's result of each test, by the model that it is of."""
    dbt = site.context().dbt
    with suppress(DbtFailed):
        dbt.run("test")
    nodes = dbt.manifest()["nodes"]
    content = json.loads((dbt.target_path / "run_results.json").read_text())
    return {
        nodes[one["unique_id"]]["attached_node"].split(".")[-1]: one
        for one in content["results"]
        if one["unique_id"].startswith("test.")
    }


def verdict(n_failures: int) -> tuple[str, int]:
    return ("fail" if n_failures else "pass", n_failures)


@pytest.mark.parametrize("case", CONTRACTS)
def test_a_contract_fails_for_each_key_with_a_duplicate_or_a_null(results, case: str) -> None:
    found = results[f"rows_{case}"]
    assert (found["status"], found["failures"]) == verdict(CONTRACTS[case][1]), found["message"]


@pytest.mark.parametrize("case", VERSIONS)
def test_ranges_fail_where_they_overlap_or_hold_nothing(results, case: str) -> None:
    found = results[f"versions_{case}"]
    assert (found["status"], found["failures"]) == verdict(VERSIONS[case][1]), found["message"]


def test_a_model_without_a_grain_is_an_error_that_says_where_it_belongs(results) -> None:
    found = results["without_grain"]
    assert found["status"] == "error"
    assert "without_grain has no grain" in found["message"]
    assert "models/without_grain.yml" in found["message"]


def test_a_model_without_a_constraint_is_an_error(results) -> None:
    found = results["without_constraint"]
    assert found["status"] == "error"
    assert "without_constraint declares no column not null" in found["message"]
