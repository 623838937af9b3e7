"""The first half of training a pooled family: what each series says of each coefficient by itself.

dbt makes priors of it (`portfolio_priors`), with which every series is then fitted again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd

from python_jobs.families.base import Family
from python_jobs.fitting.fit import families_of, fit_origins, is_pooled
from python_jobs.fitting.pool import OnProgress
from python_jobs.infra.run import Run, of_model
from python_jobs.infra.schedule import Origin
from python_jobs.infra.warehouse import Warehouse

COEFFICIENTS = ["series_id", "recipe", "coefficient", "estimate", "std_error"]


def pool_coefficients(
    warehouse: Warehouse, run: Run, n_jobs: int, on_progress: OnProgress
) -> tuple[int, int]:
    """Fit the pooled families without priors as of each origin and log their coefficients.

    Arguments as those of `fit_origins`.

    Returns:
        Series-origins that went in, and those that gave coefficients.
    """
    pooled = [family for family in families_of(run.use_case) if is_pooled(family)]
    n_in = n_out = 0
    for one in fit_origins(warehouse, run, n_jobs, on_progress, "none", pooled):
        with of_model(one.family.name):
            write_coefficients(warehouse, run, one.origin, one.family, one.fitted.coefficients)
        n_in += len(one.fitted.models) + len(one.fitted.failures)
        n_out += len(one.fitted.models)
    return n_in, n_out


def write_coefficients(
    warehouse: Warehouse,
    run: Run,
    origin: Origin,
    family: Family[Any],
    coefficients: pd.DataFrame | None,
) -> None:
    """Append the coefficients of a family as of an origin, with one load job a shard."""
    if coefficients is None or coefficients.empty:
        return
    rows = coefficients[COEFFICIENTS].assign(
        run_id=run.run_id,
        shard=run.shard.index,
        use_case=run.use_case.name,
        model_name=family.name,
        origin_date=origin.origin_date,
        as_of_at=origin.as_of_at,
        logged_at=datetime.now(UTC),
    )
    parts = (family.name, origin.origin_date, run.shard.index)
    warehouse.append("coefficient_log", rows, run.job_id("coefficient_log", *parts))
