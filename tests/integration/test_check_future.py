"""What the weeks ahead lack is seen before the run that needs it, and gone once it is loaded.

All is as in golden.py but the plan, which ends with W8: as of the second Wednesday W9 is told by
nobody, for the two series that can be forecast.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.support import golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.data_tests import data_tests
from tests.support.golden import WEEK
from tests.support.played import recorded_stages
from tests.support.site import Site

AS_OF = ("--as-of", "2026-02-25T22:00")


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    golden.sku_settings(site)
    site.write("sales", golden.sku_sales())
    short = golden.plan(unit="N1", channel="*", sku_id="A")
    site.write("promotions", short.assign(covers_to=WEEK["W8"] + timedelta(days=6)))
    return site


def listed(text: str) -> list[tuple[str, ...]]:
    rows = csv.DictReader(io.StringIO(text))
    names = ("regressor", "when_missing", "target_date", "first_series", "n_series", "is_filled")
    return [tuple(row[name] for name in names) for row in rows]


def test_a_week_that_no_plan_covers_is_listed_before_the_run_and_gone_once_it_is_loaded(
    site: Site,
) -> None:
    with data_tests(), recorded_stages() as stages:
        result = shelfcast(site, "check-future", *AS_OF)
    assert result.exit_code == 1
    assert listed(result.stdout) == [
        ("promo_share", "refuse_series", str(WEEK["W9"]), golden.A, "2", "False")
    ]
    message = error_of(result)
    assert "promo_share unknown for 2026-03-02" in message
    assert "shelfcast load plan.csv --as promotions --covers-from" in message
    (warned,) = [node for node, status in stages["before_forecast"].items() if status == "warn"]
    assert "every_period_has_a_value_or_a_stand_in" in warned

    nothing = golden.plan(unit=None, channel=None, sku_id=None).assign(
        **dict.fromkeys(("start_date", "end_date", "price", "discount")),
        covers_from=WEEK["W9"],
        covers_to=WEEK["W9"] + timedelta(days=6),
    )
    site.write("promotions", nothing.astype({"price": float, "discount": float}))
    assert listed(done(site, "check-future", *AS_OF).stdout) == []
