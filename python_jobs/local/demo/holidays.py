"""Holidays from the seed, and the days around them that move demand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from python_jobs.local.demo.catalog import FAMILIES
from python_jobs.local.demo.settings import DemoSettings, FloatArray, IntArray

SEED_PATH = Path(__file__).resolve().parents[3] / "seeds" / "holidays.csv"

EVE_DAYS = 6
"""Days before a holiday in which people stock up."""

CLOSED_EFFECT = -0.25
"""Log effect on the holiday itself: fewer orders are placed."""

EVE_KINDS = {
    "New Year Holidays": ("festive", 1.3),
    "International Women's Day": ("festive", 0.9),
    "Defender of the Fatherland Day": ("festive", 0.4),
    "Holiday of Spring and Labor": ("outdoor", 0.9),
    "Victory Day": ("outdoor", 0.7),
    "Russia Day": ("outdoor", 0.8),
    "Unity Day": ("outdoor", 0.3),
}
"""What the days before the first day of a holiday do."""

COUNTRY = "RU"
CLOSED = {*EVE_KINDS, "Christmas Day"}
"""The holidays on which the made-up shops order less; days off that a decree moves are not."""


def read_holidays(path: Path | None = None) -> dict[date, str]:
    """Read the seed: the name of each holiday that moves the demo's demand, by its date.

    Raises:
        FileNotFoundError: there is no such file; the message says what to pass.
    """
    source = path or SEED_PATH
    if not source.is_file():
        raise FileNotFoundError(f"demo: no holidays at {source}. Pass the path of holidays.csv.")
    rows = pd.read_csv(source, dtype=str, encoding="utf-8")
    rows = rows[(rows["country"] == COUNTRY) & rows["name"].isin(CLOSED)]
    dates = [date.fromisoformat(text) for text in rows["holiday_date"]]
    return dict(zip(dates, rows["name"], strict=True))


def holiday_effects(settings: DemoSettings, holidays: dict[date, str]) -> FloatArray:
    """Return the log effect of holidays, shape (n_families, n_days simulated).

    Raises:
        ValueError: the simulated days reach beyond the years of the seed.
    """
    n_days = settings.n_days_simulated
    _check_years(settings, holidays, n_days)
    effects = np.zeros((len(FAMILIES), n_days))
    offsets = {(day - settings.first_monday).days: name for day, name in holidays.items()}
    for offset, name in _first_days(settings, holidays).items():
        eve = np.arange(offset - EVE_DAYS, offset)
        effects[:, _inside(eve, n_days)] += _eve_effect(name)[:, None]
    closed = _inside(np.array(sorted(offsets), dtype=np.int64), n_days)
    effects[:, closed] = CLOSED_EFFECT
    return effects


def _first_days(settings: DemoSettings, holidays: dict[date, str]) -> dict[int, str]:
    """The first day of each holiday of a year, as a day offset, and its name."""
    firsts: dict[tuple[int, str], date] = {}
    for day, name in sorted(holidays.items()):
        firsts.setdefault((day.year, name), day)
    return {(day - settings.first_monday).days: name for (_, name), day in firsts.items()}


def _inside(days: IntArray, n_days: int) -> IntArray:
    """Keep the day offsets that are simulated."""
    return days[(days >= 0) & (days < n_days)]


def _eve_effect(name: str) -> FloatArray:
    """Return what the days before a holiday do to each family, shape (n_families,)."""
    kind, size = EVE_KINDS.get(name, ("festive", 0.0))
    return size * np.array([getattr(family, kind) for family in FAMILIES], dtype=np.float64)


def _check_years(settings: DemoSettings, holidays: dict[date, str], n_days: int) -> None:
    """Refuse days in a year of which the seed knows nothing."""
    years = {day.year for day in holidays}
    needed = set(range(settings.day(0).year, settings.day(n_days - 1).year + 1))
    if missing := sorted(needed - years):
        raise ValueError(
            f"demo: holidays.csv has no rows for {missing} (first: {missing[0]}). "
            "Add those years or choose another today."
        )
