"""Hand a family the newest y of each series, as of the origin that it fits or forecasts from.

A family that sets `reads_context = True` gets them in the column `y_context` of both frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from python_jobs.families import make_family
from python_jobs.families.base import Y_CONTEXT, Family
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.run import Run
from python_jobs.infra.scope import series_in_scope
from python_jobs.infra.settings import UseCase
from python_jobs.infra.warehouse import Warehouse

CONTEXT = """
select series_id, origin_date, y
from {context}
where origin_date in unnest(@origins) and {scope}
order by series_id, origin_date, ds
"""

Windows = dict[tuple[str, date], np.ndarray]
"""By series_id and origin_date, y of the last context_length periods, the newest last."""


def reads_context(family: Family[Any]) -> bool:
    """Whether a family is given windows of y."""
    return bool(getattr(family, "reads_context", False))


def needs_windows(use_case: UseCase) -> bool:
    """Whether one of the use case's families reads windows of y.

    Raises:
        SettingsError: one does, and context_length is 0.
    """
    families = [make_family(name, use_case.family_settings(name)) for name in use_case.families]
    names = [family.name for family in families if reads_context(family)]
    if names and not use_case.context_length:
        raise SettingsError(
            f"{use_case.name}: context_length is 0, and {', '.join(names)} need windows of the "
            f"past. Set it under vars: use_cases: {use_case.name}: (periods), and run `shelfcast "
            f"use-case check {use_case.name} --write`."
        )
    return bool(names)


def read_windows(
    warehouse: Warehouse,
    run: Run,
    origins: Sequence[date],
    series: Sequence[str] | None = None,
) -> Windows:
    """Read the windows of the series in scope (or only these) as of some origins.

    Returns:
        Arrays of context_length floats; NaN where y was not observed, and before a series began.
        An origin that the active run does not look back from has none.
    """
    condition, parameters = series_in_scope(run, series=series)
    statement = CONTEXT.replace("{context}", f"{{{run.use_case.name}_context}}")
    rows = warehouse.read(
        statement.replace("{scope}", condition), origins=list(origins), **parameters
    )
    if rows.empty:
        return {}
    keys = rows[["series_id", "origin_date"]]
    starts = np.flatnonzero((keys != keys.shift()).any(axis=1).to_numpy())
    windows = np.split(rows["y"].to_numpy(dtype=float), starts[1:])
    named = zip(keys["series_id"].iloc[starts], keys["origin_date"].iloc[starts], strict=True)
    return {
        (str(name), pd.Timestamp(at).date()): window
        for (name, at), window in zip(named, windows, strict=True)
    }


def with_windows(
    warehouse: Warehouse,
    run: Run,
    rows: pd.DataFrame,
    origins: pd.Series[Any],
    series: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Add y_context to rows where a family of the use case reads it.

    Args:
        warehouse: holds the windows.
        run: use case, selection and shard.
        rows: with series_id.
        origins: the origin_date of each row.
        series: only these were read.

    Returns:
        The rows; those of one series and origin share one array (null where there is none).

    Raises:
        SettingsError: a family reads windows, and context_length is 0.
    """
    if not needs_windows(run.use_case):
        return rows
    at = [one.date() for one in pd.to_datetime(origins)]
    windows = read_windows(warehouse, run, sorted(set(at)), series)
    found = [windows.get(key) for key in zip(rows["series_id"], at, strict=True)]
    return rows.assign(**{Y_CONTEXT: pd.Series(found, index=rows.index, dtype=object)})


def windows_for(family: Family[Any], rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as a family is given them: without y_context, unless it reads it."""
    if reads_context(family) or Y_CONTEXT not in rows:
        return rows
    return rows.drop(columns=Y_CONTEXT)
