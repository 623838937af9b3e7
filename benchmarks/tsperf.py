"""The TSPerf protocol of retail sales forecasting, on the same orange juice.

Microsoft published it with the scores of eight methods, in github.com/microsoft/forecasting under
retail_sales/OrangeJuice_Pt_3Weeks_Weekly (later contrib/tsperf, now only in its history; the fork
sdonohoo/forecasting still has the folder). Where each fact comes from, as paths in that folder:

- rounds, weeks and 913 series: README.md, "Training and test data separation", and
  common/benchmark_settings.py (TRAIN_END_WEEK_LIST and so on);
- week 1 starts on 1989-09-14, so week 40 on 1990-06-14 and week 160 on 1992-10-01:
  FIRST_WEEK_START in common/benchmark_settings.py, and data_explore/week_decoder.csv;
- test sets are the recorded rows of the target weeks, and price, deal and feat are known to the
  last of them: common/serve_folds.py;
- the score, and a target week without a row counting for nothing (a left join, then a mean that
  skips nulls), with actuals rounded to whole ounces: common/evaluate.py and
  ../../common/evaluation_utils.py;
- gaps filled forward, then backward, and forecasts rounded: baseline/Naive/train_score.r,
  submissions/SeasonalNaive and submissions/MeanForecast; LightGBM's features fill them alike;
- published scores: ../../common/TSPerfBoard-Retail.csv.

TSPerf calls exp(logmove) the number of units sold; it is ounces here, and the score does not depend
on which. The examples that replaced TSPerf in that repository stop at week 156 (LAST_WEEK) and use
10 rounds or fewer: their scores are others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

FIRST_WEEK_START = pd.Timestamp("1989-09-14")
FIRST_WEEK, LAST_WEEK = 40, 160
N_ROUNDS, GAP, HORIZON = 12, 1, 2

PUBLISHED_MAPE = {
    "LightGBM": 0.3628,
    "dilated CNN": 0.3709,
    "RNN encoder-decoder": 0.3768,
    "mean": 0.7074,
    "auto ARIMA": 0.7080,
    "ETS": 0.7099,
    "naive": 1.0967,
    "seasonal naive": 1.6506,
}


@dataclass(frozen=True)
class Round:
    """One round: what is known, and the weeks to forecast, as TSPerf's week numbers."""

    number: int
    last_known_week: int
    target_weeks: tuple[int, ...]

    @property
    def origin(self) -> pd.Timestamp:
        """The last day of the last known week."""
        return FIRST_WEEK_START + pd.Timedelta(days=7 * self.last_known_week - 1)


def tsperf_rounds() -> list[Round]:
    """List the 12 rounds: each knows two weeks more and forecasts weeks 2 and 3 ahead.

    The first knows weeks 40 to 135 and forecasts 137 and 138; the last knows 40 to 157 and
    forecasts 159 and 160.
    """
    first = LAST_WEEK - N_ROUNDS * HORIZON - GAP
    return [
        Round(
            number=index + 1,
            last_known_week=(last := first + index * HORIZON),
            target_weeks=tuple(range(last + GAP + 1, last + GAP + HORIZON + 1)),
        )
        for index in range(N_ROUNDS)
    ]


def week_number(ds: pd.Series) -> pd.Series:
    """Number weeks as TSPerf does; ds is a week's first day.

    Raises:
        ValueError: a day is not the first of a week of this calendar.
    """
    days = (ds - FIRST_WEEK_START).dt.days
    if (days % 7).any():
        raise ValueError(f"week_number: {ds[days % 7 != 0].iloc[0]} is not the first day of a week")
    return days // 7 + 1


def tsperf_mape(forecasts: pd.DataFrame, actuals: pd.DataFrame) -> float:
    """Score forecasts: mean of |y - yhat| / y over all forecasts whose week was recorded.

    Args:
        forecasts: one row per series_id, round and week, with yhat.
        actuals: one row per series_id and recorded week, with y > 0.

    Returns:
        A fraction (TSPerf prints percent); both sides rounded to whole ounces first.
        Null when no forecast has an actual.
    """
    scored = forecasts[["series_id", "week", "yhat"]].merge(
        actuals[["series_id", "week", "y"]], on=["series_id", "week"], validate="many_to_one"
    )
    y = scored["y"].round()
    return float(((scored["yhat"].round() - y).abs() / y).mean())


def by_round(rows: pd.DataFrame) -> pd.DataFrame:
    """Number the rounds and weeks of forecasts, and leave out what no round asks for.

    Args:
        rows: forecasts with series_id, origin (a last known day) and target (a week's first day).

    Returns:
        The rows of targets 2 and 3 weeks ahead of a round's origin, with round and week.
    """
    asked = pd.DataFrame(
        [
            (each.number, each.origin, week)
            for each in tsperf_rounds()
            for week in each.target_weeks
        ],
        columns=["round", "origin", "week"],
    )
    numbered = rows.assign(week=week_number(rows["target"]))
    return numbered.merge(asked, on=["origin", "week"], validate="many_to_one")


def filled(sales: pd.DataFrame, last_known_week: int) -> pd.DataFrame:
    """Make TSPerf's training grid: log ounces, a column per series, a row per week from 40 on.

    A gap has the value before it, or where there is none the value after it.
    """
    known = sales[sales["week"] <= last_known_week]
    log_y = np.log(known.pivot(index="week", columns="series_id", values="y"))
    return log_y.reindex(range(FIRST_WEEK, last_known_week + 1)).ffill().bfill()


def baseline_forecasts(sales: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Forecast every round with TSPerf's three baselines: naive, seasonal naive and mean.

    Args:
        sales: one row per series_id and recorded week (`week`, TSPerf's number), with y.

    Returns:
        For each baseline one row per series_id, round and week, with yhat.
    """
    parts: dict[str, list[pd.DataFrame]] = {"naive": [], "seasonal naive": [], "mean": []}
    for each in tsperf_rounds():
        grid = filled(sales, each.last_known_week)
        for week in each.target_weeks:
            by_name = {
                "naive": grid.iloc[-1],
                "seasonal naive": grid.loc[week - 52],
                "mean": grid.mean(),
            }
            for name, log_yhat in by_name.items():
                yhat = np.exp(log_yhat).rename("yhat").reset_index()
                parts[name].append(yhat.assign(round=each.number, week=week))
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
