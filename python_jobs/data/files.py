"""Read a CSV or Parquet file as text, and find the type that each of its columns has."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from google.cloud.storage import Blob, Client

from python_jobs.infra.errors import ShelfcastError, first_few
from python_jobs.infra.settings import Connection

ENOUGH = 0.9
"""Share of a column's values that must parse for the column to have the type."""

NULL_TEXTS = ("", "NA", "NULL", "null")


def read_bytes(uri: str, connection: Connection) -> bytes:
    """Read a file.

    Raises:
        ShelfcastError: it cannot be read.
    """
    try:
        if uri.startswith("gs://"):
            client = Client(project=connection.project or "shelfcast")
            content: bytes = Blob.from_uri(uri, client).download_as_bytes()
            return content
        return Path(uri).read_bytes()
    except OSError as error:
        raise ShelfcastError(f"{uri} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # the client's errors share no base class
        if not uri.startswith("gs://"):
            raise
        raise ShelfcastError(f"{uri} cannot be read: {str(error).splitlines()[0]}") from error


def parse(uri: str, content: bytes, *, may_be_empty: bool = False) -> pd.DataFrame:
    """Parse a file.

    Returns:
        Every column as text, null where the field is empty.

    Raises:
        ShelfcastError: it is neither CSV nor Parquet, is not UTF-8, names a column twice, or has
            no rows.
    """
    try:
        if uri.removesuffix(".gz").endswith(".parquet"):
            table = pq.read_table(io.BytesIO(content))
        else:
            table = _read_csv(uri, content)
        _check_names(uri, table.column_names)
        texts = as_texts(table)
    except UnicodeDecodeError as error:
        raise ShelfcastError(
            f"{uri} is not UTF-8 (byte {error.start} of the header). Save it as UTF-8."
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise ShelfcastError(f"{uri} cannot be parsed: {error}") from error
    if texts.empty and not may_be_empty:
        raise ShelfcastError(f"{uri} holds no rows.")
    return texts


def as_texts(table: pa.Table) -> pd.DataFrame:
    """Cast every column to text and give it a name that BigQuery takes."""
    texts = table.cast(pa.schema([(name, pa.string()) for name in table.column_names])).to_pandas()
    return texts.rename(columns={name: _column_name(name) for name in texts})


def _check_names(uri: str, names: list[str]) -> None:
    """Refuse a header that names a column twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ShelfcastError(f"{uri}: two columns are called {first_few(twice)}. Rename one.")


def _read_csv(uri: str, content: bytes) -> pa.Table:
    stream = pa.BufferReader(content)
    source = pa.CompressedInputStream(stream, "gzip") if uri.endswith(".gz") else stream
    first = pa.csv.open_csv(
        pa.CompressedInputStream(pa.BufferReader(content), "gzip")
        if uri.endswith(".gz")
        else pa.BufferReader(content)
    )
    columns = first.schema.names
    return pa.csv.read_csv(
        source,
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            null_values=list(NULL_TEXTS),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _column_name(name: str) -> str:
    """BigQuery's column names hold letters, digits and underscores."""
    return re.sub(r"\W", "_", name.strip())


def column_type(values: pd.Series) -> str:
    """The BigQuery type that nearly all values of a text column have; STRING where none fits."""
    present = values.dropna()
    if present.empty:
        return "STRING"
    if present.str.fullmatch(r"0\d+").any():
        return "STRING"  # an article number keeps its leading zeros
    for type_ in ("INTEGER", "FLOAT", "BOOLEAN", "DATE", "TIMESTAMP"):
        if convert(present, type_).notna().mean() >= ENOUGH:
            return type_
    return "STRING"


def convert(texts: pd.Series, type_: str) -> pd.Series:
    """Parse texts; null where one does not parse."""
    if type_ in ("INTEGER", "FLOAT"):
        numbers = pd.to_numeric(texts, errors="coerce")
        return numbers if type_ == "FLOAT" else numbers.where(texts.str.fullmatch(r"[+-]?\d+"))
    if type_ == "BOOLEAN":
        return texts.str.lower().map({"true": True, "false": False})
    if type_ == "DATE":
        dates = pd.to_datetime(texts, errors="coerce", format="%Y-%m-%d")
        return dates.dt.date.where(dates.notna(), None)
    if type_ == "TIMESTAMP":
        return pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    return texts
