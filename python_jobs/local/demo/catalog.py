"""Names of the demo distributor and what each SKU family responds to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from python_jobs.local.demo.settings import DemoSettings, FloatArray, IntArray


class SeriesKey(NamedTuple):
    """The key of one series; in JSON a list of its three parts."""

    unit: str
    channel: str
    sku_id: str


@dataclass(frozen=True)
class Family:
    """How the SKUs of one family sell; every effect is on the log of weekly units.

    Attributes:
        name: the family, not written to any file.
        price: typical regular price, roubles a unit.
        elasticity: change of log units per log price, negative.
        promo_lift: lift of a full week on display at an unchanged price.
        season: size of the yearly wave that weather does not explain.
        heat: change per 10 degrees Celsius.
        festive: lift on the days before a gift-giving holiday (New Year, 8 March).
        outdoor: lift on the days before a May or June holiday.
    """

    name: str
    price: float
    elasticity: float
    promo_lift: float
    season: float
    heat: float
    festive: float
    outdoor: float


FAMILIES = (
    Family("tea", 180, -1.6, 0.50, 0.14, -0.18, 0.25, -0.05),
    Family("coffee", 420, -1.8, 0.60, 0.14, -0.10, 0.30, 0.00),
    Family("cold drinks", 95, -1.8, 0.60, 0.12, 0.32, 0.25, 0.30),
    Family("dairy", 85, -1.4, 0.45, 0.12, 0.00, 0.05, 0.00),
    Family("sweets", 150, -1.7, 0.65, 0.22, -0.08, 0.60, -0.05),
    Family("ice cream", 70, -1.7, 0.60, 0.12, 0.45, -0.05, 0.25),
    Family("soup", 60, -1.5, 0.50, 0.14, -0.22, 0.00, 0.05),
    Family("snacks", 110, -1.8, 0.65, 0.16, 0.06, 0.35, 0.35),
)

UNITS = (
    "N1",
    "Санкт-Петербург",
    "N. Novgorod",
    "Kazan",
    "Samara",
    "Moscow",
    "Yekaterinburg",
)

CHANNELS = ("retail", "HoReCa/B2B", "e-commerce")

SKUS = (
    ("A17", "tea"),
    ("CAFÉ 250g", "coffee"),
    ("JUICE 1/2L", "cold drinks"),
    ("TEA|GREEN 100", "tea"),
    ("MILK 3.2%", "dairy"),
    ("COLA-1L", "cold drinks"),
    ("D'OR 80", "sweets"),
    ("CHOC-100", "sweets"),
    ("ICE-VAN-90", "ice cream"),
    ("SOUP-BEEF", "soup"),
    ("CHIPS-150", "snacks"),
    ("B04", "dairy"),
    ("NUTS-80", "snacks"),
    ("COFFEE-500", "coffee"),
    ("ICE-CHOC-90", "ice cream"),
    ("BORSCHT-300", "soup"),
    ("KVASS-2L", "cold drinks"),
    ("TEA-BLACK-50", "tea"),
    ("KEFIR-1L", "dairy"),
    ("GIFT-BOX", "sweets"),
    ("WATER-05", "cold drinks"),
    ("C21", "snacks"),
    ("SORBET-70", "ice cream"),
    ("LATTE-3IN1", "coffee"),
    ("NOODLES-60", "soup"),
)


@dataclass(frozen=True)
class Catalog:
    """The names in use and, for each SKU and series, where it stands.

    Attributes:
        units, channels, skus: names, each in its own order.
        sku_family: index into FAMILIES, shape (n_skus,).
        unit_ix, channel_ix, sku_ix: the parts of each series, shape (n_series,).
    """

    units: tuple[str, ...]
    channels: tuple[str, ...]
    skus: tuple[str, ...]
    sku_family: IntArray
    unit_ix: IntArray
    channel_ix: IntArray
    sku_ix: IntArray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of units, channels and SKUs; a series array reshapes to it."""
        return len(self.units), len(self.channels), len(self.skus)

    @property
    def family_ix(self) -> IntArray:
        """Index into FAMILIES of each series, shape (n_series,)."""
        return self.sku_family[self.sku_ix]

    def key(self, series: int) -> SeriesKey:
        """Return the names of one series."""
        return SeriesKey(
            self.units[self.unit_ix[series]],
            self.channels[self.channel_ix[series]],
            self.skus[self.sku_ix[series]],
        )

    def keys(self, series: IntArray) -> list[SeriesKey]:
        """Return the names of some series, in their order."""
        return [self.key(int(i)) for i in series]

    def family_values(self, attribute: str) -> FloatArray:
        """Return one number of each series' family, shape (n_series,)."""
        values = np.array([getattr(family, attribute) for family in FAMILIES], dtype=np.float64)
        return values[self.family_ix]


def build_catalog(settings: DemoSettings) -> Catalog:
    """Name the units, channels and SKUs; beyond the named ones they are numbered."""
    units = UNITS + tuple(f"U{i + 1:02d}" for i in range(len(UNITS), settings.n_units))
    channels = CHANNELS + tuple(f"CH{i + 1}" for i in range(len(CHANNELS), settings.n_channels))
    names = tuple(name for name, _ in SKUS)
    skus = names + tuple(f"S{i + 1:04d}" for i in range(len(names), settings.n_skus))
    shape = (settings.n_units, settings.n_channels, settings.n_skus)
    unit_ix, channel_ix, sku_ix = (axis.ravel() for axis in np.indices(shape))
    return Catalog(
        units=units[: settings.n_units],
        channels=channels[: settings.n_channels],
        skus=skus[: settings.n_skus],
        sku_family=_sku_families(settings.n_skus),
        unit_ix=unit_ix,
        channel_ix=channel_ix,
        sku_ix=sku_ix,
    )


def _sku_families(n_skus: int) -> IntArray:
    """Return the family of each SKU: as named, then round robin, shape (n_skus,)."""
    order = {family.name: i for i, family in enumerate(FAMILIES)}
    named = [order[family] for _, family in SKUS]
    numbered = [i % len(FAMILIES) for i in range(len(named), n_skus)]
    return np.array((named + numbered)[:n_skus], dtype=np.int64)
