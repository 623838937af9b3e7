"""BigQuery: reads through the Storage Read API, writes with load jobs that a retry cannot double.

Statements name relations in braces, by their dbt names (`{sku_weekly_gate}`, `{forecast_log}`); the
manifest says where each lies. Values travel as query parameters.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    GoogleAPICallError,
    NotFound,
    RetryError,
)
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from google.cloud.bigquery import _pandas_helpers

from python_jobs.infra import usage
from python_jobs.infra.dbt_runner import check_answers
from python_jobs.infra.errors import ConnectionFailed, ShelfcastError
from python_jobs.infra.settings import Connection

Value = str | int | float | bool | date | datetime | None | Sequence[str] | Sequence[date]

ARROW_TYPES = {
    "STRING": pa.string(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}

MAX_JOB_ID = 1000
"""Characters of a job id beside its digest; BigQuery allows 1,024."""

TOO_MANY_BYTES = "exceeded limit for bytes billed"
"""What BigQuery says of a query that would bill more than it may."""


class MissingRelation(ShelfcastError):
    """A table that a job reads does not exist yet."""


class Warehouse:
    """One project's BigQuery, or the emulator that stands in for it."""

    def __init__(self, connection: Connection, names: Mapping[str, str], project: str = "") -> None:
        """Connect.

        Args:
            connection: endpoint and credentials.
            names: relation by dbt name (`dbt_runner.names_of`).
            project: Google Cloud project; empty: the one that the names lie in.

        Raises:
            ConnectionFailed: no emulator at the endpoint, or no credentials.
        """
        self.names = names
        self.maximum_bytes_billed = connection.maximum_bytes_billed
        self.client = _client(connection, project or _project_of(names))
        self.read_client = _read_client(connection)
        _notice_ends_quickly()

    def relation(self, name: str) -> str:
        """The back-ticked relation of a dbt name.

        Raises:
            ShelfcastError: the project has no such relation.
        """
        if name not in self.names:
            raise ShelfcastError(f"the dbt project has no relation named '{name}'.")
        return self.names[name]

    def table(self, name: str) -> str:
        """`project.dataset.table` of a dbt name. Errors are those of `relation`."""
        return self.relation(name).replace("`", "")

    def render(self, statement: str) -> str:
        """Put relations in the place of their names in braces."""
        return re.sub(r"\{([\w.]+)\}", lambda match: self.relation(match[1]), statement)

    def read(self, statement: str, **parameters: Value) -> pd.DataFrame:
        """Run a query and fetch its rows.

        Args:
            statement: SQL with relations in braces and `@parameters`.
            parameters: scalars or lists, typed by their Python types.

        Returns:
            One row per row of the result. Dates are datetime64, timestamps carry UTC.

        Raises:
            MissingRelation: a table does not exist yet (named).
            ShelfcastError: the query is refused, or would bill more than
                SHELFCAST_MAXIMUM_BYTES_BILLED; the message is BigQuery's.
        """
        table = self.query(statement, **parameters).to_arrow(bqstorage_client=self.read_client)
        return _frame(table)

    def query(self, statement: str, **parameters: Value) -> bigquery.table.RowIterator:
        """Run a statement to its end. Arguments and errors are those of `read`."""
        config = bigquery.QueryJobConfig(
            query_parameters=[_parameter(name, value) for name, value in parameters.items()]
        )
        if self.maximum_bytes_billed is not None:
            config.maximum_bytes_billed = self.maximum_bytes_billed
        try:
            job = self.client.query(self.render(statement), job_config=config)
            rows = job.result()
            usage.add(job.total_bytes_billed, job.slot_millis)
            return rows
        except NotFound as error:
            raise MissingRelation(f"a table is missing: {error.message}") from error
        except (GoogleAPICallError, RetryError) as error:
            raise _explained(error) from error

    def is_valid(self, statement: str) -> bool:
        """Whether BigQuery would run a statement; it is not run and costs nothing.

        Raises:
            ShelfcastError: BigQuery cannot be asked.
        """
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        try:
            self.client.query(self.render(statement), job_config=config)
        except BadRequest:
            return False
        except GoogleAPICallError as error:
            raise _explained(error) from error
        return True

    def exists(self, name: str) -> bool:
        """Whether the relation of a dbt name exists."""
        try:
            self.client.get_table(self.table(name))
        except NotFound:
            return False
        except GoogleAPICallError as error:
            raise _explained(error) from error
        return True

    def columns(self, table: str) -> dict[str, str] | None:
        """The columns of `project.dataset.table` with their types; None where there is no table."""
        try:
            return {field.name: field.field_type for field in self.client.get_table(table).schema}
        except NotFound:
            return None
        except GoogleAPICallError as error:
            raise _explained(error) from error

    def create_table(self, table: str, columns: Mapping[str, str]) -> None:
        """Create `project.dataset.table`, if it does not exist, with these columns and types."""
        fields = [bigquery.SchemaField(name, type_) for name, type_ in columns.items()]
        try:
            self.client.create_table(bigquery.Table(table, fields), exists_ok=True)
        except GoogleAPICallError as error:
            raise _explained(error) from error

    def append(self, name: str, frame: pd.DataFrame, job_id: str) -> bool:
        """Append rows to the table of a dbt name. Arguments and errors are those of `append_to`."""
        return self.append_to(self.table(name), frame, job_id)

    def append_to(self, destination: str, frame: pd.DataFrame, job_id: str) -> bool:
        """Append rows to a table with one load job; the same job id appends them once only.

        Args:
            destination: `project.dataset.table`; its schema decides types and column order.
            frame: the table's columns by name; a column that is absent is null.
            job_id: stable over retries, unique within the dataset. BigQuery refuses a second job
                of that id, and the first one's result is taken instead.

        Returns:
            True where this call wrote the rows, False where an earlier one had.

        Raises:
            MissingRelation: the table does not exist.
            ShelfcastError: the frame has a column that the table lacks, or the load failed.
        """
        try:
            schema = self.client.get_table(destination).schema
        except NotFound as error:
            raise MissingRelation(
                f"{destination} does not exist. Run `shelfcast doctor`."
            ) from error
        table = _arrow(frame, schema, destination)
        config = bigquery.LoadJobConfig(
            schema=schema,
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
        )
        dataset = destination.split(".")[-2]  # job ids are the project's, run ids a deployment's
        return self._load_once(table, destination, config, f"{dataset}-{job_id}")

    def _load_once(
        self, table: pa.Table, destination: str, config: bigquery.LoadJobConfig, job_id: str
    ) -> bool:
        """Load under job_id, or job_id-2, -3 … where an earlier attempt failed under that name."""
        for attempt in itertools.count(1):
            name = _job_name(job_id if attempt == 1 else f"{job_id}-{attempt}")
            try:
                job: Any = self.client.load_table_from_file(
                    _parquet(table), destination, job_id=name, job_config=config
                )
                job.result()
                return True
            except Conflict:
                earlier: Any = self.client.get_job(name, location=self.client.location)
                if _succeeded(earlier):
                    return False
            except GoogleAPICallError as error:
                raise _explained(error) from error
        raise AssertionError("unreachable")


