"""The distributor's sales: kinds of series, prices, demand and counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from python_jobs.local.demo.catalog import FAMILIES, Catalog
from python_jobs.local.demo.promotions import DECAY_WEEKS, PromoDays
from python_jobs.local.demo.settings import BoolArray, DemoSettings, FloatArray, IntArray
from python_jobs.local.demo.weather import ar1

REGULAR, ERRATIC, INTERMITTENT, LUMPY, SLOW, ZERO = range(6)

CANNIBALISED = 0.3
"""Share of a promoted SKU's log lift that its family loses, spread over the others."""

PRICE_NOISE = 0.004
WEEK_MEMORY = 0.7
NOISE_SD = 0.12
ERRATIC_SD = 0.5
RAMP_WEEKS = 6
DECAY_RATE = 0.04
"""Weekly loss of the decaying series after its level has halved."""


@dataclass(frozen=True)
class SeriesKinds:
    """The kind of each series; arrays have shape (n_series,), index lists any length.

    Attributes:
        demand: REGULAR .. ZERO.
        first_week: first week sold, 0 for the whole history.
        end_week: first week with no more rows; `weeks` for series that go on.
        new, discontinued: series that started or ended inside the history.
        stale: missing newest weeks by series (1 or 4 for a couple, else 0).
        decaying: the series that decays.
        all_zero: the series that never sold.
    """

    demand: IntArray
    first_week: IntArray
    end_week: IntArray
    new: IntArray
    discontinued: IntArray
    stale: IntArray
    decaying: int
    all_zero: int


def draw_kinds(settings: DemoSettings) -> SeriesKinds:
    """Deal the kinds out to the series; none gets two, and the first series gets none."""
    rng = settings.rng("kinds")
    n = settings.n_series
    order = np.append(1 + rng.permutation(n - 1), 0)
    sizes = [1, 1, 2, 2, max(2, round(0.05 * n)), *(max(1, round(s * n)) for s in (0.03, 0.10))]
    sizes += [max(1, round(s * n)) for s in (0.05, 0.03, 0.10)]
    parts = np.split(order, np.minimum(np.cumsum(sizes), n - 1))
    zero, decaying, stale1, stale4, new, ended, intermittent, lumpy, slow, erratic, _ = parts
    demand = np.zeros(n, dtype=np.int64)
    for kind, part in ((INTERMITTENT, intermittent), (LUMPY, lumpy), (SLOW, slow), (ZERO, zero)):
        demand[part] = kind
    demand[erratic] = ERRATIC
    stale = np.zeros(n, dtype=np.int64)
    stale[stale1], stale[stale4] = 1, 4
    return SeriesKinds(
        demand=demand,
        first_week=_first_weeks(rng, settings, new),
        end_week=_end_weeks(rng, settings, ended) - stale,
        new=np.sort(new),
        discontinued=np.sort(ended),
        stale=stale,
        decaying=int(decaying[0]),
        all_zero=int(zero[0]),
    )


def _first_weeks(rng: np.random.Generator, settings: DemoSettings, new: IntArray) -> IntArray:
    """Return the first week of each series; the first two new ones have 6 and 7 weeks."""
    ages = rng.integers(8, min(80, settings.weeks - 4) + 1, size=len(new))
    ages[:2] = (6, 7)
    first = np.zeros(settings.n_series, dtype=np.int64)
    first[new] = settings.weeks - ages
    return first


def _end_weeks(rng: np.random.Generator, settings: DemoSettings, ended: IntArray) -> IntArray:
    """Return the first week without rows; discontinued series ended 10 to 40 weeks ago."""
    end = np.full(settings.n_series, settings.weeks, dtype=np.int64)
    latest = min(40, settings.weeks - 20)
    end[ended] = settings.weeks - rng.integers(10, latest + 1, size=len(ended))
    return end


