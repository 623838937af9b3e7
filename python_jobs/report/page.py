"""One HTML file from what the marts say: no network, nothing to install."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings import UseCase
from python_jobs.report import compact
from python_jobs.report.marts import RECENT_PERIODS, Marts

STATIC = Path(__file__).parent / "static"
SCRIPTS = (
    *("text.js", "tables.js", "data.js", "charts.js"),
    *("overview.js", "series.js", "value.js", "runs.js", "start.js"),
)
"""The page's own script, in the order in which its parts know one another."""

TREND_PERIODS = {"week": 52, "day": 182}
RANGES = {"week": (26, 52), "day": (28, 91)}
"""Periods of one series that a button shows."""

VEGA_LITE = "6.4"
"""The version that Altair writes, as vl-convert names it; a test holds them together."""

LIBRARIES = "window.vegaEmbed = vegaEmbed;"
"""What the page's script uses of what vl-convert bundles."""

LABELS = {"sku_id": "SKU", "demand_class": "Demand class", "total": "All series"}
"""What people call a column, where it is not the column's name."""

DEFINITIONS = {
    "WAPE": "Sum of |forecast − actual| over the sum of |actual|. 0 % is perfect; not known where "
    "nothing was sold.",
    "sMAPE": "Mean of 2 |forecast − actual| / (|actual| + |forecast|), 0 where both are 0. From 0 "
    "to 200 %.",
    "Bias": "Sum of (forecast − actual) over the sum of |actual|. Above 0 the forecast was too "
    "high.",
    "Value added": "WAPE of the baseline minus WAPE of the model, on the rows that every model and "
    "baseline forecast. Above 0 the model is worth its trouble.",
    "Inside the interval": "Share of the actuals between the lower and the upper end of the "
    "interval, to be held against the nominal share.",
    "Horizon step": "1 is the period under way when the forecast was issued, 2 the first whole "
    "period ahead.",
    "n": "Forecasts that were scored. A period that is missing, sold out or not over is not.",
    "Not known": "There is no number: nothing was scored, or a ratio has 0 below its line. It is "
    "never shown as 0.",
}


def make_page(marts: Marts, use_case: UseCase, horizon_step: int, made_at: datetime) -> str:
    """Write the page.

    Args:
        marts: what the page marts hold.
        use_case: whose.
        horizon_step: whose forecasts are shown period by period.
        made_at: when it was made; the page says so.

    Returns:
        HTML with everything in it.

    Raises:
        SettingsError: the drawing libraries are not installed.
    """
    parts = {
        "title": html.escape(f"{use_case.name}: how good the forecasts are"),
        "css": _file("page.css"),
        "data": compact.pack(content(marts, use_case, horizon_step, made_at)),
        **_drawn(use_case.grain),
        "script": _script("\n".join(_file(name) for name in SCRIPTS)),
    }
    return re.sub(r"<!--(\w+)-->", lambda match: parts[match[1]], _file("page.html"))


def content(
    marts: Marts, use_case: UseCase, horizon_step: int, made_at: datetime
) -> dict[str, Any]:
    """The data that the page decodes: `meta`, the periods of the series, and the small tables."""
    periods = compact.series_periods(marts.periods, tuple(use_case.key), use_case.period_days)
    names = periods["series"]["id"]
    by_series = {
        name: compact.table(getattr(marts, name), names)
        for name in ("by_step", "value_added", "intervals", "worst", "retraining")
    }
    others = {name: compact.table(getattr(marts, name)) for name in ("runs", "alerts")}
    meta = _meta(marts, use_case, horizon_step, made_at)
    return {"meta": meta, "periods": periods, **by_series, **others}


def _meta(marts: Marts, use_case: UseCase, horizon_step: int, made_at: datetime) -> dict[str, Any]:
    labels = {part: LABELS.get(part, part.replace("_", " ").capitalize()) for part in use_case.key}
    return {
        "use_case": use_case.name,
        "period": use_case.grain,
        "horizon": use_case.horizon,
        "horizon_step": horizon_step,
        "interval": use_case.interval,
        "target": use_case.alerts.wape,
        "alerts": use_case.alerts.model_dump(),
        "baseline": use_case.value_added_over,
        "labels": {**LABELS, **labels},
        "last_period": compact.plain(marts.last_period),
        "is_complete": marts.is_complete,
        "window": _window(marts, use_case.grain),
        "recent_periods": RECENT_PERIODS[use_case.grain],
        "trend_periods": TREND_PERIODS[use_case.grain],
        "ranges": RANGES[use_case.grain],
        "made": f"{made_at.astimezone(UTC):%-d %B %Y, %H:%M} UTC",
        "definitions": DEFINITIONS,
    }


def _window(marts: Marts, grain: str) -> str:
    if marts.first_period is None:
        return f"no {grain} yet"
    return f"the {grain}s of {marts.first_period:%-d %b %Y} to {marts.last_period:%-d %b %Y}"


def _drawn(period: str) -> dict[str, str]:
    """The charts, whose tooltips name the period, and the libraries that draw them."""
    try:
        import altair  # noqa: F401 - charts.py needs it
        import vl_convert
    except ImportError as error:
        raise SettingsError(
            f"{error.name} is not installed. The report needs the extra: "
            "pip install 'shelfcast[report]'."
        ) from error
    from python_jobs.report.charts import charts

    return {
        "charts": _script(orjson.dumps(charts(period)).decode()),
        "vega": _script(vl_convert.javascript_bundle(LIBRARIES, vl_version=VEGA_LITE)),
    }


def _script(text: str) -> str:
    """Text that may stand in a script element: nothing in it ends the element."""
    return re.sub(r"<(?=/script|!--)", r"\\u003c", text, flags=re.IGNORECASE)


def _file(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
