"""Replacements for the BigQuery emulator's DuckDB engine, kept results and Storage Read API.

Each function takes the emulator's original and returns what stands in its place; which name it
replaces, and why, is written in `emulator_patches.PATCHES`.
"""

import copy
import re
import threading
from collections.abc import Callable, Hashable
from types import ModuleType
from typing import Any, NoReturn

import duckdb
import pyarrow as pa
from bqemulator.api.dependencies import AppContext
from bqemulator.catalog.models import SnapshotMeta, TableMeta, TableSchema
from bqemulator.domain.errors import NotFoundError, UnsupportedFeatureError
from bqemulator.domain.events import TableDataChanged
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.storage.sql_identifiers import quoted_table_ref
from bqemulator.storage.type_map import bq_schema_to_duckdb_columns
from bqemulator.streaming.read_session import ReadSessionState
from bqemulator.versioning.snapshots import SnapshotManager
from sqlglot import exp
from sqlglot.expressions.core import POSITION_META_KEYS
from sqlglot.parser import Parser

MEBIBYTE = 1024 * 1024
# The emulator's gRPC server refuses messages above 11 MiB and sends a batch a message.
READ_BATCH_BYTES = 4 * MEBIBYTE


class RecentResults(dict[Hashable, Any]):
    """A dictionary that forgets its oldest entries beyond a number of entries or bytes.

    Requests of several threads fill and read it at once.
    """

    def __init__(self, entries: int, megabytes: int, spared: int = 8) -> None:
        """Keep up to `entries` and `megabytes`, and the newest `spared` whatever their size."""
        super().__init__()
        self._entries, self._bytes, self._spared = entries, megabytes * MEBIBYTE, spared
        self._sizes: dict[Hashable, int] = {}
        self._held = 0
        self._changing = threading.RLock()

    def __setitem__(self, key: Hashable, value: Any) -> None:
        with self._changing:
            self.pop(key, None)
            super().__setitem__(key, value)
            self._sizes[key] = _size(value)
            self._held += self._sizes[key]
            while len(self) > self._spared and self._is_over_limit():
                self.pop(next(iter(self)), None)

    def pop(self, key: Hashable, *default: Any) -> Any:
        """Forget an entry and return it."""
        with self._changing:
            self._held -= self._sizes.pop(key, 0)
            return super().pop(key, *default)

    def _is_over_limit(self) -> bool:
        return len(self) > self._entries or self._held > self._bytes


def _size(value: Any) -> int:
    held = value.table if isinstance(value, ReadSessionState) else value
    return int(getattr(held, "nbytes", 0))


JOB_RESULTS = RecentResults(entries=500, megabytes=512)
JOB_SCHEMAS = RecentResults(entries=500, megabytes=512)
READ_SESSIONS = RecentResults(entries=64, megabytes=512, spared=32)


PARSED_TREES = RecentResults(entries=256, megabytes=512)


def remember_trees(original: Callable[..., Any]) -> Callable[..., Any]:
    """Parse each text once: every rewrite of the emulator parses the whole statement again."""

    def remembered(sql: str, dialect: str) -> Any:
        tree = PARSED_TREES.get((sql, dialect))
        if tree is None:
            tree = original(sql, read=dialect)
            _forget_positions(tree)
            PARSED_TREES[sql, dialect] = tree
        return tree

    def parse_one(sql: str, read: Any = None, dialect: Any = None, **options: Any) -> Any:
        if options or not isinstance(read or dialect, str):
            return original(sql, read=read, dialect=dialect, **options)
        return remembered(sql, read or dialect).copy()  # rewrites change it in place

    parse_one.remembered = remembered  # type: ignore[attr-defined]
    return parse_one


def _forget_positions(tree: exp.Expr) -> None:
    """Forget where in the text each name stands: nobody asks, and copies take longer for it."""
    for node in tree.walk():
        if node._meta is not None:
            node._meta = {
                key: value for key, value in node._meta.items() if key not in POSITION_META_KEYS
            } or None


class _WithoutCopies(ModuleType):
    """sqlglot, for a module that only looks at the trees it gets."""

    def __init__(self, original: ModuleType) -> None:
        super().__init__(original.__name__)
        self._original = original

    def parse_one(self, sql: str, read: str) -> Any:
        return self._original.parse_one.remembered(sql, read)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def share_trees(original: ModuleType) -> ModuleType:
    """Give a module that changes no tree the remembered one itself."""
    return _WithoutCopies(original)


def quick_copy(_original: object) -> Callable[[exp.Expression, object], exp.Expression]:
    """Copy a tree without deepcopy's book of what it met, which takes most of the time."""

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
    """Copy a node without its arguments; its type is a tree, its notes are plain values."""
    copied = node.__class__.__new__(node.__class__)
    copied.args, copied.parent, copied.arg_key, copied.index = {}, None, None, None
    copied.comments = None if node.comments is None else list(node.comments)
    copied._type = None if node._type is None else copy.deepcopy(node._type)
    copied._meta = None if node._meta is None else _copied_notes(node._meta)
    copied._hash = node._hash
    return copied


