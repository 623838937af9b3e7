"""sales.csv: what was recorded of the demand, and when; corrections, gaps and dirt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from python_jobs.local.demo.catalog import Catalog
from python_jobs.local.demo.demand import (
    INTERMITTENT,
    LUMPY,
    Demand,
    SeriesKinds,
)
from python_jobs.local.demo.plan_files import clean_row
from python_jobs.local.demo.settings import (
    BoolArray,
    DemoSettings,
    FloatArray,
    IntArray,
    ObjectArray,
    format_instant,
)

COLUMNS = [
    "unit",
    "channel",
    "sku_id",
    "week_start",
    "units_sold",
    "price",
    "is_sold_out",
    "loaded_at",
]

ZERO_ROW_MISSING = 0.08
"""Fraction of an intermittent or lumpy series' zero weeks that have no row."""

NO_GAP_WEEKS = 4
"""Newest weeks without random gaps, so that only the listed series are stale."""

SOLD_OUT_MIN = 8
"""Units a week below which nobody would notice a stock-out."""

CORRECTION_DAYS = (11, 11, 11, 25, 32)
"""Days from a week's Monday to the Friday of its correction."""

LATE_WEEK = 7
"""Which week before the end was corrected once more, on the Friday of the newest week."""

LATE_SERIES = 12
"""Series that this late correction is about."""

DIRTY_SALES = (
    ("null_key_part", 4),
    ("unparsable_date", 4),
    ("exact_duplicate", 4),
    ("negative_quantity", 3),
    ("non_numeric_quantity", 3),
    ("missing_quantity", 3),
)

BAD_DATES = ("2026-13-45", "n/a")


@dataclass(frozen=True)
class Recorded:
    """The recorded sales, each array of shape (n_series, weeks).

    Attributes:
        has_row: the week was recorded.
        is_sold_out: the shelf was empty for part of the week.
        units: units sold as finally known.
        first_units: units sold as first loaded; differs where a correction came.
        correction_day: days from the Monday to the correction, 0 where none came by now.
    """

    has_row: BoolArray
    is_sold_out: BoolArray
    units: IntArray
    first_units: IntArray
    correction_day: IntArray


def record_sales(settings: DemoSettings, kinds: SeriesKinds, demand: Demand) -> Recorded:
    """Turn demand into records: stock-outs, missing rows, later corrections."""
    wanted = demand.units[:, : settings.weeks]
    is_active = _is_active(settings, kinds)
    is_sold_out = is_active & _draw_sold_out(settings, demand)
    units = np.where(is_sold_out, _sold_before_empty(settings, wanted), wanted)
    has_row = is_active & ~_draw_gaps(settings, kinds, wanted)
    first, correction_day = _draw_corrections(settings, has_row, units)
    return Recorded(has_row, is_sold_out & has_row, units, first, correction_day)


def gaps(settings: DemoSettings, kinds: SeriesKinds, recorded: Recorded) -> BoolArray:
    """Return the weeks without a row between a series' first and last, (n_series, weeks)."""
    return _is_active(settings, kinds) & ~recorded.has_row


def _is_active(settings: DemoSettings, kinds: SeriesKinds) -> BoolArray:
    """Return whether each series was on sale and recorded at all."""
    weeks = np.arange(settings.weeks)
    return (weeks >= kinds.first_week[:, None]) & (weeks < kinds.end_week[:, None])


def _draw_sold_out(settings: DemoSettings, demand: Demand) -> BoolArray:
    """Draw stock-outs, three times as likely in promotions."""
    rng = settings.rng("sold out")
    wanted = demand.units[:, : settings.weeks]
    weight = np.where(demand.promo_share[:, : settings.weeks] > 0, 3.0, 1.0)
    weight = np.where(wanted >= SOLD_OUT_MIN, weight, 0.0)
    chance = settings.sold_out_share * weight * weight.size / max(1.0, weight.sum())
    return np.asarray(rng.random(weight.shape) < chance)


def _sold_before_empty(settings: DemoSettings, wanted: IntArray) -> IntArray:
    """Return the units sold in weeks that sold out: none to a third of what was wanted."""
    share = settings.rng("sold before empty").uniform(0.0, 0.35, wanted.shape)
    return np.asarray(wanted * share, dtype=np.int64)


