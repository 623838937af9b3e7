"""Checks before prediction: fresh actuals and known future regressors.

SQL has judged each series (`<use_case>_gate`); this decides whether the run as a whole goes on, and
puts the reason into words.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd

from python_jobs.infra.errors import RunStopped, first_few
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.run import Run, Shard
from python_jobs.infra.schedule import period_start
from python_jobs.infra.scope import series_in_scope, shard_of
from python_jobs.infra.settings import UseCase
from python_jobs.infra.warehouse import Warehouse

GATE = """
select
    series_id, origin_date, route, reason, missing_regressors, stops_run, observed_ds,
    periods_stale, {task} as task
from {gate}
where {scope}
order by origin_date, series_id
"""


MISSING = """
select
    regressor, when_missing, target_date, min(series_id) as first_series, count(*) as n_series,
    logical_and(stand_in is not null) as is_filled, avg(stand_in) as mean_stand_in
from {missing}
where {scope} and origin_date = @origin_date
group by regressor, when_missing, target_date
order by regressor, target_date
"""


def missing_regressors(warehouse: Warehouse, run: Run) -> pd.DataFrame:
    """Regressors missing after the run's newest origin, and what replaces them.

    Returns:
        One row per regressor and target_date: when_missing, first_series, n_series, is_filled
        (False: those series fall back, or the run stops), mean_stand_in (null where none does).
    """
    condition, parameters = series_in_scope(run)
    name = f"{{{run.use_case.name}_missing_regressors}}"
    return warehouse.read(
        MISSING.replace("{missing}", name).replace("{scope}", condition),
        origin_date=run.origins[-1].origin_date,
        **parameters,
    )


def check_gate(warehouse: Warehouse, run: Run) -> pd.DataFrame:
    """Read the gate's verdicts and stop the run where the settings say so.

    Every task of a run judges all of its series, so that all go on or none; the first one warns.

    Returns:
        One row per series_id and origin_date in scope: route, reason, …; none where a task of
        several has no series.

    Raises:
        RunStopped: there is no series, actuals are stale and when_stale is stop_run, a regressor
            whose when_missing is stop_run has a hole, or more than max_refused_share of the series
            lack a regressor.
    """
    use_case = run.use_case
    condition, parameters = series_in_scope(replace(run, shard=Shard()))
    statement = GATE.replace("{gate}", f"{{{use_case.name}_gate}}").replace("{scope}", condition)
    statement = statement.replace("{task}", shard_of("series_id", "@n_tasks"))
    gate = warehouse.read(statement, n_tasks=run.shard.count, **parameters)
    _check_not_empty(run, gate)
    for _, verdicts in gate.groupby("origin_date"):
        _check_freshness(run, verdicts)
        _check_holes(run, verdicts)
    mine = gate["task"] == run.shard.index
    return gate[mine].drop(columns="task").reset_index(drop=True)


def _check_not_empty(run: Run, gate: pd.DataFrame) -> None:
    if not gate.empty:
        return
    what = f"matches --series '{run.selection.patterns}'" if run.selection.patterns else "is known"
    raise RunStopped(
        f"{run.use_case.name}: no series {what} at {run.origins[-1].origin_date}. Look at "
        f'`shelfcast sql "select rejected_because, count(*) from {{rejected_sales}} group by 1"`, '
        "at the source's mapping under vars: use_cases:, and at --series."
    )


def _check_freshness(run: Run, verdicts: pd.DataFrame) -> None:
    """Stop or warn when the newest actual of the whole source is stale."""
    use_case, stale = run.use_case, verdicts["periods_stale"].min()
    if pd.isna(stale) or stale <= 0:
        return
    message = _staleness(use_case, verdicts, int(stale))
    if stale > use_case.max_periods_stale and use_case.when_stale == "stop_run":
        raise RunStopped(f"{message} The run stops (when_stale: stop_run).")
    _warn(run, Event.STALE_ACTUALS, message, periods_stale=int(stale))


def _staleness(use_case: UseCase, verdicts: pd.DataFrame, stale: int) -> str:
    origin = verdicts["origin_date"].iloc[0]
    expected = period_start(use_case, origin.date())
    newest = verdicts["observed_ds"].max()
    consequence = (
        "its series fall back"
        if stale > use_case.max_periods_stale
        else "they are forecast from it"
    )
    return (
        f"actuals: the newest {use_case.grain} held is that of {newest:%Y-%m-%d}, expected "
        f"{expected:%Y-%m-%d} for origin {origin:%Y-%m-%d}: {stale} behind, {consequence}. "
        f"Load the sales up to {expected + timedelta(days=use_case.period_days - 1):%Y-%m-%d}."
    )


def _check_holes(run: Run, verdicts: pd.DataFrame) -> None:
    holes = verdicts[verdicts["missing_regressors"].notna()]
    if holes.empty:
        return
    forecastable = verdicts[verdicts["route"] == "model"]
    refused = verdicts[verdicts["reason"] == "missing_regressors"]
    n_series = len(forecastable) + len(refused)
    names = [f"{row.series_id}: {row.missing_regressors}" for row in holes.itertuples()]
    found = (
        f"future_panel: {len(holes)} of {len(verdicts)} series lack a regressor "
        f"(first: {first_few(names)})."
    )
    remedy = (
        "Load the plan (`shelfcast load plan.csv --as promotions --covers-from … --covers-to …`) "
        "or the weather for those dates, or change the regressor's when_missing; "
        "`shelfcast check-future` lists what is missing."
    )
    if holes["stops_run"].any():
        raise RunStopped(f"{found} when_missing: stop_run stops the run. {remedy}")
    limit = run.use_case.max_refused_share
    if n_series and len(refused) / n_series > limit:
        raise RunStopped(f"{found} That is more than max_refused_share {limit:.0%}. {remedy}")
    _warn(run, Event.SERIES_FELL_BACK, f"{found} They fall back. {remedy}")


def _warn(run: Run, event: Event, message: str, **fields: Any) -> None:  # noqa: ANN401 - as `log`
    if run.shard.index == 0:
        warn(event, message, run_id=run.run_id, **fields)
