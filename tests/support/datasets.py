"""Which datasets the stages of a run read and write, as dbt's manifest has them.

What is granted to a job's account can be compared with it. Datasets are named by their suffix:
`staging` is `<prefix>_staging`.
"""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.site import ROOT

PREFIX = "prefix"
WRITING = ("model", "seed", "snapshot")


@functools.cache
def manifest() -> dict[str, Any]:
    """The repository's manifest, parsed for a prefix of its own; nothing is connected to."""
    nodes: dict[str, Any] = json.loads(_ls("all")[1])
    return nodes


@functools.cache
def selected(selector: str) -> tuple[str, ...]:
    """The ids of the nodes that a selector selects, of every use case; unit tests left out."""
    found: tuple[str, ...] = _ls(selector)[0]
    return found


def _ls(selector: str) -> tuple[tuple[str, ...], str]:
    from dbt.cli.main import dbtRunner

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        shutil.copy(ROOT / "profiles.example.yml", Path(folder) / "profiles.yml")
        patch.setenv("SHELFCAST_DATASET", PREFIX)
        for name in ("SHELFCAST_USE_CASE", "SHELFCAST_SETTINGS", "DBT_TARGET_PATH"):
            patch.delenv(name, raising=False)
        places = ["--project-dir", str(ROOT), "--profiles-dir", folder, "--target", "local"]
        places += ["--target-path", folder, "--log-path", folder]
        chosen = [] if selector == "all" else ["--selector", selector]
        told = ["--exclude-resource-type", "unit_test", "--output", "json"]
        told += ["--output-keys", "unique_id"]
        found = dbtRunner().invoke(["--quiet", "--no-print", "ls", *places, *chosen, *told])
        assert found.success, found.exception
        names = tuple(json.loads(line)["unique_id"] for line in found.result)
        return names, (Path(folder) / "manifest.json").read_text()


def datasets_written(selector: str) -> set[str]:
    """The datasets that the models and seeds of a selector are built in."""
    nodes = manifest()["nodes"]
    chosen = (nodes[name] for name in selected(selector) if name in nodes)
    return {_suffix(node) for node in chosen if node["resource_type"] in WRITING}


def datasets_read(selector: str) -> set[str]:
    """The datasets that the models and tests of a selector read."""
    places = {**manifest()["nodes"], **manifest()["sources"]}
    parents = {
        parent
        for name in selected(selector)
        if name in manifest()["nodes"]
        for parent in places[name].get("depends_on", {}).get("nodes", [])
    }
    return {_suffix(places[parent]) for parent in parents if parent in places}


def _suffix(node: dict[str, Any]) -> str:
    schema = str(node["schema"])
    assert schema.startswith(f"{PREFIX}_"), f"{node['unique_id']} lies outside, in {schema}"
    return schema.removeprefix(f"{PREFIX}_")
