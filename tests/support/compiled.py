"""What dbt makes of a project: its compiled SQL, typed by Google's own analyzer in DAG order."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from google.cloud import bigquery

from tests.support import googlesql
from tests.support.googlesql import Columns, GoogleSqlError, TableName
from tests.support.site import Site

Node = dict[str, Any]


def compile_project(site: Site, use_case: str = "", *arguments: str) -> dict[str, Any]:
    """Compile a site's project; the manifest's nodes then hold their SQL.

    The log tables must exist: dates of the active run are read while a model is rendered.
    """
    context = site.context(use_case)
    context.dbt.run("compile", "--exclude", "test_type:unit", *arguments)
    return json.loads((context.dbt.target_path / "manifest.json").read_text())


def table_name(node: Node) -> TableName:
    return node["database"], node["schema"], node.get("identifier") or node["alias"]


def contract(node: Node) -> dict[str, str]:
    """{column: type} as the model's YAML says, types as GoogleSQL writes them."""
    return {c["name"]: c["data_type"].upper() for c in node["columns"].values() if c["data_type"]}


def statement(node: Node) -> str:
    """A model's query, inside the CREATE that its partitions and clusters are checked by."""
    partition, cluster = node["config"].get("partition_by"), node["config"].get("cluster_by")
    parts = ["create or replace table made.by.dbt"]
    if partition:
        by, grain = partition["field"], partition.get("granularity", "day")
        parts.append(f"partition by {by if grain == 'day' else f'date_trunc({by}, {grain})'}")
    if cluster:
        parts.append(f"cluster by {', '.join(cluster)}")
    return "\n".join([*parts, "as", node["compiled_code"]])


def columns_of(client: bigquery.Client, dataset: str) -> dict[TableName, Columns]:
    """The tables of a dataset as they stand in the warehouse."""
    tables = (client.get_table(item.reference) for item in client.list_tables(dataset))
    return {
        (table.project, table.dataset_id, table.table_id): {
            column.name: column.field_type for column in table.schema
        }
        for table in tables
    }


@dataclass
class Analysis:
    """What Google's analyzer says of each node.

    Attributes:
        types: {model: {column: type}}.
        refused: {node: the analyzer's message}.
    """

    types: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def analyse(
    manifest: dict[str, Any], tables: dict[TableName, Columns], only: Iterable[str] | None = None
) -> Analysis:
    """Type every model and data test (or `only` some), over tables given and models before it.

    A node sees what it says it depends on. A model that is refused stands for those after it with
    the columns of its contract.
    """
    analysis, known = Analysis(), dict(tables)
    places = {**manifest["sources"], **manifest["nodes"]}
    chosen = None if only is None else set(only)
    for node in in_order(manifest["nodes"]):
        is_left_out = chosen is not None and node["name"] not in chosen
        if is_left_out or not node["config"]["enabled"]:
            continue
        kind = node["resource_type"]
        if kind == "seed":
            known[table_name(node)] = node["config"]["column_types"]
        elif kind in ("model", "test"):
            parents = [table_name(places[parent]) for parent in node["depends_on"]["nodes"]]
            seen = {name: known[name] for name in parents if name in known}
            own = contract(node) if kind == "model" else {}
            if node["config"]["materialized"] == "incremental":
                seen[table_name(node)] = own
            try:
                query = statement(node) if kind == "model" else node["compiled_code"]
                types = googlesql.analyse(query, seen)
            except GoogleSqlError as error:
                analysis.refused[node["name"]] = str(error)
                types = own
            if kind == "model":
                analysis.types[node["name"]] = types
                known[table_name(node)] = types
    return analysis


def in_order(nodes: dict[str, Node]) -> list[Node]:
    """Nodes after everything that they depend on."""
    done: dict[str, Node] = {}

    def visit(unique_id: str) -> None:
        if unique_id in nodes and unique_id not in done:
            for parent in nodes[unique_id].get("depends_on", {}).get("nodes", []):
                visit(parent)
            done[unique_id] = nodes[unique_id]

    for unique_id in nodes:
        visit(unique_id)
    return list(done.values())
