"""Load a file into a source table of a use case, so that no row and no cell is lost.

A column takes the type that nearly all of its values have; a cell that does not parse becomes null
and is kept, as text, in the row's `unparsed` (JSON). Staging then rejects the row with a reason.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

import orjson
import pandas as pd

from python_jobs.data.files import column_type, convert, parse, read_bytes
from python_jobs.data.sources import require_regressors, table_of
from python_jobs.infra.errors import SettingsError, ShelfcastError, first_few
from python_jobs.infra.settings import Connection, UseCase
from python_jobs.infra.warehouse import MissingRelation, Warehouse

Kind = Literal["sales", "promotions", "weather", "regressors", "attributes", "scenarios"]

OWN_COLUMNS = {"loaded_at": "TIMESTAMP", "loaded_from": "STRING", "unparsed": "STRING"}
WINDOW = {"covers_from", "covers_to"}
MOST_NAMED, LONGEST_NAMED = 30, 60
"""Columns of somebody's file that an error names, and characters of each."""
OPTIONAL = WINDOW | {"kind"}
"""Columns of a promotion plan that a file need not have; so need not covers_<part of the key>."""

REFUSED = """
with uploads as (
    select * from {promotions}
    where json_value(source_row, '$.loaded_from') = @uri
)

select rejected_because as reason, count(*) as n, min(source_row) as first
from uploads
where known_at = (select max(known_at) from uploads) and rejected_because is not null
group by reason
order by n desc, reason
"""


@dataclass(frozen=True)
class Covers:
    """Days and key values that a plan covers; within them, no row means no promotion.

    Attributes:
        first: first day.
        last: last day.
        only: by part of the key, the values that it is about; all of a part that is not here.
    """

    first: date
    last: date
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadReport:
    """Counts of a load.

    Attributes:
        table: where the rows are.
        n_rows: rows of the file.
        types: BigQuery type by column.
        n_unparsed: cells that did not parse, by column.
        is_new: False where this very file was loaded before.
    """

    table: str
    n_rows: int
    types: dict[str, str]
    n_unparsed: dict[str, int]
    is_new: bool


def load_file(
    warehouse: Warehouse,
    connection: Connection,
    use_case: UseCase,
    uri: str,
    kind: Kind,
    *,
    is_history: bool = False,
    covers: Covers | None = None,
    upload: str = "",
    again: bool = False,
    dry_run: bool = False,
) -> LoadReport:
    """Append a CSV or Parquet file to the table that the use case reads as `kind`.

    Args:
        warehouse: where to.
        connection: whose credentials read gs://.
        use_case: whose settings name the table and its columns.
        uri: a local file or gs://bucket/object; CSV (also .gz) or Parquet.
        kind: which source.
        is_history: leave loaded_at null: the rows count as known when their period ended.
        covers: promotions only: what this plan speaks for. With it, a file without rows is a plan
            without promotions.
        upload: identifies this upload among others of the same content and coverage; one that was
            loaded is not loaded again. Empty: content and coverage identify it.
        again: load the file although the same upload was loaded before.
        dry_run: read, check and infer, write nothing.

    Raises:
        SettingsError: the use case has no such source, or reads it from elsewhere.
        ShelfcastError: the file cannot be read, has no rows, or lacks a column of the settings.
    """
    table = own_table(warehouse, connection, use_case, kind)
    content = read_bytes(uri, connection)
    texts = parse(uri, content, may_be_empty=covers is not None)
    _check_own_columns(uri, texts)
    _check_columns(use_case, uri, kind, list(texts.columns))
    schema = _schema(warehouse, table, use_case, kind, texts)
    frame, n_unparsed = _typed(texts, schema)
    if covers is not None:
        frame = _covering(use_case, covers, frame)
    frame["loaded_from"] = uri
    if "loaded_at" not in texts:
        frame["loaded_at"] = pd.NaT if is_history else datetime.now(UTC)
    report = LoadReport(table, len(texts), schema, n_unparsed, is_new=not dry_run)
    if dry_run:
        return report
    identity = f"{upload}{covers or ''}".encode()
    return _write(warehouse, report, frame, content + identity, again=again)


