"""Features as they were for an origin of the past, read without building anything.

dbt compiles the feature models for that origin; what depends on the origin becomes a subquery, and
everything else is read as it stands in the warehouse. No table changes, so that an open run goes on
as if nobody had looked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from python_jobs.infra.schedule import Origin
from python_jobs.infra.warehouse import Warehouse
from python_jobs.runs.context import RunContext

ORIGINS = "origins"


def warehouse_as_of(context: RunContext, origin: Origin, names: Iterable[str]) -> Warehouse:
    """Open the warehouse with some relations as they were for an origin.

    Args:
        context: where; its log tables and sources exist.
        origin: of the past, or of a run that nobody started.
        names: dbt names of models that look back from origins.

    Returns:
        A warehouse to read from: `{name}` of each is a subquery, every other name what it was.

    Raises:
        DbtFailed: the project does not compile.
    """
    manifest = context.dbt.looking_back(origin).compiled(names)
    subqueries = {name: as_subquery(manifest, name) for name in names}
    return Warehouse(context.connection, {**context.warehouse.names, **subqueries})


def as_subquery(manifest: dict[str, Any], name: str) -> str:
    """Put a compiled model and all before it that look back from origins into one subquery.

    Args:
        manifest: of a project that was compiled.
        name: of the model.

    Returns:
        `(with … select …)`, whose tables do not depend on any run.
    """
    nodes = {key: node for key, node in manifest["nodes"].items() if node["name"] != name}
    (root,) = manifest["nodes"].keys() - nodes.keys()
    chain = [key for key in _in_order(manifest, root) if _looks_back(manifest, key)]
    subqueries = {
        manifest["nodes"][key]["relation_name"]: f"as_of_{manifest['nodes'][key]['name']}"
        for key in chain
    }
    parts = []
    for key in chain:
        node = manifest["nodes"][key]
        query = node["compiled_code"]
        for relation, subquery in subqueries.items():
            query = query.replace(relation, subquery)
        parts.append(f"as_of_{node['name']} as (\n{query}\n)")
    return f"(with {', '.join(parts)}\nselect * from as_of_{name})"


def _looks_back(manifest: dict[str, Any], key: str) -> bool:
    node = manifest["nodes"].get(key)
    if node is None or node["resource_type"] != "model":
        return False
    if node["name"] == ORIGINS:
        return True
    return any(_looks_back(manifest, parent) for parent in node["depends_on"]["nodes"])


def _in_order(manifest: dict[str, Any], root: str) -> list[str]:
    """A model and all before it, each after what it reads."""
    done: dict[str, None] = {}

    def visit(key: str) -> None:
        for parent in manifest["nodes"].get(key, {}).get("depends_on", {}).get("nodes", []):
            if parent not in done:
                visit(parent)
        done[key] = None

    visit(root)
    return list(done)
