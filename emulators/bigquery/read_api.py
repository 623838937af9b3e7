"""The Storage Read API: query results, BigQuery's Arrow types, messages that fit gRPC."""

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from bqemulator.domain.errors import NotFoundError
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.streaming.read_session import ReadSessionState

from emulators.bigquery.memory import JOB_RESULTS, MEBIBYTE

# The emulator's gRPC server refuses messages above 11 MiB and sends a batch a message.
READ_BATCH_BYTES = 4 * MEBIBYTE

_ANONYMOUS = re.compile(r'"[^"]*___bqemu_anonymous"\."anon(?P<job>[^"]+)"')


def fetch_query_results(original: Callable[..., pa.Table]) -> Callable[..., pa.Table]:
    """Let the Storage Read API read a query's result, which is kept in memory and not in a table.

    Raises:
        NotFoundError: no query had this job id, or its result is not kept any more.
    """

    def fetch_arrow(
        engine: DuckDBEngine, sql: str, parameters: list[Any] | None = None
    ) -> pa.Table:
        anonymous = _ANONYMOUS.search(sql)
        if anonymous is None:
            return original(engine, sql, parameters)
        with engine.connection.cursor() as cursor:
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
    """Cast a result to the Arrow types of BigQuery's Storage Read API.

    DuckDB returns integer literals as int32 and sums of integers as decimals.
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
    """Split a table into record batches that fit a gRPC message."""
    if not table.num_rows:
        return table
    rows = max(1, READ_BATCH_BYTES * table.num_rows // max(1, table.nbytes))
    return pa.Table.from_batches(table.to_batches(max_chunksize=rows), schema=table.schema)


def typed_read_session(
    original: Callable[..., ReadSessionState],
) -> Callable[..., ReadSessionState]:
    """Serve the rows of a read session with BigQuery's types, in messages that fit."""

    def create_read_session(*args: Any, arrow_table: pa.Table, **kwargs: Any) -> ReadSessionState:
        table = in_small_batches(with_bigquery_types(arrow_table))
        return original(*args, arrow_table=table, **kwargs)

    return create_read_session
