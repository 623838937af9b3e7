"""Read the page marts. Ratios and parts are the marts' own; nothing is computed here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from python_jobs.infra.errors import SettingsError, ShelfcastError
from python_jobs.infra.run import Selection
from python_jobs.infra.settings import UseCase
from python_jobs.infra.warehouse import MissingRelation, Value, Warehouse

PAGES = {
    "overview": "Overview: trend of WAPE, sMAPE and bias",
    "worst_series": "Worst series",
    "series_periods": "One series, period by period",
    "value_added": "Worth more than a baseline?",
    "intervals": "Do intervals hold?",
    "runs": "Health of the runs",
    "alerts": "Alerts",
    "retraining": "Retraining log",
}
"""The pages, in the order in which they are read, and what each is called."""

SERIES_PERIODS = """
select
    {key}, ds, y, is_gap_filled, is_sold_out, is_promo, is_fallback,
    yhat, yhat_lower, yhat_upper, baseline_yhat,
    newest_yhat, newest_yhat_lower, newest_yhat_upper, newest_origin_date,
    n_scored, sum_error, sum_smape_term, n_comparable, is_covered, is_retrained, retrain_decision
from {report_series_periods}
where use_case = @use_case and horizon_step = @horizon_step
    and regexp_contains(series_id, @series)
order by series_id, ds
"""

BY_STEP = """
select
    series_id,
    horizon_step,
    sum(n_scored) as n_scored,
    sum(sum_abs_error) as sum_abs_error,
    sum(sum_abs_y) as sum_abs_y,
    sum(n_comparable) as n_comparable,
    sum(sum_comparable_abs_error) as sum_comparable_abs_error,
    sum(sum_reference_abs_error) as sum_reference_abs_error,
    sum(sum_comparable_abs_y) as sum_comparable_abs_y
from {report_overview}
where use_case = @use_case and target_date between @first and @last
    and regexp_contains(series_id, @series)
group by series_id, horizon_step
"""

VALUE_ADDED = """
select
    series_id,
    baseline,
    sum(n_comparable) as n_comparable,
    sum(n_removed) as n_removed,
    sum(sum_abs_error) as sum_abs_error,
    sum(sum_baseline_abs_error) as sum_baseline_abs_error,
    sum(sum_abs_y) as sum_abs_y
from {report_value_added}
where use_case = @use_case and target_date between @first and @last
    and regexp_contains(series_id, @series)
group by series_id, baseline
"""

INTERVALS = """
select
    series_id,
    horizon_step,
    sum(n_with_interval) as n_with_interval,
    sum(n_covered) as n_covered,
    sum(n_below) as n_below,
    sum(n_above) as n_above
from {report_intervals}
where use_case = @use_case and target_date between @first and @last
    and regexp_contains(series_id, @series)
group by series_id, horizon_step
"""

WORST = """
select
    series_id, period, period_date, n_scored, sum_abs_error, wape, smape, bias,
    forecast_value_added, is_candidate, candidate_rules, candidate_reason, is_due
from {report_worst_series}
where use_case = @use_case and n_scored > 0 and regexp_contains(series_id, @series)
"""

RUNS = """
select
    run_id, run_kind, origin_date, as_of_at, n_series, n_forecast, n_fallback, n_refused,
    n_unaccounted, seconds, status, failed_step, failure, exceptions, n_scored, wape
from {report_runs}
where use_case = @use_case
order by as_of_at desc, origin_date desc
limit 60
"""

ALERTS = """
select
    alert, segment_type, segment, since_date, target_date, n_periods, value, threshold, n_scored,
    told
from {report_alerts}
where use_case = @use_case and is_breach
order by alert = 'no_forecast', alert = 'tracking_signal', target_date desc, value desc, segment
limit 1000
"""

RETRAINING = """
select
    series_id, retrained_date, decision, why, rules, champion_wape, challenger_wape, baseline_wape,
    n_periods, wape_before, wape_after, n_after
from {report_retraining}
where use_case = @use_case and regexp_contains(series_id, @series)
order by retrained_date desc, series_id
limit 500
"""

NEWEST = """
select
    max(if(is_complete, target_date, null)) as complete_date,
    max(if(n_scored > 0, target_date, null)) as scored_date,
    sum(n_scored) as n_scored,
    count(*) as n_rows