def _draw_gaps(settings: DemoSettings, kinds: SeriesKinds, wanted: IntArray) -> BoolArray:
    """Draw weeks without a row; never a series' first week nor the newest ones."""
    rng = settings.rng("gaps")
    is_rare = np.isin(kinds.demand, (INTERMITTENT, LUMPY))[:, None] & (wanted == 0)
    chance = np.where(is_rare, ZERO_ROW_MISSING, settings.gap_share)
    weeks = np.arange(settings.weeks)
    is_open = weeks > kinds.first_week[:, None]
    is_open = is_open & (weeks < kinds.end_week[:, None] - NO_GAP_WEEKS)
    return np.asarray((rng.random(wanted.shape) < chance) & is_open)


def _draw_corrections(
    settings: DemoSettings, has_row: BoolArray, units: IntArray
) -> tuple[IntArray, IntArray]:
    """Draw corrected weeks: the units first loaded, and the day of the correction or 0."""
    rng = settings.rng("corrections")
    is_corrected = has_row & (units > 0) & (rng.random(units.shape) < settings.correction_share)
    day = rng.choice(CORRECTION_DAYS, size=units.shape)
    newest = (settings.today - settings.first_monday).days - 1
    is_known = np.arange(settings.weeks) * 7 + day <= newest
    day = np.where(is_corrected & is_known, day, 0)
    day[_late_series(settings, has_row, units), settings.weeks - LATE_WEEK] = 7 * LATE_WEEK - 3
    factor = rng.uniform(0.65, 0.95, units.shape) ** rng.choice([-1, 1], size=units.shape)
    first = np.rint(units * factor).astype(np.int64)
    first = np.where(first == units, units + 1, first)
    return np.where(day > 0, first, units), day


def _late_series(settings: DemoSettings, has_row: BoolArray, units: IntArray) -> IntArray:
    """Draw series that sold in the week that is corrected late."""
    week = settings.weeks - LATE_WEEK
    sold = np.flatnonzero(has_row[:, week] & (units[:, week] > 0))
    rng = settings.rng("late correction")
    return np.sort(rng.choice(sold, size=min(LATE_SERIES, len(sold)), replace=False))


def sales_table(
    settings: DemoSettings, catalog: Catalog, demand: Demand, recorded: Recorded
) -> pd.DataFrame:
    """Return sales.csv without dirt, by the order of loading, then series.

    The price is an average over units sold, so it is empty in a week that sold none.
    """
    series, week = np.nonzero(recorded.has_row)
    first = _rows(catalog, demand, recorded, series, week)
    first["units_sold"] = _counts(recorded.first_units[series, week])
    first["loaded_at"] = monday_loads(settings)[week]
    series, week = np.nonzero(recorded.correction_day)
    later = _rows(catalog, demand, recorded, series, week)
    later["loaded_at"] = correction_loads(settings, recorded, series, week)
    table = pd.concat([first, later], ignore_index=True)
    table["week_start"] = _mondays(settings)[table["week"].to_numpy()]
    return table.sort_values(["loaded_at", "series", "week"], kind="stable", ignore_index=True)


def _rows(
    catalog: Catalog,
    demand: Demand,
    recorded: Recorded,
    series: IntArray,
    week: IntArray,
) -> pd.DataFrame:
    """Return one row per listed series and week as finally known, with their positions."""
    sold = recorded.units[series, week]
    return pd.DataFrame(
        {
            "unit": np.array(catalog.units, dtype=object)[catalog.unit_ix[series]],
            "channel": np.array(catalog.channels, dtype=object)[catalog.channel_ix[series]],
            "sku_id": np.array(catalog.skus, dtype=object)[catalog.sku_ix[series]],
            "units_sold": _counts(sold),
            "price": _price_texts(demand.price[series, week], sold),
            "is_sold_out": np.where(recorded.is_sold_out[series, week], "true", "false"),
            "series": series,
            "week": week,
        }
    )


def _counts(units: IntArray) -> ObjectArray:
    """Write whole numbers."""
    return np.array([str(n) for n in units.tolist()], dtype=object)