def _copied_notes(notes: dict[str, Any]) -> dict[str, Any]:
    if all(type(value) in (str, int, bool) for value in notes.values()):
        return dict(notes)
    return copy.deepcopy(notes)


def set_session(original: Callable[[DuckDBEngine], None]) -> Callable[[DuckDBEngine], None]:
    """Note the engine's thread, and let DuckDB download nothing and write no folder of its own."""

    def apply_session_pragmas(engine: DuckDBEngine) -> None:
        original(engine)
        engine.execute("SET autoinstall_known_extensions = false")
        engine.execute("SET autoload_known_extensions = false")
        engine._shelfcast_owner = threading.get_ident()  # type: ignore[attr-defined]
        engine._shelfcast_cursors = threading.local()  # type: ignore[attr-defined]

    return apply_session_pragmas


def skip_extension(_original: Callable[[DuckDBEngine], None]) -> Callable[[DuckDBEngine], None]:
    """Load no extension: JSON and time zones are linked into DuckDB, the others go unused."""
    return lambda _engine: None


def connection_of_thread(original: property) -> property:
    """Give each thread a connection of its own; a shared one mixes up results between threads.

    The server's own thread keeps the first connection, and with it transactions.
    """

    def connection(engine: DuckDBEngine) -> duckdb.DuckDBPyConnection:
        first: duckdb.DuckDBPyConnection = original.__get__(engine)
        owner = getattr(engine, "_shelfcast_owner", None)
        if owner is None or owner == threading.get_ident():
            return first
        cursors = engine._shelfcast_cursors  # type: ignore[attr-defined]
        if not hasattr(cursors, "connection"):
            cursors.connection = first.cursor()
            cursors.connection.execute("SET TimeZone = 'UTC'")
        own: duckdb.DuckDBPyConnection = cursors.connection
        return own

    return property(connection)


_ANONYMOUS = re.compile(r'"[^"]*___bqemu_anonymous"\."anon(?P<job>[^"]+)"')


def fetch_query_results(original: Callable[..., pa.Table]) -> Callable[..., pa.Table]:
    """Let the Storage Read API read a query's result, which is kept in memory and not in a table.

    Raises:
        NotFoundError: the result was never there, or was forgotten since.
    """

    def fetch_arrow(
        engine: DuckDBEngine, sql: str, parameters: list[Any] | None = None
    ) -> pa.Table:
        anonymous = _ANONYMOUS.search(sql)
        if anonymous is None:
            return original(engine, sql, parameters)
        with engine.connection.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            cursor.register("query_result", with_bigquery_types(_result_of(anonymous["job"])))
            return cursor.execute(_ANONYMOUS.sub("query_result", sql)).to_arrow_table()

    return fetch_arrow


def _result_of(flat_job_id: str) -> pa.Table:
    for job_id, table in list(JOB_RESULTS.items()):
        if str(job_id).replace("-", "") == flat_job_id:
            return table
    raise NotFoundError(
        f"The result of job {flat_job_id} is not kept any more: run the query again."
    )


def with_bigquery_types(table: pa.Table) -> pa.Table:
    """Cast a result to the Arrow types that BigQuery's Storage Read API has.

    DuckDB answers integer literals as int32 and sums of integers as decimals.
    """
    return table.cast(pa.schema([_bigquery_field(field) for field in table.schema]))


def _bigquery_field(field: pa.Field) -> pa.Field:
    duckdb_type = (field.metadata or {}).get(b"bqemu.duckdb_type", b"")
    kind = _bigquery_type(field.type)
    if duckdb_type == b"HUGEINT":
        kind = pa.int64()
    elif duckdb_type == b"HUGEINT[]":
        kind = pa.list_(pa.int64())
    return pa.field(field.name, kind, metadata=field.metadata)


def _bigquery_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_bigquery_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(part.name, _bigquery_type(part.type)) for part in kind])
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC" if kind.tz else None)
    if pa.types.is_decimal(kind):
        return pa.decimal128(38, 9) if kind.scale <= 9 else pa.decimal256(76, 38)
    simple = (
        (pa.types.is_integer, pa.int64()),
        (pa.types.is_floating, pa.float64()),
        (pa.types.is_large_string, pa.string()),
    )
    return next((wanted for matches, wanted in simple if matches(kind)), kind)


