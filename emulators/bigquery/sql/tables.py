"""CREATE TABLE and ALTER TABLE in the form that DuckDB takes."""

import functools
import re
from collections.abc import Callable

from emulators.bigquery.sql.text import (
    PATH,
    closing_parenthesis,
    is_one_pair,
    mask,
    replace_matches,
    split_top_level,
)

_CREATE_TABLE = re.compile(
    rf"\s*create\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+)?table\s+(?:if\s+not\s+exists\s+)?"
    rf"(?P<name>{PATH})",
    re.IGNORECASE,
)
_CONSTRAINT = r"(?:constraint\s+(?:`[^`]+`|\w+)\s+)?"
_KEY = rf"(?:primary\s+key|foreign\s+key\s*\([^()]*\)\s*references\s+{PATH}|references\s+{PATH})"
_NOT_ENFORCED = re.compile(
    rf"(?P<before>,?)\s*{_CONSTRAINT}{_KEY}\s*(?:\([^()]*\))?\s*not\s+enforced\s*",
    re.IGNORECASE,
)
_ALTER_KEY = re.compile(
    rf"\s*alter\s+table\b.*\b(?:add\s+{_CONSTRAINT}(?:primary|foreign)\s+key"
    r"|drop\s+(?:primary\s+key|constraint))\b",
    re.IGNORECASE | re.DOTALL,
)
_TYPE_ENDS = re.compile(
    r"\b(?:not\s+null|default|options|collate|primary|references)\b", re.IGNORECASE
)
_COLUMN = re.compile(r"(?P<name>`[^`]+`|\w+)\s+(?P<type>.+)", re.DOTALL)
ALTER_COLUMNS = re.compile(
    rf"(?P<head>\s*alter\s+table\s+(?:if\s+exists\s+)?(?P<path>{PATH}))\s+(?=.*\bcolumn\b)",
    re.IGNORECASE | re.DOTALL,
)
_NUMERIC = re.compile(
    r"(?P<before><\s*|(?:`[^`]+`|\b(?!(?:select|distinct|by|on|and|or|where|when|then|else)\b)\w+)"
    r"\s+)(?P<type>numeric|decimal)\b(?P<after>\s*)(?=[,)>]|not\b|default\b|options\b|$)",
    re.IGNORECASE,
)


def in_query(rewrite: Callable[[str], str]) -> Callable[[str], str]:
    """Apply a rewrite to a statement's query, never to a table's PARTITION BY."""

    @functools.wraps(rewrite)
    def rewrite_query(sql: str) -> str:
        header = _table_header(sql)
        return header + rewrite(sql[len(header) :])

    return rewrite_query


def _table_header(sql: str) -> str:
    """Return a CREATE TABLE up to its AS (all of it without one); empty for other statements."""
    code = mask(sql)
    if not _CREATE_TABLE.match(code):
        return ""
    depth = 0
    for match in re.finditer(r"[()]|\bas\b", code, re.IGNORECASE):
        if match[0] in "()":
            depth += 1 if match[0] == "(" else -1
        elif depth == 0:
            return sql[: match.start()]
    return sql


def drop_unenforced_keys(sql: str) -> str:
    """Drop keys that BigQuery only notes: DuckDB would enforce them, or fail to parse them."""
    code = mask(sql)
    if _ALTER_KEY.match(code):
        return "select 1"
    if not _CREATE_TABLE.match(code):
        return sql
    pieces, at = [], 0
    for match in _NOT_ENFORCED.finditer(code):
        # A first element has no comma before it: then the one after it goes.
        rest = code[match.end() :]
        is_first = code[: match.start()].rstrip().endswith("(")
        comma_after = is_first and rest.startswith(",")
        pieces += [sql[at : match.start()], " "]
        at = match.end() + int(comma_after)
    return "".join([*pieces, sql[at:]])


def column_types(columns: str) -> dict[str, str]:
    """Read the column list of a CREATE TABLE into {name as written: type}."""
    types = {}
    for column in split_top_level(columns, ","):
        match = _COLUMN.match(column.strip())
        if match and match["name"].lower() not in ("primary", "foreign", "constraint"):
            types[match["name"]] = _TYPE_ENDS.split(match["type"])[0].strip()
    return types


def cast_typed_query(sql: str) -> str:
    """Turn `create table t (a int64) as (query)` into a cast of each column.

    DuckDB takes a column list or a query, not both; dbt's enforced contracts send both.
    """
    code = mask(sql)
    create = _CREATE_TABLE.match(code)
    header = _table_header(sql)
    if not create or len(header) == len(sql):
        return sql
    opening = len(header[create.end() :]) - len(header[create.end() :].lstrip()) + create.end()
    if not code.startswith("(", opening):
        return sql
    closing = closing_parenthesis(code, opening)
    if closing is None or closing > len(header):
        return sql
    types = column_types(sql[opening + 1 : closing])
    selected = ", ".join(_cast_column(name, kind) for name, kind in types.items())
    query = _without_parentheses(sql[len(header) :].lstrip()[len("as") :])
    return (
        f"{sql[: create.end()]} {sql[closing + 1 : len(header)].strip()}"
        f" as select {selected} from ({query}\n)"
    )


def _without_parentheses(query: str) -> str:
    """Remove the parentheses around a whole query: the emulator cannot name one within two."""
    inner = query.strip().removesuffix(";").rstrip()
    if inner.startswith("(") and is_one_pair(inner):
        return inner[1:-1]
    return query


def _cast_column(name: str, kind: str) -> str:
    # GoogleSQL has no cast to JSON; a column that is JSON already stays so.
    return name if kind.lower() == "json" else f"cast({name} as {kind}) as {name}"


def split_alterations(sql: str) -> str:
    """Make one statement of each change in an ALTER TABLE; DuckDB takes one at a time."""
    match = ALTER_COLUMNS.match(mask(sql))
    if not match:
        return sql
    changes = split_top_level(sql[match.end() :], ",")
    return "; ".join(f"{match['head'].strip()} {change.strip()}" for change in changes)


def widen_numeric(sql: str) -> str:
    """Write NUMERIC with its 9 decimals; DuckDB's own default keeps 3 and drops the others."""

    def replacement(match: re.Match[str]) -> str | None:
        # A literal, numeric '1.5', is blank in the mask from its quote on.
        if sql[match.end("type") : match.end()].strip():
            return None
        return sql[match.start() : match.end("type")] + "(38, 9)" + match["after"]

    return replace_matches(_NUMERIC, sql, replacement)
