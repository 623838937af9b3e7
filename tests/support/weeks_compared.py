"""Five series, twenty-six weeks, horizon 2: a retraining whose numbers are worked out by hand.

The retraining's own origin is week 24. Tuning looks back from weeks 10, 12 and 14; what it chooses
is compared with the recipe in force as of weeks 16, 18, 20 and 22. The family's level is the mean
of the last 4 weeks; the other candidate takes the last one. Sums of |error| over the eight weeks
compared:

                                                     mean of 4   last   mean_8       y
    A  10 20 30 … 260                                      240    120      400    1640
    B  4 8 12 …, and 9 more or less from week 17 on         96    104      160     656
    C  2 2 2 2 2 2 10 10 again and again                    32     32       24      32
    D  5, from week 18 on: at weeks 20 and 22 it can be forecast
    E  5, from week 23 on: too short for a model

In the weeks before, the last week is the better guess for A, B and C.
"""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from python_jobs.runs.context import RunOptions
from python_jobs.runs.train import train_models
from tests.support import golden
from tests.support.site import Site, day, instant

A, B, C, D, E = (f"N1|retail|{sku}" for sku in "ABCDE")
WEEKS = [day("2026-01-05") + timedelta(weeks=n) for n in range(26)]
UNITS = {
    "A": {n: 10.0 * n for n in range(1, 27)},
    "B": {n: 4.0 * n + (n > 16) * (9 if n % 2 else -9) for n in range(1, 27)},
    "C": {n: 10.0 if n % 8 in (7, 0) else 2.0 for n in range(1, 27)},
    "D": dict.fromkeys(range(18, 27), 5.0),
    "E": dict.fromkeys(range(23, 27), 5.0),
}
BEFORE = instant("2026-06-17 19:00")  # the Wednesday after week 23
NOW = instant("2026-06-24 19:00")  # after week 24
NEXT = day("2026-07-01")
LAST = {"window": 1}


def sales() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("N1", "retail", sku, WEEKS[n - 1], y, 2.0, False)
            for sku, values in UNITS.items()
            for n, y in values.items()
        ],
        columns=["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"],
    )


def make(site: Site) -> Site:
    golden.sku_settings(site)
    site.use_cases["sku_weekly"] |= {
        "families": ["window"],
        "min_segment_rows": 4,
        "retraining": {"min_periods": 6, "simulations": 200},
    }
    site.write("sales", sales())
    plan = golden.plan(unit="N1", channel="*", sku_id="A")
    site.write("promotions", plan.assign(covers_to=WEEKS[-1] + timedelta(weeks=9)))
    train_models(site.context(), RunOptions(run_id="T0"), as_of_at=BEFORE)
    return site
