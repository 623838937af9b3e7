"""Replacements for the BigQuery emulator's jobs: an id runs once, a load is one transaction.

BigQuery refuses a job id that it has seen, and idempotent loads rest on it. What makes that safe
against a kill at any instant:

- A load inserts its rows and its job's record in one DuckDB transaction. Killed before the commit
  it left neither, and the same id may run; killed after, both are there, and the id is refused
  while `jobs.get` tells the result. There is no state between the two.
- One statement of DML or DDL, with the catalog's entries that it changes, is one transaction too;
  so is a script that is `begin transaction; ...; commit` as a whole.
- Another script cannot be one. Its record is committed as RUNNING before it starts, so a killed
  script is never run twice: after a restart its job has failed, and its error says what is unknown.
- A query that only reads is recorded at its end; running it again harms nothing.

A load whose data is bad is recorded as failed, and its id stays used, as in BigQuery.
"""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import duckdb
from bqemulator.api.dependencies import AppContext
from bqemulator.api.routes import upload
from bqemulator.catalog import ddl_sync
from bqemulator.catalog.duckdb_repository import DuckDBCatalogRepository
from bqemulator.catalog.etag import generate_etag
from bqemulator.catalog.models import JobMeta, TableMeta, TableSchema
from bqemulator.domain.errors import (
    AlreadyExistsError,
    DomainError,
    InvalidQueryError,
    UnsupportedFeatureError,
)
from bqemulator.jobs import executor
from bqemulator.scripting.interpreter import ScriptInterpreter
from bqemulator.storage.engine import DuckDBEngine

from python_jobs.local import emulator_sql
from python_jobs.local.emulator_engine import note_change
from python_jobs.local.emulator_translations import rewritten

# The upload host keeps only an upload's configuration; the client's job id travels inside it.
_JOB_ID = "shelfcast.jobId"

QueryRunner = Callable[..., Awaitable[JobMeta]]
JobHandler = Callable[..., Awaitable[Any]]


_IS_WHOLE_JOB = ContextVar("_IS_WHOLE_JOB", default=False)


@contextmanager
def transaction(engine: DuckDBEngine) -> Iterator[None]:
    """Commit all of a block's statements, or none of them."""
    engine.execute("BEGIN TRANSACTION")
    outer = _IS_WHOLE_JOB.set(True)
    try:
        yield
        engine.execute("COMMIT")
    except BaseException:
        roll_back(engine)
        raise
    finally:
        _IS_WHOLE_JOB.reset(outer)


def roll_back(engine: DuckDBEngine) -> None:
    """Leave no transaction open, where one is."""
    with suppress(duckdb.TransactionException):
        engine.execute("ROLLBACK")


def refuse_seen(ctx: AppContext, project_id: str, job_id: str) -> None:
    """Refuse a job id that was seen.

    Raises:
        AlreadyExistsError: HTTP 409, reason `duplicate`, as BigQuery answers.
    """
    if ctx.catalog.get_job(project_id, job_id) is not None:
        raise AlreadyExistsError(f"Already Exists: Job {project_id}:US.{job_id}")


def refuse_seen_query(original: JobHandler) -> JobHandler:
    """Refuse a query job whose id was seen, and one with a destination, which is never written."""

    async def handle_query_job(
        project_id: str, job_id: str, config: dict[str, Any], *, dry_run: bool, **rest: Any
    ) -> Any:
        if not dry_run:
            refuse_seen(rest["ctx"], project_id, job_id)
            _refuse_destination(config["query"])
        result = await original(project_id, job_id, config, dry_run=dry_run, **rest)
        return _with_request(result, config) if isinstance(result, JobMeta) else result

    return handle_query_job


def _refuse_destination(query: dict[str, Any]) -> None:
    destination = query.get("destinationTable")
    if destination and not destination.get("datasetId", "").startswith("_"):
        raise UnsupportedFeatureError(
            f"The local emulator does not write a query's destination table "
            f"({destination.get('datasetId')}.{destination.get('tableId')}). "
            "Use `create or replace table ... as` or `insert into` in the query."
        )


