"""Backtests of the orange juice: TSPerf's rounds, and intervals before and after calibration.

TSPerf's 12 origins lie two weeks apart, so one `shelfcast backtest` makes all of them, and some
before; no interval of it is calibrated, for nothing was forecast before. A second backtest of the
12 then is, by what the first one forecast of weeks that were over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pandas as pd

from benchmarks import orange_juice_peers as peers
from benchmarks import tsperf

EVERY = tsperf.HORIZON
"""Weeks between two rounds."""

BEFORE, AFTER = "rounds-uncalibrated", "rounds-calibrated"
"""The run ids of the two backtests."""

FORECASTS = """
select series_id, origin_date as origin, target_date as target, horizon_step, model_name, yhat
from {run_forecasts}
where run_id = @run_id and model_name = @model_name and outcome != 'refused'
"""

INTERVALS = """
with forecasts as (
    select *
    from {run_forecasts}
    where
        model_name = @model_name
        and run_id in (@before, @after)
        and origin_date in (select origin_date from {run_origins} where run_id = @after)
        and not is_fallback
        and yhat_lower is not null
),

actuals as (
    select series_id, ds, y
    from {sku_weekly_actuals}
    where not is_gap_filled and y is not null
),

scored as (
    select
        forecasts.run_id,
        forecasts.origin_date,
        forecasts.horizon_step,
        forecasts.interval_calibration != 'none' as is_calibrated,
        actuals.y between forecasts.yhat_lower and forecasts.yhat_upper as is_covered,
        actuals.y,
        forecasts.yhat_upper - forecasts.yhat_lower
        + (2 / (1 - @nominal)) * (
            greatest(forecasts.yhat_lower - actuals.y, 0)
            + greatest(actuals.y - forecasts.yhat_upper, 0)
        ) as winkler
    from forecasts
    inner join actuals
        on forecasts.series_id = actuals.series_id and forecasts.target_date = actuals.ds
)

select
    run_id,
    {group},
    count(*) as n,
    countif(is_calibrated) as n_calibrated,
    countif(is_covered) / count(*) as coverage,
    sum(winkler) / sum(y) as winkler
from scored
group by run_id, {group}
order by {group}, run_id
"""
"""Winkler's interval score (1972; Gneiting and Raftery 2007): the width, and 2 / (1 - coverage)
times the distance of an actual outside; summed and divided by the sum of y, so that it has no unit.
Lower is better."""

Read = Callable[..., pd.DataFrame]


def backtest_arguments(run_id: str, n_origins: int) -> list[str]:
    """The command that backtests the last n of TSPerf's origins."""
    newest = tsperf.tsperf_rounds()[-1].origin.date()
    # An origin is on the schedule once its first week is over.
    to = newest + timedelta(weeks=1)
    return [
        *("backtest", "--origins", str(n_origins), "--every", str(EVERY)),
        *("--to", str(to), "--run-id", run_id),
    ]


def round_days() -> list[date]:
    """The Thursdays on which TSPerf's rounds would have been forecast, earliest first."""
    return [each.origin.date() + timedelta(days=1) for each in tsperf.tsperf_rounds()]


def tsperf_mape(read: Read, sales: pd.DataFrame, model_name: str) -> dict[str, float]:
    """Score the first backtest as TSPerf does, fallbacks as they would have been served.

    Args:
        read: of the warehouse.
        sales: one row per series_id and recorded week (`orange_juice_panel.read_sales`).
        model_name: whose forecasts.

    Returns:
        tsperf_mape, a fraction; n scored forecasts; n_missing, those that a round asks for and
        that nobody made although the week was recorded: the score is then not TSPerf's.
    """
    rows = tsperf.by_round(read(FORECASTS, run_id=BEFORE, model_name=model_name))
    actuals = peers.numbered(sales)
    asked = actuals[["series_id", "week"]].merge(
        pd.DataFrame({"week": [week for r in tsperf.tsperf_rounds() for week in r.target_weeks]})
    )
    made = asked.merge(rows[["series_id", "week", "yhat"]].dropna(), on=["series_id", "week"])
    return {
        "tsperf_mape": tsperf.tsperf_mape(rows.dropna(subset="yhat"), actuals),
        "tsperf_n": len(made),
        "tsperf_n_missing": len(asked) - len(made),
    }


def intervals(read: Read, group: str, model_name: str, nominal: float) -> pd.DataFrame:
    """Coverage and Winkler score of the origins that both backtests have.

    Args:
        read: of the warehouse.
        group: origin_date or horizon_step.
        model_name: whose intervals.
        nominal: coverage that they should have, a fraction.

    Returns:
        One row per group: n forecasts, coverage_before, coverage_after (fractions),
        winkler_before, winkler_after (per unit of y), n_calibrated of the second backtest.
    """
    names = {"model_name": model_name, "before": BEFORE, "after": AFTER, "nominal": nominal}
    rows = read(INTERVALS.replace("{group}", group), **names)
    both = rows.set_index([group, "run_id"]).unstack("run_id")
    return pd.DataFrame(
        {
            "n": both[("n", AFTER)].astype(int),
            "n_calibrated": both[("n_calibrated", AFTER)].astype(int),
            "coverage_before": both[("coverage", BEFORE)],
            "coverage_after": both[("coverage", AFTER)],
            "winkler_before": both[("winkler", BEFORE)],
            "winkler_after": both[("winkler", AFTER)],
        }
    )


def intervals_table(by_origin: pd.DataFrame, by_step: pd.DataFrame, nominal: float) -> str:
    """Write coverage and Winkler score before and after calibration as Markdown."""
    heads = ["forecasts", f"coverage of {nominal:.0%}, before", "after", "Winkler, before", "after"]
    parts = []
    for heading, table in (("origin", by_origin), ("week ahead", by_step)):
        lines = [_line([heading, *heads]), "|---|" + "---:|" * len(heads)]
        for key, row in table.iterrows():
            name = f"{key:%Y-%m-%d}" if heading == "origin" else str(key)
            cells = [f"{row['n']:,.0f}", f"{row['coverage_before']:.1%}"]
            cells += [f"{row['coverage_after']:.1%}"]
            cells += [f"{row['winkler_before']:.2f}", f"{row['winkler_after']:.2f}"]
            lines.append(_line([name, *cells]))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def interval_figures(by_origin: pd.DataFrame, by_step: pd.DataFrame) -> dict[str, object]:
    """What the last line says of intervals: fractions, and Winkler scores per unit of y."""
    weight = by_origin["n"] / by_origin["n"].sum()
    overall = {
        name: round(float((by_origin[name] * weight).sum()), 4)
        for name in ("coverage_before", "coverage_after")
    }
    origins = {
        f"{origin:%Y-%m-%d}": {
            name: round(float(row[name]), 4)
            for name in ("coverage_before", "coverage_after", "winkler_before", "winkler_after")
        }
        for origin, row in by_origin.iterrows()
    }
    return {
        "calibration": {**overall, "n_origins": len(by_origin), "by_origin": origins},
        "coverage_80_by_step": {
            str(step): round(float(value), 4) for step, value in by_step["coverage_after"].items()
        },
    }