@dataclass(frozen=True)
class Demand:
    """Weekly truth, each array of shape (n_series, n_weeks simulated) unless said otherwise.

    Attributes:
        regular_price: list price, roubles a unit.
        price: average selling price, roubles a unit, promotions included.
        promo_share: fraction of the week's days with a promotion.
        expected: mean units a week, before counting noise.
        units: units that customers wanted, integers >= 0.
    """

    regular_price: FloatArray
    price: FloatArray
    promo_share: FloatArray
    expected: FloatArray
    units: IntArray


@dataclass(frozen=True)
class Drivers:
    """Daily effects on demand.

    Attributes:
        promo: campaigns that ran.
        holidays: log effect by family, shape (n_families, n_days).
        temperature: degrees Celsius from the first Monday, shape (n_units, n_days).
    """

    promo: PromoDays
    holidays: FloatArray
    temperature: FloatArray


def simulate_demand(
    settings: DemoSettings,
    catalog: Catalog,
    kinds: SeriesKinds,
    drivers: Drivers,
) -> Demand:
    """Combine all effects on the log scale, then draw counts.

    Args:
        settings: the demo's settings.
        catalog: names and families.
        kinds: what each series is.
        drivers: what moved demand from day to day.
    """
    regular = regular_prices(settings, catalog)
    lift, paid_share = promo_lift(settings, catalog, kinds, drivers.promo)
    log_effects = (
        _trend(settings)
        + _season(settings, catalog)
        + weekly_mean(drivers.holidays)[catalog.family_ix]
        + catalog.family_values("heat")[:, None]
        * (weekly_mean(drivers.temperature)[catalog.unit_ix] - 6.0)
        / 10.0
        + np.log(lift)
        - _cannibalised(settings, catalog, lift)
        + _reference_price_effect(catalog, regular)
        + _life_cycle(settings, kinds)
    )
    units, expected = _draw_units(settings, catalog, kinds, log_effects)
    noise = settings.rng("price noise").normal(0.0, PRICE_NOISE, units.shape)
    return Demand(
        regular_price=regular,
        price=np.round(regular * paid_share * np.exp(noise), 2),
        promo_share=weekly_mean(drivers.promo.is_promo.astype(np.float64)),
        expected=expected,
        units=units,
    )


def weekly_mean(daily: FloatArray) -> FloatArray:
    """Average days into weeks: shape (n, n_days) to (n, n_days / 7)."""
    return np.asarray(daily.reshape(len(daily), -1, 7).mean(axis=2))


def regular_prices(settings: DemoSettings, catalog: Catalog) -> FloatArray:
    """Return list prices, roubles, shape (n_series, n_weeks): a step every eight months or so."""
    rng = settings.rng("prices")
    n_skus = len(catalog.skus)
    family_price = np.array([family.price for family in FAMILIES])[catalog.sku_family]
    base = family_price * np.exp(rng.normal(0.0, 0.25, n_skus))
    channel = np.array([1.0, 0.88, 0.97])[np.arange(len(catalog.channels)) % 3]
    by_sku = base[:, None] * np.exp(_price_steps(rng, n_skus, settings.n_weeks_simulated))
    return np.asarray(np.round(by_sku[catalog.sku_ix] * channel[catalog.channel_ix, None], 1))


def _price_steps(rng: np.random.Generator, n_skus: int, n_weeks: int) -> FloatArray:
    """Return the log of the list price since week 0, shape (n_skus, n_weeks).

    Steps lie 22 to 50 weeks apart, so that no 13-week median sees two of them.
    """
    n_steps = n_weeks // 22 + 1
    weeks = np.cumsum(rng.integers(22, 51, (n_skus, n_steps)), axis=1) - rng.integers(
        0, 22, (n_skus, 1)
    )
    is_cut = rng.random((n_skus, n_steps)) < 0.15
    size = np.where(is_cut, -0.04, rng.uniform(0.03, 0.08, (n_skus, n_steps)))
    has_come = weeks[:, :, None] <= np.arange(n_weeks)
    return np.asarray((size[:, :, None] * has_come).sum(axis=1))


