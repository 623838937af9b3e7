"""Four series, two Wednesdays: data small enough that every mart is worked out by hand.

Weeks W1..W8 start on Mondays from 5 January 2026; the season is 4 weeks, the horizon 2.

    A  10 12  8 10 14 12 10 16      W8 is all promotion
    B   5  5  -  5  5  5  5  5      W3 missing, W8 sold out
    C                  3  3  3      too short for a model
    D   4                           not sold since: inactive

Models are trained as of the first Wednesday (W6 the newest week): `level` is the mean, A 11 and
B 5, half as much again in a promotion week. Both Wednesdays are forecast with them.
"""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

import tests.support.families
from python_jobs.infra.schedule import scheduled_origins
from python_jobs.runs import replay
from python_jobs.runs.train import train_models
from tests.support.copied import copied
from tests.support.site import Site, day

A, B, C, D = (f"N1|retail|{sku}" for sku in "ABCD")
WEEK = {f"W{n}": day("2026-01-05") + timedelta(weeks=n - 1) for n in range(1, 10)}
UNITS = {
    "A": {f"W{n}": y for n, y in enumerate([10, 12, 8, 10, 14, 12, 10, 16], start=1)},
    "B": {f"W{n}": 5 for n in (1, 2, 4, 5, 6, 7, 8)},
    "C": {f"W{n}": 3 for n in (6, 7, 8)},
    "D": {"W1": 4},
}
FIRST, SECOND = day("2026-02-18"), day("2026-02-25")
ORIGIN_1, ORIGIN_2 = "2026-02-15", "2026-02-22"
FAMILIES = tests.support.families  # registered by the import


def sku_settings(site: Site) -> None:
    site.use_cases["sku_weekly"] |= {
        "horizon": 2,
        "season": 4,
        "min_observations": 3,
        "inactive_after": 4,
        "families": ["level"],
        "refit": "on_retrain",
        "regressors": {"promo_share": {"future": "plan", "when_missing": "refuse_series"}},
    }
    sources = site.use_cases["sku_weekly"]["sources"]
    for name in ("weather", "calendar"):
        sources.pop(name, None)
    sources["sales"].pop("known_at", None)


def sku_sales() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("N1", "retail", sku, WEEK[week], float(units), 2.0, (sku, week) == ("B", "W8"))
            for sku, weeks in UNITS.items()
            for week, units in weeks.items()
        ],
        columns=["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"],
    )


def plan(**key: object) -> pd.DataFrame:
    """One promotion in W8, in a plan that covers everything."""
    row = {
        **key,
        "start_date": WEEK["W8"],
        "end_date": WEEK["W8"] + timedelta(days=6),
        "price": 1.0,
        "discount": 0.5,
        "covers_from": WEEK["W1"],
        "covers_to": WEEK["W9"] + timedelta(weeks=6),
        "loaded_at": pd.Timestamp("2026-01-01", tz="UTC"),
    }
    return pd.DataFrame([row])


PLANNERS_ROWS = [
    ("A", "2026-02-18", str(WEEK["W7"]), 11.0, 9.9, False, None, None),
    ("A", "2026-02-18", str(WEEK["W8"]), 16.5, 14.85, False, None, None),
    ("A", "2026-02-25", str(WEEK["W8"]), 16.5, 14.85, False, None, None),
    ("A", "2026-02-25", str(WEEK["W9"]), 11.0, 9.9, False, None, None),
    ("B", "2026-02-18", str(WEEK["W7"]), 5.0, 4.5, False, None, None),
    ("B", "2026-02-18", str(WEEK["W8"]), 5.0, 4.5, False, None, None),
    ("B", "2026-02-25", str(WEEK["W8"]), 5.0, 4.5, False, None, None),
    ("B", "2026-02-25", str(WEEK["W9"]), 5.0, 4.5, False, None, None),
    ("C", "2026-02-18", str(WEEK["W7"]), 3.0, None, True, "mean_8", "too_short"),
    ("C", "2026-02-18", str(WEEK["W8"]), 3.0, None, True, "mean_8", "too_short"),
    ("C", "2026-02-25", str(WEEK["W8"]), 3.0, None, True, "mean_8", "too_short"),
    ("C", "2026-02-25", str(WEEK["W9"]), 3.0, None, True, "mean_8", "too_short"),
]
"""sku_id, forecast_date, target_date, forecast_value, forecast_lower, is_fallback, fallback_model,
reason."""

PLANNERS_READ = """
select sku_id, forecast_date, target_date, forecast_value, forecast_lower, is_fallback,
    fallback_model, reason
from {distributor_forecasts_weekly} order by 1, 2, 3
"""


def make(site: Site) -> Site:
    """Give a site the settings, the sales and the plan."""
    sku_settings(site)
    site.write("sales", sku_sales())
    site.write("promotions", plan(unit="N1", channel="*", sku_id="A"))
    return site


def play(site: Site, use_case: str) -> None:
    """Train as of the first Wednesday, and issue both."""
    train(site, use_case)
    issue(site, use_case)


def train(site: Site, use_case: str) -> None:
    context = site.context(use_case)
    as_of = scheduled_origins(context.use_case, FIRST, FIRST)[0].as_of_at
    train_models(context, as_of_at=as_of)


def issue(site: Site, use_case: str) -> None:
    replay.replay(site.context(use_case), FIRST, SECOND, is_as_issued=True)


def copy(played: Site, site: Site) -> Site:
    """Give a site the settings and all that a played one holds; its sources with it."""
    sku_settings(site)
    return copied(played, site)


def table(site: Site, statement: str) -> list[tuple]:
    """Rows as tuples; dates as text, null as None, floats to nine digits."""
    return [tuple(_plain(v) for v in row) for row in site.read(statement).itertuples(index=False)]


def _plain(value: object) -> object:
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return round(value, 9) if isinstance(value, float) else value


def public_tables(site: Site, use_case: str = "sku_weekly") -> dict[str, list[tuple]]:
    """What people read, without what differs from run to run."""
    statements = {
        "forecasts": """
            select series_id, model_name, origin_date, target_date, yhat, yhat_lower, yhat_upper,
                is_fallback, fallback_model, reason, is_champion
            from {forecasts} where use_case = '%s' order by 1, 2, 3, 4""",
        "errors": """
            select series_id, model_name, origin_date, target_date, y, yhat, unscored_reason,
                is_comparable
            from {forecast_errors} where use_case = '%s' and run_kind = 'issued'
            order by 1, 2, 3, 4""",
        "accuracy": """
            select * from {accuracy_by_series} where use_case = '%s' and run_kind = 'issued'
            order by 1, 2, 3, 4, 5""",
    }
    return {name: table(site, statement % use_case) for name, statement in statements.items()}
