"""The seed of public holidays: made with the `holidays` package, beside the rows that people add.

A row whose `source` is `holidays` was made here, and is made again; every other row is somebody's
own and stays.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import holidays
from holidays.registry import COUNTRIES

from python_jobs.infra.errors import SettingsError, first_few

SEED = Path("seeds") / "holidays.csv"
"""Where the seed lies in the project's folder."""

MADE = "holidays"
"""The `source` of a row that the package made."""

COLUMNS = ("holiday_date", "name", "country", "source")
NEEDED = COLUMNS[:3]


@dataclass(frozen=True, order=True)
class Holiday:
    """One name of one day in one country.

    Attributes:
        day: the day.
        country: ISO 3166 code, alone or with a subdivision (US-CA); any other word of somebody's.
        name: what it is called.
        source: `holidays` where the package made the row.
    """

    day: date
    country: str
    name: str
    source: str = ""

    @property
    def key(self) -> tuple[date, str, str]:
        """The seed's grain."""
        return (self.day, self.country, self.name)


@dataclass(frozen=True)
class Remade:
    """The new rows of the seed, and what changed.

    Attributes:
        rows: all of it, sorted.
        n_made: rows that the package made for these countries and years.
        own: rows of people, kept.
        n_other: rows of the package for other countries or years, kept.
        without_holidays: `country: years` of which the package knows no holiday.
    """

    rows: list[Holiday]
    n_made: int
    own: list[Holiday]
    n_other: int
    without_holidays: list[str]

    def __str__(self) -> str:
        """One sentence a fact."""
        facts = [f"{self.n_made} rows made"]
        if self.own:
            countries = sorted({row.country for row in self.own})
            facts.append(f"{len(self.own)} rows of your own kept ({first_few(countries)})")
        if self.n_other:
            facts.append(f"{self.n_other} rows of other countries or years kept")
        facts += [f"the package knows no holiday of {what}" for what in self.without_holidays]
        return "; ".join(facts)


def read_seed(path: Path) -> list[Holiday]:
    """Read the seed; no file is no rows. A file without `source` is all people's own.

    Raises:
        SettingsError: it cannot be read, it lacks a column, or rows lack a date, a name or a
            country (counted).
    """
    if not path.is_file():
        return []
    reader = _reader(path)
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise SettingsError(
            f"{path}: {', '.join(missing)} missing. Its columns are {', '.join(COLUMNS)}."
        )
    rows, wrong = [], []
    try:
        for row in reader:
            try:
                rows.append(_holiday(row))
            except ValueError as error:
                wrong.append(f"line {reader.line_num}: {str(error)[:200]}")
    except csv.Error as error:
        raise SettingsError(f"{path}, after line {reader.line_num}: {error}.") from error
    if wrong:
        raise SettingsError(
            f"{path}: {len(wrong)} of {len(rows) + len(wrong)} rows are no holiday "
            f"({first_few(wrong)}). Each has a date (YYYY-MM-DD), a name and a country."
        )
    return rows


def _reader(path: Path) -> csv.DictReader[str]:
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
        reader.fieldnames  # noqa: B018 - reads the header
        return reader
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8."
        ) from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except csv.Error as error:
        raise SettingsError(f"{path}, line 1: {error}.") from error


def remake(
    seed: Sequence[Holiday], countries: Sequence[str], first_year: int, last_year: int
) -> Remade:
    """Make the rows of some countries and years again; keep every other row, and people's own.

    A row that somebody wrote just as the package would stays somebody's. A country that only
    somebody's own rows know ('own', say) is theirs to fill.

    Raises:
        SettingsError: no country is named, the package does not know one that has no row either,
            or the years run backwards.
    """
    if not countries:
        raise SettingsError(
            "no country to make holidays of: no use case has sources: calendar: countries:. "
            "Name one there, or with --country."
        )
    if first_year > last_year:
        raise SettingsError(f"--from {first_year} is after --to {last_year}.")
    years = range(first_year, last_year + 1)
    made, without_holidays = [], []
    own = [row for row in seed if row.source != MADE]
    of_people = {row.country for row in own if not is_known(row.country)}
    for country in sorted(set(countries) - of_people):
        rows = made_by_package(country, years)
        silent = sorted(set(years) - {row.day.year for row in rows})
        if silent:
            without_holidays.append(f"{country}: {_spans(silent)}")
        made += rows
    other = [
        row
        for row in seed
        if row.source == MADE and not (row.country in countries and row.day.year in years)
    ]
    keys_of_own = {row.key for row in own}
    made = [row for row in made if row.key not in keys_of_own]
    return Remade(sorted([*own, *other, *made]), len(made), own, len(other), without_holidays)


def made_by_package(country: str, years: Sequence[int]) -> list[Holiday]:
    """The public holidays of a country or subdivision, with English names where there are any.

    Several holidays on one day are a row each.

    Raises:
        SettingsError: the package does not know the country (close ones are named).
    """
    code, _, subdivision = country.partition("-")
    _require_known(country)
    languages = holidays.list_localized_countries().get(code, [])
    days = holidays.country_holidays(
        code,
        subdiv=subdivision or None,
        years=years,
        language="en_US" if "en_US" in languages else None,
    )
    return [
        Holiday(day, country, name, MADE)
        for day in sorted(days)
        for name in sorted(set(days.get_list(day)))
    ]


def is_known(country: str) -> bool:
    """Whether the package makes the holidays of a country or subdivision."""
    code, dash, subdivision = country.partition("-")
    known = holidays.list_supported_countries()
    return code in known and (not dash or subdivision in known[code])


def write_seed(path: Path, rows: Sequence[Holiday]) -> None:
    """Replace the seed, whole or not at all.

    Raises:
        SettingsError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((row.day.isoformat(), row.name, row.country, row.source) for row in rows)
    beside = path.with_suffix(".csv.new")
    try:
        path.parent.mkdir(exist_ok=True)
        beside.write_text(text.getvalue(), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error


def _holiday(row: dict[str, str | None]) -> Holiday:
    values = {name: (row.get(name) or "").strip() for name in COLUMNS}
    empty = [name for name in NEEDED if not values[name]]
    if empty:
        raise ValueError(f"no {', '.join(empty)}")
    day = date.fromisoformat(values["holiday_date"])
    return Holiday(day, values["country"], values["name"], values["source"])


def _require_known(country: str) -> None:
    if is_known(country):
        return
    close = _close(country)
    hint = (
        f"did you mean {' or '.join(close)}?"
        if close
        else "an ISO 3166 code of two letters is meant, such as DE or US-CA"
    )
    raise SettingsError(
        f"the holidays package knows no country '{country}' ({hint}). "
        "Days of your own are rows that you add yourself (docs/your-data.md)."
    )


def _close(country: str) -> list[str]:
    """Codes that may be meant: subdivisions of a known country, a country's name, a like code."""
    code, _, _ = country.partition("-")
    known = holidays.list_supported_countries()
    if code in known:
        parts = [f"{code}-{part}" for part in known[code]]
        return difflib.get_close_matches(country.upper(), parts, n=3, cutoff=0.5) or [code]
    name = country.lower().replace(" ", "_")
    names = difflib.get_close_matches(name, COUNTRIES, n=1, cutoff=0.75)
    return [COUNTRIES[one][1] for one in names] or difflib.get_close_matches(
        country.upper(), [one for one in known if len(one) == 2], n=3, cutoff=0.5
    )


def _spans(years: Sequence[int]) -> str:
    return f"{years[0]}" if len(years) == 1 else f"{years[0]} to {years[-1]} ({len(years)} years)"