def in_small_batches(table: pa.Table) -> pa.Table:
    """Cut a table into record batches that fit a gRPC message."""
    if not table.num_rows:
        return table
    rows = max(1, READ_BATCH_BYTES * table.num_rows // max(1, table.nbytes))
    return pa.Table.from_batches(table.to_batches(max_chunksize=rows), schema=table.schema)


def typed_read_session(
    original: Callable[..., ReadSessionState],
) -> Callable[..., ReadSessionState]:
    """Serve the Storage Read API's rows with BigQuery's types, in messages that fit."""

    def create_read_session(*args: Any, arrow_table: pa.Table, **kwargs: Any) -> ReadSessionState:
        table = in_small_batches(with_bigquery_types(arrow_table))
        return original(*args, arrow_table=table, **kwargs)

    return create_read_session


def only_where_it_matters(
    original: Callable[[Parser, exp.Query], exp.Query],
) -> Callable[[Parser, exp.Query], exp.Query]:
    """Look for `from t, t.array` only in queries that join a path without a condition.

    The parser copies each query's FROM to look, with all the subqueries in it.
    """

    def implicit_unnests_to_explicit(parser: Parser, query: exp.Query) -> exp.Query:
        tables = (join.this for join in query.args.get("joins") or [] if not join.args.get("on"))
        if any(isinstance(table, exp.Table) and len(table.parts) > 1 for table in tables):
            return original(parser, query)
        return query

    return implicit_unnests_to_explicit


def keep_results(_original: object) -> RecentResults:
    """Keep a bounded number of results, where the emulator keeps all of them."""
    return JOB_RESULTS


def keep_schemas(_original: object) -> RecentResults:
    """Keep the schemas of a bounded number of results."""
    return JOB_SCHEMAS


def keep_sessions(_original: object) -> RecentResults:
    """Keep a bounded number of read sessions, each of which holds a table."""
    return READ_SESSIONS


def announce_change(_original: object) -> Callable[[SnapshotManager, str, str, str], None]:
    """Note and announce a change without a copy: the emulator copies a table whole at each one."""

    def record_change(snapshots: SnapshotManager, project: str, dataset: str, table: str) -> None:
        note_change(snapshots, project, dataset, table)

    return record_change


def note_change(snapshots: SnapshotManager, project: str, dataset: str, name: str) -> None:
    """Refresh what tables.get says of a changed table, and tell materialized views."""
    table = snapshots._catalog.get_table(project, dataset, name)
    if table is not None and table.table_type == "TABLE":
        sql = f"SELECT count(*) FROM {quoted_table_ref(project, dataset, name)}"
        ((rows,),) = snapshots._engine.execute(sql).fetchall()
        known = {"num_rows": rows, "last_modified_time": snapshots._clock.now()}
        snapshots._catalog.update_table(table.model_copy(update=known))
    snapshots._events.publish(TableDataChanged(project, dataset, name))


def refuse_time_travel(_original: object) -> Callable[..., SnapshotMeta]:
    """Refuse FOR SYSTEM_TIME AS OF: without copies, it would read the present and say the past."""

    def resolve_time_travel(
        _self: SnapshotManager, _project: str, dataset: str, table: str, target: object
    ) -> NoReturn:
        raise UnsupportedFeatureError(
            f"{dataset}.{table} FOR SYSTEM_TIME AS OF {target}: the local emulator keeps no "
            "history of tables. Read the table as it is, or use real BigQuery."
        )

    return resolve_time_travel


def add_columns_of_update(
    original: Callable[[Any, TableMeta], TableMeta],
) -> Callable[[Any, TableMeta], TableMeta]:
    """Add to DuckDB the columns that tables.patch adds (dbt's on_schema_change)."""

    def update_table(catalog: Any, table: TableMeta) -> TableMeta:
        old = catalog.get_table(table.project_id, table.dataset_id, table.table_id)
        # The catalog on disk keeps a cache, a catalog too, that has no engine.
        if old is not None and old.table_type == "TABLE" and catalog._engine is not None:
            _add_columns(catalog._engine, old, table)
        return original(catalog, table)

    return update_table


def keep_json_and_integers(
    original: Callable[[str, str, str, AppContext], TableSchema],
) -> Callable[[str, str, str, AppContext], TableSchema]:
    """Describe JSON columns as JSON, not STRING, and sums of integers as INTEGER, not NUMERIC."""

    def introspect_schema(project: str, dataset: str, name: str, ctx: AppContext) -> TableSchema:
        sql = f"DESCRIBE {quoted_table_ref(project, dataset, name)}"
        described = {
            row[0]: row[1].removesuffix("[]") for row in ctx.engine.execute(sql).fetchall()
        }
        kinds = {"JSON": "JSON", "HUGEINT": "INTEGER"}
        fields = (
            field.model_copy(update={"type": kinds.get(described[field.name], field.type)})
            for field in original(project, dataset, name, ctx).fields
        )
        return TableSchema(fields=tuple(fields))

    return introspect_schema


def _add_columns(engine: DuckDBEngine, old: TableMeta, new: TableMeta) -> None:
    known = {field.name.lower() for field in old.schema_.fields}
    added = [field for field in new.schema_.fields if field.name.lower() not in known]
    target = quoted_table_ref(new.project_id, new.dataset_id, new.table_id)
    for name, kind in bq_schema_to_duckdb_columns([field.model_dump() for field in added]):
        engine.execute(f'ALTER TABLE {target} ADD COLUMN IF NOT EXISTS "{name}" {kind}')
