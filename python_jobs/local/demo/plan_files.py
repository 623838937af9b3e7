"""promotions.csv: the uploads of a plan, with a few dirty rows."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from python_jobs.local.demo.catalog import Catalog
from python_jobs.local.demo.promotions import ALL, KINDS, Plan
from python_jobs.local.demo.settings import (
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
    "start_date",
    "end_date",
    "kind",
    "discount",
    "price",
    "covers_from",
    "covers_to",
    "loaded_at",
]

UNKNOWN_SKU = "NO-SUCH-SKU"
DIRTY_KINDS = (
    "null_key",
    "bad_date",
    "ends_before_start",
    "unparsed",
    "bad_price",
    "bad_discount",
    "unknown_sku_id",
    "outside_its_window",
    "duplicate",
    "overlaps",
)
"""The reasons why the dirty rows are rejected, one row each."""
TUESDAY, UPLOAD_HOUR = 1, 10


def upload_table(
    settings: DemoSettings, catalog: Catalog, plan: Plan, regular: FloatArray
) -> pd.DataFrame:
    """Return promotions.csv without dirt: one row per upload and campaign in its window.

    Args:
        settings: the demo's settings.
        catalog: names.
        plan: versions and uploads.
        regular: list prices, shape (n_series, n_weeks), for campaigns with a planned price.
    """
    text = _campaign_texts(settings, catalog, plan.versions, regular)
    windows = [_window(settings, i, int(week)) for i, week in enumerate(plan.upload_weeks)]
    parts = [
        text[_is_listed(plan.versions, i, *window)].assign(**_upload_columns(settings, i, plan))
        for i, window in enumerate(windows)
    ]
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def upload_facts(settings: DemoSettings, plan: Plan) -> list[dict[str, str]]:
    """Return the window and the instant of every upload."""
    return [_upload_columns(settings, i, plan) for i in range(len(plan.upload_weeks))]


def _window(settings: DemoSettings, upload: int, week: int) -> tuple[int, int]:
    """Return the first and last day that an upload covers; the first covers all history."""
    ahead = settings.plan_weeks_ahead if upload else settings.first_plan_weeks_ahead
    return (week * 7 if upload else 0), (week + ahead) * 7 + 6


def _is_listed(versions: pd.DataFrame, upload: int, first: int, last: int) -> pd.Series[bool]:
    """Return which versions an upload lists: those it knows that touch its window."""
    is_known = (versions["from_upload"] <= upload) & (versions["to_upload"] > upload)
    return is_known & (versions["end_day"] >= first) & (versions["start_day"] <= last)


def _upload_columns(settings: DemoSettings, upload: int, plan: Plan) -> dict[str, str]:
    """Return what every row of an upload repeats."""
    week = int(plan.upload_weeks[upload])
    first, last = _window(settings, upload, week)
    return {
        "covers_from": settings.day(first).isoformat(),
        "covers_to": settings.day(last).isoformat(),
        "loaded_at": format_instant(settings.instant(week * 7 + TUESDAY, UPLOAD_HOUR)),
    }


def _campaign_texts(
    settings: DemoSettings, catalog: Catalog, versions: pd.DataFrame, regular: FloatArray
) -> pd.DataFrame:
    """Write each version's own columns as the file shows them."""
    kinds = np.array(KINDS, dtype=object)
    return pd.DataFrame(
        {
            "unit": scope_names(catalog.units, versions["unit_ix"]),
            "channel": scope_names(catalog.channels, versions["channel_ix"]),
            "sku_id": scope_names(catalog.skus, versions["sku_ix"]),
            "start_date": day_texts(settings, versions["start_day"]),
            "end_date": day_texts(settings, versions["end_day"]),
            "kind": kinds[versions["kind_ix"].to_numpy()],
            "discount": [f"{value:.2f}" for value in versions["discount"]],
            "price": _planned_prices(catalog, versions, regular),
        },
        index=versions.index,
    )


def scope_names(names: tuple[str, ...], scope: pd.Series[int]) -> ObjectArray:
    """Return the names of one part of a scope; `*` stands for all."""
    return np.array([*names, "*"], dtype=object)[np.where(scope == ALL, len(names), scope)]


def day_texts(settings: DemoSettings, days: pd.Series[int]) -> list[str]:
    """Write day offsets as ISO dates."""
    return [settings.day(int(day)).isoformat() for day in days]


def _planned_prices(
    catalog: Catalog, versions: pd.DataFrame, regular: FloatArray
) -> list[str | None]:
    """Return the price of the campaigns that state one, in the week before they start."""
    by_place = regular.reshape(*catalog.shape, -1)[0]
    week = np.maximum(0, versions["start_day"].to_numpy() // 7 - 1)
    channel, sku = (versions[name].to_numpy() for name in ("channel_ix", "sku_ix"))
    price = by_place[channel, sku, week] * (1.0 - versions["discount"].to_numpy())
    stated = versions["has_price"].to_numpy()
    return [f"{value:.2f}" if known else None for value, known in zip(price, stated, strict=True)]


def soil_plan(
    settings: DemoSettings, table: pd.DataFrame
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Add dirty rows, each beside the clean row it was copied from; return what was added."""
    rng = settings.rng("dirty plan")
    sources = _dirty_sources(rng, table)
    rows = [
        _soil(table.loc[source], kind) for source, kind in zip(sources, DIRTY_KINDS, strict=True)
    ]
    dirty = pd.DataFrame(rows, index=sources + 0.5).assign(dirt=DIRTY_KINDS)
    soiled = pd.concat([table, dirty]).sort_index(kind="stable").reset_index(drop=True)
    is_dirty = soiled["dirt"].notna()
    facts = [
        {"line": int(i) + 2, "kind": soiled.at[i, "dirt"], "row": clean_row(soiled.loc[i, COLUMNS])}
        for i in soiled.index[is_dirty]
    ]
    return soiled[COLUMNS], facts


def _dirty_sources(rng: np.random.Generator, table: pd.DataFrame) -> IntArray:
    """Choose rows of one SKU to copy, so that the copy is dirty in one way only."""
    is_long = table["start_date"] < table["end_date"]
    rows = np.flatnonzero(((table["sku_id"] != "*") & is_long).to_numpy())
    return np.asarray(np.sort(rng.choice(rows, size=len(DIRTY_KINDS), replace=False)))


def _soil(row: pd.Series[str], kind: str) -> pd.Series[str]:
    """Damage the copy of a plan row in the way of its kind; a duplicate stays what it is."""
    after = date.fromisoformat(row["covers_to"]) + timedelta(days=1)
    damage: dict[str, dict[str, str | None]] = {
        "null_key": {"sku_id": None},
        "bad_date": {"start_date": "2026-02-30"},
        "ends_before_start": {"start_date": row["end_date"], "end_date": row["start_date"]},
        "unparsed": {"price": "half of it"},
        "bad_price": {"price": "-1.00"},
        "bad_discount": {"discount": "1.50"},
        "unknown_sku_id": {"sku_id": UNKNOWN_SKU},
        "outside_its_window": {"start_date": str(after), "end_date": str(after)},
        "duplicate": {},
        "overlaps": {"start_date": row["end_date"]},
    }
    soiled = row.copy()
    for name, value in damage[kind].items():
        soiled[name] = value
    return soiled


def clean_row(row: pd.Series[str]) -> dict[str, str | None]:
    """Return a row as the file holds it: an empty field is None."""
    return {str(name): None if pd.isna(value) else str(value) for name, value in row.items()}
