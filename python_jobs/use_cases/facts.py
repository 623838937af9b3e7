"""Count what decides the settings of a use case: dates, series, gaps, repeated rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from python_jobs.infra.errors import SettingsError, first_few
from python_jobs.infra.schedule import WEEKDAYS
from python_jobs.use_cases.look import Column, Look


@dataclass(frozen=True)
class Facts:
    """Facts about the rows of a sales source, read as key, date and quantity.

    Attributes:
        n_rows: rows that were read.
        n_series: distinct keys.
        first: earliest date.
        last: latest date.
        days_apart: most frequent distance between two dates that follow each other; None for one.
        weekdays: the weekdays of the dates, most frequent first.
        n_periods_between: periods between a series' first and last date, over all series.
        n_gaps: those of them without a row.
        n_closed: periods between first and last without a row of any series.
        n_repeated: rows beyond the first of their key and date.
        n_copies: rows that repeat another one in every column.
        n_negative: rows with a quantity below 0.
        n_zero: rows with the quantity 0.
        bad_dates: some values that are no date.
        bad_quantities: some values that are no number.
    """

    n_rows: int
    n_series: int
    first: date
    last: date
    days_apart: int | None
    weekdays: tuple[str, ...]
    n_periods_between: int
    n_gaps: int
    n_closed: int
    n_repeated: int
    n_copies: int
    n_negative: int
    n_zero: int
    bad_dates: tuple[str, ...]
    bad_quantities: tuple[str, ...]

    @property
    def gap_share(self) -> float:
        """The share of the periods between a series' first and last date that have no row."""
        return self.n_gaps / self.n_periods_between if self.n_periods_between else 0.0

    @property
    def n_periods(self) -> int:
        """Periods from the earliest date to the latest."""
        return (self.last - self.first).days // (self.days_apart or 1) + 1


def facts_of(look: Look, key: Sequence[str], date_column: Column, quantity: Column) -> Facts:
    """Count.

    Args:
        look: the source.
        key: the columns that make a series; none for one series of everything.
        date_column: the date of a row.
        quantity: what is forecast.

    Raises:
        SettingsError: no value of the date column is a date.
    """
    days = look.days(date_column)
    if days.notna().sum() == 0:
        raise SettingsError(f"{look.where}: no value of {date_column.name} is a date.")
    amounts = look.numbers(quantity.name)
    series = look.rows.groupby(list(key), dropna=False, sort=False).ngroup() if key else 0
    rows = pd.DataFrame({"series": series, "day": days}, index=look.rows.index).dropna()
    apart = _days_apart(rows["day"])
    between, gaps, closed = _gaps(rows.drop_duplicates(), apart or 1)
    return Facts(
        n_rows=len(look.rows),
        n_series=rows["series"].nunique(),
        first=rows["day"].min().date(),
        last=rows["day"].max().date(),
        days_apart=apart,
        weekdays=tuple(WEEKDAYS[at] for at in rows["day"].dt.weekday.value_counts().index),
        n_periods_between=between,
        n_gaps=gaps,
        n_closed=closed,
        n_repeated=int(rows.duplicated().sum()),
        n_copies=int(look.rows.duplicated().sum()),
        n_negative=int((amounts < 0).sum()),
        n_zero=int((amounts == 0).sum()),
        bad_dates=_unread(look, date_column.name, days),
        bad_quantities=_unread(look, quantity.name, amounts),
    )


def _days_apart(days: pd.Series) -> int | None:
    """The most frequent distance of the distinct dates."""
    distances = days.drop_duplicates().sort_values().diff().dropna().dt.days
    return None if distances.empty else int(distances.mode().iloc[0])


def _gaps(rows: pd.DataFrame, apart: int) -> tuple[int, int, int]:
    """Periods between first and last of each series; those without a row; those of no series."""
    by_series = rows.groupby("series")["day"].agg(["min", "max", "size"])
    n_between = (by_series["max"] - by_series["min"]).dt.days // apart + 1
    n_gaps = (n_between - by_series["size"]).clip(lower=0)
    n_all = (rows["day"].max() - rows["day"].min()).days // apart + 1
    return int(n_between.sum()), int(n_gaps.sum()), max(0, n_all - rows["day"].nunique())


def _unread(look: Look, name: str, read: pd.Series) -> tuple[str, ...]:
    texts = look.rows[name]
    return tuple(texts[texts.notna() & read.isna()].head(4))


def describe(facts: Facts, look: Look, key: Sequence[str]) -> list[str]:
    """Say in a few lines what was found."""
    some = f" (1 series in {look.one_in} was read)" if look.one_in > 1 else ""
    of = f" of {', '.join(key)}" if key else ""
    n_weekdays = len(facts.weekdays)
    every = f"every date is a {facts.weekdays[0].capitalize()}" if n_weekdays == 1 else ""
    period = {1: "days", 7: "weeks"}.get(facts.days_apart or 0, "dates")
    lines = [
        f"{facts.n_rows:,} rows, {facts.n_series:,} series{of}{some}",
        f"{facts.first} to {facts.last}: {facts.n_periods:,} {period}"
        + (f"; {every}" if every and facts.days_apart == 7 else ""),
    ]
    if facts.n_gaps:
        lines.append(
            f"{facts.gap_share:.1%} of the {period} between a series' first and last have no row"
            + (f"; {facts.n_closed:,} {period} have none of any" if facts.n_closed else "")
        )
    if facts.n_repeated:
        lines.append(f"rows that repeat the key and date of another: {facts.n_repeated:,}")
    if facts.n_negative:
        lines.append(f"rows with a quantity below 0: {facts.n_negative:,}")
    for what, texts in (("date", facts.bad_dates), ("quantity", facts.bad_quantities)):
        if texts:
            lines.append(f"some rows will be rejected, their {what} is none: {first_few(texts)}")
    return lines
