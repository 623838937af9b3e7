"""Loads from files and uploads: each job id once, rows and job in one transaction."""

from collections.abc import Callable
from typing import Any

from bqemulator.api.dependencies import AppContext
from bqemulator.api.routes import upload
from bqemulator.catalog import ddl_sync
from bqemulator.catalog.etag import generate_etag
from bqemulator.catalog.models import JobMeta
from bqemulator.domain.errors import DomainError
from bqemulator.jobs import executor

from emulators.bigquery.catalog import note_change
from emulators.bigquery.jobs import JobHandler, refuse_seen, transaction

# The upload host keeps only an upload's configuration; the client's job id travels inside it.
_JOB_ID = "shelfcast.jobId"


def allow_any_media(original: Callable[[str], bool]) -> Callable[[str], bool]:
    """Accept uploads of type */*, which Google's client sends."""
    return lambda media_type: media_type == "*/*" or original(media_type)


def refuse_seen_load(original: JobHandler) -> JobHandler:
    """Refuse a load from files whose job id has run, with the answer that an upload gets."""

    async def handle(project_id: str, job_id: str, config: dict[str, Any], ctx: AppContext) -> Any:
        refuse_seen(ctx, project_id, job_id)
        return await original(project_id, job_id, config, ctx)

    return handle


def keep_job_id(
    original: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Carry the client's job id from an upload's request to its load."""

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
        AlreadyExistsError: the job id has run.
        DomainError: the request is wrong (no such dataset, an unknown format).
        duckdb.Error: the data is bad; nothing was loaded.
    """
    job = executor._parse_load_job_config(project_id, config)
    paths = [executor._resolve_uri(uri, ctx) for uri in job.source_uris]
    for path in paths:
        executor._validate_local_path(path)
    # Nothing in this block awaits, so no other request's statement enters the transaction.
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
