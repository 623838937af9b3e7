"""Look at a source before it has settings: its columns, their types, and its rows as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from python_jobs.data.files import as_texts, column_type, convert, parse, read_bytes
from python_jobs.infra.errors import SettingsError, ShelfcastError
from python_jobs.infra.settings import Connection
from python_jobs.infra.warehouse import Warehouse

MOST_ROWS = 1_000_000
"""Rows of a BigQuery table that are read; of a larger one, whole series at random."""

OTHER_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d")
"""Ways to write a date that BigQuery does not cast by itself."""

UNREAD = ("RECORD", "STRUCT", "BYTES", "GEOGRAPHY", "JSON", "RANGE")
"""Types of columns that are not one plain value a row."""

Open = Callable[[str], Warehouse]
"""Connects to the warehouse of a Google Cloud project."""


@dataclass(frozen=True)
class Column:
    """A column of a source.

    Attributes:
        name: as the source has it.
        type: STRING, INTEGER, FLOAT, BOOLEAN, DATE, TIMESTAMP or another of BigQuery's.
        date_formats: of a text or a number, the formats in which every value is a date.
    """

    name: str
    type: str
    date_formats: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether quantities and prices may stand in it."""
        return self.type in ("INTEGER", "FLOAT", "NUMERIC", "BIGNUMERIC") and not self.date_formats

    @property
    def is_date(self) -> bool:
        """Whether its values are days or instants."""
        return self.type in ("DATE", "DATETIME", "TIMESTAMP") or bool(self.date_formats)


@dataclass(frozen=True)
class Look:
    """The columns and rows of a source.

    Attributes:
        where: file or `project.dataset.table`, as it was named.
        is_file: whether `shelfcast load` must load it.
        columns: by name, in the source's order.
        rows: one row per row that was read, every column as text.
        one_in: 1 where all rows were read, k where one series in k was.
    """

    where: str
    is_file: bool
    columns: dict[str, Column]
    rows: pd.DataFrame
    one_in: int = 1

    def named(self, names: Sequence[str]) -> Column | None:
        """The column that has the earliest of these names, whatever the case."""
        by_name = {name.lower(): column for name, column in self.columns.items()}
        return next((by_name[name] for name in names if name in by_name), None)

    def numbers(self, column: str) -> pd.Series:
        """A column's values as float64, null where a value is no number."""
        return pd.to_numeric(self.rows[column], errors="coerce").astype("float64")

    def days(self, column: Column) -> pd.Series:
        """A column's values as datetime64 days, null where a value is no date."""
        texts = self.rows[column.name]
        if column.date_formats:
            return pd.to_datetime(texts, format=column.date_formats[0], errors="coerce")
        if column.type == "DATE":
            return pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce")
        instants = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
        return instants.dt.tz_localize(None).dt.normalize()


def is_file(where: str) -> bool:
    """Whether a source is named by a file, and not by `project.dataset.table`.

    Raises:
        SettingsError: it is neither.
    """
    if Path(where).is_file() or where.startswith("gs://"):
        return True
    if where.removesuffix(".gz").endswith((".csv", ".parquet")) or "/" in where:
        raise SettingsError(f"{where} cannot be read: there is no such file.")
    if re.fullmatch(r"[a-z][\w.:-]*\.\w+\.[\w-]+", where):
        return False
    raise SettingsError(f"{where} is neither a file nor project.dataset.table.")


def look_at(where: str, key: Sequence[str], connection: Connection, warehouse: Open) -> Look:
    """Read a source.

    Args:
        where: a CSV or Parquet file (local or gs://), or `project.dataset.table`.
        key: columns that make a series, as far as the source has them; a large table is read for
            some series only.
        connection: whose credentials read gs://.
        warehouse: connects to a project; not called for a file.

    Raises:
        SettingsError: the source cannot be read, or is empty.
    """
    try:
        if is_file(where):
            texts = parse(where, read_bytes(where, connection))
            return _look(where, {name: column_type(texts[name]) for name in texts}, texts, 1)
        return _look_at_table(where, key, warehouse(where.split(".", maxsplit=1)[0]))
    except ShelfcastError as error:
        raise error if isinstance(error, SettingsError) else SettingsError(str(error)) from error


def _look_at_table(table: str, key: Sequence[str], warehouse: Warehouse) -> Look:
    types = warehouse.columns(table)
    if types is None:
        raise SettingsError(f"{table} does not exist, or you may not read it.")
    n_rows = int(warehouse.read(f"select count(*) as n from `{table}`")["n"].iloc[0])
    if n_rows == 0:
        raise SettingsError(f"{table} is empty.")
    parts = [name for name in types if name.lower() in {part.lower() for part in key}]
    one_in = -(-n_rows // MOST_ROWS) if parts else 1
    chosen = f"where {_one_series_in(one_in, parts)}" if one_in > 1 else ""
    names = [name for name, type_ in types.items() if type_ not in UNREAD]
    columns = ", ".join(f"`{name}`" for name in names)
    rows = warehouse.query(f"select {columns} from `{table}` {chosen}")
    texts = as_texts(rows.to_arrow(bqstorage_client=warehouse.read_client)).set_axis(names, axis=1)
    return _look(table, types, texts, one_in)


def _one_series_in(one_in: int, parts: Sequence[str]) -> str:
    text = ", '|', ".join(f"coalesce(cast(`{part}` as string), '')" for part in parts)
    return f"mod(abs(farm_fingerprint(concat({text}))), {one_in}) = 0"


def _look(where: str, types: Mapping[str, str], texts: pd.DataFrame, one_in: int) -> Look:
    columns = {
        name: Column(name, types[name], _date_formats(texts[name], types[name])) for name in texts
    }
    return Look(where, is_file(where), columns, texts, one_in)


def _date_formats(texts: pd.Series, type_: str) -> tuple[str, ...]:
    """The other formats in which every value of a text or whole number is a date since 1900.

    Of two, the one that puts the dates closer together comes first: day and month in each
    other's place scatter them over the year.
    """
    if type_ not in ("STRING", "INTEGER"):
        return ()
    values = pd.Series(texts.dropna().unique())
    if values.empty or not values.str.fullmatch(r"[\d./-]{8,10}").all():
        return ()
    formats = ("%Y%m%d",) if type_ == "INTEGER" else OTHER_DATES
    return tuple(sorted((one for one in formats if _are_dates(values, one)), key=_spread(values)))


def _spread(values: pd.Series) -> Callable[[str], float]:
    def days_between(format_: str) -> float:
        dates = pd.to_datetime(values, format=format_).sort_values()
        return float(dates.diff().dt.days.median())

    return days_between


def _are_dates(values: pd.Series, format_: str) -> bool:
    dates = pd.to_datetime(values, format=format_, errors="coerce")
    return bool(dates.notna().all() and dates.dt.year.between(1900, 2200).all())


def as_type(texts: pd.Series, type_: str) -> pd.Series:
    """Texts of a key part as its declared type (string, int64, date); null where one is not."""
    types = {"string": "STRING", "int64": "INTEGER", "date": "DATE"}
    return convert(texts, types[type_])
