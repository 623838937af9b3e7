"""Frames as columns of small integers: what 525 series of three years weigh in one HTML file.

The page decodes them (`decode` in static/data.js): a number is an integer over a power of ten, a
text its index in a list, a date the number of periods since the first, and the whole is gzip in
base64. Null stays null.
"""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import orjson
import pandas as pd

FLAGS = {
    "is_gap_filled": 1,
    "is_sold_out": 2,
    "is_promo": 4,
    "is_fallback": 8,
    "is_retrained": 16,
    "is_scored": 32,
    "is_comparable": 64,
    "has_interval": 128,
    "is_covered": 256,
    "is_promo_known": 512,
}
"""Bit of each flag of a period."""

NUMBERS = ("y", "yhat", "yhat_lower", "yhat_upper", "baseline_yhat", "sum_error")
"""Columns of a period in units of y."""

NEWEST = ("newest_yhat", "newest_yhat_lower", "newest_yhat_upper")
"""The newest forecast of the periods that are not over."""

DIGITS = 4
"""Significant digits that a typical period keeps."""

RATIO_DECIMALS = 4


def pack(content: dict[str, Any]) -> str:
    """Content as JSON, gzip, base64."""
    text = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY, default=str)
    return base64.b64encode(gzip.compress(text, 9, mtime=0)).decode()


def decimals_of(values: pd.Series[Any]) -> int:
    """Decimals that keep DIGITS digits of a typical value, at least two where units are large."""
    sizes = values.abs().to_numpy(dtype=float)
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if not len(sizes):
        return 0
    return min(max(DIGITS - 1 - math.floor(math.log10(float(np.median(sizes)))), 1), 9)


def integers(values: pd.Series[Any], decimals: int) -> list[int | None]:
    """Values as integers over 10 ** decimals; null stays null."""
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    scaled = np.rint(numbers * 10**decimals)
    return [None if math.isnan(value) else int(value) for value in scaled]


def coded(values: pd.Series[Any]) -> dict[str, Any]:
    """Texts as indices into the list of the different ones, in their order."""
    codes, names = pd.factorize(values.astype("string"), sort=True)
    return {"codes": [int(code) for code in codes], "names": [str(name) for name in names]}


def series_periods(frame: pd.DataFrame, key: Sequence[str], period_days: int) -> dict[str, Any]:
    """Series, and for each a row of periods from its first on, without a hole.

    Args:
        frame: `Marts.periods`, by series and period.
        key: the key's columns.
        period_days: days in a period.

    Returns:
        `series` (one entry a series: id, key parts, class, first period, how many), `periods` (the
        columns of all series one after another) and `newest` (the forecasts of periods to come).
    """
    first = frame["ds"].min()
    positions = (frame["ds"] - first).dt.days // period_days
    by_series = frame.assign(position=positions).groupby("series_id", sort=False)
    starts = by_series["position"].first()
    dense = _dense(frame.assign(position=positions), starts, by_series["position"].last())
    decimals = decimals_of(frame["y"])
    one = by_series.first()
    return {
        "first": f"{first:%Y-%m-%d}",
        "period_days": period_days,
        "decimals": decimals,
        "series": {
            "id": [str(name) for name in starts.index],
            "key": {part: coded(one[part].reset_index(drop=True)) for part in key},
            "demand_class": coded(one["demand_class"].fillna("unknown").reset_index(drop=True)),
            "start": [int(start) for start in starts],
            "length": [int(n) for n in by_series["position"].last() - starts + 1],
        },
        "periods": {
            **{name: integers(dense[name], decimals) for name in NUMBERS},
            "smape": integers(dense["sum_smape_term"], RATIO_DECIMALS),
            "flags": _flags(dense),
        },
        "newest": _sparse(dense, decimals),
    }


def _dense(frame: pd.DataFrame, starts: pd.Series[int], ends: pd.Series[int]) -> pd.DataFrame:
    """One row for each series and position between its first and last."""
    lengths = (ends - starts + 1).to_numpy()
    names = np.repeat(starts.index.to_numpy(), lengths)
    positions = np.concatenate(
        [np.arange(s, e + 1) for s, e in zip(starts, ends, strict=True)] or [np.array([], int)]
    )
    grid = pd.DataFrame({"series_id": names, "position": positions})
    return grid.merge(frame, on=["series_id", "position"], how="left")


def _flags(dense: pd.DataFrame) -> list[int]:
    """The flags of each period as one number; an unknown flag is off."""
    marks = {
        **{name: dense[name] for name in FLAGS if name in dense},
        "is_scored": dense["n_scored"] > 0,
        "is_comparable": dense["n_comparable"] > 0,
        "has_interval": dense["is_covered"].notna(),
        "is_promo_known": dense["is_promo"].notna(),
    }
    bits = sum(_is_true(values) * FLAGS[name] for name, values in marks.items())
    return [int(value) for value in np.asarray(bits)]


def _is_true(values: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(values.astype("boolean").fillna(False), dtype=np.int64)


def _sparse(dense: pd.DataFrame, decimals: int) -> dict[str, list[Any]]:
    """The rows with a newest forecast: `at` is the row's index in `periods`."""
    rows = dense[dense["newest_yhat"].notna()]
    columns = {name.removeprefix("newest_"): integers(rows[name], decimals) for name in NEWEST}
    return {"at": [int(position) for position in rows.index], **columns}


def table(frame: pd.DataFrame, series: Sequence[str] | None = None) -> dict[str, list[Any]]:
    """A small frame by columns, as JSON has it: null stays null, a date is text.

    Args:
        frame: one row a line.
        series: where given, series_id becomes its index in this list; rows of others are left out.
    """
    if series is not None:
        positions = {name: position for position, name in enumerate(series)}
        frame = frame[frame["series_id"].isin(positions)]
        frame = frame.assign(series=frame["series_id"].map(positions)).drop(columns="series_id")
    return {str(name): [plain(value) for value in frame[name]] for name in frame}


def plain(value: Any) -> Any:  # noqa: ANN401 - a cell is anything
    """A cell as JSON has it; floats to nine significant digits."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat() if value.tz else f"{value:%Y-%m-%d}"
    if isinstance(value, date):
        return f"{value}"
    if isinstance(value, np.generic):
        return plain(value.item())
    return float(f"{value:.9g}") if isinstance(value, float) else value
