"""The truth behind the files: what was planned, wanted, sold and recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from python_jobs.local.demo.catalog import Catalog, build_catalog
from python_jobs.local.demo.demand import Demand, Drivers, SeriesKinds, draw_kinds, simulate_demand
from python_jobs.local.demo.holidays import holiday_effects, read_holidays
from python_jobs.local.demo.promotions import Plan, build_plan, promo_days
from python_jobs.local.demo.sales import Recorded, record_sales
from python_jobs.local.demo.settings import DemoSettings, FloatArray
from python_jobs.local.demo.weather import simulate_temperature


@dataclass(frozen=True)
class World:
    """Everything drawn; nothing of it is written except through the files.

    Attributes:
        temperature: true daily temperature, degrees Celsius, shape (n_units, n_days), from
            `weather_days_before` days before the first Monday.
    """

    catalog: Catalog
    kinds: SeriesKinds
    plan: Plan
    demand: Demand
    recorded: Recorded
    temperature: FloatArray


def simulate(settings: DemoSettings, holidays_csv: Path | None = None) -> World:
    """Draw series, plan, weather, demand and what was recorded of it.

    Raises:
        FileNotFoundError: there is no holidays seed.
        ValueError: the seed does not reach the demo's years.
    """
    catalog = build_catalog(settings)
    kinds = draw_kinds(settings)
    holidays = holiday_effects(settings, read_holidays(holidays_csv))
    plan = build_plan(settings, catalog, kinds.decaying)
    promo = promo_days(settings, catalog, plan.final)
    temperature = simulate_temperature(settings, catalog)
    since_first_monday = temperature[:, settings.weather_days_before :]
    drivers = Drivers(promo, holidays, since_first_monday)
    demand = simulate_demand(settings, catalog, kinds, drivers)
    recorded = record_sales(settings, kinds, demand)
    return World(catalog, kinds, plan, demand, recorded, temperature)