def refused_promotions(warehouse: Warehouse, use_case: UseCase, uri: str) -> pd.DataFrame | None:
    """Rejected rows of the newest plan upload from `uri`.

    Returns:
        One row per reason: reason, n, first (the row as JSON); None where the use case was never
        built, so that nothing can judge it yet.
    """
    name = f"stg_{use_case.name}_promotions"
    try:
        return warehouse.read(REFUSED.replace("{promotions}", f"{{{name}}}"), uri=uri)
    except MissingRelation:
        return None


def _covering(use_case: UseCase, covers: Covers, frame: pd.DataFrame) -> pd.DataFrame:
    """Add the coverage to every row; an empty plan gets one row with the coverage alone.

    Raises:
        SettingsError: the settings map no column that says so.
    """
    mapped = use_case.sources.promotions.columns if use_case.sources.promotions else {}
    coverage: dict[str, Any] = {"covers_from": covers.first, "covers_to": covers.last}
    coverage |= {f"covers_{part}": ",".join(names) for part, names in covers.only.items()}
    unmapped = [name for name in coverage if not _is_column(mapped.get(name, ""))]
    if unmapped:
        raise SettingsError(
            f"{use_case.name}: a plan cannot say {first_few(unmapped)} here. Map it to a column "
            f"under vars: use_cases: {use_case.name}: sources: promotions: columns:."
        )
    if frame.empty:
        frame = frame.reindex([0])
    return frame.assign(**{mapped[name]: value for name, value in coverage.items()})


def _mapping(use_case: UseCase, kind: Kind) -> Mapping[str, str]:
    """Column mapping of a source; scenario columns map to themselves."""
    if kind == "scenarios":
        return {name: name for name in ("scenario", *use_case.key, "date")}
    mapping: Mapping[str, str] = getattr(use_case.sources, kind).columns
    return mapping


def own_table(warehouse: Warehouse, connection: Connection, use_case: UseCase, kind: Kind) -> str:
    """The table that the use case reads as `kind`, where it is Shelfcast's to write.

    Raises:
        SettingsError: the use case has no such source, or reads it from elsewhere; scenarios of a
            use case without regressors.
    """
    if kind == "scenarios":
        require_regressors(use_case)
        return table_of(warehouse, use_case, kind)
    if getattr(use_case.sources, kind) is None:
        raise SettingsError(
            f"{use_case.name} has no source '{kind}'. Add it under vars: use_cases: "
            f"{use_case.name}: sources: in the settings."
        )
    table = table_of(warehouse, use_case, kind)
    if table.split(".")[1] != f"{connection.dataset}_raw":
        raise SettingsError(
            f"{use_case.name} reads {kind} from {table}, which is not Shelfcast's to write. "
            f"Load it there yourself, or name a table of {connection.dataset}_raw in the settings."
        )
    return table


def _check_own_columns(uri: str, texts: pd.DataFrame) -> None:
    """Refuse columns that Shelfcast writes itself, and instants of loading that are none.

    A row whose `loaded_at` is null is known since the beginning, one of the future never.
    """
    own = [name for name in texts if str(name).lower() in ("loaded_from", "unparsed")]
    if own:
        raise ShelfcastError(
            f"{uri}: Shelfcast writes {first_few(own)} itself. Leave it out of the file, or rename "
            "it."
        )
    if "loaded_at" not in texts:
        return
    given = texts["loaded_at"]
    instants = convert(given, "TIMESTAMP")
    wrong = given[given.notna() & (instants.isna() | (instants > datetime.now(UTC)))]
    if len(wrong):
        raise ShelfcastError(
            f"{uri}: {len(wrong)} of {len(texts)} cells of loaded_at are no instant of the past. "
            "Write them as 2026-11-25T22:00:00Z, or leave the column out."
        )


