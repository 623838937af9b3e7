"""New rows of the weather table, from the stored rows and the answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from python_jobs.data.weather.answers import Answer, Values
from python_jobs.data.weather.places import Place
from python_jobs.data.weather.requests_due import Api, Request

MORNING = time(6)
"""Local time on the next day at which an observed day counts as known."""

Days = dict[date, Values]


@dataclass(frozen=True)
class Held:
    """The newest observed values of a location's day.

    Attributes:
        values: as the table has them.
        is_provisional: they came from the forecast API, because the archive had none yet.
    """

    values: Values
    is_provisional: bool


@dataclass(frozen=True)
class Row:
    """A row of the weather table.

    Attributes:
        location: whose weather.
        day: which day's.
        kind: observed or forecast.
        values: one a variable.
        known_at: the instant of issue.
        api: the API that it came from.
        what: what it is to the rows before it.
    """

    location: str
    day: date
    kind: Literal["observed", "forecast"]
    values: Values
    known_at: datetime
    api: Api
    what: Literal["new", "corrected", "confirmed", "forecast"]


def new_rows(
    at_place: Mapping[Place, list[str]],
    held: Mapping[str, Mapping[date, Held]],
    answers: Iterable[tuple[Request, Answer]],
    fetched_at: datetime,
) -> Iterator[Row]:
    """Rows of the answers that the table lacks.

    Args:
        at_place: the locations at each place.
        held: the newest observed values that the table has, by location and day.
        answers: of the service.
        fetched_at: the instant of issue of forecasts and corrections.
    """
    archived: dict[Place, Days] = {}
    recent: dict[Place, Days] = {}
    for request, answer in answers:
        for place, days in answer.days.items():
            if request.api == "archive":
                archived.setdefault(place, {}).update(days)
                continue
            past = {day: values for day, values in days.items() if day < request.today}
            recent.setdefault(place, {}).update(past)
            for location in at_place[place]:
                for day in sorted(days.keys() - past.keys()):
                    values = days[day], fetched_at, request.api
                    yield Row(location, day, "forecast", *values, "forecast")
    for place, locations in at_place.items():
        for location in locations:
            found = archived.get(place, {}), recent.get(place, {})
            yield from _observed(location, place, held.get(location, {}), *found, fetched_at)


def _observed(
    location: str,
    place: Place,
    held: Mapping[date, Held],
    archived: Days,
    recent: Days,
    fetched_at: datetime,
) -> Iterator[Row]:
    """The observed days that are new, or have changed, or that the archive has confirmed.

    The archive corrects what is held; what the forecast API says of a past day only fills a hole,
    and such a day is asked for until the archive has it.
    A day before all that is held is history, which a run of that time would have known the next
    morning; any other row is known from now on.
    """
    first = min(held, default=date.max)
    for day in sorted(archived.keys() | recent.keys()):
        none: Values = (None,) * len(archived.get(day) or recent[day])
        known = held.get(day)
        before = known.values if known else none
        values = tuple(
            next((value for value in given if value is not None), None)
            for given in zip(archived.get(day, none), before, recent.get(day, none), strict=True)
        )
        is_confirmed = known is not None and known.is_provisional and day in archived
        if values == before and not is_confirmed:
            continue
        morning = datetime.combine(day + timedelta(days=1), MORNING, tzinfo=place.zone)
        known_at = min(morning, fetched_at) if day < first else fetched_at
        api: Api = "archive" if day in archived else "forecast"
        changed: Literal["corrected", "confirmed"] = (
            "confirmed" if values == before else "corrected"
        )
        what = changed if known else "new"
        yield Row(location, day, "observed", values, known_at, api, what)
