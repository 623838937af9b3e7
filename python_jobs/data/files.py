"""Read a CSV or Parquet file as text, and find the type that each of its columns has."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
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

MOST_COLUMNS = 1000
LONGEST_COLUMN_NAME = 300
"""Characters; BigQuery's own limit."""

EXACT_DIGITS = 15
"""Digits of a whole number that a FLOAT certainly keeps."""

OTHER_KINDS = {
    b"\x1f\x8b": "compressed with gzip: its name must end in .gz",
    b"PK\x03\x04": "a zip archive or an Excel workbook: unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV",
    b"PAR1": "a Parquet file: its name must end in .parquet",
    b"\xff\xfe": "UTF-16: save it as UTF-8",
    b"\xfe\xff": "UTF-16: save it as UTF-8",
}
"""What a file that should be CSV is, by its first bytes."""


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
        path = Path(uri)
        if path.is_char_device() or path.is_block_device():
            raise ShelfcastError(f"{uri} is a device, not a file.")
        return path.read_bytes()
    except ShelfcastError:
        raise
    except ValueError as error:
        raise ShelfcastError(f"{uri!r} is no path: {error}.") from error
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
        texts = as_texts(_table(uri, content))
    except UnicodeDecodeError as error:
        raise ShelfcastError(
            f"{uri} is not UTF-8 (byte {error.start} of the header). Save it as UTF-8."
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise ShelfcastError(f"{uri} cannot be parsed: {_without_rows(error)}") from error
    if texts.empty and not may_be_empty:
        raise ShelfcastError(f"{uri} holds no rows.")
    return texts


def as_texts(table: pa.Table) -> pd.DataFrame:
    """Cast every column to text and give it a name that BigQuery takes."""
    texts = table.cast(pa.schema([(name, pa.string()) for name in table.column_names])).to_pandas()
    return texts.rename(columns={name: _column_name(name) for name in texts})


def _table(uri: str, content: bytes) -> pa.Table:
    """The rows of a file whose columns can be a table's."""
    if not uri.removesuffix(".gz").endswith(".parquet"):
        return _read_csv(uri, content)
    file = pq.ParquetFile(io.BytesIO(content))
    _check_names(uri, file.schema_arrow.names)
    nested = [field.name for field in file.schema_arrow if pa.types.is_nested(field.type)]
    if nested:
        raise ShelfcastError(
            f"{uri}: {first_few(nested)} holds lists or records, and a column holds one value a "
            "row. Write each value as a column of its own."
        )
    return file.read()


def _without_rows(error: Exception) -> str:
    """What a parser says, without the row that it quotes: it may be anything."""
    text = re.sub(r"(Expected \d+ columns?, got \d+).*", r"\1", str(error), flags=re.DOTALL)
    return text.split("\n", maxsplit=1)[0][:300]


def _check_names(uri: str, names: list[str]) -> None:
    """Refuse a header of too many columns, of names that are none, and of one that stands twice."""
    if len(names) > MOST_COLUMNS:
        raise ShelfcastError(f"{uri} has {len(names)} columns; at most {MOST_COLUMNS} are loaded.")
    cleaned = [_column_name(name).lower() for name in names]
    unnamed = [str(at) for at, name in enumerate(cleaned, 1) if not name.strip("_")]
    if unnamed:
        raise ShelfcastError(f"{uri}: column {first_few(unnamed)} has no name.")
    twice = sorted({name for name in cleaned if cleaned.count(name) > 1})
    if twice:
        raise ShelfcastError(
            f"{uri}: two columns are called {first_few(twice)} in BigQuery. Rename one."
        )
    if long := [name[:40] for name in cleaned if len(name) > LONGEST_COLUMN_NAME]:
        raise ShelfcastError(
            f"{uri}: the name of the column {long[0]}… has more than {LONGEST_COLUMN_NAME} "
            "characters."
        )


def _read_csv(uri: str, content: bytes) -> pa.Table:
    for first_bytes, what in OTHER_KINDS.items():
        if content.startswith(first_bytes) and not uri.endswith(".gz"):
            raise ShelfcastError(f"{uri} is {what}.")
    columns = pa.csv.open_csv(_stream(uri, content)).schema.names
    _check_names(uri, columns)
    return pa.csv.read_csv(
        _stream(uri, content),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            null_values=list(NULL_TEXTS),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _stream(uri: str, content: bytes) -> pa.NativeFile:
    stream = pa.BufferReader(content)
    return pa.CompressedInputStream(stream, "gzip") if uri.endswith(".gz") else stream


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
        if type_ == "FLOAT" and present.str.fullmatch(rf"[+-]?\d{{{EXACT_DIGITS + 1},}}").any():
            return "STRING"  # a number of many digits keeps them all
        if convert(present, type_).notna().mean() >= ENOUGH:
            return type_
    return "STRING"


def convert(texts: pd.Series, type_: str) -> pd.Series:
    """Parse texts; null where one does not parse."""
    if type_ == "INTEGER":
        return pd.Series([_whole(text) for text in texts], index=texts.index, dtype="Int64")
    if type_ == "FLOAT":
        numbers = pd.to_numeric(texts, errors="coerce").astype("float64")
        return numbers.where(np.isfinite(numbers))
    if type_ == "BOOLEAN":
        return texts.str.lower().map({"true": True, "false": False})
    if type_ == "DATE":
        dates = pd.to_datetime(texts, errors="coerce", format="%Y-%m-%d")
        return dates.dt.date.where(dates.notna(), None)
    if type_ == "TIMESTAMP":
        instants = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
        return instants.dt.floor("us")  # what BigQuery keeps
    return texts


def _whole(text: object) -> int | None:
    """The whole number that a text is, where BigQuery can hold it."""
    if not isinstance(text, str) or not re.fullmatch(r"[+-]?[0-9]{1,30}", text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None
