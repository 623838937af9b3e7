"""Dominick's orange juice as panels of weeks: complete series, and what was known at an origin.

Every week is named by its first day, a Thursday, as Shelfcast names it; an origin by the last day
that it knows, a Wednesday. Quantities are ounces (packs sold times ounces a pack).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

SALES = "orange_juice_weekly.csv.gz"
DATA_DIR = Path(__file__).resolve().parents[2] / "shared" / "data"

FREQ = "W-THU"
WEEK = pd.Timedelta(weeks=1)
DAY = pd.Timedelta(days=1)
LABEL_OFFSET = pd.Timedelta(days=3)
"""A row labelled Monday D is the week that starts on Thursday D+3."""

REGRESSORS = ["log_price", "deal", "feat"]
"""Known for future weeks too, as a retailer plans them; price is $ a pack."""

LAST_WEEKS, MAX_MISSING, MIN_WEEKS = 16, 0.12, 100


def read_sales(path: Path) -> pd.DataFrame:
    """Read the file: one row per series_id and recorded week `ds`, ounces and regressors."""
    raw = pd.read_csv(path, parse_dates=["week_start"])
    unit, sku_id = raw["unit"].astype(str), raw["sku_id"].astype(str)
    return pd.DataFrame(
        {
            "series_id": unit + "|" + raw["channel"] + "|" + sku_id,
            "ds": raw["week_start"] + LABEL_OFFSET,
            "y": (raw["units_sold"] * raw["size_oz"]).astype(float),
            "log_price": np.log(raw["price"]),
            "deal": raw["deal"].astype(float),
            "feat": raw["feat"].astype(float),
        }
    )


def weekly(sales: pd.DataFrame) -> pd.DataFrame:
    """Give each series a row for every week from its first one to the data's last, gaps null."""
    last = sales["ds"].max()
    starts = sales.groupby("series_id")["ds"].min()
    weeks = [pd.date_range(first, last, freq=WEEK) for first in starts]
    calendar = pd.DataFrame(
        {
            "series_id": np.repeat(starts.index, [len(each) for each in weeks]),
            "ds": np.hstack(weeks),
        }
    )
    return calendar.merge(sales, on=["series_id", "ds"], how="left", validate="one_to_one")


def complete_series(sales: pd.DataFrame) -> pd.DataFrame:
    """Keep the series that are complete enough to be compared on: 550 of the 913.

    All of the data's last 16 weeks recorded, at least 100 weeks from the first recorded one to the
    last, and at most 12 % of those missing.

    Args:
        sales: one row per series_id and recorded week ds (`read_sales`).

    Returns:
        One row per series_id and week, sorted; y and regressors are null in a gap.
    """
    panel = weekly(sales)
    recorded = panel["y"].notna().groupby(panel["series_id"])
    recent = panel[panel["ds"] > panel["ds"].max() - LAST_WEEKS * WEEK]
    n_recent = recent.groupby("series_id")["y"].count()
    complete = (
        (recorded.size() >= MIN_WEEKS)
        & (1 - recorded.mean() <= MAX_MISSING)
        & (n_recent == LAST_WEEKS)
    )
    return panel[panel["series_id"].map(complete)].reset_index(drop=True)


def origins(panel: pd.DataFrame, n: int = 3, every: int = 4) -> list[pd.Timestamp]:
    """List the last n origins, earliest first; their horizons of `every` weeks do not overlap."""
    last_day = panel["ds"].max() + WEEK - DAY
    return [last_day - every * back * WEEK for back in range(n, 0, -1)]


def known_at(panel: pd.DataFrame, origin: pd.Timestamp) -> pd.DataFrame:
    """Cut a panel at an origin and fill its gaps from what was recorded by then.

    A gap lies on the line between the weeks around it, for y on the log1p scale. Where no later
    week was recorded by the origin, the value before the gap is carried forward.

    Returns:
        One row per series_id and week that ended by the origin, y and regressors never null.
    """
    known = panel[panel["ds"] + WEEK - DAY <= origin].sort_values(["series_id", "ds"])
    values = known[["y", *REGRESSORS]].assign(y=np.log1p(known["y"]))
    lines = values.groupby(known["series_id"], sort=False).transform(
        lambda column: column.interpolate(method="linear", limit_area="inside").ffill()
    )
    filled = lines.assign(y=np.expm1(lines["y"])).where(known[["y", *REGRESSORS]].isna(), known)
    return known.assign(**filled).reset_index(drop=True)


def plan_after(panel: pd.DataFrame, origin: pd.Timestamp, horizon: int) -> pd.DataFrame:
    """Give the plan of the weeks after an origin: regressors without y.

    A week without a recorded price has the plan of the week before it.

    Returns:
        One row per series_id and week, `horizon` for each series, sorted; regressors never null.
    """
    weeks = panel["ds"].between(origin + DAY, origin + DAY + (horizon - 1) * WEEK)
    known = known_at(panel, origin).groupby("series_id", sort=False).tail(1)
    rows = pd.concat([known, panel[weeks]])[["series_id", "ds", *REGRESSORS]]
    rows = rows.sort_values(["series_id", "ds"], ignore_index=True)
    rows[REGRESSORS] = rows.groupby("series_id")[REGRESSORS].ffill()
    return rows[rows["ds"] > origin].reset_index(drop=True)
