"""What a retraining looks back from: no week is scored twice, and tuning has seen none of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from python_jobs.infra.schedule import origin_at
from python_jobs.infra.settings import Schedule, UseCase, load_settings
from python_jobs.selection.retrain_series import RetrainOrigins, retrain_origins
from tests.support.site import ROOT, instant

NOW = instant("2026-06-24 19:00")  # a Wednesday; its origin is Sunday the 21st


def use_case(**changes: Any) -> UseCase:
    return load_settings(ROOT, {}).use_case("sku_weekly").model_copy(update=changes)


def origins(one: UseCase, *, compare: bool = True, tune: bool = True) -> RetrainOrigins:
    return retrain_origins(one, origin_at(one, NOW), compare=compare, tune=tune)


def days(found: RetrainOrigins) -> list[date]:
    return [origin.origin_date for origin in found.comparison]


def test_four_weeks_and_twelve_to_score_take_three_origins_and_one_to_spare() -> None:
    found = origins(use_case())
    last = date(2026, 5, 24)
    assert days(found) == [last - timedelta(weeks=4 * n) for n in (3, 2, 1, 0)]
    assert found.current.origin_date == last + timedelta(weeks=4)
    assert found.all == sorted(found.all)


DAILY = {"grain": "day", "schedule": Schedule(weekday="daily", time="22:00")}


@pytest.mark.parametrize(
    ("changes", "n_origins", "apart"),
    [
        ({"horizon": 2}, 7, 14),
        ({"horizon": 8}, 3, 56),  # two would do for the periods; the settings ask for three origins
        ({"horizon": 7, **DAILY}, 3, 7),
        ({"horizon": 1, **DAILY}, 13, 1),
        ({"horizon": 7, "grain": "day"}, 3, 7),
    ],
)
def test_origins_are_a_horizon_apart_and_as_many_as_the_periods_take(
    changes: dict[str, Any], n_origins: int, apart: int
) -> None:
    one = use_case(**changes)
    found = origins(one)
    steps = {later - earlier for earlier, later in zip(days(found), days(found)[1:], strict=False)}
    assert (len(days(found)), steps) == (n_origins, {timedelta(days=apart)})
    reach = timedelta(days=one.horizon * one.period_days)
    assert days(found)[-1] + reach <= found.current.origin_date
    assert len(found.tuning) == 3
    assert found.tuning[-1].origin_date + reach <= days(found)[0]


def test_without_a_challenger_nothing_is_tuned_and_a_refit_looks_back_from_now_only() -> None:
    assert origins(use_case(), tune=False).tuning == []
    assert len(days(origins(use_case(), tune=False))) == 4
    only = origins(use_case(), compare=False)
    assert only.all == [only.current]
