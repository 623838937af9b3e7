"""Parse each statement once, and copy its syntax tree quickly.

The emulator parses a statement some thirty times and copies its tree at each rewrite, which took
most of its time.
"""

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

from sqlglot import exp
from sqlglot.dialects import BigQuery, Dialect
from sqlglot.expressions.core import POSITION_META_KEYS

from emulators.bigquery.memory import BoundedCache

PARSED_TREES = BoundedCache(entries=256, megabytes=512)


def remember_trees(original: Callable[..., Any]) -> Callable[..., Any]:
    """Parse each text once; every rewrite of the emulator parses the whole statement again."""

    def remembered(sql: str, dialect: str) -> Any:
        tree = PARSED_TREES.get((sql, dialect))
        if tree is None:
            tree = original(sql, read=dialect)
            PARSED_TREES[sql, dialect] = tree
        return tree

    def parse_one(sql: str, read: Any = None, dialect: Any = None, **options: Any) -> Any:
        if options or not isinstance(read or dialect, str):
            return original(sql, read=read, dialect=dialect, **options)
        return remembered(sql, read or dialect).copy()  # rewrites change it in place

    parse_one.remembered = remembered  # type: ignore[attr-defined]
    return parse_one


def _drop_positions(tree: exp.Expr) -> None:
    """Drop each node's position in the text: nothing reads it, and it slows down copies."""
    for node in tree.walk():
        if node._meta is not None:
            node._meta = {
                key: value for key, value in node._meta.items() if key not in POSITION_META_KEYS
            } or None


class _WithoutCopies(ModuleType):
    """sqlglot, for a module that never changes a tree."""

    def __init__(self, original: ModuleType) -> None:
        super().__init__(original.__name__)
        self._original = original

    def parse_one(self, sql: str, read: str) -> Any:
        return self._original.parse_one.remembered(sql, read)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def share_trees(original: ModuleType) -> ModuleType:
    """Give a module that never changes a tree the remembered one, not a copy."""
    return _WithoutCopies(original)


def quick_copy(_original: object) -> Callable[[exp.Expression, object], exp.Expression]:
    """Copy a tree without deepcopy's memo of visited nodes, which takes most of its time."""

    def copy_tree(tree: exp.Expression, _memo: object) -> exp.Expression:
        root: exp.Expression = _bare_copy(tree)
        open_nodes = [(tree, root)]
        while open_nodes:
            node, copied = open_nodes.pop()
            for key, value in node.args.items():
                if isinstance(value, exp.Expr):
                    copied.args[key] = _child(value, copied, key, None, open_nodes)
                elif type(value) is list:
                    copied.args[key] = [
                        _child(one, copied, key, index, open_nodes)
                        if isinstance(one, exp.Expr)
                        else one
                        for index, one in enumerate(value)
                    ]
                else:
                    copied.args[key] = value
        return root

    return copy_tree


def _child(
    node: Any, parent: Any, key: str, index: int | None, open_nodes: list[tuple[Any, Any]]
) -> Any:
    copied = _bare_copy(node)
    copied.parent, copied.arg_key, copied.index = parent, key, index
    open_nodes.append((node, copied))
    return copied


def _bare_copy(node: Any) -> Any:
    """Copy a node without its arguments. Its type is a tree; its metadata are plain values."""
    copied = node.__class__.__new__(node.__class__)
    copied.args, copied.parent, copied.arg_key, copied.index = {}, None, None, None
    copied.comments = None if node.comments is None else list(node.comments)
    copied._type = None if node._type is None else copy.deepcopy(node._type)
    copied._meta = None if node._meta is None else _copied_metadata(node._meta)
    copied._hash = node._hash
    return copied


def _copied_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    if all(type(value) in (str, int, bool) for value in metadata.values()):
        return dict(metadata)
    return copy.deepcopy(metadata)


def unnest_no_query(_original: bool) -> bool:
    """Keep the parser from looking for `from t, t.array` in each query; `unnest_where_it_matters`.

    To look for it, it copies each query's FROM with all the subqueries in it.
    """
    return False


def unnest_where_it_matters(original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Look for `from t, t.array` in parsed queries that join a path without a condition.

    A compiled parser calls its own methods, whatever stands in their place.
    """

    def parse(dialect: Dialect, *what: Any, **options: Any) -> list[Any]:
        trees = original(dialect, *what, **options)
        for tree in trees:
            if tree is not None:
                _drop_positions(tree)
                if isinstance(dialect, BigQuery):
                    _unnest(tree, dialect)
        return trees

    return parse


def _unnest(tree: exp.Expr, dialect: Dialect) -> None:
    for query in [node for node in tree.walk() if _may_unnest(node)]:
        dialect.parser()._implicit_unnests_to_explicit(query)


def _may_unnest(node: exp.Expr) -> bool:
    joins = node.args.get("joins") if node.args.get("from_") else None
    tables = (join.this for join in joins or () if not join.args.get("on"))
    return any(isinstance(table, exp.Table) and len(table.parts) > 1 for table in tables)
