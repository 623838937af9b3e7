"""Which queries read a partitioned table whole: BigQuery prunes by constants only.

A scan is bounded where its query block, or one around it to which nothing but plain columns pass,
holds the partition column against constants from below: `>=`, `=`, `between`, `in (…)`. A bound
from above alone leaves all of history, and counts for nothing. A view hands its partition columns
on: whoever reads it has to bound them, as if it were a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from tests.support.compiled import in_order

TableName = tuple[str, str, str]
LOWER_BOUNDS = (exp.GT, exp.GTE, exp.EQ)
UPPER_BOUNDS = (exp.LT, exp.LTE)


@dataclass(frozen=True)
class Scan:
    """A scan that nothing bounds so far.

    Attributes:
        relation: what is scanned, by its dbt name.
        column: its partition column as the block around it knows it; None where it is out of reach.
    """

    relation: str
    column: str | None


@dataclass
class Partitions:
    """The partition columns of relations, those of views found as they are looked at.

    Attributes:
        columns: {table: {its dbt name, its partition columns}}.
    """

    columns: dict[TableName, tuple[str, frozenset[str]]] = field(default_factory=dict)

    def whole_scans(self, query: str) -> list[Scan]:
        """The scans of a query that no constant bounds. Raises: sqlglot's ParseError."""
        root = build_scope(sqlglot.parse_one(query, dialect="bigquery"))
        assert root is not None, query
        return list(dict.fromkeys(self._open_scans(root)))

    def _open_scans(self, scope: Scope) -> Iterator[Scan]:
        if scope.union_scopes:
            yield from self._of_union(scope)
            return
        for alias, (_, source) in scope.selected_sources.items():
            for scan in self._of_source(source):
                if scan.column is None:
                    yield scan
                elif not is_bounded(scope, alias, scan.column):
                    yield Scan(scan.relation, handed_on(scope, alias, scan.column))
        for subquery in scope.subquery_scopes:
            for scan in self._open_scans(subquery):
                yield Scan(scan.relation, None)

    def _of_union(self, scope: Scope) -> Iterator[Scan]:
        """A bound reaches every part of a union, by the name of the first part's column."""
        first, second = scope.union_scopes
        yield from self._open_scans(first)
        names = [first.expression.named_selects, second.expression.named_selects]
        for scan in self._open_scans(second):
            renamed = dict(zip(*reversed(names), strict=False)) if "*" not in names[1] else {}
            column = renamed.get(scan.column or "", scan.column)
            yield Scan(scan.relation, column)

    def _of_source(self, source: exp.Expression | Scope) -> Iterable[Scan]:
        if isinstance(source, Scope):
            return self._open_scans(source)
        if not isinstance(source, exp.Table):
            return []
        name, columns = self.columns.get(
            (source.catalog, source.db, source.name), ("", frozenset())
        )
        return [Scan(name, column) for column in sorted(columns)]


def is_bounded(scope: Scope, alias: str, column: str) -> bool:
    """Whether a block holds a column of one of its sources against constants from below."""
    conditions = []
    if where := scope.expression.args.get("where"):
        conditions.append(where.this)
    for join in scope.expression.args.get("joins") or []:
        on = join.args.get("on")
        # What a left join asks of its left side leaves no row of it out.
        if on and (not join.side or join.alias_or_name == alias):
            conditions.append(on)
    is_alone = len(scope.selected_sources) == 1
    return any(
        _bounds(part, alias, column, is_alone)
        for condition in conditions
        for part in _conjuncts(condition)
    )


def _conjuncts(condition: exp.Expression) -> Iterator[exp.Expression]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _bounds(part: exp.Expression, alias: str, column: str, is_alone: bool) -> bool:
    def is_it(side: exp.Expression | None) -> bool:
        return (
            isinstance(side, exp.Column)
            and side.name == column
            and (side.table == alias or (is_alone and not side.table))
        )

    if isinstance(part, exp.In):
        given = [*part.expressions, part.args.get("unnest")]
        if part.args.get("query") is not None:
            return False
        return is_it(part.this) and all(_is_constant(one) for one in given if one is not None)
    if isinstance(part, exp.Between):
        return is_it(part.this) and _is_constant(part.args["low"])
    if isinstance(part, LOWER_BOUNDS) and is_it(part.left):
        return _is_constant(part.right)
    if isinstance(part, (*UPPER_BOUNDS, exp.EQ)) and is_it(part.right):
        return _is_constant(part.left)
    return False


def _is_constant(value: exp.Expression) -> bool:
    return value.find(exp.Column, exp.Query, exp.Subquery) is None


def handed_on(scope: Scope, alias: str, column: str) -> str | None:
    """The name under which a block hands a column on, if a bound of it may go before the block."""
    block = scope.expression
    if block.args.get("limit") is not None or not _goes_before(block, alias, column):
        return None
    for projection in block.expressions:
        inner = projection.unalias()
        if isinstance(inner, exp.Star) or (
            isinstance(inner, exp.Column) and inner.is_star and inner.table == alias
        ):
            star = inner if isinstance(inner, exp.Star) else inner.this
            left_out = {one.name for one in star.args.get("except_") or []}
            if column not in left_out:
                return column
        elif _is_column(inner, alias, column):
            return projection.alias_or_name
    return None


def _goes_before(block: exp.Expression, alias: str, column: str) -> bool:
    """Rows that other rows are counted or ranked with cannot be left out first."""
    group = block.args.get("group")
    if group and not any(_is_column(one, alias, column) for one in group.expressions):
        return False
    windows = [
        window
        for part in [*block.expressions, block.args.get("qualify")]
        if part is not None
        for window in part.find_all(exp.Window)
    ]
    return all(
        any(_is_column(one, alias, column) for one in window.args.get("partition_by") or [])
        for window in windows
    )


def _is_column(one: exp.Expression, alias: str, column: str) -> bool:
    return isinstance(one, exp.Column) and one.name == column and one.table in ("", alias)


def scans_of_project(
    manifest: Mapping[str, Any], log_partitions: Mapping[str, str]
) -> tuple[Partitions, dict[str, list[Scan]]]:
    """Look at every model of a compiled project.

    Args:
        manifest: compiled, with the dates of a run in force.
        log_partitions: {log table: its partition column}.

    Returns:
        What is partitioned, and by model the scans that nothing bounds. Of a view only those that
        its readers cannot bound either.
    """
    partitions, found = Partitions(), {}
    for source in manifest["sources"].values():
        if column := source["source_name"] == "logs" and log_partitions.get(source["name"]):
            name = (source["database"], source["schema"], source["identifier"])
            partitions.columns[name] = (source["name"], frozenset([column]))
    for node in in_order(manifest["nodes"]):
        if node["resource_type"] != "model" or not node["config"]["enabled"]:
            continue
        by = node["config"].get("partition_by")
        name = (node["database"], node["schema"], node["alias"])
        if by:  # an incremental model reads itself
            partitions.columns[name] = (node["name"], frozenset([by["field"]]))
        scans = partitions.whole_scans(node["compiled_code"])
        if node["config"]["materialized"] == "view":
            columns = frozenset(scan.column for scan in scans if scan.column is not None)
            if columns:
                partitions.columns[name] = (node["name"], columns)
            scans = [scan for scan in scans if scan.column is None]
        found[node["name"]] = scans
    return partitions, found
