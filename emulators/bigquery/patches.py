"""The one list of names that the launcher replaces in the BigQuery emulator.

The emulator is pinned: these are private names of exactly one version. `check` finds each of them
before anything starts, so that an upgrade fails with the name that went missing.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from python_jobs.local import emulator_engine as engine
from python_jobs.local import emulator_jobs as jobs
from python_jobs.local import emulator_translations as translations

PINNED_VERSION = "1.4.0"


@dataclass(frozen=True)
class Patch:
    """One name and its replacement.

    Attributes:
        owner: module, or module:Class, that the name is looked up in when it is used.
        name: the attribute.
        replace: makes the replacement out of the original.
        why: what goes wrong without it.
    """

    owner: str
    name: str
    replace: Callable[[Any], Any]
    why: str


_UPLOAD = "bqemulator.api.routes.upload"
_JOBS = "bqemulator.api.routes.jobs"
_EXECUTOR = "bqemulator.jobs.executor"
_SCRIPTS = "bqemulator.scripting.interpreter"
_VIEWS = "bqemulator.versioning.materialized_views"
_FUNCTIONS = "bqemulator.udf.table_valued"
_ENGINE = "bqemulator.storage.engine:DuckDBEngine"
_SNAPSHOTS = "bqemulator.versioning.snapshots:SnapshotManager"
_MEMORY = "bqemulator.catalog.memory_repository:MemoryCatalogRepository"
_DISK = "bqemulator.catalog.duckdb_repository:DuckDBCatalogRepository"


def _allow_any_media(original: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda media_type: media_type == "*/*" or original(media_type)


PATCHES = (
    Patch(_UPLOAD, "_is_permitted_media_type", _allow_any_media, "the client sends */*"),
    Patch(_UPLOAD, "_load_configuration_from_envelope", jobs.keep_job_id, "it drops the job id"),
    Patch(_UPLOAD, "_run_load", jobs.run_upload, "it invents a job id and runs each one"),
    Patch(_UPLOAD, "execute_load_job", jobs.replace_load, "rows and job are not one transaction"),
    Patch(_JOBS, "execute_load_job", jobs.replace_load, "rows and job are not one transaction"),
    Patch(_EXECUTOR, "execute_load_job", jobs.replace_load, "rows and job are not one transaction"),
    Patch(_JOBS, "_handle_query_job", jobs.refuse_seen_query, "it runs a job id again"),
    Patch(
        _JOBS,
        "_handle_load_job_with_async_envelope",
        jobs.refuse_seen_load,
        "it runs a job id again",
    ),
    Patch(_JOBS, "execute_copy_job", jobs.copy_once, "it runs a job id again"),
    Patch("sqlglot", "parse_one", engine.remember_trees, "it parses each text some thirty times"),
    *(
        Patch(module, "sqlglot", engine.share_trees, "it looks at trees, and needs no copy")
        for module in (
            "bqemulator.catalog.ddl_sync",
            "bqemulator.jobs.ddl_result",
            "bqemulator.jobs.routine_ddl",
        )
    ),
    Patch(
        "sqlglot.expressions.core:Expression",
        "__deepcopy__",
        engine.quick_copy,
        "a third of the server's time goes to copies of trees",
    ),
    Patch(
        "bqemulator.sql.translator:SQLTranslator",
        "translate",
        translations.translate_once,
        "half of the server's time goes to translating what it has translated",
    ),
    Patch(_EXECUTOR, "rewrite_table_refs", translations.qualify_once, "as translate"),
    Patch(_SCRIPTS, "rewrite_table_refs", translations.qualify_once, "as translate"),
    Patch(_VIEWS, "rewrite_table_refs", translations.qualify_once, "as translate"),
    Patch(_FUNCTIONS, "rewrite_table_refs", translations.qualify_once, "as translate"),
    Patch(
        "bqemulator.sql.inner_query",
        "build_catalog_schema",
        translations.read_tables_once,
        "as translate",
    ),
    *(
        Patch(
            module,
            "rewrite_for_row_access",
            translations.expand_once,
            "it parses each text for policies that there are none of",
        )
        for module in ("bqemulator.sql.inner_query", "bqemulator.grpc_api.read_servicer")
    ),
    *(
        Patch(
            module,
            "classify_statement_type",
            translations.classify_once,
            "a sixth of the server's time goes to parsing each text for its first word",
        )
        for module in (_EXECUTOR, _JOBS)
    ),
    Patch(
        _EXECUTOR,
        "detect_drop_routine",
        translations.only_drops,
        "it parses each text in case it drops a function",
    ),
    Patch(
        _EXECUTOR,
        "_reject_dml_on_immutable",
        translations.only_where_rows_change,
        "it parses what changes no row",
    ),
    Patch(
        _EXECUTOR,
        "_capture_dml_snapshots",
        translations.only_where_rows_change_async,
        "it parses what changes no row",
    ),
    Patch(_JOBS, "execute_query_job", jobs.run_rewritten_query, "SQL that it misreads"),
    Patch(_EXECUTOR, "execute_query_job", jobs.run_rewritten_query, "SQL that it misreads"),
    Patch(
        f"{_SCRIPTS}:ScriptInterpreter",
        "_handle_txn_statement",
        jobs.control_transaction,
        "a killed transaction leaves half of itself",
    ),
    Patch("bqemulator.api.errors", "InternalError", jobs.fail_at_once, "clients repeat a 500"),
    Patch(_DISK, "_hydrate_jobs", jobs.fail_interrupted_jobs, "a killed script runs for ever"),
    Patch(_ENGINE, "_apply_session_pragmas", engine.set_session, "DuckDB downloads extensions"),
    Patch(_ENGINE, "_load_spatial", engine.skip_extension, "it downloads an extension"),
    Patch(_ENGINE, "_load_format_extensions", engine.skip_extension, "it downloads an extension"),
    Patch(_ENGINE, "connection", engine.connection_of_thread, "threads mix up their results"),
    Patch(_ENGINE, "fetch_arrow", engine.fetch_query_results, "gRPC finds no query result"),
    Patch(
        "bqemulator.grpc_api.read_servicer",
        "create_read_session",
        engine.typed_read_session,
        "int32 and decimals for INT64; messages beyond gRPC's limit",
    ),
    Patch(
        "sqlglot.parser:Parser",
        "_implicit_unnests_to_explicit",
        engine.only_where_it_matters,
        "a fifth of the server's time goes to copies of subqueries",
    ),
    Patch(_EXECUTOR, "JOB_RESULTS", engine.keep_results, "memory grows with each query"),
    Patch(_JOBS, "JOB_RESULTS", engine.keep_results, "memory grows with each query"),
    Patch(_EXECUTOR, "JOB_SCHEMAS", engine.keep_schemas, "memory grows with each query"),
    Patch(_JOBS, "JOB_SCHEMAS", engine.keep_schemas, "memory grows with each query"),
    Patch(
        "bqemulator.streaming.read_session",
        "_SESSIONS",
        engine.keep_sessions,
        "memory grows with each read",
    ),
    Patch(_SNAPSHOTS, "record_change", engine.announce_change, "each write copies its table"),
    Patch(_SNAPSHOTS, "resolve_time_travel", engine.refuse_time_travel, "there are no copies"),
    Patch(
        "bqemulator.catalog.ddl_sync",
        "_introspect_schema",
        engine.keep_json_and_integers,
        "JSON columns look like STRING",
    ),
    Patch(_MEMORY, "update_table", engine.add_columns_of_update, "added columns miss in DuckDB"),
    Patch(_DISK, "update_table", engine.add_columns_of_update, "added columns miss in DuckDB"),
)

# Called by the replacements, replaced by none.
USED = (
    (_UPLOAD, "_new_job_id"),
    (_EXECUTOR, "_parse_load_job_config"),
    (_EXECUTOR, "_resolve_uri"),
    (_EXECUTOR, "_validate_local_path"),
    (_EXECUTOR, "_maybe_create_load_destination"),
    (_EXECUTOR, "_apply_load_write_disposition"),
    (_EXECUTOR, "_load_path_into_target"),
    (_EXECUTOR, "_refresh_load_row_count"),
    ("bqemulator.catalog.ddl_sync", "sync_created_table"),
)


def _resolve(owner: str) -> Any:
    module, _, attribute = owner.partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def check(names: tuple[tuple[str, str], ...] | None = None) -> None:
    """Find every name that the launcher replaces or calls.

    Raises:
        RuntimeError: names what is missing, and the version that has it.
    """
    wanted = names or (*((patch.owner, patch.name) for patch in PATCHES), *USED)
    missing = [f"{owner}.{name}" for owner, name in wanted if not _has(owner, name)]
    if missing:
        raise RuntimeError(
            f"bqemulator {version('bqemulator')} with sqlglot {version('sqlglot')} has no "
            f"{', '.join(missing)}. The launcher patches bqemulator {PINNED_VERSION}: install that "
            "with the versions of requirements-dev.lock, or adapt emulator_patches.PATCHES."
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
