"""BigQuery: reads through the Storage Read API, writes with load jobs that a retry cannot double.

Statements name relations in braces, by their dbt names (`{sku_weekly_gate}`, `{forecast_log}`); the
manifest says where each lies. Values travel as query parameters.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import io
import itertools
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import requests
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    GoogleAPICallError,
    NotFound,
    RetryError,
)
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery

from python_jobs.infra import usage
from python_jobs.infra.clients import bigquery_client, notice_ends_quickly, read_client
from python_jobs.infra.errors import ConnectionFailed, ShelfcastError
from python_jobs.infra.foreign import first_line, in_words, is_rate_limit, of_api_call
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

READ_TIMEOUT = 1800.0
"""Seconds that the rows of one result may take; 100,000 series take two minutes."""
LOAD_PAUSES = (2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
"""Seconds between attempts of a load while BigQuery says that too many come at once: a table takes
five loads in ten seconds."""

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
        self.connection = connection
        self.maximum_bytes_billed = connection.maximum_bytes_billed
        self.client = bigquery_client(connection, project or _project_of(names))
        self.read_client = read_client(connection, self.client._credentials)
        notice_ends_quickly()

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
        rows = self.query(statement, **parameters)
        try:
            with _in_words():
                table = rows.to_arrow(bqstorage_client=self.read_client, timeout=READ_TIMEOUT)
        except ShelfcastError as error:
            if isinstance(error.__cause__, concurrent.futures.TimeoutError):
                self._give_up_reading()
            raise
        return _frame(table)

    def _give_up_reading(self) -> None:
        """End the streams of a read that takes too long: their threads would keep the process."""
        self.read_client.transport.close()
        self.read_client = read_client(self.connection, self.client._credentials)

    def query(self, statement: str, **parameters: Value) -> bigquery.table.RowIterator:
        """Run a statement to its end. Arguments and errors are those of `read`."""
        config = bigquery.QueryJobConfig(
            query_parameters=[_parameter(name, value) for name, value in parameters.items()]
        )
        if self.maximum_bytes_billed is not None:
            config.maximum_bytes_billed = self.maximum_bytes_billed
        with _in_words():
            job = self.client.query(self.render(statement), job_config=config)
            rows = job.result()
            usage.add(job.total_bytes_billed, job.slot_millis)
            return rows

    def is_valid(self, statement: str) -> bool:
        """Whether BigQuery would run a statement; it is not run and costs nothing.

        Raises:
            ShelfcastError: BigQuery cannot be asked.
        """
        try:
            self.dry_run(self.render(statement))
        except ShelfcastError as error:
            if isinstance(error.__cause__, BadRequest):
                return False
            raise
        return True

    def dry_run(self, statement: str) -> None:
        """Let BigQuery judge a statement without running it; it costs nothing.

        Args:
            statement: SQL with its relations' own names, as dbt compiles it.

        Raises:
            MissingRelation: a table that it reads does not exist.
            ShelfcastError: BigQuery refuses it.
        """
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        with _in_words():
            self.client.query(statement, job_config=config)

    def exists(self, name: str) -> bool:
        """Whether the relation of a dbt name exists."""
        return self.columns(self.table(name)) is not None

    def columns(self, table: str) -> dict[str, str] | None:
        """The columns of `project.dataset.table` with their types; None where there is no table."""
        try:
            with _in_words():
                schema = self.client.get_table(table).schema
        except MissingRelation:
            return None
        return {field.name: field.field_type for field in schema}

    def create_table(self, table: str, columns: Mapping[str, str]) -> None:
        """Create `project.dataset.table`, if it does not exist, with these columns and types."""
        fields = [bigquery.SchemaField(name, type_) for name, type_ in columns.items()]
        with _in_words():
            self.client.create_table(bigquery.Table(table, fields), exists_ok=True)

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
            with _in_words():
                schema = self.client.get_table(destination).schema
        except MissingRelation as error:
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
        """Load under job_id, or job_id-2, -3 … where an earlier attempt failed under that name.

        Where BigQuery says that too many loads come at once, the load is sent again, later and
        later; under the same id, so that nothing is loaded twice.
        """
        pauses = iter(LOAD_PAUSES)
        for attempt in itertools.count(1):
            name = _job_name(job_id if attempt == 1 else f"{job_id}-{attempt}")
            is_there = self._load_as(name, table, destination, config, pauses)
            if is_there is not None:
                return is_there
        raise AssertionError("unreachable")

    def _load_as(
        self,
        name: str,
        table: pa.Table,
        destination: str,
        config: bigquery.LoadJobConfig,
        pauses: Iterator[float],
    ) -> bool | None:
        """Load under one job id.

        Returns:
            True where this call wrote the rows, False where an earlier one had; None where the id
            is that of a load that failed.
        """
        while True:
            with _in_words():
                try:
                    job: Any = self.client.load_table_from_file(
                        _parquet(table), destination, job_id=name, job_config=config
                    )
                    job.result()
                    return True
                except Conflict:
                    earlier: Any = self.client.get_job(name, location=self.client.location)
                    return False if _succeeded(earlier) else None
                except GoogleAPICallError as error:
                    pause = next(pauses, None) if is_rate_limit(error) else None
                    if pause is None:
                        raise
                    time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - tasks spread out


def _succeeded(job: Any) -> bool:  # noqa: ANN401 - LoadJob is untyped
    """Wait for a job that an earlier attempt started, and say whether it did its work."""
    try:
        job.result()
    except GoogleAPICallError:
        return False
    return True


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


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn an error of BigQuery, of its Storage Read API or of the credentials into words."""
    try:
        yield
    except NotFound as error:
        raise MissingRelation(f"a table is missing: {error.message}") from error
    except GoogleAPICallError as error:
        raise _explained(error) from error
    except concurrent.futures.TimeoutError as error:
        raise ConnectionFailed(
            f"BigQuery sent no whole result within {READ_TIMEOUT:.0f} s. Start again: a run goes "
            "on with its --run-id."
        ) from error
    except (GoogleAuthError, RetryError, requests.RequestException) as error:
        raise in_words(error) or ConnectionFailed(
            f"BigQuery cannot be reached: {first_line(error)}."
        ) from error


def _explained(error: GoogleAPICallError) -> ShelfcastError:
    """BigQuery's first sentence, without the job's address, and what to do."""
    if TOO_MANY_BYTES in str(error):
        return ShelfcastError(
            f"BigQuery refuses: {first_line(error)}. Raise SHELFCAST_MAXIMUM_BYTES_BILLED where "
            "the query is meant to read that much, or narrow it: --series, fewer origins."
        )
    return of_api_call(error, "BigQuery")
