"""Fetch the weather of a use case's locations and append what is new to its weather table.

The table is append-only: an observed day gets a row when its values are first known or have
changed, every forecast is a vintage of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from ulid import ULID

from python_jobs.data.load import OWN_COLUMNS, own_table
from python_jobs.data.weather.answers import Answer, AnswerUnreadable, read_answer
from python_jobs.data.weather.open_meteo import OpenMeteo, Refused, Unreachable
from python_jobs.data.weather.places import Place, by_place, read_places
from python_jobs.data.weather.raw_answers import RawAnswers
from python_jobs.data.weather.requests_due import Request, requests_due
from python_jobs.data.weather.rows import Held, Row, new_rows
from python_jobs.infra.errors import SettingsError, ShelfcastError, first_few
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.run import Selection
from python_jobs.infra.series import join_key
from python_jobs.infra.settings import Connection, UseCase, WeatherSource
from python_jobs.infra.store import open_store
from python_jobs.infra.warehouse import MissingRelation, Warehouse

FLOATS = ("FLOAT", "FLOAT64")
WRITTEN = {"location": "STRING", "date": "DATE", "kind": "STRING"}

LOCATIONS = """
select distinct {parts}cast(({location}) as string) as _location
from (select {key} from {{{sales}.rows}})
"""

HELD = """
select {location} as _location, {date} as _date, {loaded_from} as _loaded_from, {values}
from {{{weather}.rows}}
where {kind} = 'observed' and {location} in unnest(@locations)
qualify row_number() over (partition by {location}, {date} order by {known_at} desc) = 1
"""

NEWEST_FORECAST = (
    "select max({known_at}) as issued_at from {{{weather}.rows}} where {kind} = 'forecast'"
)


@dataclass
class FetchReport:
    """Counts of a fetch.

    Attributes:
        table: where the rows are.
        n_locations: whose weather is fetched.
        n_places: that they share.
        requests: every request that was due.
        n_asked: of them, answered by the service.
        n_kept: of them, answered before and kept.
        n_new: observed days that had no row.
        n_corrected: observed days whose values have changed.
        n_forecast: forecast rows.
        failures: what went wrong, a sentence a request.
    """

    table: str
    n_locations: int
    n_places: int
    requests: list[Request]
    n_asked: int = 0
    n_kept: int = 0
    n_new: int = 0
    n_corrected: int = 0
    n_forecast: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Summary for the log."""
        return (
            f"weather of {self.n_locations} locations at {self.n_places} places: {self.n_asked} "
            f"requests answered, {self.n_kept} kept from before; {self.n_new} observed days new, "
            f"{self.n_corrected} corrected, {self.n_forecast} forecast, in {self.table}"
        )

    @property
    def failure(self) -> str:
        """The failures in one sentence; empty where there are none."""
        if not self.failures:
            return ""
        missing = len(self.requests) - self.n_asked - self.n_kept
        return (
            f"{missing} of {len(self.requests)} requests for weather were not answered "
            f"({first_few(self.failures, 2)})"
        )


def fetch_weather(
    warehouse: Warehouse,
    connection: Connection,
    use_case: UseCase,
    places_file: Path,
    *,
    fetched_at: datetime,
    dry_run: bool = False,
) -> FetchReport:
    """Fetch the observed days that are missing, the last ten again, and the forecast.

    What was answered is appended although other requests fail.

    Args:
        warehouse: where the sales name the locations and the weather is appended.
        connection: whose key and credentials are used.
        use_case: its settings.
        places_file: the seed of places.
        fetched_at: the instant of issue of the forecasts and corrections, with a time zone.
        dry_run: say what is due; ask and write nothing.

    Returns:
        What was done; its `failures` say what was not.

    Raises:
        SettingsError: nothing is to be fetched, or into a table that is not Shelfcast's.
        ShelfcastError: no location has a place, the places cannot be read, or the table has other
            columns.
    """
    source = _source(use_case)
    table = own_table(warehouse, connection, use_case, "weather")
    columns = warehouse.columns(table)
    _check_columns(table, source, columns)
    if columns is None and not dry_run:
        columns = _created(warehouse, table, source)
    places = _places_of(warehouse, use_case, places_file)
    held = _held(warehouse, use_case, source, places, columns) if columns else {}
    at_place = by_place(places, places)
    complete = {place: _days_for_good(held, names) for place, names in at_place.items()}
    report = FetchReport(
        table, len(places), len(at_place), requests_due(complete, source.fetch, fetched_at)
    )
    if dry_run:
        return report
    answers = _ask_all(connection, source, report, fetched_at)
    rows = list(new_rows(at_place, held, answers, fetched_at))
    _append(warehouse, source, report, rows, fetched_at)
    return report


