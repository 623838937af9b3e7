"""Queries, copies and scripts: each job id runs once, whatever kills the server.

BigQuery refuses a job id that it has seen, and idempotent loads rest on that. What makes it safe
against a kill at any instant:

- A load inserts its rows and its job's record in one DuckDB transaction. Killed before the commit
  it leaves neither, and the same id may run; killed after it, both are there, and the id is refused
  while `jobs.get` returns the result. There is no state between the two.
- One statement of DML or DDL, with the entries of the catalog that it changes, is one transaction
  too; so is a script that is `begin transaction; ...; commit` as a whole.
- Another script cannot be one. Its record is committed as RUNNING before it starts, so a killed
  script never runs twice: after a restart its job has failed, and its error says what is unknown.
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
from bqemulator.catalog.duckdb_repository import DuckDBCatalogRepository
from bqemulator.catalog.etag import generate_etag
from bqemulator.catalog.models import JobMeta
from bqemulator.domain.errors import (
    AlreadyExistsError,
    DomainError,
    InvalidQueryError,
    UnsupportedFeatureError,
)
from bqemulator.scripting.interpreter import ScriptInterpreter
from bqemulator.storage.engine import DuckDBEngine

from emulators.bigquery import sql as rewriting
from emulators.bigquery.catalog import sync_altered_tables
from emulators.bigquery.translations import rewrite_once

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
    """End an open transaction; do nothing if none is open."""
    with suppress(duckdb.TransactionException):
        engine.execute("ROLLBACK")


def refuse_seen(ctx: AppContext, project_id: str, job_id: str) -> None:
    """Refuse a job id that has run.

    Raises:
        AlreadyExistsError: HTTP 409, reason `duplicate`, as BigQuery answers.
    """
    if ctx.catalog.get_job(project_id, job_id) is not None:
        raise AlreadyExistsError(f"Already Exists: Job {project_id}:US.{job_id}")


def refuse_seen_query(original: JobHandler) -> JobHandler:
    """Refuse a query whose job id has run, and one with a destination, which is never written."""

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
    """Keep a job's configuration as it was sent: the query's own text, labels and parameters."""
    ran = (meta.configuration or {}).get("query", {})
    query = {**ran, **config["query"]}
    return meta.model_copy(update={"configuration": {**config, "query": query}})


def copy_once(original: JobHandler) -> JobHandler:
    """Copy a table in the transaction that records the job; refuse an id that has run."""

    async def copy(project_id: str, job_id: str, config: dict[str, Any], ctx: AppContext) -> Any:
        refuse_seen(ctx, project_id, job_id)
        with transaction(ctx.engine):
            meta = await original(project_id, job_id, config, ctx)
            ctx.catalog.upsert_job(meta)
        return meta

    return copy


def run_rewritten_query(original: QueryRunner) -> QueryRunner:
    """Rewrite a query for the emulator, and run it so that a kill leaves all of it or none.

    The two exceptions, reads and scripts, are described at the top of this module.
    """

    async def execute_query_job(
        project_id: str,
        job_id: str,
        bq_sql: str,
        query_params: list[dict[str, Any]] | None,
        ctx: AppContext,
        **rest: Any,
    ) -> JobMeta:
        sql = rewrite_once(bq_sql)

        async def run() -> JobMeta:
            return await original(project_id, job_id, sql, query_params, ctx, **rest)

        try:
            if rewriting.only_reads(sql):
                return await run()
            if not rewriting.is_one_write(sql):
                meta = await _run_script(run, project_id, job_id, bq_sql, ctx)
                sync_altered_tables(sql, project_id, ctx)
                return meta
            with transaction(ctx.engine):
                meta = await run()
                sync_altered_tables(sql, project_id, ctx)
                ctx.catalog.upsert_job(meta)
            return meta
        except DomainError:
            raise
        except Exception as error:
            raise failure(error) from error

    return execute_query_job


def failure(error: BaseException | None) -> InvalidQueryError:
    """Describe a failure inside the emulator as an error that clients do not retry."""
    return InvalidQueryError(f"The local emulator failed: {type(error).__name__}: {error}")


def fail_at_once(_original: type[DomainError]) -> Callable[[str], InvalidQueryError]:
    """Answer 400 when the emulator itself fails: clients retry a 500 for ten minutes."""
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
    roll_back(ctx.engine)  # a transaction that the script began and did not end
    return meta


def control_transaction(_original: Callable[..., Any]) -> Callable[..., Awaitable[None]]:
    """Run a script's BEGIN TRANSACTION, COMMIT and ROLLBACK as DuckDB's.

    The emulator copies each table that a transaction changes, and a kill leaves half of the
    changes. DuckDB's transaction is there whole or not at all. After an error in it, only ROLLBACK
    may follow.
    """

    async def handle_txn_statement(interpreter: ScriptInterpreter, operation: str) -> None:
        # The transaction of a job that is one is begun and committed with the job's record.
        if not _IS_WHOLE_JOB.get():
            interpreter._ctx.engine.execute(operation)

    return handle_txn_statement


def fail_interrupted_jobs(
    original: Callable[[DuckDBCatalogRepository], None],
) -> Callable[[DuckDBCatalogRepository], None]:
    """Report scripts that a kill interrupted as failed; the emulator reports them as running."""

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
