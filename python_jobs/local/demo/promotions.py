"""The promotion plan: campaigns, how the plan changed, and its uploads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from python_jobs.local.demo.catalog import Catalog
from python_jobs.local.demo.settings import DemoSettings, FloatArray, IntArray

ALL = -1
"""Scope of a campaign that runs in every unit, channel or SKU; `*` in the file."""

KINDS = ("discount", "display", "coupon")
KIND_SHARES = (0.6, 0.15, 0.25)
DISCOUNTS = (
    (0.10, 0.15, 0.20, 0.25, 0.30),
    (0.0, 0.05, 0.10),
    (0.10, 0.15, 0.20),
)
DISPLAY_LIFT = (0.9, 1.1, 0.7)
"""Lift of each kind at an unchanged price, as a multiple of the family's promo_lift."""

MONDAY, THURSDAY = 0, 3
SPACING = 15
"""Days kept free between two campaigns of one scope, so that moving one never overlaps."""

CHANGE_SHARE = 0.04
"""Fraction of the coming campaigns that are moved; as many are cancelled or added late."""

DECAY_WEEKS = 10
"""Weeks before the end in which the decaying series began to decay."""

DECAY_PROMO_WEEKS = (8, 6, 4, 2)
"""Weeks before the end in which the decaying series is promoted, to no effect."""

WHOLESALE = ((9, 1), (11, 11))
"""Months and days in whose week every SKU is promoted."""

NEVER = 10_000
SCOPE = ["unit_ix", "channel_ix", "sku_ix"]


@dataclass(frozen=True)
class Plan:
    """Every version of every campaign, and what changed.

    Attributes:
        versions: one row per campaign version: unit_ix, channel_ix, sku_ix (ALL = every one),
            start_day, end_day (inclusive, days since the first Monday), kind_ix, discount
            (fraction), has_price, from_upload (first upload that lists it), to_upload (first
            upload that no longer does).
        changes: one row per change: change (moved | cancelled | added_late), upload, scope,
            start_day, end_day, new_start_day, new_end_day (of a move, else missing).
        upload_weeks: week in whose Tuesday each upload was loaded, shape (n_uploads,).
    """

    versions: pd.DataFrame
    changes: pd.DataFrame
    upload_weeks: IntArray

    @property
    def final(self) -> pd.DataFrame:
        """The versions that ran: a change always precedes the weeks that it concerns."""
        return self.versions[self.versions["to_upload"] >= len(self.upload_weeks)]


def build_plan(settings: DemoSettings, catalog: Catalog, decaying: int) -> Plan:
    """Draw the campaigns of the whole history and of the covered future, and their changes."""
    parts = [
        _decaying_campaigns(settings, catalog, decaying),
        _wholesale_campaigns(settings),
        _drawn_campaigns(settings, catalog),
    ]
    campaigns = _space_out(pd.concat(parts, ignore_index=True))
    uploads = _upload_weeks(settings)
    return _change_some(settings, campaigns, uploads)


def _upload_weeks(settings: DemoSettings) -> IntArray:
    """Return the week of each upload; today's counts if its Tuesday 10:00 has passed."""
    weeks = np.arange(settings.weeks - settings.plan_weeks, settings.weeks + 1)
    is_past = [settings.instant(int(week) * 7 + 1, 10) <= settings.now for week in weeks]
    return np.asarray(weeks[np.array(is_past)])


def _drawn_campaigns(settings: DemoSettings, catalog: Catalog) -> pd.DataFrame:
    """Draw campaigns of one SKU each: national, unit-wide and local."""
    rng = settings.rng("campaigns")
    years = settings.n_weeks_simulated / 52.18
    n_units, _, n_skus = catalog.shape
    counts = rng.poisson(
        years * np.array([1.3 * n_skus, 0.8 * n_units * n_skus, 0.75 * settings.n_series])
    )
    scopes = [
        _draw_scope(rng, catalog, int(n), has_unit, one_channel)
        for n, has_unit, one_channel in zip(
            counts, (False, True, True), (0.7, 0.0, 1.0), strict=True
        )
    ]
    return _draw_terms(rng, settings, pd.concat(scopes, ignore_index=True))