def _with_request(meta: JobMeta, config: dict[str, Any]) -> JobMeta:
    """Keep a job's configuration as it was sent: the query's own text, labels, parameters."""
    ran = (meta.configuration or {}).get("query", {})
    query = {**ran, **config["query"]}
    return meta.model_copy(update={"configuration": {**config, "query": query}})


def copy_once(original: JobHandler) -> JobHandler:
    """Copy a table in the transaction that records the job; refuse an id that was seen."""

    async def copy(project_id: str, job_id: str, config: dict[str, Any], ctx: AppContext) -> Any:
        refuse_seen(ctx, project_id, job_id)
        with transaction(ctx.engine):
            meta = await original(project_id, job_id, config, ctx)
            ctx.catalog.upsert_job(meta)
        return meta

    return copy


def refuse_seen_load(original: JobHandler) -> JobHandler:
    """Refuse a load from files whose id was seen, with the answer that an upload gets."""

    async def handle(project_id: str, job_id: str, config: dict[str, Any], ctx: AppContext) -> Any:
        refuse_seen(ctx, project_id, job_id)
        return await original(project_id, job_id, config, ctx)

    return handle


def run_rewritten_query(original: QueryRunner) -> QueryRunner:
    """Rewrite a query for the emulator, and run it so that a kill leaves all of it or none."""

    async def execute_query_job(
        project_id: str,
        job_id: str,
        bq_sql: str,
        query_params: list[dict[str, Any]] | None,
        ctx: AppContext,
        **rest: Any,
    ) -> JobMeta:
        sql = rewritten(bq_sql)

        async def run() -> JobMeta:
            return await original(project_id, job_id, sql, query_params, ctx, **rest)

        try:
            if emulator_sql.only_reads(sql):
                return await run()
            if not emulator_sql.is_one_write(sql):
                meta = await _run_script(run, project_id, job_id, bq_sql, ctx)
                _sync_altered_tables(sql, project_id, ctx)
                return meta
            with transaction(ctx.engine):
                meta = await run()
                _sync_altered_tables(sql, project_id, ctx)
                ctx.catalog.upsert_job(meta)
            return meta
        except DomainError:
            raise
        except Exception as error:
            raise failure(error) from error

    return execute_query_job


def failure(error: BaseException | None) -> InvalidQueryError:
    """Name what went wrong inside the emulator, as an error that clients do not repeat."""
    return InvalidQueryError(f"The local emulator failed: {type(error).__name__}: {error}")


def fail_at_once(_original: type[DomainError]) -> Callable[[str], InvalidQueryError]:
    """Answer 400 where the emulator fails by itself: clients repeat a 500 for ten minutes."""
    return lambda _message: failure(sys.exc_info()[1])


async def _run_script(
    run: Callable[[], Awaitable[JobMeta]],
    project_id: str,
    job_id: str,
    sql: str,
    ctx: AppContext,
) -> JobMeta:
    now = ctx.clock.now()
    ctx.catalog.upsert_job(
        JobMeta(
            project_id=project_id,
            job_id=job_id,
            job_type="QUERY",
            state="RUNNING",
            configuration={"query": {"query": sql}},
            creation_time=now,
            start_time=now,
            etag=generate_etag(project_id, job_id, str(now)),
        )
    )
    try:
        meta = await run()
    except BaseException:
        roll_back(ctx.engine)
        ctx.catalog.delete_job(project_id, job_id, not_found_ok=True)
        raise
    roll_back(ctx.engine)  # what a script began and did not commit
    return meta


