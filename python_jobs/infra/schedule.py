"""When the runs of a use case start, and the origin that each of them looks back from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from python_jobs.infra.settings import UseCase

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

EARLIEST = date(1970, 1, 1)


@dataclass(frozen=True, order=True)
class Origin:
    """One look-back point.

    Attributes:
        origin_date: last day fully observed; a period is past when its last day is not after it.
        as_of_at: instant as of which versions count, with a time zone.
    """

    origin_date: date
    as_of_at: datetime


def period_start(use_case: UseCase, day: date) -> date:
    """First day of the period that holds a day; the macro of the same name in SQL."""
    if use_case.grain == "day":
        return day
    return day - timedelta(days=(day.weekday() - WEEKDAYS.index(use_case.week_starts_on)) % 7)


def origin_at(use_case: UseCase, as_of_at: datetime) -> Origin:
    """The origin of a run that starts at an instant: the last period end before that day."""
    today = as_of_at.astimezone(use_case.zone).date()
    return Origin(period_start(use_case, today) - timedelta(days=1), as_of_at)


def scheduled_origins(use_case: UseCase, first: date, last: date) -> list[Origin]:
    """The origins of the runs that the schedule puts on the days first..last, oldest first."""
    return [origin_at(use_case, instant) for instant in _instants(use_case, first, last)]


def validation_origins(
    use_case: UseCase, current: Origin, n_origins: int, every: int
) -> list[Origin]:
    """Every n-th scheduled origin, back from the newest whose horizon had ended by another origin.

    Args:
        use_case: its schedule, grain and horizon.
        current: the origin up to which actuals are known.
        n_origins: how many.
        every: take every n-th only.

    Returns:
        Oldest first, one an origin_date, each at its first scheduled instant.
    """
    horizon = timedelta(days=use_case.horizon * use_case.period_days)
    last = current.origin_date - horizon
    first = last - timedelta(days=min(7 * (n_origins * every + 1), (last - EARLIEST).days))
    scheduled = scheduled_origins(use_case, first, current.origin_date)
    by_date = {one.origin_date: one for one in reversed(scheduled) if one.origin_date <= last}
    newest_first = sorted(by_date.values(), reverse=True)
    return newest_first[::every][:n_origins][::-1]


def days_between_origins(use_case: UseCase) -> int:
    """Days from one scheduled origin to the next."""
    return 1 if use_case.grain == "day" and use_case.schedule.weekday == "daily" else 7


def origins_per_horizon(use_case: UseCase) -> int:
    """Every how many scheduled origins a horizon has passed, so that no two forecast one period."""
    return math.ceil(use_case.horizon * use_case.period_days / days_between_origins(use_case))


def _instants(use_case: UseCase, first: date, last: date) -> Iterator[datetime]:
    at = time.fromisoformat(use_case.schedule.time)
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if use_case.schedule.weekday in ("daily", WEEKDAYS[day.weekday()]):
            yield datetime.combine(day, at, tzinfo=use_case.zone)


def issue_deadline(use_case: UseCase, origin_date: date) -> date:
    """The first local day on which a forecast of this origin may no longer be issued."""
    return origin_date + timedelta(days=use_case.issue_window_days)
