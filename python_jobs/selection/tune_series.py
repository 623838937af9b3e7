"""The series of a tune: all that can be forecast, or a sample of them."""

from __future__ import annotations

import pandas as pd

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.logs import Event, log
from python_jobs.infra.run import Run
from python_jobs.infra.scope import is_whole_portfolio, series_in_scope
from python_jobs.infra.warehouse import Warehouse

MAX_SERIES = 2000
"""Rows above which a sample is tuned; that many separate the candidates of a segment."""

SAMPLE = """
with forecastable as (
    select series_id, demand_class
    from {series}
    where origin_date = @origin_date and is_forecastable and {scope}
),

ranked as (
    select
        series_id,
        demand_class,
        count(*) over () as n_series,
        count(*) over (partition by demand_class) as n_of_class,
        row_number() over (
            partition by demand_class order by farm_fingerprint(series_id), series_id
        ) as sample_rank
    from forecastable
)

select series_id, demand_class as segment, n_series
from ranked
where n_series <= @max_series or sample_rank <= greatest(1, div(@max_series * n_of_class, n_series))
order by series_id
"""

LONGEST = """
select coalesce(max(n_observed), 0) as n
from {series}
where origin_date = @origin_date and {scope}
"""


def sample_series(warehouse: Warehouse, run: Run, max_series: int) -> pd.DataFrame:
    """Read the series to tune on; above `max_series`, a share of each demand class.

    Args:
        warehouse: holds the series of the run's origins.
        run: of kind tune; its last origin is the tune's own.
        max_series: more than these are sampled.

    Returns:
        series_id, segment (demand class at the tune's origin), n_series (before sampling).

    Raises:
        RunStopped: more were selected than are chosen for one by one.
    """
    condition, parameters = series_in_scope(run)
    statement = SAMPLE.replace("{series}", f"{{{run.use_case.name}_series}}")
    found = warehouse.read(
        statement.replace("{scope}", condition),
        origin_date=run.origins[-1].origin_date,
        max_series=max_series,
        **parameters,
    )
    n_series = int(found["n_series"].max()) if len(found) else 0
    if n_series > max_series:
        _log_sampled(run, n_series, len(found), max_series)
    return found


def too_short(warehouse: Warehouse, run: Run) -> str:
    """The message where no series has the history for a validation origin."""
    use_case, dates = run.use_case, [one.origin_date for one in run.origins]
    condition, parameters = series_in_scope(run)
    statement = LONGEST.replace("{series}", f"{{{use_case.name}_series}}")
    found = warehouse.read(
        statement.replace("{scope}", condition), origin_date=dates[-1], **parameters
    )
    return (
        f"tune: no series can be forecast as of a validation origin ({dates[0]}..{dates[-2]}): "
        f"it takes {use_case.min_observations + use_case.horizon} observed {use_case.grain}s "
        f"by {dates[-1]} (min_observations {use_case.min_observations} + horizon "
        f"{use_case.horizon}); the longest series has {int(found['n'].iloc[0])}. Load more "
        "history, or wait."
    )


def _log_sampled(run: Run, n_series: int, n_sampled: int, max_series: int) -> None:
    if not is_whole_portfolio(run):
        raise RunStopped(
            f"tune: {n_series} series were selected, and recipes are chosen one by one for at "
            f"most {max_series}. Narrow --series, or tune the whole portfolio."
        )
    log(
        Event.TUNED,
        f"tune: {n_series} series are known; {n_sampled} of them stand for all, drawn from "
        "each demand class in proportion. Recipes are chosen per segment, never per series.",
        run_id=run.run_id,
        n_series=n_series,
        n_sampled=n_sampled,
    )
