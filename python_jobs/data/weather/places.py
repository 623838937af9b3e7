"""Coordinates of the units: the seed `places`, checked row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from python_jobs.infra.errors import ShelfcastError, first_few

COLUMNS = ("location", "latitude", "longitude", "time_zone")
DECIMALS = 2
"""Of degrees, about a kilometre: places that agree to them have the same weather."""


class PlacesWrong(ShelfcastError):
    """The seed of places cannot be read, or some of its rows cannot be used."""


@dataclass(frozen=True, order=True)
class Place:
    """A point that weather is asked for.

    Attributes:
        latitude: degrees north, to two decimals.
        longitude: degrees east, to two decimals.
        time_zone: whose days its days are.
    """

    latitude: float
    longitude: float
    time_zone: str

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.time_zone)


def read_places(path: Path) -> dict[str, Place]:
    """Read the place of each location.

    Args:
        path: the seed, a CSV of location, latitude, longitude and time_zone.

    Raises:
        PlacesWrong: there is no such file, it lacks a column, or rows of it cannot be used (how
            many, and what is wrong with the first few).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise PlacesWrong(f"{path} lacks the column {first_few(missing)}.")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PlacesWrong(f"{path} cannot be read: {error}.") from error
    places: dict[str, Place] = {}
    faults = []
    for line, row in rows:
        try:
            location = _new_location(row, places)
            places[location] = _place(row)
        except ValueError as error:
            faults.append(f"line {line}: {error}")
    if faults:
        raise PlacesWrong(
            f"{path}: {len(faults)} of {len(rows)} places cannot be used ({first_few(faults)}). "
            "Correct them."
        )
    return places


def _new_location(row: Mapping[str, str | None], places: Mapping[str, Place]) -> str:
    location = row["location"] or ""
    if not location:
        raise ValueError("it has no location")
    if location in places:
        raise ValueError(f"'{location}' has a place already")
    return location


def _place(row: Mapping[str, str | None]) -> Place:
    return Place(
        _degrees("latitude", row["latitude"], 90),
        _degrees("longitude", row["longitude"], 180),
        _known_zone(row["time_zone"] or ""),
    )


def _degrees(name: str, text: str | None, limit: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not -limit <= value <= limit:
        raise ValueError(f"{name} '{text or ''}' is no number of degrees from -{limit} to {limit}")
    return round(value, DECIMALS) + 0.0  # no -0.0


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"time_zone '{name}' is not the name of one (Europe/London)") from error
    return name


def by_place(places: Mapping[str, Place], locations: Iterable[str]) -> dict[Place, list[str]]:
    """The locations at each place, so that those at one share what is asked for it."""
    found: dict[Place, list[str]] = {}
    for location in sorted(locations):
        found.setdefault(places[location], []).append(location)
    return found