from {report_overview}
where use_case = @use_case
"""

RECENT_PERIODS = {"week": 13, "day": 91}
"""Periods over which whatever is not shown by period is added up: a quarter of a year."""


class NothingIssued(ShelfcastError):
    """No forecast was ever issued: there is nothing to report."""


@dataclass(frozen=True)
class Marts:
    """The data of the page.

    Attributes:
        periods: one row per series and period at the report's horizon step.
        by_step: sums per series and horizon step over the recent periods.
        value_added: sums per series and baseline over the recent periods.
        intervals: sums per series and horizon step over the recent periods.
        worst: one row per series and period.
        runs: the newest runs.
        alerts: those that stand.
        retraining: decisions, the newest first.
        last_period: first day of the newest period that is judged; None before any actual arrived.
        first_period: first day of the recent periods.
        is_complete: whether enough of its actuals have arrived.
        n_scored: forecasts with an actual, of all periods and steps.
    """

    periods: pd.DataFrame
    by_step: pd.DataFrame
    value_added: pd.DataFrame
    intervals: pd.DataFrame
    worst: pd.DataFrame
    runs: pd.DataFrame
    alerts: pd.DataFrame
    retraining: pd.DataFrame
    last_period: date | None
    first_period: date | None
    is_complete: bool
    n_scored: int


def read_marts(
    warehouse: Warehouse, use_case: UseCase, horizon_step: int, selection: Selection | None = None
) -> Marts:
    """Read everything that the page shows.

    Args:
        warehouse: holds the page marts of all use cases.
        use_case: whose rows are read.
        horizon_step: whose forecasts the page shows period by period.
        selection: the series; runs and alerts are of all of them.

    Raises:
        SettingsError: the use case has no such step or no such series.
        NothingIssued: the marts hold no forecast, or were never built.
    """
    if not 1 <= horizon_step <= use_case.horizon:
        raise SettingsError(
            f"--horizon-step {horizon_step}: {use_case.name} forecasts steps 1 to "
            f"{use_case.horizon}."
        )
    try:
        return _read(warehouse, use_case, horizon_step, selection or Selection())
    except MissingRelation as error:
        raise NothingIssued(
            f"{use_case.name}: the page marts were never built ({error}). Issue a forecast with "
            "`shelfcast run`, then run `shelfcast monitor`."
        ) from error


def _read(
    warehouse: Warehouse, use_case: UseCase, horizon_step: int, selection: Selection
) -> Marts:
    key = ["series_id", *use_case.key, "demand_class"]

    def read(statement: str, **parameters: Value) -> pd.DataFrame:
        statement = statement.replace("{key}", ", ".join(key))
        if "@series" in statement:
            parameters["series"] = selection.regex
        return warehouse.read(statement, use_case=use_case.name, **parameters)

    newest = read(NEWEST).iloc[0]
    if not newest["n_rows"]:
        raise NothingIssued(
            f"{use_case.name}: no forecast was issued yet, so there is nothing to report. Issue "
            "one with `shelfcast run`, or play past periods with `shelfcast replay --as-issued`."
        )
    is_complete = not pd.isna(newest["complete_date"])
    last = newest["complete_date"] if is_complete else newest["scored_date"]
    last_period = None if pd.isna(last) else last.date()
    days = timedelta(days=use_case.period_days * (RECENT_PERIODS[use_case.grain] - 1))
    first_period = None if last_period is None else last_period - days
    window = {"first": first_period or date.min, "last": last_period or date.min}
    periods = read(SERIES_PERIODS, horizon_step=horizon_step)
    if periods.empty:
        raise SettingsError(
            f"{use_case.name}: no series matches '{selection.patterns}'. --series takes globs over "
            "series_id, with commas between."
        )
    return Marts(
        periods=periods,
        by_step=read(BY_STEP, **window),
        value_added=read(VALUE_ADDED, **window),
        intervals=read(INTERVALS, **window),
        worst=read(WORST),
        runs=read(RUNS),
        alerts=read(ALERTS),
        retraining=read(RETRAINING),
        last_period=last_period,
        first_period=first_period,
        is_complete=is_complete,
        n_scored=int(newest["n_scored"]),
    )