def _price_texts(price: FloatArray, sold: IntArray) -> ObjectArray:
    """Write prices with two decimals; empty where nothing was sold."""
    texts = [f"{p:.2f}" if n > 0 else None for p, n in zip(price, sold, strict=True)]
    return np.array(texts, dtype=object)


def _mondays(settings: DemoSettings) -> ObjectArray:
    """Return the ISO date of each week's Monday, shape (weeks,)."""
    days = [settings.day(7 * week).isoformat() for week in range(settings.weeks)]
    return np.array(days, dtype=object)


def correction_loads(
    settings: DemoSettings, recorded: Recorded, series: IntArray, week: IntArray
) -> list[str]:
    """Return when some corrected weeks were loaded again: on a Friday evening."""
    days = week * 7 + recorded.correction_day[series, week]
    loads = [settings.instant(int(day), 18) + timedelta(minutes=30) for day in days]
    return [format_instant(load) for load in loads]


def monday_loads(settings: DemoSettings) -> ObjectArray:
    """Return when each week was first loaded: the Monday after it, soon after 06:00."""
    seconds = settings.rng("loads").integers(0, 1500, size=settings.weeks)
    loads = [settings.instant(7 * (week + 1), 6) for week in range(settings.weeks)]
    texts = [
        format_instant(load + timedelta(seconds=int(second)))
        for load, second in zip(loads, seconds, strict=True)
    ]
    return np.array(texts, dtype=object)


def soil_sales(
    settings: DemoSettings, kinds: SeriesKinds, table: pd.DataFrame
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Damage a few rows, double a few others, and return what was done to which line."""
    rng = settings.rng("dirty sales")
    names = [kind for kind, n in DIRTY_SALES for _ in range(n)]
    rows = rng.permutation(_may_be_dirty(settings, kinds, table))[: len(names)]
    was = table.loc[rows, COLUMNS].copy()
    soiled = table[COLUMNS].copy()
    soiled["dirt"] = None
    for i, (row, name) in enumerate(zip(rows, names, strict=True)):
        _soil(soiled, int(row), name, i)
    twins = soiled[soiled["dirt"] == "exact_duplicate"]
    soiled.loc[twins.index, "dirt"] = None
    soiled = pd.concat([soiled, twins]).sort_index(kind="stable")
    facts = [
        {
            "line": line,
            "kind": soiled["dirt"].iloc[line - 2],
            "row": clean_row(soiled[COLUMNS].iloc[line - 2]),
            "was": clean_row(was.loc[soiled.index[line - 2]]),
        }
        for line in (np.flatnonzero(soiled["dirt"].notna()) + 2).tolist()
    ]
    return soiled[COLUMNS], facts


def _may_be_dirty(settings: DemoSettings, kinds: SeriesKinds, table: pd.DataFrame) -> IntArray:
    """Return rows loaded once, of ordinary series, not in the newest weeks."""
    special = np.concatenate([[kinds.decaying, kinds.all_zero], np.flatnonzero(kinds.stale)])
    is_single = ~table.duplicated(["series", "week"], keep=False)
    is_old = table["week"] < settings.weeks - NO_GAP_WEEKS
    is_plain = ~table["series"].isin([*special, *kinds.new]) & (table["units_sold"] != "0")
    return np.flatnonzero((is_single & is_old & is_plain).to_numpy())


def _soil(table: pd.DataFrame, row: int, kind: str, turn: int) -> None:
    """Damage one row in place, in the way of its kind; a duplicate only gets its mark."""
    units = str(table.at[row, "units_sold"])
    table.at[row, "dirt"] = kind
    if kind == "null_key_part":
        table.at[row, ("unit", "channel", "sku_id")[turn % 3]] = None
    elif kind == "unparsable_date":
        table.at[row, "week_start"] = BAD_DATES[turn % 2]
    elif kind == "negative_quantity":
        table.at[row, "units_sold"] = f"-{units}"
    elif kind == "non_numeric_quantity":
        table.at[row, "units_sold"] = f"{units} pcs"
    elif kind == "missing_quantity":
        table.at[row, "units_sold"] = None
