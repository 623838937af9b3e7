"""What a relation declares of itself: its grain, once, and the test that proves it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.data_tests import PAGES
from tests.support.site import Site

FOLDERS = ("features", "forecasts", "metrics", "marts")
"""Folders whose relations others read. Staging keeps every row of a source, duplicates too."""

Nodes = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def nodes(make_site: Callable[[], Site]) -> Nodes:
    return make_site().context().dbt.manifest()["nodes"]


@pytest.fixture(scope="module")
def models(nodes: Nodes) -> Nodes:
    """Models of the folders that others read, by unique_id."""
    found = {key: n for key, n in nodes.items() if n["resource_type"] == "model"}
    return {key: node for key, node in found.items() if node["fqn"][1] in FOLDERS}


def grain_of(node: dict[str, Any]) -> list[str]:
    return node["config"]["meta"].get("grain", [])


def test_every_relation_that_others_read_declares_its_grain(models: Nodes) -> None:
    assert len(models) > 50
    assert not [node["name"] for node in models.values() if not grain_of(node)]


def test_every_relation_with_a_grain_is_tested_for_it_once(nodes: Nodes) -> None:
    tested = [
        node["attached_node"]
        for node in nodes.values()
        if node.get("test_metadata", {}).get("name") == "holds_its_contract"
    ]
    declared = [key for key, node in nodes.items() if grain_of(node)]
    assert sorted(tested) == sorted(declared)


def test_a_grain_is_made_of_the_relations_columns(models: Nodes) -> None:
    for node in models.values():
        assert set(grain_of(node)) <= set(node["columns"]), node["name"]


def test_the_last_sentence_of_a_description_names_the_grain(nodes: Nodes) -> None:
    for node in nodes.values():
        if not grain_of(node):
            continue
        sentence = re.search(r"One row per ([^.]*)\.\s*$", node["description"])
        assert sentence, node["name"]
        named = re.split(r",\s+|\s+and\s+", " ".join(sentence[1].split()))
        assert set(named) == set(grain_of(node)), node["name"]


def test_only_pages_read_the_pages_that_builds_of_tests_leave_out(nodes: Nodes) -> None:
    models = {key: node for key, node in nodes.items() if node["resource_type"] == "model"}
    pages = {key for key, node in models.items() if node["name"] in PAGES}
    assert {models[key]["name"] for key in pages} == PAGES
    readers = {key for key, node in models.items() if pages & {*node["depends_on"]["nodes"]}}
    assert readers <= pages
