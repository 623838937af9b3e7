"""Checks that every family and every job makes on the frames between them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd


def require_columns(frame: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Check that a frame has all the columns that will be read.

    Raises:
        ValueError: columns are missing; the message names the frame and each of them.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{name}: missing column(s) {', '.join(missing)}")


def series_starts(frame: pd.DataFrame, name: str) -> npt.NDArray[np.intp]:
    """Find the first row of each series in a frame sorted by series_id.

    Returns:
        Positions, increasing, shape (n_series,).

    Raises:
        ValueError: a series_id is null, or the rows of one series do not lie together (both
            counted, the first one named).
    """
    ids = frame["series_id"]
    if ids.isna().any():
        raise ValueError(f"{name}: {int(ids.isna().sum())} row(s) have a null series_id")
    values = ids.array  # compared as they lie: as Python strings, millions of rows fill the memory
    is_start = np.ones(len(values), dtype=bool)
    is_start[1:] = values[1:] != values[:-1]
    starts = np.flatnonzero(is_start)
    names = ids.iloc[starts]
    split = names.duplicated()
    if split.any():
        first = names[split].iloc[0]
        raise ValueError(
            f"{name}: not sorted by series_id, {int(split.sum())} series are split (first: {first})"
        )
    return starts
