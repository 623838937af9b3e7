"""The account of a run: what became of each series of its portfolio."""

from __future__ import annotations

from typing import Any

import pandas as pd

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.run import Run
from python_jobs.infra.warehouse import Warehouse

ACCOUNT = """
with came_in as (
    select origin_date, count(*) as n_series
    from {series_profiles}
    where use_case = @use_case and run_id = @run_id and origin_date between @first and @last
    group by origin_date
),

outcomes as (
    select
        origin_date,
        count(distinct if(outcome = 'forecast', series_id, null)) as n_forecast,
        count(distinct if(outcome = 'fallback', series_id, null)) as n_fallback,
        count(distinct if(outcome = 'refused', series_id, null)) as n_refused
    from {forecast_log}
    where
        use_case = @use_case and run_id = @run_id and model_name = @champion
        and origin_date between @first and @last
    group by origin_date
)

select
    came_in.origin_date, came_in.n_series, outcomes.n_forecast, outcomes.n_fallback,
    outcomes.n_refused
from came_in
left join outcomes on came_in.origin_date = outcomes.origin_date
"""
"""The account of run_accounts, of one run, from the partitions of its origins alone."""

FORECASTING = ("issued", "replay", "backtest")


def require_account(warehouse: Warehouse, run: Run) -> None:
    """Check, after dbt has published a run, that each origin accounts for every series.

    The series are those of the portfolio as of the origin, whichever rows the run has written.

    Raises:
        RunStopped: an origin has no series, no forecast, or a series that is neither forecast, nor
            fallen back, nor refused.
    """
    if run.kind not in FORECASTING:
        return
    rows = warehouse.read(
        ACCOUNT,
        use_case=run.use_case.name,
        run_id=run.run_id,
        champion=run.use_case.champion,
        first=run.origins[0].origin_date,
        last=run.origins[-1].origin_date,
    )
    by_origin = {row.origin_date.date(): row for row in rows.itertuples()}
    faults = [
        f"origin {origin.origin_date}: {fault}"
        for origin in run.origins
        if (fault := _fault(by_origin.get(origin.origin_date), run.selection.is_partial))
    ]
    if faults:
        more = f" ({len(faults)} origins)" if len(faults) > 1 else ""
        raise RunStopped(
            f"{run.use_case.name}: run {run.run_id} is not published whole: {faults[0]}{more}. "
            f"`shelfcast sql \"select * from {{run_accounts}} where run_id = '{run.run_id}'\"` "
            "shows it. Begin a new run."
        )


def _fault(account: Any | None, is_partial: bool) -> str | None:  # noqa: ANN401 - a row
    """What is wrong with the account of one origin; None where it is whole."""
    if account is None:
        return "its portfolio has no series: the panels were another run's"
    if pd.isna(account.n_forecast):
        return f"{account.n_series} series came in, and no forecast of this run was logged"
    n_out = account.n_forecast + account.n_fallback + account.n_refused
    if n_out == account.n_series or (is_partial and 0 < n_out < account.n_series):
        return None
    return (
        f"{account.n_series} series came in; {account.n_forecast} were forecast, "
        f"{account.n_fallback} fell back, {account.n_refused} were refused"
    )
