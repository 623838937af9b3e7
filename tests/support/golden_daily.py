"""Two shops by day, and both together: data small enough that every mart is worked out by hand.

Days D1..D9 from Monday, 2 February 2026; the season is 7 days, the horizon 2.

    shop 1  10 12  8 10 14 12 10 16 12
    shop 2   5  5  -  5  5  5  5  5  5     D3 missing

`shop_daily` has one integer key column. `total_daily` has an empty key: one series, `total`, the
sum of both shops. Models are trained as of the morning of D8 (D7 the newest day): `band` is the
mean, 76/7, 5 and 106/7, give or take 2. The mornings of D8 and D9 are forecast with them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd

import tests.support.families
from python_jobs.infra.schedule import scheduled_origins
from python_jobs.runs import replay
from python_jobs.runs.train import train_models
from tests.support import second_use_case
from tests.support.site import Site, day

DAY = {f"D{n}": day("2026-02-02") + timedelta(days=n - 1) for n in range(1, 11)}
PIECES = {1: [10, 12, 8, 10, 14, 12, 10, 16, 12], 2: [5, 5, None, 5, 5, 5, 5, 5, 5]}
FIRST, SECOND = DAY["D8"], DAY["D9"]
SHOPS, TOTAL = "shop_daily", "total_daily"
FAMILIES = tests.support.families  # registered by the import


def settings(key: dict[str, str], **sales: Any) -> dict[str, Any]:
    """A daily use case over the shops' sales; what a day's defaults say is left to them."""
    columns = {part: part for part in key} | {"date": "sold_on", "quantity": "pieces"}
    return {
        "grain": "day",
        "horizon": 2,
        "season": 7,
        "key": key,
        "families": ["band"],
        "refit": "on_retrain",
        "min_observations": 3,
        "sources": {"sales": {"table": "shop_sales", "columns": columns, **sales}},
    }


def make(site: Site) -> Site:
    """Give a site both use cases, their files and the sales."""
    site.use_cases = {
        SHOPS: settings({"shop": "int64"}),
        TOTAL: settings({}, duplicates="keep"),
    }
    site.use_case = SHOPS
    project = site.copy_project()
    for name, given in site.use_cases.items():
        second_use_case.add_models(project, given, name)
    site.write("shop_sales", sales())
    return site


def sales() -> pd.DataFrame:
    return pd.DataFrame(
        [
            (shop, DAY[f"D{n}"], float(pieces))
            for shop, sold in PIECES.items()
            for n, pieces in enumerate(sold, start=1)
            if pieces is not None
        ],
        columns=["shop", "sold_on", "pieces"],
    )


def train(site: Site, use_case: str) -> None:
    """Train as of the first morning."""
    context = site.context(use_case)
    as_of = scheduled_origins(context.use_case, FIRST, FIRST)[0].as_of_at
    train_models(context, as_of_at=as_of)


def issue(site: Site, use_case: str) -> None:
    """Forecast both mornings."""
    replay.replay(site.context(use_case), FIRST, SECOND, is_as_issued=True)
