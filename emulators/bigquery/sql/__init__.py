"""Rewrite GoogleSQL that the emulator misreads into GoogleSQL that it runs right.

Every function takes SQL and returns SQL, without a server or state. `rewrite` composes them and is
applied to each query before the emulator sees it. Text inside strings is never touched.
"""

import re

from emulators.bigquery.sql import dbt, functions, tables
from emulators.bigquery.sql.text import mask, statements, strip_comments

STEPS = (
    dbt.skip_grants,
    tables.drop_unenforced_keys,
    tables.split_alterations,
    tables.widen_numeric,
    dbt.collect_partitions,
    functions.count_over_windows,
    tables.in_query(functions.rewrite_dates),
    functions.enclose_operands,
    dbt.split_overwrite,
    tables.cast_typed_query,
    dbt.answer_tables_view,
)
"""Applied in this order: a step may write calls that a later one rewrites."""

_READS = re.compile(r"[\s(]*(?:select|with|from|values)\b", re.IGNORECASE)
_BEGINS = re.compile(r"\s*begin(?:\s+transaction)?\s*", re.IGNORECASE)
_COMMITS = re.compile(r"\s*commit(?:\s+transaction)?\s*", re.IGNORECASE)
_CONTROLS = re.compile(r"\s*(?:begin|commit|rollback|end|exception|if|loop)\b", re.IGNORECASE)
_WRITES_ONCE = re.compile(
    r"\s*(?:insert|update|delete|merge|truncate|alter|drop\s+(?:table|view|schema)"
    r"|create\s+(?:or\s+replace\s+)?(?:table|view|schema))\b",
    re.IGNORECASE,
)


def rewrite(sql: str) -> str:
    """Rewrite one query or script. Statements that need no change only lose their comments."""
    parts = statements(strip_comments(sql))
    for step in STEPS:
        parts = [step(part) for part in parts]
    return ";".join(parts)


def only_reads(sql: str) -> bool:
    """Return whether SQL is one query, which may run twice without harm."""
    parts = _non_empty_statements(sql)
    return len(parts) == 1 and bool(_READS.match(parts[0]))


def is_one_write(sql: str) -> bool:
    """Return whether SQL is all or nothing: one statement that writes, or one transaction."""
    parts = _non_empty_statements(sql)
    if len(parts) == 1:
        return bool(_WRITES_ONCE.match(parts[0]))
    controls = [bool(_CONTROLS.match(part)) for part in parts]
    return len(parts) > 1 and bool(
        _BEGINS.fullmatch(parts[0]) and _COMMITS.fullmatch(parts[-1]) and not any(controls[1:-1])
    )


def altered_tables(sql: str) -> set[tuple[str, ...]]:
    """Return the tables whose columns a script alters, as (dataset, table) or with a project."""
    code = (mask(part) for part in _non_empty_statements(sql))
    found = (tables.ALTER_COLUMNS.match(part) for part in code)
    paths = (re.sub(r"[`\s]", "", match["path"]) for match in found if match)
    return {tuple(path.split(".")) for path in paths if path.count(".") in (1, 2)}


def _non_empty_statements(sql: str) -> list[str]:
    return [part for part in statements(strip_comments(sql)) if part.strip()]