def _succeeded(job: Any) -> bool:  # noqa: ANN401 - LoadJob is untyped
    """Wait for a job that an earlier attempt started, and say whether it did its work."""
    try:
        job.result()
    except GoogleAPICallError:
        return False
    return True


def _client(connection: Connection, project: str) -> bigquery.Client:
    if connection.bigquery_endpoint is not None:
        check_answers(connection.bigquery_endpoint)
        return bigquery.Client(
            project=project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": connection.bigquery_endpoint},
        )
    try:
        if connection.keyfile is not None:
            client: bigquery.Client = bigquery.Client.from_service_account_json(
                connection.keyfile, project=project, location=connection.location
            )
            return client
        return bigquery.Client(project=project, location=connection.location)
    except (GoogleAuthError, OSError, ValueError) as error:
        raise ConnectionFailed(
            f"no usable Google credentials: {error}. Run `gcloud auth application-default login`, "
            "or set SHELFCAST_KEYFILE to a service account's key."
        ) from error


def _read_client(connection: Connection) -> Any:  # noqa: ANN401 - the client library is untyped
    from google.cloud.bigquery_storage import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
        BigQueryReadGrpcTransport,
    )

    if connection.bigquery_endpoint is None:
        return BigQueryReadClient()
    if connection.bigquery_grpc_endpoint is None:
        return None
    import grpc

    channel = grpc.insecure_channel(
        connection.bigquery_grpc_endpoint, options=[("grpc.max_receive_message_length", -1)]
    )
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def _notice_ends_quickly() -> None:
    """Let the client look for the end of a stream fifty times a second, not five.

    The client waits one or two such intervals for any result: 0.3 s a read of few rows, else 0.05.
    The interval is a private name of the client; there is no public one.
    """
    _pandas_helpers._PROGRESS_INTERVAL = 0.02


def _project_of(names: Mapping[str, str]) -> str:
    return names["run_log"].split("`")[1]


def _parameter(
    name: str, value: Value
) -> bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return bigquery.ArrayQueryParameter(name, _type_of(value[0] if value else ""), list(value))
    return bigquery.ScalarQueryParameter(name, _type_of(value), value)


def _type_of(value: Any) -> str:  # noqa: ANN401 - that is the question
    for python_type, name in (
        (bool, "BOOL"),
        (int, "INT64"),
        (float, "FLOAT64"),
        (datetime, "TIMESTAMP"),
        (date, "DATE"),
    ):
        if isinstance(value, python_type):
            return name
    return "STRING"


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    for column, type_ in zip(table.column_names, table.schema.types, strict=True):
        if pa.types.is_integer(type_) and frame[column].isna().any():
            frame[column] = frame[column].astype("Int64")
    return frame


def _arrow(
    frame: pd.DataFrame, schema: Sequence[bigquery.SchemaField], destination: str
) -> pa.Table:
    unknown = [column for column in frame if column not in {field.name for field in schema}]
    if unknown:
        raise ShelfcastError(f"{destination} has no column {', '.join(map(str, unknown))}.")
    columns = [
        pa.array(frame[field.name], type=ARROW_TYPES[field.field_type], from_pandas=True)
        if field.name in frame
        else pa.nulls(len(frame), ARROW_TYPES[field.field_type])
        for field in schema
    ]
    return pa.table(columns, names=[field.name for field in schema])


def _parquet(table: pa.Table) -> io.BytesIO:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    buffer.seek(0)
    return buffer


def _job_name(job_id: str) -> str:
    """A job id: letters, digits, _ and -, at most 1,024. Two texts never become one id."""
    name = re.sub(r"[^A-Za-z0-9_-]", "-", job_id)
    if name == job_id and len(name) <= MAX_JOB_ID:
        return name
    digest = hashlib.sha256(job_id.encode()).hexdigest()[:20]
    return f"{name[:MAX_JOB_ID]}-{digest}"


def _explained(error: Exception) -> ShelfcastError:
    """BigQuery's first sentence, without the job's address."""
    text = str(getattr(error, "message", None) or error).split("\n", maxsplit=1)[0]
    if TOO_MANY_BYTES in text:
        text += (
            ". Raise SHELFCAST_MAXIMUM_BYTES_BILLED where the query is meant to read that much, "
            "or narrow it: --series, fewer origins."
        )
    return ShelfcastError(f"BigQuery refuses: {text}")
