"""Origins come from the calendar, in the use case's time zone, never from the data."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_jobs.infra.schedule import (
    WEEKDAYS,
    issue_deadline,
    origin_at,
    period_start,
    scheduled_origins,
    validation_origins,
)
from python_jobs.infra.settings import Schedule, UseCase, load_settings
from tests.support.site import ROOT


def use_case(**changes: object) -> UseCase:
    return load_settings(ROOT, {}).use_case("sku_weekly").model_copy(update=changes)


@pytest.mark.parametrize(
    ("instant", "origin"),
    [
        (datetime(2026, 11, 18, 19, tzinfo=UTC), date(2026, 11, 15)),  # Wednesday: Sunday before
        (datetime(2026, 11, 15, 12, tzinfo=UTC), date(2026, 11, 8)),  # Sunday is not over yet
        (datetime(2026, 11, 16, 0, tzinfo=UTC), date(2026, 11, 15)),
        (datetime(2026, 11, 15, 21, 30, tzinfo=UTC), date(2026, 11, 15)),  # Monday in Moscow
    ],
)
def test_the_origin_is_the_last_sunday_that_is_over(instant, origin):
    assert origin_at(use_case(), instant).origin_date == origin


def test_days_end_at_midnight_of_the_time_zone():
    daily = use_case(grain="day", time_zone="America/Chicago")
    instant = datetime(2026, 11, 18, 5, 30, tzinfo=UTC)  # 23:30 of the 17th
    assert origin_at(daily, instant).origin_date == date(2026, 11, 16)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(WEEKDAYS))
def test_a_period_starts_on_the_configured_day_at_most_six_days_ago(day, weekday):
    start = period_start(use_case(week_starts_on=weekday), day)
    assert WEEKDAYS[start.weekday()] == weekday
    assert 0 <= (day - start).days <= 6


def test_the_schedule_names_every_wednesday_at_local_time_across_a_clock_change():
    chicago = use_case(time_zone="America/Chicago")
    origins = scheduled_origins(chicago, date(2026, 10, 26), date(2026, 11, 8))
    assert [origin.origin_date for origin in origins] == [date(2026, 10, 25), date(2026, 11, 1)]
    assert [origin.as_of_at.astimezone(UTC).hour for origin in origins] == [3, 4]


def test_forecasts_are_issued_before_the_window_closes():
    assert issue_deadline(use_case(), date(2026, 11, 15)) == date(2026, 11, 21)


def test_validation_origins_are_those_whose_whole_horizon_has_ended():
    """Four weeks before 15 November, then every fourth back; the issued instants are Wednesdays."""
    current = origin_at(use_case(), datetime(2026, 11, 18, 19, tzinfo=UTC))
    origins = validation_origins(use_case(), current, n_origins=3, every=4)
    days = [date(2026, 8, 23), date(2026, 9, 20), date(2026, 10, 18)]
    assert [origin.origin_date for origin in origins] == days
    assert origins[-1].as_of_at == datetime(2026, 10, 21, 19, tzinfo=UTC)


def test_validation_origins_of_a_daily_schedule_are_one_a_day():
    daily = use_case(grain="day", horizon=2, schedule=Schedule(weekday="daily", time="06:00"))
    current = origin_at(daily, datetime(2026, 11, 18, 19, tzinfo=UTC))
    origins = validation_origins(daily, current, n_origins=2, every=3)
    assert [origin.origin_date for origin in origins] == [date(2026, 11, 12), date(2026, 11, 15)]