def _draw_scope(
    rng: np.random.Generator, catalog: Catalog, n: int, has_unit: bool, one_channel: float
) -> pd.DataFrame:
    """Draw where n campaigns run: one SKU each, every unit or one, every channel or one."""
    n_units, n_channels, n_skus = catalog.shape
    channel = rng.integers(n_channels, size=n)
    return pd.DataFrame(
        {
            "unit_ix": rng.integers(n_units, size=n) if has_unit else np.full(n, ALL),
            "channel_ix": np.where(rng.random(n) < one_channel, channel, ALL),
            "sku_ix": rng.integers(n_skus, size=n),
        }
    )


def _wholesale_campaigns(settings: DemoSettings) -> pd.DataFrame:
    """Return the campaigns of every SKU: a week's small coupon, twice a year.

    One runs everywhere in the week of 1 September, one online only in the week of 11 November.
    """
    online = min(2, settings.n_channels - 1)
    years = range(settings.first_monday.year, settings.day(settings.n_days_simulated).year + 1)
    days = {(year, month): date(year, month, day) for year in years for month, day in WHOLESALE}
    starts = {key: (day - settings.first_monday).days // 7 * 7 for key, day in days.items()}
    rows = [
        {"channel_ix": ALL if month == 9 else online, "start_day": start, "end_day": start + 6}
        for (_, month), start in starts.items()
        if 0 <= start < settings.n_days_simulated
    ]
    table = pd.DataFrame(rows, columns=["channel_ix", "start_day", "end_day"], dtype=np.int64)
    return table.assign(
        unit_ix=ALL,
        sku_ix=ALL,
        kind_ix=KINDS.index("coupon"),
        discount=0.05,
        has_price=False,
        is_fixed=True,
    )


def _draw_terms(
    rng: np.random.Generator, settings: DemoSettings, scopes: pd.DataFrame
) -> pd.DataFrame:
    """Draw when each campaign runs and what it offers: 1-2 weeks from a Monday or Thursday."""
    n = len(scopes)
    week = rng.integers(settings.n_weeks_simulated - 2, size=n)
    start = week * 7 + rng.choice([MONDAY, THURSDAY], size=n, p=[0.4, 0.6])
    kind = rng.choice(len(KINDS), size=n, p=KIND_SHARES)
    offers = [rng.choice(discounts, size=n) for discounts in DISCOUNTS]
    return scopes.assign(
        start_day=start,
        end_day=start + rng.choice([7, 14], size=n, p=[0.45, 0.55]) - 1,
        kind_ix=kind,
        discount=np.choose(kind, offers),
        has_price=(rng.random(n) < 0.5) & (scopes["channel_ix"] != ALL) & (kind == 0),
        is_fixed=False,
    )


def _decaying_campaigns(settings: DemoSettings, catalog: Catalog, decaying: int) -> pd.DataFrame:
    """Return the campaigns of the decaying series while it decays."""
    start = np.array([settings.weeks - week for week in DECAY_PROMO_WEEKS]) * 7
    return pd.DataFrame(
        {
            "unit_ix": catalog.unit_ix[decaying],
            "channel_ix": catalog.channel_ix[decaying],
            "sku_ix": catalog.sku_ix[decaying],
            "start_day": start,
            "end_day": start + 6,
            "kind_ix": 0,
            "discount": 0.3,
            "has_price": False,
            "is_fixed": True,
        }
    )


def _space_out(campaigns: pd.DataFrame) -> pd.DataFrame:
    """Drop campaigns that come too soon after one of the same scope; keep the fixed ones."""
    ordered = campaigns.sort_values([*SCOPE, "start_day"], kind="stable")
    fixed = ordered[ordered["is_fixed"]]
    scopes = ordered.groupby(SCOPE, sort=False)
    previous_end = scopes["end_day"].shift(fill_value=-NEVER)
    next_is_fixed = scopes["is_fixed"].shift(-1, fill_value=False)
    next_start = scopes["start_day"].shift(-1, fill_value=NEVER)
    is_early = ordered["start_day"] - previous_end <= SPACING
    is_in_the_way = next_is_fixed & (next_start - ordered["end_day"] <= SPACING)
    keep = ~is_early & ~is_in_the_way & ~ordered["is_fixed"]
    return pd.concat([fixed, ordered[keep]]).sort_values(
        ["start_day", *SCOPE], kind="stable", ignore_index=True
    )


def _change_some(settings: DemoSettings, campaigns: pd.DataFrame, uploads: IntArray) -> Plan:
    """Move, cancel and add late a few coming campaigns, each in an upload before it starts."""
    rng = settings.rng("plan changes")
    start_week = campaigns["start_day"].to_numpy() // 7
    lead = rng.integers(2, min(7, settings.plan_weeks_ahead - 2), size=len(campaigns))
    upload = start_week - lead - uploads[0]
    is_open = (upload >= 1) & (upload < len(uploads)) & ~campaigns["is_fixed"].to_numpy()
    candidates = rng.permutation(np.flatnonzero(is_open))
    n = max(2, round(CHANGE_SHARE * len(candidates)))
    moved, cancelled, late = (candidates[i * n : (i + 1) * n] for i in range(3))

    versions = campaigns.drop(columns="is_fixed").assign(from_upload=0, to_upload=NEVER)
    versions.loc[late, "from_upload"] = upload[late]
    dropped = np.concatenate([moved, cancelled])
    versions.loc[dropped, "to_upload"] = upload[dropped]
    shifted = versions.loc[moved].assign(from_upload=upload[moved], to_upload=NEVER)
    shifted[["start_day", "end_day"]] += np.where(np.arange(len(moved)) % 2, 7, -7)[:, None]
    changes = _change_table(versions, upload, moved, cancelled, late).assign(
        new_start_day=shifted["start_day"], new_end_day=shifted["end_day"]
    )
    return Plan(pd.concat([versions, shifted], ignore_index=True), changes, uploads)


def _change_table(
    versions: pd.DataFrame, upload: IntArray, moved: IntArray, cancelled: IntArray, late: IntArray
) -> pd.DataFrame:
    """List the changes, one row each, indexed by the campaign's row in `versions`."""
    rows = np.concatenate([moved, cancelled, late])
    names = ["moved"] * len(moved) + ["cancelled"] * len(cancelled) + ["added_late"] * len(late)
    return versions.loc[rows, [*SCOPE, "start_day", "end_day"]].assign(
        change=names, upload=upload[rows]
    )


@dataclass(frozen=True)
class PromoDays:
    """The promotions of each day, each array of shape (n_series, n_days simulated).

    Attributes:
        is_promo: a campaign ran.
        discount: the deepest discount that ran, a fraction.
        display: the strongest DISPLAY_LIFT that ran, a multiple of promo_lift.
    """

    is_promo: np.typing.NDArray[np.bool_]
    discount: FloatArray
    display: FloatArray


def promo_days(settings: DemoSettings, catalog: Catalog, campaigns: pd.DataFrame) -> PromoDays:
    """Lay campaigns over the days; where several run, the strongest counts."""
    n_days = settings.n_days_simulated
    shape = (*catalog.shape, n_days)
    is_promo = np.zeros(shape, dtype=np.bool_)
    discount, display = np.zeros(shape), np.zeros(shape)
    columns = [*SCOPE, "start_day", "end_day", "kind_ix", "discount"]
    for unit, channel, sku, start, end, kind, depth in campaigns[columns].itertuples(index=False):
        cell = (*map(_axis, (unit, channel, sku)), slice(start, end + 1))
        is_promo[cell] = True
        np.maximum(discount[cell], depth, out=discount[cell])
        np.maximum(display[cell], DISPLAY_LIFT[kind], out=display[cell])
    flat = (settings.n_series, n_days)
    return PromoDays(is_promo.reshape(flat), discount.reshape(flat), display.reshape(flat))


def _axis(ix: int) -> slice:
    """Select one position of an axis, or all of it."""
    return slice(None) if ix == ALL else slice(ix, ix + 1)
