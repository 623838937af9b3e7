"""facts.json: what was injected into the files, so that a test can look for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from python_jobs.local.demo.catalog import FAMILIES, Catalog, SeriesKey
from python_jobs.local.demo.demand import ERRATIC, INTERMITTENT, LUMPY, SLOW, SeriesKinds
from python_jobs.local.demo.plan_files import day_texts, scope_names, upload_facts
from python_jobs.local.demo.promotions import DECAY_WEEKS, Plan
from python_jobs.local.demo.sales import correction_loads, gaps, monday_loads
from python_jobs.local.demo.settings import (
    BoolArray,
    DemoSettings,
    IntArray,
    format_instant,
)
from python_jobs.local.demo.world import World

DEMAND_KINDS = {"erratic": ERRATIC, "intermittent": INTERMITTENT, "lumpy": LUMPY, "slow": SLOW}

Facts = list[dict[str, Any]]


@dataclass(frozen=True)
class DemoFacts:
    """Defects and patterns injected into the files. Weeks (their Monday) and dates are ISO texts.

    Attributes:
        settings: the settings used.
        first_week, last_week, origin_date, now: the calendar of the files.
        n_rows: data rows of each file by its name.
        n_series: series with at least one row.
        families: family of each SKU.
        demand_kinds: series drawn as erratic, intermittent, lumpy and slow; all others regular.
        new_series: series and first week of those that started inside the history.
        discontinued_series: series and last week of those that ended inside it.
        stale_series: series and number of newest weeks that have no row.
        all_zero_series: the series that never sold.
        decaying_series: the series whose level halves and whose promotions stop working.
        decay_week: first week of that decay.
        corrections: series, week, units as first loaded and as corrected, when each was loaded.
        gaps: series and week of every missing row inside a series' life.
        sold_out: series and week of every stock-out.
        dirty_sales: line of sales.csv (the header is 1), kind, the row, and what it was before.
        uploads: window and instant of every upload of the plan.
        plan_changes: what was moved, cancelled or added late, and by which upload.
        dirty_promotions: line of promotions.csv, kind and the row.
    """

    settings: dict[str, Any]
    first_week: str
    last_week: str
    origin_date: str
    now: str
    n_rows: dict[str, int]
    n_series: int
    families: dict[str, str]
    demand_kinds: dict[str, list[SeriesKey]]
    new_series: Facts
    discontinued_series: Facts
    stale_series: Facts
    all_zero_series: SeriesKey
    decaying_series: SeriesKey
    decay_week: str
    corrections: Facts
    gaps: Facts
    sold_out: Facts
    dirty_sales: Facts
    uploads: list[dict[str, str]]
    plan_changes: Facts
    dirty_promotions: Facts


def collect_facts(
    settings: DemoSettings,
    world: World,
    n_rows: dict[str, int],
    dirty_sales: Facts,
    dirty_promotions: Facts,
) -> DemoFacts:
    """Put together what the world and the soiling of its files report."""
    catalog, kinds, recorded = world.catalog, world.kinds, world.recorded
    return DemoFacts(
        settings={**asdict(settings), "today": settings.today.isoformat()},
        first_week=settings.day(0).isoformat(),
        last_week=_monday(settings, settings.weeks - 1),
        origin_date=settings.origin_date.isoformat(),
        now=format_instant(settings.now),
        n_rows=n_rows,
        n_series=int(recorded.has_row.any(axis=1).sum()),
        families=_families(catalog),
        demand_kinds=_demand_kinds(catalog, kinds),
        new_series=_dated(settings, catalog, kinds.new, kinds.first_week),
        discontinued_series=_dated(settings, catalog, kinds.discontinued, kinds.end_week - 1),
        stale_series=_stale(catalog, kinds),
        all_zero_series=catalog.key(kinds.all_zero),
        decaying_series=catalog.key(kinds.decaying),
        decay_week=_monday(settings, settings.weeks - DECAY_WEEKS),
        corrections=_corrections(settings, world),
        gaps=_cells(settings, catalog, gaps(settings, kinds, recorded)),
        sold_out=_cells(settings, catalog, recorded.is_sold_out),
        dirty_sales=dirty_sales,
        uploads=upload_facts(settings, world.plan),
        plan_changes=_plan_changes(settings, catalog, world.plan),
        dirty_promotions=dirty_promotions,
    )


def _monday(settings: DemoSettings, week: int) -> str:
    """Return the first day of a week."""
    return settings.day(7 * week).isoformat()


def _families(catalog: Catalog) -> dict[str, str]:
    """Return the family's name of each SKU."""
    names = [FAMILIES[family].name for family in catalog.sku_family]
    return dict(zip(catalog.skus, names, strict=True))


