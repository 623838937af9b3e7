"""Tells a query, which only reads, from any other statement."""

from __future__ import annotations

import re

from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.warehouse import Warehouse

_SKIPPED = re.compile(r"(\s|--[^\n]*(\n|$)|#[^\n]*(\n|$)|/\*.*?\*/|\()*", re.DOTALL)
"""What may stand before a query: space, comments and brackets."""
_TEXT = re.compile(
    r"""r?b?r?(\"{3}.*?(?<!\\)\"{3}|\'{3}.*?(?<!\\)\'{3}|"(\\.|[^"\\])*"|'(\\.|[^'\\])*')"""
    r"|`[^`]*`|--[^\n]*|\#[^\n]*|/\*.*?\*/",
    re.DOTALL | re.IGNORECASE,
)
"""Texts, quoted names and comments, in which a semicolon separates nothing."""


def require_query(warehouse: Warehouse, statement: str) -> None:
    """Check that a statement is one query; BigQuery says what it is, in a dry run.

    Raises:
        SettingsError: it is another kind of statement, or several.
        ShelfcastError: it names a relation that the project does not have.
    """
    kind = _kind(warehouse, statement) if looks_like_query(statement) else "no query"
    if kind is not None and kind != "SELECT":
        raise SettingsError(
            f"this statement is {kind.lower().replace('_', ' ')}, and `shelfcast sql` only reads. "
            "With --write it is run: it may change or remove data that nothing brings back."
        )


def looks_like_query(statement: str) -> bool:
    """Whether a statement begins as a query does, and is the only one of the text."""
    skipped = _SKIPPED.match(statement)
    rest = statement[skipped.end() :] if skipped else statement
    begins = re.match(r"(select|with|from)\b", rest, re.IGNORECASE)
    bare = _TEXT.sub(" ", statement).strip()
    return bool(begins) and ";" not in bare.removesuffix(";")


def _kind(warehouse: Warehouse, statement: str) -> str | None:
    """BigQuery's own word for a statement; None where it says none."""
    config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
    rendered = warehouse.render(statement)
    try:
        kind: str | None = warehouse.client.query(rendered, job_config=config).statement_type
    except GoogleAPICallError:
        return None  # what is wrong with the query is said when it is read
    return kind
