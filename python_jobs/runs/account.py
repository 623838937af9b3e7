"""The account of a run: what became of each series of its portfolio."""

from __future__ import annotations

import pandas as pd

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.run import Run
from python_jobs.infra.warehouse import Warehouse

ACCOUNT = """
select
    origin_date, is_partial, n_series, n_forecast, n_fallback, n_refused, n_unaccounted
from {run_accounts}
where use_case = @use_case and run_id = @run_id
"""

FORECASTING = ("issued", "replay", "backtest")


def require_account(warehouse: Warehouse, run: Run) -> None:
    """Check, after dbt has published a run, that each origin accounts for every series.

    The series are those of the portfolio as of the origin, whichever rows the run has written.

    Raises:
        RunStopped: an origin has no account, no counts, or a series that is neither forecast, nor
            fallen back, nor refused.
    """
    if run.kind not in FORECASTING:
        return
    rows = warehouse.read(ACCOUNT, use_case=run.use_case.name, run_id=run.run_id)
    by_origin = {row.origin_date.date(): row for row in rows.itertuples()}
    faults = [
        f"origin {origin.origin_date}: {fault}"
        for origin in run.origins
        if (fault := _fault(by_origin.get(origin.origin_date)))
    ]
    if faults:
        more = f" ({len(faults)} origins)" if len(faults) > 1 else ""
        raise RunStopped(
            f"{run.use_case.name}: run {run.run_id} is not published whole: {faults[0]}{more}. "
            f"`shelfcast sql \"select * from {{run_accounts}} where run_id = '{run.run_id}'\"` "
            "shows it. Begin a new run."
        )


def _fault(account: pd.Series | None) -> str | None:
    """What is wrong with the account of one origin; None where it is whole."""
    if account is None:
        return "it has no account"
    if pd.isna(account.n_series):
        return "the portfolio has no series of this run: the panels were another run's"
    if pd.isna(account.n_forecast):
        return f"{account.n_series} series came in, and no forecast of this run was logged"
    if not account.is_partial and account.n_unaccounted:
        return (
            f"{account.n_series} series came in, {account.n_forecast} were forecast, "
            f"{account.n_fallback} fell back, {account.n_refused} were refused, and "
            f"{account.n_unaccounted} are unaccounted for"
        )
    return None
