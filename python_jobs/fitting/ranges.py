"""The range of each regressor in training: forecasts outside it are flagged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pandas as pd

from python_jobs.families.base import GLOBAL_SERIES, Family, Fitted
from python_jobs.families.frames import series_starts
from python_jobs.fitting.fit import usable_rows


def regressor_ranges(
    family: Family[Any], fitted: Fitted[Any], panel: pd.DataFrame, regressors: Sequence[str]
) -> dict[str, str]:
    """The least and the greatest value of each regressor among the rows a model was fitted on.

    A row without y_lag1 counts where the model took every row that may be trained on; families
    that need the lag leave it out.

    Args:
        family: its scope says whether the panel is one model's or many.
        fitted: its models.
        panel: what it was fitted on, as `read_panel` returns it.
        regressors: their names.

    Returns:
        By series_id of a model, JSON: `{"promo_share": [0.0, 1.0], …}`; a regressor without a
        value is null.
    """
    if panel.empty or not fitted.models:
        return {}
    rows = usable_rows(panel)
    if family.scope == "global":
        names, starts = [GLOBAL_SERIES], np.zeros(min(1, len(rows)), dtype=np.intp)
    else:
        starts = series_starts(rows, "training_panel")
        names = rows["series_id"].iloc[starts].tolist()
    if not len(starts):
        return {}
    sizes = np.diff([*starts, len(rows)])
    used = [fitted.models[name].n_obs if name in fitted.models else 0 for name in names]
    counts = np.repeat(np.array(used) >= sizes, sizes) | rows["y_lag1"].notna().to_numpy()
    bounds = {}
    for name in regressors:
        values = np.where(counts, rows[name].astype(float).to_numpy(), np.nan)
        least, greatest = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
        bounds[name] = np.column_stack([least, greatest]).tolist()
    return {
        name: orjson.dumps({one: _known(values[i]) for one, values in bounds.items()}).decode()
        for i, name in enumerate(names)
        if name in fitted.models
    }


def _known(bounds: list[float]) -> list[float] | None:
    return None if np.isnan(bounds[0]) else bounds