def _demand_kinds(catalog: Catalog, kinds: SeriesKinds) -> dict[str, list[SeriesKey]]:
    """Return the series of each demand kind that is not regular."""
    return {
        name: catalog.keys(np.flatnonzero(kinds.demand == kind))
        for name, kind in DEMAND_KINDS.items()
    }


def _dated(settings: DemoSettings, catalog: Catalog, series: IntArray, weeks: IntArray) -> Facts:
    """List some series, each with its own week."""
    return [
        {"series": catalog.key(int(i)), "week": _monday(settings, int(weeks[i]))} for i in series
    ]


def _stale(catalog: Catalog, kinds: SeriesKinds) -> Facts:
    """List the series whose newest weeks are missing."""
    return [
        {"series": catalog.key(int(i)), "weeks_missing": int(kinds.stale[i])}
        for i in np.flatnonzero(kinds.stale)
    ]


def _cells(settings: DemoSettings, catalog: Catalog, cells: BoolArray) -> Facts:
    """List the marked series-weeks of a (n_series, weeks) array."""
    return [
        {"series": catalog.key(int(series)), "week": _monday(settings, int(week))}
        for series, week in zip(*np.nonzero(cells), strict=True)
    ]


def _corrections(settings: DemoSettings, world: World) -> Facts:
    """List the corrected series-weeks with both numbers and both instants."""
    recorded, loads = world.recorded, monday_loads(settings)
    is_corrected = recorded.correction_day > 0
    series, week = np.nonzero(is_corrected)
    later = correction_loads(settings, recorded, series, week)
    numbers = zip(
        recorded.first_units[series, week], recorded.units[series, week], week, later, strict=True
    )
    extra = [
        {
            "first_units": int(first),
            "units": int(units),
            "first_loaded_at": loads[w],
            "loaded_at": load,
        }
        for first, units, w, load in numbers
    ]
    cells = _cells(settings, world.catalog, is_corrected)
    return [{**cell, **more} for cell, more in zip(cells, extra, strict=True)]


def _plan_changes(settings: DemoSettings, catalog: Catalog, plan: Plan) -> Facts:
    """List what changed in the plan; new dates are null unless it was moved."""
    changes, uploads = plan.changes, upload_facts(settings, plan)
    days = {
        name: _days_or_null(settings, changes[f"{name.removesuffix('_date')}_day"])
        for name in ("start_date", "end_date", "new_start_date", "new_end_date")
    }
    table = pd.DataFrame(
        {
            "change": changes["change"],
            "loaded_at": [uploads[int(i)]["loaded_at"] for i in changes["upload"]],
            "unit": scope_names(catalog.units, changes["unit_ix"]),
            "channel": scope_names(catalog.channels, changes["channel_ix"]),
            "sku_id": scope_names(catalog.skus, changes["sku_ix"]),
        }
    )
    rows = table.to_dict("records")
    return [
        {**{str(k): v for k, v in row.items()}, **{name: days[name][i] for name in days}}
        for i, row in enumerate(rows)
    ]


def _days_or_null(settings: DemoSettings, days: pd.Series[float]) -> list[str | None]:
    """Write day offsets as ISO dates and keep missing ones."""
    known = iter(day_texts(settings, days.dropna().astype(int)))
    return [None if missing else next(known) for missing in days.isna()]