def control_transaction(_original: Callable[..., Any]) -> Callable[..., Awaitable[None]]:
    """Let a script's BEGIN TRANSACTION and COMMIT be DuckDB's.

    The emulator copies each table that a transaction changes, and a kill leaves the change without
    its end. As DuckDB's, the transaction is there whole or not at all. After an error in it, only
    ROLLBACK may follow.
    """

    async def handle_txn_statement(interpreter: ScriptInterpreter, operation: str) -> None:
        # A job that is one transaction is begun and committed with its record.
        if not _IS_WHOLE_JOB.get():
            interpreter._ctx.engine.execute(operation)

    return handle_txn_statement


def fail_interrupted_jobs(
    original: Callable[[DuckDBCatalogRepository], None],
) -> Callable[[DuckDBCatalogRepository], None]:
    """Report scripts that a kill interrupted as failed, instead of running for ever."""

    def hydrate_jobs(catalog: DuckDBCatalogRepository) -> None:
        original(catalog)
        jobs = catalog._cache._jobs
        for key, job in jobs.items():
            if job.state != "DONE":
                jobs[key] = job.model_copy(update={"state": "DONE", "error_result": _INTERRUPTED})

    return hydrate_jobs


_INTERRUPTED = {
    "reason": "jobInternalError",
    "message": "The emulator was stopped while this script ran: which of its statements were "
    "committed is unknown. Look at its tables, then run it under a new job id.",
}


