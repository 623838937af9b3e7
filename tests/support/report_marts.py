"""Page marts, made up: as many series and weeks as a test asks for."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from python_jobs.report.marts import Marts

MONDAY = date(2023, 11, 27)
STEPS = (1, 2, 3, 4)
CLASSES = ("smooth", "erratic", "intermittent", "lumpy")
ODD = ("<b>A&amp;B</b>", 'say "1|2"', "Санкт-Петербург", "</script><script>alert(1)</script>")
"""Names that a page must show as they are."""


def made_up(n_series: int = 525, n_periods: int = 156, seed: int = 1) -> Marts:
    """Every week of every series has a forecast, the last four are not over."""
    random = np.random.default_rng(seed)
    keys = _keys(n_series)
    weeks = _weeks(keys, n_periods, random)
    last = MONDAY + timedelta(weeks=n_periods - len(STEPS) - 1)
    recent = _recent(keys, random)
    return Marts(
        periods=weeks,
        by_step=recent["by_step"],
        value_added=recent["value_added"],
        intervals=recent["intervals"],
        worst=_worst(keys, random),
        runs=_runs(n_series, last),
        alerts=_alerts(last),
        retraining=_retraining(keys, last),
        last_period=last,
        first_period=last - timedelta(weeks=12),
        is_complete=True,
        n_scored=int(weeks["n_scored"].sum()),
    )


def _keys(n_series: int) -> pd.DataFrame:
    units = ["Kazan", "Moscow", "N. Novgorod", *ODD]
    rows = [
        (units[n % len(units)], ("retail", "HoReCa/B2B")[n % 2], f"SKU-{n // len(units):03d}")
        for n in range(n_series)
    ]
    keys = pd.DataFrame(rows, columns=["unit", "channel", "sku_id"])
    keys["demand_class"] = [CLASSES[n % 4] for n in range(n_series)]
    keys["series_id"] = ["|".join(row) for row in rows]
    return keys


def _weeks(keys: pd.DataFrame, n_periods: int, random: np.random.Generator) -> pd.DataFrame:
    shape = (len(keys), n_periods)
    days = pd.to_datetime([MONDAY + timedelta(weeks=n) for n in range(n_periods)])
    season = 1 + 0.3 * np.sin(np.arange(n_periods) / 52 * 2 * np.pi)
    level = random.lognormal(3.5, 1, (len(keys), 1)) * season
    y = np.round(level * random.lognormal(0, 0.3, shape))
    yhat = level * random.lognormal(0, 0.1, shape)
    frame = keys.loc[keys.index.repeat(n_periods)].reset_index(drop=True)
    frame["ds"] = np.tile(days, len(keys))
    frame["y"], frame["yhat"] = y.ravel(), yhat.ravel()
    frame["yhat_lower"], frame["yhat_upper"] = 0.7 * frame["yhat"], 1.4 * frame["yhat"]
    frame["baseline_yhat"] = np.roll(y, 1, axis=1).ravel()
    is_gap, is_sold_out = random.random((2, len(frame))) < 0.02
    is_future = np.tile(np.arange(n_periods) >= n_periods - len(STEPS), len(keys))
    frame["is_gap_filled"], frame["is_sold_out"] = is_gap & ~is_future, is_sold_out & ~is_future
    frame["is_promo"] = pd.array(random.random(len(frame)) < 0.08, dtype="boolean")
    frame["is_fallback"] = pd.array(random.random(len(frame)) < 0.02, dtype="boolean")
    frame.loc[frame["is_gap_filled"] | is_future, "y"] = np.nan
    for name in ("yhat", "yhat_lower", "yhat_upper"):
        frame[f"newest_{name.removeprefix('yhat').removeprefix('_') or 'yhat'}"] = np.nan
        frame[f"newest_{name}"] = frame[name].where(is_future)
    frame["newest_origin_date"] = pd.Timestamp(days[-len(STEPS)] - timedelta(days=1))
    ahead = np.tile(np.arange(n_periods) > n_periods - len(STEPS), len(keys))
    frame.loc[ahead, ["yhat", "yhat_lower", "yhat_upper", "baseline_yhat"]] = np.nan
    scored = frame["y"].notna() & frame["yhat"].notna() & ~frame["is_sold_out"]
    frame["n_scored"] = scored.astype(int)
    frame["sum_error"] = (frame["yhat"] - frame["y"]).where(scored)
    size = frame["y"].abs() + frame["yhat"].abs()
    frame["sum_smape_term"] = (2 * frame["sum_error"].abs() / size.where(size > 0)).where(scored)
    frame["n_comparable"] = (scored & ~frame["is_fallback"].astype(bool)).astype(int)
    inside = frame["y"].between(frame["yhat_lower"], frame["yhat_upper"])
    frame["is_covered"] = inside.astype("boolean").where(scored)
    frame["is_retrained"] = np.tile(np.arange(n_periods) == n_periods - 20, len(keys))
    frame["retrain_decision"] = None
    return frame


def _recent(keys: pd.DataFrame, random: np.random.Generator) -> dict[str, pd.DataFrame]:
    n, ids = len(keys), keys["series_id"]
    by_step, intervals, value_added = [], [], []
    for step in STEPS:
        y = random.lognormal(6, 1, n)
        wape, naive = 0.2 + 0.03 * step, 0.35 + 0.02 * step
        sums = {"series_id": ids, "horizon_step": step, "n_scored": 13, "n_comparable": 12}
        by_step.append(
            pd.DataFrame(
                {
                    **sums,
                    "sum_abs_error": y * wape,
                    "sum_abs_y": y,
                    "sum_comparable_abs_error": y * wape,
                    "sum_reference_abs_error": y * naive,
                    "sum_comparable_abs_y": y,
                }
            )
        )
        covered = random.binomial(13, 0.82 - 0.02 * step, n)
        intervals.append(
            pd.DataFrame(
                {"series_id": ids, "horizon_step": step, "n_with_interval": 13}
                | {"n_covered": covered, "n_below": (13 - covered) // 2}
            ).assign(n_above=lambda rows: 13 - rows["n_covered"] - rows["n_below"])
        )
    y = random.lognormal(6, 1, n)
    for index, baseline in enumerate(("naive", "seasonal_naive", "mean_4", "mean_8")):
        value_added.append(
            pd.DataFrame(
                {"series_id": ids, "baseline": baseline, "n_comparable": 48, "n_removed": 4}
                | {"sum_abs_error": y * random.lognormal(-1.4, 0.3, n), "sum_abs_y": y}
                | {"sum_baseline_abs_error": y * random.lognormal(-1 + 0.02 * index, 0.2, n)}
            )
        )
    parts = {"by_step": by_step, "intervals": intervals, "value_added": value_added}
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


def _worst(keys: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    n = len(keys)
    frames = []
    for period in ("last_1_week", "last_4_weeks", "last_13_weeks", "2026-10", "2026-09"):
        frame = pd.DataFrame({"series_id": keys["series_id"], "period": period, "n_scored": 13})
        frame["period_date"] = pd.Timestamp("2026-10-26")
        frame["sum_abs_error"] = random.lognormal(5, 1, n)
        frame["wape"] = random.lognormal(-1.3, 0.5, n)
        frame["smape"] = np.minimum(random.lognormal(-1, 0.4, n), 2)
        frame["bias"] = random.normal(0, 0.1, n)
        frame["forecast_value_added"] = random.normal(0.1, 0.1, n)
        frame["is_candidate"] = np.arange(n) % 40 == 3
        frame["is_due"] = np.arange(n) % 80 == 3
        rules = frame["is_candidate"].map({True: "wape, bias", False: None})
        frame["candidate_rules"], frame["candidate_reason"] = rules, rules
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _runs(n_series: int, last: date) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run_id": [f"R{n}" for n in range(8)],
            "run_kind": "issued",
            "origin_date": pd.to_datetime([last - timedelta(weeks=n, days=1) for n in range(8)]),
            "as_of_at": pd.to_datetime([last - timedelta(weeks=n) for n in range(8)], utc=True),
            "n_series": n_series,
            "n_forecast": n_series - 12,
            "n_fallback": 9,
            "n_refused": 3,
            "n_unaccounted": 0,
            "seconds": 81.5,
            "status": "done",
            "failed_step": None,
            "failure": None,
            "exceptions": "stale_actuals 6, too_short 3, inactive 3",
            "n_scored": 2000,
            "wape": [None, *[0.25] * 7],
        }
    )


def _alerts(last: date) -> pd.DataFrame:
    row = {
        "alert": "wape",
        "segment_type": "unit",
        "segment": ODD[0],
        "since_date": pd.Timestamp(last - timedelta(weeks=2)),
        "target_date": pd.Timestamp(last),
        "n_periods": 3,
        "value": 0.81,
        "threshold": 0.7,
        "n_scored": 40,
        "told": "WAPE 0.81 is above 0.7 for 3 weeks in a row",
    }
    return pd.DataFrame([row])


def _retraining(keys: pd.DataFrame, last: date) -> pd.DataFrame:
    row = {
        "series_id": keys["series_id"].iloc[0],
        "retrained_date": pd.Timestamp(last - timedelta(weeks=15)),
        "decision": "promoted",
        "why": "better by 46 %",
        "rules": "wape, bias",
        "champion_wape": 0.61,
        "challenger_wape": 0.33,
        "baseline_wape": 0.48,
        "n_periods": 12,
        "wape_before": 0.6,
        "wape_after": 0.3,
        "n_after": 16,
    }
    return pd.DataFrame([row])
