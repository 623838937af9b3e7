"""The origins of a backtest: the newest scheduled ones whose first target period is over."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.schedule import scheduled_origins
from python_jobs.infra.settings import Schedule, UseCase, load_settings
from python_jobs.runs.backtest import backtest_origins
from tests.support.site import ROOT

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
"""A Wednesday."""


def use_case(**changes: object) -> UseCase:
    return load_settings(ROOT, {}).use_case("sku_weekly").model_copy(update=changes)


def dates(n: int, now: datetime = NOW, case: UseCase | None = None, **given: object) -> list[str]:
    origins = backtest_origins(case or use_case(), n, now=now, **given)  # type: ignore[arg-type]
    return [str(origin.origin_date) for origin in origins]


def test_the_first_target_week_has_ended():
    assert dates(2) == ["2026-11-01", "2026-11-08"]
    # Sunday is not over until Monday, in Moscow.
    assert dates(1, datetime(2026, 11, 15, 20, tzinfo=UTC)) == ["2026-11-01"]
    assert dates(1, datetime(2026, 11, 15, 21, 30, tzinfo=UTC)) == ["2026-11-08"]


def test_to_is_the_last_day_that_may_be_scored_and_never_lies_ahead():
    assert dates(1, last=date(2026, 11, 8)) == ["2026-11-01"]
    assert dates(1, last=date(2026, 11, 7)) == ["2026-10-25"]
    assert dates(1, last=date(2027, 11, 7)) == ["2026-11-08"]


def test_every_nth_is_counted_back_from_the_newest():
    assert dates(3, every=2) == ["2026-10-11", "2026-10-25", "2026-11-08"]


def test_each_has_the_instant_that_the_schedule_gives_it():
    (origin,) = backtest_origins(use_case(), 1, now=NOW)
    assert [origin] == scheduled_origins(use_case(), date(2026, 11, 9), date(2026, 11, 15))


def test_days_are_counted_as_days_and_one_origin_counts_once():
    daily = Schedule(weekday="daily", time="22:00")
    by_day = use_case(grain="day", schedule=daily)
    assert dates(3, case=by_day) == ["2026-11-14", "2026-11-15", "2026-11-16"]
    weeks = use_case(schedule=daily)
    assert dates(2, case=weeks) == ["2026-11-01", "2026-11-08"]
    first = backtest_origins(weeks, 1, now=NOW)[0]
    assert first.as_of_at.date() == date(2026, 11, 9)


@pytest.mark.parametrize(("n", "every"), [(0, 1), (-1, 1), (1, 0)])
def test_no_origin_is_refused(n, every):
    with pytest.raises(RunStopped, match=r"names no origin\. Both are 1 or more"):
        backtest_origins(use_case(), n, every=every, now=NOW)


def test_a_schedule_without_such_an_origin_is_told():
    with pytest.raises(RunStopped, match=r"to score by 0001-01-09\. Give a later --to"):
        backtest_origins(use_case(), 1, last=date(1, 1, 9), now=NOW)
