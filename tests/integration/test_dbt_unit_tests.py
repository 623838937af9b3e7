"""dbt's own unit tests, which stand beside the models, on a warehouse where nothing was ever built.

Their rows are SQL of their own, so they need no table of the project. Their numbers hold for the
settings of the repository.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest

from python_jobs.infra.errors import DbtFailed
from python_jobs.runs.tables import ensure_tables
from tests.support.site import Site

AT_LEAST = 20


@pytest.fixture(scope="module")
def results(make_site: Callable[[], Site]) -> dict[str, str]:
    """{unit test: "" where it passed, else what dbt says}."""
    site = make_site()
    context = site.context()
    ensure_tables(context)
    for dataset in {node["schema"] for node in context.dbt.manifest()["nodes"].values()}:
        # dbt puts a test's columns there for a moment.
        context.warehouse.client.create_dataset(f"shelfcast-local.{dataset}", exists_ok=True)
    with suppress(DbtFailed):  # its message holds the first three; the file holds all
        context.dbt.run("test", "--select", "test_type:unit", "--no-use-colors")
    content = json.loads((context.dbt.target_path / "run_results.json").read_text())
    return {
        result["unique_id"].split(".")[-1]: "" if result["status"] == "pass" else result["message"]
        for result in content["results"]
        if result["unique_id"].startswith("unit_test.")
    }


def test_every_unit_test_of_dbt_passes(results):
    failed = {name: message for name, message in results.items() if message}
    assert not failed, "\n\n".join(f"{name}: {message}" for name, message in failed.items())


def test_there_are_unit_tests(results):
    assert len(results) >= AT_LEAST