def keep_job_id(
    original: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Carry the client's job id from an upload's envelope to its load."""

    def load_configuration(envelope: dict[str, Any]) -> dict[str, Any]:
        job_id = (envelope.get("jobReference") or {}).get("jobId")
        return {**original(envelope), **({_JOB_ID: job_id} if job_id else {})}

    return load_configuration


def run_upload(_original: JobHandler) -> JobHandler:
    """Load an uploaded file under the client's job id, once."""

    async def run_load(
        *, project_id: str, configuration: dict[str, Any], media_path: str, ctx: AppContext
    ) -> tuple[str, JobMeta]:
        job_id = configuration.get(_JOB_ID) or upload._new_job_id()
        load = {**configuration["load"], "sourceUris": [f"file://{media_path}"]}
        config = {key: value for key, value in configuration.items() if key != _JOB_ID}
        config["load"] = load
        try:
            return job_id, await load_once(project_id, job_id, config, ctx)
        except DomainError:
            raise
        except Exception as error:  # noqa: BLE001 - bad data is the job's error, not the request's
            meta = _load_meta(project_id, job_id, config, ctx, error=str(error))
            ctx.catalog.upsert_job(meta)
            return job_id, meta

    return run_load


def replace_load(_original: JobHandler) -> JobHandler:
    """Replace the emulator's load by `load_once`."""
    return load_once


async def load_once(
    project_id: str, job_id: str, config: dict[str, Any], ctx: AppContext
) -> JobMeta:
    """Load files into a table in the transaction that records the job.

    Raises:
        AlreadyExistsError: the job's id was seen.
        DomainError: the request is wrong (no such dataset, an unknown format).
        duckdb.Error: the data is bad; nothing was loaded.
    """
    job = executor._parse_load_job_config(project_id, config)
    paths = [executor._resolve_uri(uri, ctx) for uri in job.source_uris]
    for path in paths:
        executor._validate_local_path(path)
    # Nothing inside waits, so no other request's statement enters the transaction.
    async with ctx.engine.write_lock():
        refuse_seen(ctx, project_id, job_id)
        _create_destination(job, paths, ctx)
        try:
            with transaction(ctx.engine):
                executor._apply_load_write_disposition(job, ctx)
                before = executor._refresh_load_row_count(job, ctx)
                for path in paths:
                    _insert_file(path, job, ctx)
                after = executor._refresh_load_row_count(job, ctx)
                meta = _load_meta(project_id, job_id, config, ctx, rows=after - before)
                ctx.catalog.upsert_job(meta)
        except BaseException:
            ctx.catalog.delete_job(project_id, job_id, not_found_ok=True)
            raise
    note_change(ctx.snapshots, job.project_id, job.dataset_id, job.table_id)
    return meta


def _create_destination(job: Any, paths: list[str], ctx: AppContext) -> None:
    if ctx.catalog.get_table(job.project_id, job.dataset_id, job.table_id) is not None:
        return
    if job.create_disposition != "CREATE_IF_NEEDED":
        return
    executor._maybe_create_load_destination(
        dest_project=job.project_id,
        dest_dataset=job.dataset_id,
        dest_table_id=job.table_id,
        load_config=job.raw_config,
        now=ctx.clock.now(),
        ctx=ctx,
    )
    is_missing = ctx.catalog.get_table(job.project_id, job.dataset_id, job.table_id) is None
    if is_missing and job.source_format == "PARQUET":
        sql = f"CREATE TABLE {job.target_ref} AS SELECT * FROM read_parquet(?) LIMIT 0"
        ctx.engine.execute(sql, paths[:1])
        ddl_sync.sync_created_table(
            f"create table `{job.project_id}`.`{job.dataset_id}`.`{job.table_id}` (x int64)",
            job.project_id,
            ctx,
        )


def _insert_file(path: str, job: Any, ctx: AppContext) -> None:
    if job.source_format == "PARQUET":
        # By name, as BigQuery does: by position, two columns of one type swap without an error.
        sql = f"INSERT INTO {job.target_ref} BY NAME SELECT * FROM read_parquet(?)"
        ctx.engine.execute(sql, [path])
        return
    if job.source_format in ("NEWLINE_DELIMITED_JSON", "JSON"):
        _refuse_unknown_fields(path, job, ctx)
    executor._load_path_into_target(path, job, ctx)


def _refuse_unknown_fields(path: str, job: Any, ctx: AppContext) -> None:
    """Refuse a JSON field that the table lacks; the emulator drops it.

    Raises:
        ValueError: names the fields.
    """
    if job.raw_config.get("ignoreUnknownValues"):
        return
    columns = ctx.engine.execute(f"DESCRIBE {job.target_ref}").fetchall()
    fields = ctx.engine.execute(
        "SELECT DISTINCT unnest(json_keys(json)) FROM read_ndjson_objects(?)", [path]
    ).fetchall()
    known = {name.lower() for name, *_ in columns}
    unknown = sorted(name for (name,) in fields if name.lower() not in known)
    if unknown:
        raise ValueError(f"No such field: {', '.join(unknown)} in {job.table_id}.")


def _load_meta(
    project_id: str,
    job_id: str,
    config: dict[str, Any],
    ctx: AppContext,
    *,
    rows: int = 0,
    error: str | None = None,
) -> JobMeta:
    now = ctx.clock.now()
    failure = {"reason": "invalid", "message": f"Error while reading data: {error}"}
    return JobMeta(
        project_id=project_id,
        job_id=job_id,
        job_type="LOAD",
        state="DONE",
        configuration=config,
        statistics={"load": {"outputRows": str(rows), "inputFiles": "1"}},
        error_result=failure if error is not None else None,
        creation_time=now,
        start_time=now,
        end_time=now,
        etag=generate_etag(project_id, job_id, str(now)),
    )


def _sync_altered_tables(sql: str, project_id: str, ctx: AppContext) -> None:
    """Show the columns of each ALTER TABLE in tables.get, keeping what is known of the others."""
    for path in emulator_sql.altered_tables(sql):
        project, dataset, name = path if len(path) == 3 else (project_id, *path)
        table = ctx.catalog.get_table(project, dataset, name)
        if table is not None:
            fresh = ddl_sync._introspect_schema(project, dataset, name, ctx)
            ctx.catalog.update_table(table.model_copy(update={"schema_": _merged(fresh, table)}))


def _merged(fresh: TableSchema, table: TableMeta) -> TableSchema:
    known = {field.name.lower(): field for field in table.schema_.fields}
    fields = (known.get(field.name.lower(), field) for field in fresh.fields)
    return TableSchema(fields=tuple(fields))
