"""Every statement of the project, tried on BigQuery itself without running it: free of charge."""

from __future__ import annotations

from typing import Any

from python_jobs.checks.check import NotChecked
from python_jobs.checks.contact import Contact, DidNotHold
from python_jobs.infra.errors import ShelfcastError, first_few
from python_jobs.infra.warehouse import MissingRelation


def every_compiled_statement(contact: Contact) -> str:
    """Let BigQuery judge each model and data test as dbt compiles it now.

    An emulator, and even Google's own analyzer, forgive what BigQuery refuses. A statement whose
    tables are not built yet cannot be judged.

    Raises:
        DidNotHold: BigQuery refuses some.
        NotChecked: nothing is built yet.
    """
    if not contact.context.warehouse.exists("origins"):
        raise NotChecked("nothing was ever built here: try again after the first run.")
    accepted, unbuilt, refused = 0, 0, []
    for name, statement in compiled_statements(contact):
        try:
            contact.context.warehouse.dry_run(statement)
        except MissingRelation:
            unbuilt += 1
        except ShelfcastError as error:
            refused.append(f"{name}: {error}")
        else:
            accepted += 1
    waiting = f", {unbuilt} wait for tables that are not built yet" if unbuilt else ""
    if refused:
        raise DidNotHold(
            f"{len(refused)} statements are refused, {accepted} accepted{waiting} "
            f"({first_few(refused, 5)})."
        )
    if not accepted:
        raise NotChecked(f"{unbuilt} statements wait for tables: try again after the first run.")
    return f"{accepted} statements are accepted{waiting}."


def compiled_statements(contact: Contact) -> list[tuple[str, str]]:
    """(name, SQL) of each model and data test, as dbt compiles it for this deployment."""
    manifest = contact.context.dbt.compiled()
    return [
        (node["name"], node["compiled_code"])
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "test") and _is_statement(node)
    ]


def _is_statement(node: dict[str, Any]) -> bool:
    return bool(node.get("compiled_code")) and node["config"].get("materialized") != "ephemeral"