def newest_forecast(warehouse: Warehouse, use_case: UseCase) -> datetime | None:
    """When the newest forecast in the weather table was issued; None where there is none."""
    source = _source(use_case)
    statement = NEWEST_FORECAST.format(**_names(source), weather=f"{use_case.name}_weather")
    try:
        found = warehouse.read(statement)["issued_at"].iloc[0]
    except MissingRelation:
        return None
    return None if pd.isna(found) else found.to_pydatetime()


def _source(use_case: UseCase) -> WeatherSource:
    source = use_case.sources.weather
    where = f"vars: use_cases: {use_case.name}: sources:"
    if source is None:
        raise SettingsError(f"{use_case.name} has no source 'weather'. Add it under {where}.")
    if not source.fetch.is_on:
        raise SettingsError(
            f"{use_case.name} fetches no weather. Turn it on with fetch: {{service: open_meteo}} "
            f"under {where} weather: (free for non-commercial use; SHELFCAST_WEATHER_KEY holds a "
            "customer's key), and put your units into seeds/places.csv."
        )
    return source


def _names(source: WeatherSource) -> dict[str, str]:
    """The weather table's quoted column names, by Shelfcast's own name."""
    names = {name: source.columns[name] for name in WRITTEN} | {"known_at": source.known_at}
    return {name: f"`{column}`" for name, column in names.items()}


def _places_of(warehouse: Warehouse, use_case: UseCase, places_file: Path) -> dict[str, Place]:
    """Coordinates of each location in use; warn of locations that seeds/places.csv lacks."""
    known = read_places(places_file)
    locations = _locations(warehouse, use_case)
    missing = sorted(locations - known.keys())
    if missing:
        message = (
            f"weather: {len(missing)} of {len(locations)} locations of {use_case.name} have no "
            f"place ({first_few(missing)}). Add their latitude, longitude and time zone to "
            f"{places_file}; until then nothing is fetched for them."
        )
        if len(missing) == len(locations):
            raise ShelfcastError(message)
        warn(Event.PLACES_MISSING, message, n_locations=len(missing))
    if not locations:
        raise ShelfcastError(f"weather: the sales of {use_case.name} name no location.")
    return {name: known[name] for name in sorted(locations & known.keys())}


def _locations(warehouse: Warehouse, use_case: UseCase) -> set[str]:
    """The locations of the series that the settings include, as the sales table names them."""
    sales, weather = use_case.sources.sales, use_case.sources.weather
    assert weather is not None
    statement = LOCATIONS.format(
        parts="".join(f"cast({part} as string) as {part}, " for part in use_case.key),
        location=weather.location_of_series,
        key=", ".join(
            f"safe_cast({sales.columns[part]} as {type_}) as {part}"
            for part, type_ in use_case.key.items()
        )
        or "true as is_total",
        sales=f"{use_case.name}_sales",
    )
    found = warehouse.read(statement).dropna()
    is_included = re.compile(Selection(use_case.include).regex).search
    return {
        str(row[-1])
        for row in found.itertuples(index=False)
        if is_included(join_key([str(part) for part in row[:-1]]))
    }


def _check_columns(table: str, source: WeatherSource, columns: Mapping[str, str] | None) -> None:
    """Refuse a table that cannot take what is fetched."""
    if columns is None:
        return
    wanted: dict[str, tuple[str, ...]] = {
        source.columns[name]: (type_,) for name, type_ in WRITTEN.items()
    }
    wanted |= {source.columns[name]: FLOATS for name in source.fetch.variables}
    wanted |= {source.known_at: ("TIMESTAMP",)}
    wrong = [
        f"{name} is {columns.get(name, 'missing')}, needed is {types[0]}"
        for name, types in wanted.items()
        if columns.get(name) not in types
    ]
    if wrong:
        raise ShelfcastError(
            f"{table} cannot take fetched weather: {first_few(wrong)}. Name a new table under "
            "sources: weather: table:; it is made as it must be."
        )


def _created(warehouse: Warehouse, table: str, source: WeatherSource) -> dict[str, str]:
    """Create the weather table where it is missing: a run reads it even when it is empty."""
    types = {source.columns[name]: type_ for name, type_ in WRITTEN.items()}
    types |= {source.columns[name]: FLOATS[0] for name in source.fetch.variables}
    columns = OWN_COLUMNS | types | {source.known_at: "TIMESTAMP"}
    warehouse.create_table(table, columns)
    return columns


