"""Requests due: missing days, the last ten days again, the forecast."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from python_jobs.data.weather.places import Place
from python_jobs.infra.settings import WeatherFetch

AGAIN_DAYS = 10
"""Days that are fetched again: the archive is late by up to five, and corrects itself."""

PLACES_A_REQUEST = 50
NEAR = timedelta(days=14)
"""Missing days no further apart than this are asked for as one span: it costs no more."""

Api = Literal["archive", "forecast"]
Span = tuple[date, date]


@dataclass(frozen=True)
class Request:
    """One request to the service.

    Attributes:
        api: which of its two.
        places: in the order of the answer; all of one time zone.
        first: first day.
        last: last day, included.
        variables: daily variables, in the service's words.
        today: the day it is at the places.
    """

    api: Api
    places: tuple[Place, ...]
    first: date
    last: date
    variables: tuple[str, ...]
    today: date

    @property
    def weight(self) -> float:
        """Calls that the service counts: one for each location, 14 days and 10 variables."""
        return len(self.places) * weight_of_place(self.first, self.last, len(self.variables))

    @property
    def is_settled(self) -> bool:
        """Whether the answer to this request can no longer change."""
        return self.api == "archive" and self.last < self.today - timedelta(days=AGAIN_DAYS)

    def parameters(self) -> dict[str, str]:
        """The query, without a key."""
        days = (
            {"start_date": f"{self.first}", "end_date": f"{self.last}"}
            if self.api == "archive"
            else {
                # Relative to the service's own today: an absolute day past midnight is refused.
                "past_days": f"{(self.today - self.first).days}",
                "forecast_days": f"{(self.last - self.today).days + 1}",
            }
        )
        return {
            "latitude": ",".join(f"{place.latitude:g}" for place in self.places),
            "longitude": ",".join(f"{place.longitude:g}" for place in self.places),
            "timezone": self.places[0].time_zone,
            "daily": ",".join(self.variables),
            **days,
        }

    def __str__(self) -> str:
        """Summary for the log."""
        n = len(self.places)
        return f"{self.api} {self.first}..{self.last}, {n} place{'s' if n > 1 else ''}"


def weight_of_place(first: date, last: date, n_variables: int) -> float:
    """The calls that one place of a request counts as."""
    n_days = (last - first).days + 1
    return max(1.0, n_variables / 10 * max(1.0, n_days / 14))


def requests_due(
    held: Mapping[Place, Collection[date]], fetch: WeatherFetch, now: datetime
) -> list[Request]:
    """Every request that is due, what matters most first.

    The forecast comes first, then the archive from its newest days back, so that a service that
    stops answering has given what the next forecast needs most.

    Args:
        held: by place, the observed days that all of its locations have with every variable.
        fetch: the settings.
        now: the instant, with a time zone.
    """
    by_span: dict[tuple[Api, Span, str], list[Place]] = {}
    for place in sorted(held):
        today = now.astimezone(place.zone).date()
        ahead = (today - timedelta(days=AGAIN_DAYS), today + timedelta(fetch.forecast_days - 1))
        by_span.setdefault(("forecast", ahead, place.time_zone), []).append(place)
        for span in spans(days_due(held[place], fetch.history_from, today)):
            by_span.setdefault(("archive", span, place.time_zone), []).append(place)
    requests = [
        Request(api, part, *span, tuple(fetch.variables.values()), _today(now, part[0]))
        for (api, span, _), places in by_span.items()
        for part in _parts(places, span, fetch)
    ]
    requests.sort(key=lambda one: one.last, reverse=True)
    return sorted(requests, key=lambda one: one.api, reverse=True)


def days_due(held: Collection[date], history_from: date, today: date) -> list[date]:
    """The observed days to ask for: since history_from, those not held, and the last ten again."""
    again = today - timedelta(days=AGAIN_DAYS)
    n_days = (today - min(history_from, again)).days
    days = (today - timedelta(days=n) for n in range(n_days, 0, -1))
    return [day for day in days if day >= again or (day >= history_from and day not in held)]


def spans(days: Sequence[date]) -> list[Span]:
    """Days as few spans, none longer than a calendar year so that a past one stays the same."""
    found: list[Span] = []
    for day in days:
        first, last = found[-1] if found else (day, date.min)
        if found and day - last <= NEAR and day.year == last.year:
            found[-1] = (first, day)
        else:
            found.append((day, day))
    return found


def _parts(places: Sequence[Place], span: Span, fetch: WeatherFetch) -> Iterator[tuple[Place, ...]]:
    """Places by the request: no more than one may name, nor than a minute allows."""
    each = weight_of_place(*span, len(fetch.variables))
    size = max(1, min(PLACES_A_REQUEST, int(fetch.requests_a_minute / each)))
    for start in range(0, len(places), size):
        yield tuple(places[start : start + size])


def _today(now: datetime, place: Place) -> date:
    return now.astimezone(place.zone).date()