def promo_lift(
    settings: DemoSettings, catalog: Catalog, kinds: SeriesKinds, promo: PromoDays
) -> tuple[FloatArray, FloatArray]:
    """Return the weekly lift and the paid share of the regular price.

    Both have shape (n_series, n_weeks): lift is a factor >= 1, the mean over the week's days of
    display and price effects; the paid share weighs days by their units, so it is what an average
    selling price shows.
    """
    rng = settings.rng("promo response")
    response = np.exp(rng.normal(0.0, 0.1, settings.n_series))
    by_channel = np.array([1.0, 0.75, 1.15])[np.arange(len(catalog.channels)) % 3]
    response *= by_channel[catalog.channel_ix]
    display = (response * catalog.family_values("promo_lift"))[:, None] * promo.display
    elasticity = (response * catalog.family_values("elasticity"))[:, None]
    daily = np.exp(display + elasticity * np.log1p(-promo.discount))
    daily[kinds.decaying, (settings.weeks - DECAY_WEEKS) * 7 :] = 1.0
    lift = weekly_mean(daily)
    return lift, weekly_mean(daily * (1.0 - promo.discount)) / lift


def _cannibalised(settings: DemoSettings, catalog: Catalog, lift: FloatArray) -> FloatArray:
    """Return the log loss of each series to its family's other SKUs in that unit and channel."""
    n_units, n_channels, n_skus = catalog.shape
    log_lift = np.log(lift).reshape(n_units * n_channels, n_skus, -1)
    same = (catalog.sku_family[:, None] == catalog.sku_family[None, :]).astype(np.float64)
    np.fill_diagonal(same, 0.0)
    share = CANNIBALISED * same / np.maximum(1.0, same.sum(axis=1, keepdims=True))
    return np.asarray(np.einsum("ij,gjt->git", share, log_lift).reshape(lift.shape))


def _trend(settings: DemoSettings) -> FloatArray:
    """Return log trends with one or two breaks, shape (n_series, n_weeks)."""
    rng = settings.rng("trend")
    n, n_weeks = settings.n_series, settings.n_weeks_simulated
    weeks = np.arange(n_weeks)
    slope = rng.normal(0.03, 0.05, (n, 3)) / 52
    slope[:, 2] *= rng.random(n) < 0.5
    breaks = np.sort(rng.uniform(0.15, 0.75, (n, 2)), axis=1) * settings.weeks
    trend = slope[:, :1] * weeks
    for i in range(2):
        trend = trend + slope[:, i + 1, None] * np.maximum(0.0, weeks - breaks[:, i, None])
    return trend


def _season(settings: DemoSettings, catalog: Catalog) -> FloatArray:
    """Return each family's yearly wave, slightly its own by series, shape (n_series, n_weeks)."""
    rng = settings.rng("season")
    start = settings.first_monday.timetuple().tm_yday
    turn = 2 * np.pi * (start + 7 * np.arange(settings.n_weeks_simulated)) / 365.25
    phase = rng.uniform(0, 2 * np.pi, (len(FAMILIES), 2))[catalog.family_ix]
    phase = phase + rng.normal(0.0, 0.15, phase.shape)
    size = catalog.family_values("season")[:, None]
    first = np.cos(turn - phase[:, :1])
    second = np.cos(2 * turn - phase[:, 1:])
    return np.asarray(size * (first + 0.4 * second))


def _reference_price_effect(catalog: Catalog, regular: FloatArray) -> FloatArray:
    """Return the log effect of a list price against the one that customers are used to.

    They compare with the mean of the 13 weeks before, so a step hurts until they forget it.
    """
    padded = np.concatenate([np.repeat(regular[:, :1], 13, axis=1), regular], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 13, axis=1)[:, :-1]
    ratio = np.log(regular) - np.log(windows.mean(axis=2))
    return np.asarray(catalog.family_values("elasticity")[:, None] * ratio)


def _life_cycle(settings: DemoSettings, kinds: SeriesKinds) -> FloatArray:
    """Return the log ramp of new series and the fall of the decaying one."""
    weeks = np.arange(settings.n_weeks_simulated)
    effect = np.zeros((settings.n_series, len(weeks)))
    age = weeks - kinds.first_week[kinds.new, None]
    effect[kinds.new] = -0.9 * np.exp(-np.maximum(age, 0) / (RAMP_WEEKS / 3))
    since = weeks - (settings.weeks - DECAY_WEEKS)
    effect[kinds.decaying] = np.where(since >= 0, np.log(0.5) - DECAY_RATE * since, 0.0)
    return effect