def _check_columns(use_case: UseCase, uri: str, kind: Kind, columns: Sequence[str]) -> None:
    """A mapping that is a bare column name must find that column."""
    mapping = _mapping(use_case, kind)
    missing = [
        f"{name} <- {expression}"
        for name, expression in mapping.items()
        if _is_column(expression)
        and expression not in columns
        and expression not in OWN_COLUMNS
        and not (kind == "promotions" and name in OPTIONAL | _scopes(use_case))
    ]
    if missing:
        remedy = f"Map them under vars: use_cases: {use_case.name}: sources: {kind}: columns:."
        if kind == "scenarios":
            remedy = "Name its columns so (docs/what-if.md)."
        short = [name[:LONGEST_NAMED] for name in columns]
        raise ShelfcastError(
            f"{uri}: {len(missing)} of the columns that {use_case.name} reads from {kind} are not "
            f"in it ({first_few(missing)}). It has: {first_few(short, MOST_NAMED)}. {remedy}"
        )


def _schema(
    warehouse: Warehouse, table: str, use_case: UseCase, kind: Kind, texts: pd.DataFrame
) -> dict[str, str]:
    """The table's types where it exists, else those that the file's columns have."""
    existing = warehouse.columns(table)
    if existing is not None:
        unknown = [name for name in texts if name not in existing]
        if unknown:
            raise ShelfcastError(
                f"{table} has no column {first_few(unknown)}, which the file has. Leave it out of "
                "the file, or load into a new table (sources: "
                f"{kind}: table:)."
            )
        return existing
    mapping = _mapping(use_case, kind)
    texts_stay = {mapping[part] for part in use_case.key if part in mapping}
    inferred = {
        name: "STRING" if name in texts_stay else column_type(values)
        for name, values in texts.items()
    }
    return {**_optional(use_case, kind), **inferred, **OWN_COLUMNS}


def _optional(use_case: UseCase, kind: Kind) -> dict[str, str]:
    """Columns that a plan need not have, where the settings name them plainly."""
    if kind != "promotions":
        return {}
    mapping = getattr(use_case.sources, kind).columns
    return {
        mapping[name]: "DATE" if name in WINDOW else "STRING"
        for name in sorted(OPTIONAL | _scopes(use_case))
        if _is_column(mapping.get(name, ""))
    }


def _is_column(expression: str) -> bool:
    """Whether a mapping is a bare column name."""
    constants = {"null", "true", "false"}
    return bool(re.fullmatch(r"[A-Za-z_]\w*", expression)) and expression.lower() not in constants


def _scopes(use_case: UseCase) -> set[str]:
    return {f"covers_{part}" for part in use_case.key}


def _typed(texts: pd.DataFrame, schema: Mapping[str, str]) -> tuple[pd.DataFrame, dict[str, int]]:
    converted = {name: convert(values, schema[name]) for name, values in texts.items()}
    frame = pd.DataFrame(converted, index=texts.index)
    failed = {
        name: texts[name].notna() & frame[name].isna() for name in texts if schema[name] != "STRING"
    }
    unparsed: list[dict[str, str]] = [{} for _ in range(len(texts))]
    for name, is_failed in failed.items():
        for position in is_failed.to_numpy().nonzero()[0]:
            unparsed[position][name] = texts[name].iloc[position]
    frame["unparsed"] = [orjson.dumps(cells).decode() if cells else None for cells in unparsed]
    return frame, {name: int(mask.sum()) for name, mask in failed.items() if mask.any()}


def _write(
    warehouse: Warehouse, report: LoadReport, frame: pd.DataFrame, content: bytes, *, again: bool
) -> LoadReport:
    warehouse.create_table(report.table, report.types)
    digest = hashlib.sha256(report.table.encode() + b"\n" + content).hexdigest()[:32]
    suffix = f"-{datetime.now(UTC):%Y%m%dT%H%M%S%f}" if again else ""
    is_new = warehouse.append_to(report.table, frame, f"load-{digest}{suffix}")
    return replace(report, is_new=is_new)
