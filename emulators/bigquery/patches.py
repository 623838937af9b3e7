"""The list of all names that are replaced in bqemulator and sqlglot.

They are private names of exactly one version. `check` looks each of them up before anything starts,
so that an upgrade fails with the name that it removed.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from emulators.bigquery import (
    catalog,
    engine,
    guard,
    jobs,
    loads,
    memory,
    read_api,
    translations,
    trees,
)

PINNED_VERSION = "1.4.0"


@dataclass(frozen=True)
class Patch:
    """One name and its replacement.

    Attributes:
        owner: module, or module:Class, where the name is looked up when it is used.
        name: the attribute.
        replace: takes the original and returns the replacement.
        why: what upstream does wrong.
    """

    owner: str
    name: str
    replace: Callable[[Any], Any]
    why: str


def _patches(
    owners: tuple[str, ...], name: str, replace: Callable[[Any], Any], why: str
) -> tuple[Patch, ...]:
    """Replace a name in every module that imports it."""
    return tuple(Patch(owner, name, replace, why) for owner in owners)


_UPLOAD = "bqemulator.api.routes.upload"
_JOBS = "bqemulator.api.routes.jobs"
_EXECUTOR = "bqemulator.jobs.executor"
_SCRIPTS = "bqemulator.scripting.interpreter"
_INNER_QUERY = "bqemulator.sql.inner_query"
_READS = "bqemulator.grpc_api.read_servicer"
_DDL = "bqemulator.catalog.ddl_sync"
_ENGINE = "bqemulator.storage.engine:DuckDBEngine"
_SNAPSHOTS = "bqemulator.versioning.snapshots:SnapshotManager"
_MEMORY = "bqemulator.catalog.memory_repository:MemoryCatalogRepository"
_DISK = "bqemulator.catalog.duckdb_repository:DuckDBCatalogRepository"

_LOADS_AND_JOBS = (
    Patch(_UPLOAD, "_is_permitted_media_type", loads.allow_any_media, "it refuses */*"),
    Patch(_UPLOAD, "_load_configuration_from_envelope", loads.keep_job_id, "it drops the job id"),
    Patch(_UPLOAD, "_run_load", loads.run_upload, "it invents a job id and runs each one"),
    *_patches(
        (_UPLOAD, _JOBS, _EXECUTOR),
        "execute_load_job",
        loads.replace_load,
        "rows and job are not one transaction",
    ),
    Patch(
        _JOBS,
        "_handle_load_job_with_async_envelope",
        loads.refuse_seen_load,
        "it runs a job id again",
    ),
    Patch(_JOBS, "_handle_query_job", jobs.refuse_seen_query, "it runs a job id again"),
    Patch(_JOBS, "execute_copy_job", jobs.copy_once, "it runs a job id again"),
    *_patches((_JOBS, _EXECUTOR), "execute_query_job", jobs.run_rewritten_query, "it misreads SQL"),
    Patch(
        f"{_SCRIPTS}:ScriptInterpreter",
        "_handle_txn_statement",
        jobs.control_transaction,
        "a killed transaction leaves half of its changes",
    ),
    Patch(_DISK, "_hydrate_jobs", jobs.fail_interrupted_jobs, "a killed script runs for ever"),
    Patch(
        "bqemulator.api.errors",
        "InternalError",
        jobs.fail_at_once,
        "clients retry its 500 for ten minutes",
    ),
)

_PARSING = (
    Patch("sqlglot", "parse_one", trees.remember_trees, "it parses each text some thirty times"),
    *_patches(
        (_DDL, "bqemulator.jobs.ddl_result", "bqemulator.jobs.routine_ddl"),
        "sqlglot",
        trees.share_trees,
        "it copies trees that it never changes",
    ),
    Patch(
        "sqlglot.expressions.core:Expression",
        "__deepcopy__",
        trees.quick_copy,
        "copies of trees take a third of its time",
    ),
    Patch(
        "sqlglot.parsers.bigquery:BigQueryParser",
        "SUPPORTS_IMPLICIT_UNNEST",
        trees.unnest_no_query,
        "copies of subqueries take a fifth of its time",
    ),
    *(
        Patch(
            "sqlglot.dialects.dialect:Dialect",
            name,
            trees.unnest_where_it_matters,
            "without the above it leaves implicit unnests as they are",
        )
        for name in ("parse", "parse_into")
    ),
    Patch(
        "bqemulator.sql.translator:SQLTranslator",
        "translate",
        translations.translate_once,
        "repeated translations take half of its time",
    ),
    *_patches(
        (
            _EXECUTOR,
            _SCRIPTS,
            "bqemulator.versioning.materialized_views",
            "bqemulator.udf.table_valued",
        ),
        "rewrite_table_refs",
        translations.qualify_once,
        "it parses each text again",
    ),
    Patch(
        _INNER_QUERY,
        "build_catalog_schema",
        translations.read_tables_once,
        "it parses each text again",
    ),
    *_patches(
        (_INNER_QUERY, _READS),
        "rewrite_for_row_access",
        translations.expand_once,
        "it parses each text again for policies, of which there are none",
    ),
    *_patches(
        (_EXECUTOR, _JOBS),
        "classify_statement_type",
        translations.classify_once,
        "parsing each text for its first word takes a sixth of its time",
    ),
    Patch(
        _EXECUTOR,
        "detect_drop_routine",
        translations.only_drops,
        "it parses each text in case it drops a function",
    ),
    Patch(
        _DDL,
        "_detect_catalog_drop",
        translations.only_dropped_relations,
        "it parses each text in case it drops a table",
    ),
    Patch(
        _EXECUTOR,
        "_reject_dml_on_immutable",
        translations.only_where_rows_change,
        "it parses statements that change no row",
    ),
    Patch(
        _EXECUTOR,
        "_capture_dml_snapshots",
        translations.only_where_rows_change_async,
        "it parses statements that change no row",
    ),
)

_ENGINE_AND_RESULTS = (
    Patch(_ENGINE, "start", engine.lock_down, "its SQL reads and writes any file of the user"),
    *_patches(
        ("bqemulator.server", "bqemulator.api"),
        "create_app",
        guard.refuse_foreign_requests,
        "it answers web pages, and any Host",
    ),
    Patch(_ENGINE, "_apply_session_pragmas", engine.set_session, "DuckDB downloads extensions"),
    *(
        Patch(_ENGINE, name, engine.skip_extension, "it downloads an extension")
        for name in ("_load_spatial", "_load_format_extensions")
    ),
    Patch(_ENGINE, "connection", engine.connection_of_thread, "threads mix up their results"),
    Patch(_ENGINE, "fetch_arrow", read_api.fetch_query_results, "gRPC finds no query result"),
    Patch(
        _READS,
        "create_read_session",
        read_api.typed_read_session,
        "INT64 is int32 or decimal; messages exceed gRPC's limit",
    ),
    *_patches((_EXECUTOR, _JOBS), "JOB_RESULTS", memory.keep_results, "it keeps all results"),
    *_patches((_EXECUTOR, _JOBS), "JOB_SCHEMAS", memory.keep_schemas, "it keeps all schemas"),
    Patch(
        "bqemulator.streaming.read_session",
        "_SESSIONS",
        memory.keep_sessions,
        "it keeps all read sessions with their tables",
    ),
)

_CATALOG = (
    Patch(_SNAPSHOTS, "record_change", catalog.announce_change, "each write copies its table"),
    Patch(
        _SNAPSHOTS,
        "resolve_time_travel",
        catalog.refuse_time_travel,
        "without copies it returns the present as the past",
    ),
    Patch(
        _DDL, "_introspect_schema", catalog.keep_json_and_integers, "JSON columns look like STRING"
    ),
    *_patches(
        (_MEMORY, _DISK),
        "update_table",
        catalog.add_columns_of_update,
        "columns that tables.patch adds are missing in DuckDB",
    ),
)

PATCHES = (*_LOADS_AND_JOBS, *_PARSING, *_ENGINE_AND_RESULTS, *_CATALOG)

# Called by the replacements, but not replaced.
USED = (
    (_UPLOAD, "_new_job_id"),
    (_EXECUTOR, "_parse_load_job_config"),
    (_EXECUTOR, "_resolve_uri"),
    (_EXECUTOR, "_validate_local_path"),
    (_EXECUTOR, "_maybe_create_load_destination"),
    (_EXECUTOR, "_apply_load_write_disposition"),
    (_EXECUTOR, "_load_path_into_target"),
    (_EXECUTOR, "_refresh_load_row_count"),
    (_DDL, "sync_created_table"),
)


def _resolve(owner: str) -> Any:
    module, _, attribute = owner.partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def check(names: tuple[tuple[str, str], ...] | None = None) -> None:
    """Look up every name that is replaced or called.

    Raises:
        RuntimeError: names the missing ones, and the version that has them.
    """
    wanted = names or (*((patch.owner, patch.name) for patch in PATCHES), *USED)
    missing = [f"{owner}.{name}" for owner, name in wanted if not _has(owner, name)]
    if missing:
        raise RuntimeError(
            f"bqemulator {version('bqemulator')} with sqlglot {version('sqlglot')} has no "
            f"{', '.join(missing)}. The repairs fit bqemulator {PINNED_VERSION}: install that "
            "with the versions of requirements-dev.lock, or adapt patches.PATCHES."
        )


def _has(owner: str, name: str) -> bool:
    try:
        return hasattr(_resolve(owner), name)
    except (ImportError, AttributeError):
        return False


def apply() -> None:
    """Replace each name; the originals are read before any of them is replaced."""
    check()
    originals = [(patch, vars(_resolve(patch.owner))[patch.name]) for patch in PATCHES]
    for patch, original in originals:
        setattr(_resolve(patch.owner), patch.name, patch.replace(original))


check()
