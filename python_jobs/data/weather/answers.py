"""Parse and check answers of Open-Meteo."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson

from python_jobs.data.weather.places import Place
from python_jobs.data.weather.requests_due import Request
from python_jobs.infra.errors import ShelfcastError

A_DAY = timedelta(days=1)
"""A place's today may be the day before or after the one that was asked for."""

PLAUSIBLE: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("temperature_", "apparent_temperature_", "dew_point_"), (-120.0, 80.0)),
    **dict.fromkeys(("precipitation_", "rain_", "showers_", "snowfall_"), (0.0, 5000.0)),
    **dict.fromkeys(("wind_speed_", "wind_gusts_"), (0.0, 600.0)),
    **dict.fromkeys(("sunshine_", "daylight_"), (0.0, 90000.0)),
    "relative_humidity_": (0.0, 100.0),
    "cloud_cover_": (0.0, 100.0),
}
"""By the beginning of a variable's name, what its values may be: °C, mm or cm, km/h, s, percent."""

Values = tuple[float | None, ...]
"""One number a variable of the request; None where the service has none."""


class AnswerUnreadable(ShelfcastError):
    """An answer is not of the form that the service documents."""


@dataclass(frozen=True)
class Answer:
    """The days of one request.

    Attributes:
        days: by place and day; a day without any value is left out.
    """

    days: dict[Place, dict[date, Values]]

    def is_complete(self, request: Request) -> bool:
        """Whether every day of every place has every value."""
        n_days = (request.last - request.first).days + 1
        wanted = [request.first + timedelta(days=n) for n in range(n_days)]
        return all(
            None not in self.days[place].get(day, (None,))
            for place in request.places
            for day in wanted
        )


def read_answer(request: Request, content: bytes) -> Answer:
    """Read the answer to a request: one object for one place, an array for several.

    Raises:
        AnswerUnreadable: it is not JSON, not of that many places, lacks a variable, or has other
            than numbers and nulls, as many as days.
    """
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise _unreadable(request, f"is not JSON ({error})") from None
    parts = given if isinstance(given, list) else [given]
    if len(parts) != len(request.places):
        raise _unreadable(request, f"is of {len(parts)} places, asked were {len(request.places)}")
    days = {}
    for position, (place, part) in enumerate(zip(request.places, parts, strict=True)):
        if not isinstance(part, dict) or part.get("location_id", position) != position:
            raise _unreadable(request, f"is in another order at place {position + 1}")
        days[place] = _days(request, part.get("daily"))
    return Answer(days)


def _days(request: Request, daily: Any) -> dict[date, Values]:  # noqa: ANN401 - it is to be checked
    if not isinstance(daily, dict) or not isinstance(daily.get("time"), list):
        raise _unreadable(request, "has no daily values")
    missing = [name for name in request.variables if not isinstance(daily.get(name), list)]
    if missing:
        raise _unreadable(request, f"lacks the variable {', '.join(missing)}")
    columns = {name: daily[name] for name in ("time", *request.variables)}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        lengths_text = ", ".join(f"{n} of {name}" for name, n in lengths.items())
        raise _unreadable(request, f"has columns of different lengths ({lengths_text})")
    return _rows(request, columns)


def _rows(request: Request, columns: Mapping[str, Sequence[Any]]) -> dict[date, Values]:
    rows: dict[date, Values] = {}
    for text, *given in zip(*columns.values(), strict=True):
        values = tuple(
            _number(request, name, value)
            for name, value in zip(request.variables, given, strict=True)
        )
        if any(value is not None for value in values):
            day = _day(request, text)
            if day in rows:
                raise _unreadable(request, f"has {day} twice")
            rows[day] = values
    return rows


def _day(request: Request, text: object) -> date:
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        raise _unreadable(request, f"has '{str(text)[:40]}' where a day should be") from None
    if not request.first - A_DAY <= day <= request.last + A_DAY:
        raise _unreadable(request, f"has {day}, which was not asked for")
    return day


def _number(request: Request, name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _unreadable(request, f"has '{str(value)[:40]}' where a number should be")
    lowest, highest = _plausible(name)
    if not lowest <= value <= highest:
        raise _unreadable(
            request, f"has {name} {str(value)[:40]}, which no weather is ({lowest}..{highest})"
        )
    return float(value)


def _plausible(name: str) -> tuple[float, float]:
    ranges = (limits for prefix, limits in PLAUSIBLE.items() if name.startswith(prefix))
    return next(ranges, (-1e6, 1e6))


def _unreadable(request: Request, what: str) -> AnswerUnreadable:
    return AnswerUnreadable(f"the answer ({request}) {what}.")
