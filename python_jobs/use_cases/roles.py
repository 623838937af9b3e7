"""Find the column of a source that is its date, quantity, price and so on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from python_jobs.infra.errors import SettingsError
from python_jobs.use_cases.look import Column, Look

NAMES: dict[str, tuple[str, ...]] = {
    "date": (
        "date", "ds", "day", "week", "week_start", "week_starting", "week_end", "week_ending",
        "period", "sale_date", "sales_date", "order_date", "invoice_date", "sold_at", "timestamp",
    ),
    "quantity": (
        "quantity", "qty", "units", "units_sold", "pieces", "volume", "demand", "sales",
        "weekly_sales", "daily_sales", "amount", "revenue", "turnover", "dollars", "y",
    ),
    "price": ("price", "unit_price", "avg_price", "selling_price", "sales_price"),
    "is_sold_out": ("is_sold_out", "sold_out", "stockout", "out_of_stock", "is_out_of_stock"),
    "known_at": ("loaded_at", "known_at", "ingested_at", "inserted_at", "updated_at", "issued_at"),
    "start_date": ("start_date", "start", "date_from", "valid_from", "from_date", "begin_date"),
    "end_date": ("end_date", "end", "date_to", "valid_to", "to_date", "until"),
    "kind": ("kind", "type", "mechanic"),
    "discount": ("discount", "discount_share"),
    "covers_from": ("covers_from",),
    "covers_to": ("covers_to",),
    "location": ("location", "station", "city", "place", "store", "unit"),
}  # fmt: skip
"""What columns are called, by what they are; the earlier name counts."""


def is_number(column: Column) -> bool:
    """Whether quantities and prices may stand in a column."""
    return column.is_number


def key_columns(
    look: Look, parts: Sequence[str], given: Mapping[str, str], option: str = "--column"
) -> dict[str, str]:
    """The column, or the SQL constant, of each part of the key.

    Raises:
        SettingsError: a part has no column of its name, and none was given.
    """
    found = {}
    for part in parts:
        named = given.get(part, part)
        column = look.named([named.lower()])
        if column is None and not named.startswith("'"):
            raise SettingsError(
                f"{look.where} has no column '{named}' for the key's part '{part}' (it has "
                f"{', '.join(look.columns)}). Name it: {option} {part}=COLUMN, or a constant: "
                f"{option} \"{part}='all'\"."
            )
        found[part] = column.name if column else named
    return found


def optional_column(
    look: Look, role: str, given: Mapping[str, str], fits: Callable[[Column], bool]
) -> Column | None:
    """The column of a role: the one that was given, else one of a usual name that fits.

    Raises:
        SettingsError: the given column is not in the source, or does not fit.
    """
    if role in given:
        column = look.named([given[role].lower()])
        if column is None:
            raise SettingsError(
                f"{look.where} has no column '{given[role]}' (it has {', '.join(look.columns)})."
            )
        if not fits(column):
            raise SettingsError(
                f"{look.where}: {column.name} cannot be the {role}, its values are {column.type} "
                f"(such as {_example(look, column.name)})."
            )
        return column
    usual = [look.named([name]) for name in NAMES[role]]
    return next((column for column in usual if column is not None and fits(column)), None)


def needed_column(
    look: Look,
    role: str,
    given: Mapping[str, str],
    fits: Callable[[Column], bool],
    taken: Sequence[str],
) -> tuple[Column, str]:
    """The column of a role that a use case cannot do without, and why it was taken.

    Raises:
        SettingsError: no column fits, or several do and none has a usual name.
    """
    named = optional_column(look, role, given, lambda one: fits(one) and one.name not in taken)
    if named is not None:
        return named, f"--column {role}" if role in given else "by its name"
    fitting = [one for one in look.columns.values() if fits(one) and one.name not in taken]
    if len(fitting) == 1:
        return fitting[0], "the only one that fits"
    if fitting:
        names = ", ".join(one.name for one in fitting)
        raise SettingsError(
            f"{look.where}: several columns may be the {role} ({names}). Name one: "
            f"--column {role}={fitting[0].name}."
        )
    shown = "; ".join(f"{name} {_example(look, name)}" for name in list(look.columns)[:8])
    raise SettingsError(f"{look.where}: no column can be the {role} (first values: {shown}).")


def _example(look: Look, name: str) -> str:
    present = look.rows[name].dropna()
    return repr(present.iloc[0]) if len(present) else "null"


def date_expression(column: Column, time_zone: str, *, is_midnight: bool) -> str:
    """SQL for the day of a date column; the column alone where BigQuery casts it by itself."""
    if column.date_formats:
        text = f"cast({column.name} as string)" if column.type == "INTEGER" else column.name
        return f"safe.parse_date('{column.date_formats[0]}', {text})"
    if column.type == "TIMESTAMP" and time_zone != "UTC" and not is_midnight:
        return f"date({column.name}, '{time_zone}')"
    return column.name
