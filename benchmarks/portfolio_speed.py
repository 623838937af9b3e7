"""How long a portfolio of Prophet models takes: this package beside the plain loop.

The plain loop fits each series with `Prophet.fit` and forecasts four steps by calling
`Prophet.predict` four times, the forecast of one step being y_lag1 of the next, with Prophet's own
1000 uncertainty samples; one process. This package solves for the posterior mode of many series at
once, scores them as arrays with the lag in closed form, and simulates 1000 paths along the
recursion. Both see the same rows in the same run.

    python -m benchmarks.portfolio_speed --sample 40
    python -m benchmarks.portfolio_speed --series 100000

`score_s` is the forecast alone, from parameters in arrays to yhat of every step; `gather_s` puts
the models into those arrays; `predict_s` is all of it again, with the simulated paths. Memory is
the peak of this process and its workers. Progress and results for people go to stderr; the last
line on stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd
import psutil

from python_jobs.families import make_family
from python_jobs.families.base import Family, FamilySettings
from python_jobs.families.prophet.paths import recursive_forecast
from python_jobs.families.prophet.score import evaluate, stack
from python_jobs.families.prophet.stan import load_prophet
from python_jobs.fitting.pool import fit_local, predict_local

REGRESSORS = ("promo_share", "log_price_ratio")
HORIZON = 4
BLOCK = 1000
ORIGIN = pd.Timestamp("2026-11-15")
T = TypeVar("T")


def synthetic_series(series_id: str, rng: np.random.Generator) -> pd.DataFrame:
    """Weekly sales of one SKU: trend, season, promotions, price, AR(1) noise, Poisson counts."""
    n_weeks = int(rng.integers(110, 157))  # 100 rows and more: below, Prophet takes Newton
    ds = pd.date_range(
        end=ORIGIN + pd.Timedelta(days=1 + 7 * (HORIZON - 1)), periods=n_weeks, freq="7D"
    )
    promo = (rng.random(n_weeks) < 0.15) * rng.uniform(0.3, 1.0)
    price = -promo * rng.uniform(0.1, 0.3) + rng.normal(0, 0.02, n_weeks)
    noise = rng.normal(0, rng.uniform(0.08, 0.25), n_weeks)
    memory = rng.uniform(0.2, 0.7)
    for week in range(1, n_weeks):
        noise[week] += memory * noise[week - 1]
    angle = 2 * np.pi * ds.day_of_year.to_numpy() / 365.25
    season = rng.normal(0, 0.2) * np.sin(angle) + rng.normal(0, 0.2) * np.cos(angle)
    trend = rng.normal(4.2, 0.9) + rng.normal(0, 0.0025) * np.arange(n_weeks)
    log_mean = (
        trend + season + rng.uniform(0.1, 0.6) * promo - rng.uniform(0.3, 1.2) * price + noise
    )
    y = rng.poisson(np.exp(log_mean)).astype(float)
    return pd.DataFrame(
        {
            "series_id": series_id,
            "ds": ds,
            "y": y,
            "y_lag1": np.concatenate([[np.nan], y[:-1]]),
            "promo_share": promo,
            "log_price_ratio": price,
        }
    )


def synthetic_panel(n_series: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the training panel up to ORIGIN and the future panel of HORIZON weeks after it."""
    rng = np.random.default_rng(seed)
    past, ahead = [], []
    for start in range(0, n_series, BLOCK):  # small frames take several times their numbers' memory
        block = range(start, min(start + BLOCK, n_series))
        rows = pd.concat([synthetic_series(f"S{i:06d}", rng) for i in block])
        past.append(rows[rows["ds"] <= ORIGIN])
        ahead.append(rows[rows["ds"] > ORIGIN])
    panel = pd.concat(past, ignore_index=True)
    future = pd.concat(ahead).rename(columns={"ds": "target_date"}).drop(columns="y")
    step = future.groupby("series_id").cumcount() + 1
    last = panel.groupby("series_id")["y"].last()
    return panel, future.assign(
        model_version=future["series_id"],
        origin_date=ORIGIN,
        horizon_step=step,
        y_lag1=future["series_id"].map(last),
    ).reset_index(drop=True)


def plain_loop(history: pd.DataFrame, future: pd.DataFrame) -> list[float]:
    """Fit one series and forecast it step by step, as one would without this package."""
    prophet_class = load_prophet()
    model = prophet_class(yearly_seasonality=10, weekly_seasonality=False, daily_seasonality=False)
    for name in (*REGRESSORS, "y_lag1"):
        model.add_regressor(name)
    columns = ["ds", "y", *REGRESSORS, "y_lag1"]
    model.fit(history.dropna(subset=["y_lag1"])[columns])
    yhat: list[float] = []
    for step in range(HORIZON):
        row = future.iloc[[step]].rename(columns={"target_date": "ds"})
        if yhat:
            row["y_lag1"] = yhat[-1]
        yhat.append(max(0.0, float(model.predict(row)["yhat"].iloc[0])))
    return yhat


