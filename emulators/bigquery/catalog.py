"""Answers of tables.get and the catalog about a table: rows, columns, types."""

from collections.abc import Callable
from typing import Any, NoReturn

from bqemulator.api.dependencies import AppContext
from bqemulator.catalog import ddl_sync
from bqemulator.catalog.models import SnapshotMeta, TableMeta, TableSchema
from bqemulator.domain.errors import UnsupportedFeatureError
from bqemulator.domain.events import TableDataChanged
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.storage.sql_identifiers import quoted_table_ref
from bqemulator.storage.type_map import bq_schema_to_duckdb_columns
from bqemulator.versioning.snapshots import SnapshotManager

from emulators.bigquery import sql as rewriting


def announce_change(_original: object) -> Callable[[SnapshotManager, str, str, str], None]:
    """Note and announce a change without a copy; the emulator copies the whole table each time."""

    def record_change(snapshots: SnapshotManager, project: str, dataset: str, table: str) -> None:
        note_change(snapshots, project, dataset, table)

    return record_change


def note_change(snapshots: SnapshotManager, project: str, dataset: str, name: str) -> None:
    """Update the row count and time that tables.get returns, and notify materialized views."""
    table = snapshots._catalog.get_table(project, dataset, name)
    if table is not None and table.table_type == "TABLE":
        sql = f"SELECT count(*) FROM {quoted_table_ref(project, dataset, name)}"
        ((rows,),) = snapshots._engine.execute(sql).fetchall()
        known = {"num_rows": rows, "last_modified_time": snapshots._clock.now()}
        snapshots._catalog.update_table(table.model_copy(update=known))
    snapshots._events.publish(TableDataChanged(project, dataset, name))


def refuse_time_travel(_original: object) -> Callable[..., SnapshotMeta]:
    """Refuse FOR SYSTEM_TIME AS OF: without copies it would return the present as the past."""

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
        # The cache of the catalog on disk is a catalog too, without an engine.
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


def sync_altered_tables(sql: str, project_id: str, ctx: AppContext) -> None:
    """Put the columns that a script's ALTER TABLE adds or drops into what tables.get returns.

    Columns that stay keep their descriptions and modes.
    """
    for path in rewriting.altered_tables(sql):
        project, dataset, name = path if len(path) == 3 else (project_id, *path)
        table = ctx.catalog.get_table(project, dataset, name)
        if table is not None:
            fresh = ddl_sync._introspect_schema(project, dataset, name, ctx)
            ctx.catalog.update_table(table.model_copy(update={"schema_": _merged(fresh, table)}))


def _merged(fresh: TableSchema, table: TableMeta) -> TableSchema:
    known = {field.name.lower(): field for field in table.schema_.fields}
    fields = (known.get(field.name.lower(), field) for field in fresh.fields)
    return TableSchema(fields=tuple(fields))