def _held(
    warehouse: Warehouse,
    use_case: UseCase,
    source: WeatherSource,
    locations: Iterable[str],
    columns: Mapping[str, str],
) -> dict[str, dict[date, Held]]:
    """Observed values in the weather table, by location and day."""
    variables = list(source.fetch.variables)
    values = ", ".join(f"`{source.columns[name]}` as {name}" for name in variables)
    statement = HELD.format(
        **_names(source),
        loaded_from="loaded_from" if "loaded_from" in columns else "cast(null as string)",
        values=values,
        weather=f"{use_case.name}_weather",
    )
    found = warehouse.read(statement, locations=list(locations))
    provisional = found["_loaded_from"] == _origin(source, "forecast")
    numbers = found[variables].astype("float64").itertuples(index=False)
    held: dict[str, dict[date, Held]] = {}
    for location, day, given, is_provisional in zip(
        found["_location"], found["_date"], numbers, provisional, strict=True
    ):
        observed = tuple(None if pd.isna(value) else float(value) for value in given)
        held.setdefault(location, {})[day.date()] = Held(observed, bool(is_provisional))
    return held


def _origin(source: WeatherSource, api: str) -> str:
    """`loaded_from` of a fetched row: the API and the request."""
    return f"{source.fetch.service} {api}"


def _days_for_good(held: Mapping[str, Mapping[date, Held]], locations: Iterable[str]) -> set[date]:
    """Days on which every location has every value, from the archive or a file."""
    each = [
        {
            day
            for day, one in held.get(name, {}).items()
            if None not in one.values and not one.is_provisional
        }
        for name in locations
    ]
    return set.intersection(*each)


def _ask_all(
    connection: Connection, source: WeatherSource, report: FetchReport, fetched_at: datetime
) -> list[tuple[Request, Answer]]:
    """Send every request; stop when the service no longer answers."""
    fetch = source.fetch
    where = (connection.project, connection.keyfile)
    store = open_store(fetch.cache_uri, *where) if fetch.cache_uri else None
    kept = RawAnswers(store, fetch.service)
    key = connection.weather_key.get_secret_value() if connection.weather_key else None
    answers = []
    with OpenMeteo(fetch, key) as service:
        for request in report.requests:
            try:
                found = _kept_answer(kept, request)
                if found is None:
                    content = service.ask(request)
                    found = read_answer(request, content)
                    report.n_asked += 1
                    if found.is_complete(request) or not request.is_settled:
                        kept.keep(request, content, fetched_at)
                else:
                    report.n_kept += 1
                answers.append((request, found))
            except (Refused, AnswerUnreadable) as error:
                report.failures.append(str(error).removesuffix("."))
            except Unreachable as error:
                report.failures.append(str(error).removesuffix("."))
                break
    return answers


def _kept_answer(kept: RawAnswers, request: Request) -> Answer | None:
    """The cached answer to a request; None where there is none or it cannot be read."""
    content = kept.find(request)
    if content is None:
        return None
    try:
        return read_answer(request, content)
    except AnswerUnreadable:
        return None


def _append(
    warehouse: Warehouse,
    source: WeatherSource,
    report: FetchReport,
    rows: list[Row],
    fetched_at: datetime,
) -> None:
    counts = Counter(row.what for row in rows)
    report.n_new, report.n_corrected = counts["new"], counts["corrected"]
    report.n_forecast = counts["forecast"]
    if not rows:
        return
    present = warehouse.columns(report.table) or {}
    names = {name: source.columns[name] for name in [*WRITTEN, *source.fetch.variables]}
    frame = pd.DataFrame([_record(source, names, row, fetched_at) for row in rows])
    frame = frame[[name for name in frame if name in present]]
    warehouse.append_to(report.table, frame, f"weather-{ULID()}")


def _record(
    source: WeatherSource, names: Mapping[str, str], row: Row, fetched_at: datetime
) -> dict[str, Any]:
    return {
        "loaded_from": _origin(source, row.api),
        "loaded_at": fetched_at,
        names["location"]: row.location,
        names["date"]: row.day,
        names["kind"]: row.kind,
        **{
            names[name]: value
            for name, value in zip(source.fetch.variables, row.values, strict=True)
        },
        source.known_at: row.known_at,
    }