def timed(label: str, work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    say(f"{label}: {seconds:.2f} s")
    return result, seconds


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def time_plain_loop(
    panel: pd.DataFrame, future: pd.DataFrame, chosen: list[str]
) -> tuple[dict[str, list[float]], float]:
    histories = dict(list(panel[panel["series_id"].isin(chosen)].groupby("series_id")))
    futures = dict(list(future[future["series_id"].isin(chosen)].groupby("series_id")))
    plain_loop(histories[chosen[0]], futures[chosen[0]])  # warm-up, not timed
    label = f"plain loop, {len(chosen)} series, one process"
    return timed(label, lambda: {i: plain_loop(histories[i], futures[i]) for i in chosen})


def time_ours(
    family: Family, panel: pd.DataFrame, future: pd.DataFrame, n_jobs: int
) -> tuple[pd.DataFrame, dict[str, float]]:
    few = panel["series_id"].unique()[:32]
    warm = {
        name: fit.model
        for name, fit in fit_local(family, panel[panel["series_id"].isin(few)], 1).models.items()
    }
    predict_local(family, warm, future[future["series_id"].isin(warm)], 1)  # not timed
    label = f"this package, {panel['series_id'].nunique()} series, {n_jobs} process(es)"
    fitted, fit_s = timed(f"{label}, fit", lambda: fit_local(family, panel, n_jobs))
    models = {name: fit.model for name, fit in fitted.models.items()}
    del fitted
    portfolio, stack_s = timed(f"{label}, gather", lambda: list(stack(list(models.values()))))
    codes = pd.Series(np.arange(len(models)), index=list(models))
    row_of = codes.loc[future["model_version"]].to_numpy()
    _, score_s = timed(f"{label}, score", lambda: score(portfolio, row_of, future))
    answer, predict_s = timed(
        f"{label}, predict with intervals",
        lambda: predict_local(family, models, future, n_jobs),
    )
    return answer, {
        "fit_s": fit_s,
        "gather_s": stack_s,
        "score_s": score_s,
        "predict_s": predict_s,
    }


def score(portfolio: list, row_of: np.ndarray, future: pd.DataFrame) -> np.ndarray:
    """Score every row of a full future panel: yhat in units, a series a row."""
    day = (future["target_date"].to_numpy() - np.datetime64("1970-01-01")) // np.timedelta64(1, "D")
    last = future["y_lag1"].to_numpy()
    yhat = np.full((len(future) // HORIZON, HORIZON), np.nan)
    for indices, models in portfolio:
        owner = np.full(row_of.max() + 1, -1)
        owner[indices] = np.arange(len(indices))
        rows = np.flatnonzero(owner[row_of] >= 0)
        x = np.column_stack([future[name].to_numpy()[rows] for name in models.regressors])
        terms = evaluate(models, owner[row_of[rows]], day[rows], x)
        grid = (-1, HORIZON)
        yhat[rows[::HORIZON] // HORIZON] = recursive_forecast(
            terms.base.reshape(grid), terms.lag_gain.reshape(grid), last[rows[::HORIZON]], 0.0
        )
    return yhat


def mean_difference(
    plain: dict[str, list[float]], future: pd.DataFrame, answer: pd.DataFrame
) -> float:
    """Compare both forecasts on the series of the plain loop: sum of |difference| / sum.

    Stan stops short of the mode that the batch finds, so they are near, not equal.
    """
    ours = answer["yhat"].groupby(future["series_id"]).apply(list)
    gaps = [np.abs(np.subtract(ours[i], yhat)).sum() for i, yhat in plain.items()]
    return float(np.sum(gaps) / np.sum(list(plain.values())))


class PeakMemory(threading.Thread):
    """The largest resident memory of this process and its workers, five looks a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.megabytes = 0.0

    def run(self) -> None:
        """Look until the process ends."""
        own = psutil.Process()
        while True:
            total = 0
            for process in (own, *own.children(recursive=True)):
                with contextlib.suppress(psutil.Error):  # it ended since it was listed
                    total += process.memory_info().rss
            self.megabytes = max(self.megabytes, total / 1e6)
            time.sleep(0.2)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--series", type=int, default=525, help="series in the portfolio")
    parser.add_argument(
        "--sample", type=int, default=40, help="series of the plain loop, scaled up"
    )
    parser.add_argument("--naive-all", action="store_true", help="plain loop on every series")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    panel, future = synthetic_panel(args.series, args.seed)
    options = {"yearly": True, "n_paths": 1000}
    settings = FamilySettings("week", HORIZON, 52, REGRESSORS, options=options)
    family = make_family("prophet", settings)
    everyone = panel["series_id"].unique()
    n_sample = args.series if args.naive_all else min(args.sample, args.series)
    chosen = np.random.default_rng(args.seed).choice(everyone, n_sample, replace=False).tolist()
    say(f"{args.series} weekly series, {len(panel)} rows, horizon {HORIZON}; both sides are warm")
    memory = PeakMemory()
    memory.start()
    plain, sample_s = time_plain_loop(panel, future, chosen)
    answer, seconds = time_ours(family, panel, future, args.jobs)
    naive_s = sample_s * args.series / n_sample
    ours_s = seconds["fit_s"] + seconds["predict_s"]
    gap = mean_difference(plain, future, answer)
    scaled = "" if args.naive_all else f" (scaled from {n_sample} series)"
    say(f"plain loop {naive_s:.1f} s{scaled}, this package {ours_s:.1f} s: {naive_s / ours_s:.1f}x")
    say(f"difference of the forecasts: {gap:.2%} of the sum")
    result = {
        "ratio": round(naive_s / ours_s, 2),
        "naive_s": round(naive_s, 3),
        "ours_s": round(ours_s, 3),
        **{name: round(value, 3) for name, value in seconds.items()},
        "peak_mb": round(memory.megabytes),
        "n_series": args.series,
        "naive_sample": n_sample,
        "n_jobs": args.jobs,
        "cpu_count": os.cpu_count(),
        "n_unforecast": int(answer["yhat"].isna().sum()),
        "difference_of_forecasts": round(gap, 5),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