def _levels(settings: DemoSettings, catalog: Catalog, kinds: SeriesKinds) -> FloatArray:
    """Return units of an ordinary week: unit size x SKU popularity x channel share."""
    rng = settings.rng("levels")
    unit = np.exp(rng.normal(0.0, 0.45, len(catalog.units)))
    sku = np.exp(rng.normal(0.0, 0.6, len(catalog.skus)))
    channel = np.array([1.7, 0.8, 0.6])[np.arange(len(catalog.channels)) % 3]
    own = np.exp(rng.normal(0.0, 0.25, settings.n_series))
    level = 75.0 * unit[catalog.unit_ix] * sku[catalog.sku_ix] * channel[catalog.channel_ix] * own
    level = np.maximum(level, 9.0)
    level[kinds.decaying] = max(level[kinds.decaying], 80.0)
    slow = rng.uniform(2.0, 5.0, settings.n_series)
    return np.asarray(np.where(kinds.demand == SLOW, slow, level))


def _draw_units(
    settings: DemoSettings, catalog: Catalog, kinds: SeriesKinds, log_effects: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Draw counts, and return them with their means, both (n_series, n_weeks)."""
    rng = settings.rng("units")
    n, n_weeks = log_effects.shape
    sd = np.where(kinds.demand == ERRATIC, ERRATIC_SD, NOISE_SD)[:, None]
    noise = sd * ar1(rng, n, n_weeks, WEEK_MEMORY)
    expected = _levels(settings, catalog, kinds)[:, None] * np.exp(log_effects + noise)
    shape = np.where(kinds.demand == ERRATIC, 6.0, rng.uniform(60.0, 180.0, n))[:, None]
    units = rng.poisson(expected * rng.gamma(np.broadcast_to(shape, expected.shape)) / shape)
    for kind, draw in ((INTERMITTENT, _draw_intermittent), (LUMPY, _draw_lumpy)):
        rows = kinds.demand == kind
        units[rows], expected[rows] = draw(rng, log_effects[rows])
    units[kinds.all_zero], expected[kinds.all_zero] = 0, 0.0
    return units, expected


def _draw_intermittent(
    rng: np.random.Generator, log_effects: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Draw rare orders of a steady size: many zero weeks, sizes that vary little."""
    n = len(log_effects)
    chance = _chance(rng, log_effects, 0.3, 0.6)
    size = rng.uniform(3.0, 8.0, (n, 1)) * np.exp(0.3 * log_effects)
    units = _is_order(rng, chance) * (1 + rng.binomial(10, np.clip(size / 10, 0, 1)))
    return units, chance * (1 + 10 * np.clip(size / 10, 0, 1))


def _draw_lumpy(rng: np.random.Generator, log_effects: FloatArray) -> tuple[IntArray, FloatArray]:
    """Draw rare orders whose size varies a lot."""
    n = len(log_effects)
    chance = _chance(rng, log_effects, 0.25, 0.5)
    median = rng.uniform(5.0, 20.0, (n, 1)) * np.exp(0.5 * log_effects)
    units = _is_order(rng, chance) * np.ceil(median * np.exp(rng.normal(0, 1.0, chance.shape)))
    return units.astype(np.int64), chance * median * np.exp(0.5)


def _chance(
    rng: np.random.Generator, log_effects: FloatArray, low: float, high: float
) -> FloatArray:
    """Return the chance of an order in each week."""
    base = rng.uniform(low, high, (len(log_effects), 1))
    return np.asarray(np.clip(base * np.exp(0.5 * log_effects), 0.05, 0.95))


def _is_order(rng: np.random.Generator, chance: FloatArray) -> BoolArray:
    """Draw whether anything was ordered."""
    return np.asarray(rng.random(chance.shape) < chance)
