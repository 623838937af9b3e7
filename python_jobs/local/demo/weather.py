"""Daily temperatures of each unit: what was measured, and what was forecast when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from python_jobs.local.demo.catalog import Catalog
from python_jobs.local.demo.settings import (
    DemoSettings,
    FloatArray,
    IntArray,
    ObjectArray,
    format_instant,
)

OBSERVED_HOUR_UTC = 5
FORECAST_HOUR_UTC = 3
WEDNESDAY = 2
DAY_MEMORY = 0.82
"""Correlation of one day's departure from the climate with the next day's."""


def simulate_temperature(settings: DemoSettings, catalog: Catalog) -> FloatArray:
    """Return true daily temperatures, degrees Celsius, shape (n_units, n_days).

    Day 0 of the array lies `weather_days_before` days before the first Monday of sales.
    """
    rng = settings.rng("weather")
    n_units = len(catalog.units)
    n_days = settings.weather_days_before + settings.n_days_simulated
    shared = ar1(rng, 1, n_days, DAY_MEMORY)
    own = ar1(rng, n_units, n_days, DAY_MEMORY)
    anomaly = 4.2 * (0.8 * shared + 0.6 * own)
    return np.round(_climate(rng, settings, n_units, n_days) + anomaly, 1)


def ar1(rng: np.random.Generator, n: int, length: int, memory: float) -> FloatArray:
    """Return stationary AR(1) noise with variance 1, shape (n, length)."""
    noise = rng.standard_normal((n, length))
    noise[:, 1:] *= np.sqrt(1.0 - memory**2)
    for t in range(1, length):
        noise[:, t] += memory * noise[:, t - 1]
    return noise


def _climate(
    rng: np.random.Generator, settings: DemoSettings, n_units: int, n_days: int
) -> FloatArray:
    """Return the long-run temperature of each day of the year, shape (n_units, n_days)."""
    start = settings.first_monday - timedelta(days=settings.weather_days_before)
    day_of_year = start.timetuple().tm_yday + np.arange(n_days)
    coldest_day = 22
    wave = -np.cos(2 * np.pi * (day_of_year - coldest_day) / 365.25)
    mean = rng.uniform(4.0, 8.0, (n_units, 1))
    swing = rng.uniform(12.5, 15.5, (n_units, 1))
    return np.asarray(mean + swing * wave[None, :])


def weather_table(
    settings: DemoSettings, catalog: Catalog, temperature: FloatArray
) -> pd.DataFrame:
    """Return weather_daily.csv: one row per location, date, kind and issued_at."""
    parts = [
        _observed_rows(settings, catalog, temperature),
        _forecast_rows(settings, catalog, temperature),
    ]
    return pd.concat(parts, ignore_index=True)


def _observed_rows(
    settings: DemoSettings, catalog: Catalog, temperature: FloatArray
) -> pd.DataFrame:
    """Return the measured days, each issued the morning after it."""
    today = _day_index(settings, settings.today.toordinal())
    days = np.arange(today)
    issued_at = _instants(settings, days + 1, OBSERVED_HOUR_UTC)
    rows = _rows(settings, catalog, days, issued_at, temperature[:, :today])
    return rows.assign(kind="observed")


def _forecast_rows(
    settings: DemoSettings, catalog: Catalog, temperature: FloatArray
) -> pd.DataFrame:
    """Return the forecasts of each Wednesday; their error grows with the lead."""
    rng = settings.rng("weather forecast")
    lead = np.arange(settings.forecast_days_ahead)
    error_sd = 0.7 + 0.28 * lead
    parts = []
    for issued in _issue_days(settings):
        days = issued + lead
        error = error_sd * ar1(rng, len(catalog.units), len(lead), 0.7)
        values = np.round(temperature[:, days] + error, 1)
        issued_at = _instants(settings, np.full_like(days, issued), FORECAST_HOUR_UTC)
        parts.append(_rows(settings, catalog, days, issued_at, values))
    return pd.concat(parts, ignore_index=True).assign(kind="forecast")


def _issue_days(settings: DemoSettings) -> list[int]:
    """Return the Wednesdays up to today on which a forecast was issued, as array days."""
    newest = _day_index(settings, settings.current_monday.toordinal()) + WEDNESDAY
    weekly = range(newest - 7 * settings.forecast_weeks, newest + 1, 7)
    return [day for day in weekly if day <= _day_index(settings, settings.today.toordinal())]


def _day_index(settings: DemoSettings, ordinal: int) -> int:
    """Return a date's position in the temperature array."""
    return ordinal - settings.first_monday.toordinal() + settings.weather_days_before


def _rows(
    settings: DemoSettings,
    catalog: Catalog,
    days: IntArray,
    issued_at: ObjectArray,
    values: FloatArray,
) -> pd.DataFrame:
    """Return long rows from values of shape (n_units, n_days)."""
    n_units = len(catalog.units)
    return pd.DataFrame(
        {
            "location": np.repeat(np.array(catalog.units, dtype=object), len(days)),
            "date": np.tile(_dates(settings, days), n_units),
            "kind": "",
            "temperature_c": [f"{value:.1f}" for value in values.ravel()],
            "issued_at": np.tile(issued_at, n_units),
        }
    )


def _dates(settings: DemoSettings, days: IntArray) -> ObjectArray:
    """Return ISO dates of array days."""
    offsets = days - settings.weather_days_before
    return np.array([settings.day(int(day)).isoformat() for day in offsets], dtype=object)


def _instants(settings: DemoSettings, days: IntArray, hour: int) -> ObjectArray:
    """Return array days at an hour of UTC, written as instants."""
    dates = [settings.day(int(day)) for day in days - settings.weather_days_before]
    texts = [format_instant(datetime(d.year, d.month, d.day, hour, tzinfo=UTC)) for d in dates]
    return np.array(texts, dtype=object)
