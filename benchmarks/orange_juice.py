"""How good forecasts of 913 real series are: Dominick's orange juice, Chicago's weather.

The whole pipeline on emulators of its own; only `shelfcast` commands write.

- A replay of the last three origins four weeks apart, models trained as of each, beside the peers
  of `orange_juice_peers` on the rows that all of them forecast: the 550 complete series, and all.
- TSPerf's 12 rounds and score, and the intervals of these rounds before and after calibration
  (`orange_juice_rounds`).
- With --tune, `shelfcast tune` first, as of each of these origins, on weeks before it.

    python -m benchmarks.orange_juice --series 40 --origins 1 --no-rounds --peers naive mean_8
    python -m benchmarks.orange_juice --cache /tmp/peers

Without the data (see benchmarks/README.md) it says so and does nothing. Tables go to stdout; the
last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from benchmarks import orange_juice_panel, orange_juice_rounds, peers
from benchmarks import orange_juice_peers as comparison
from python_jobs.cli.app import main as shelfcast_cli
from python_jobs.local import environment, stack
from python_jobs.local.ports import Endpoints
from python_jobs.runs.context import open_context

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = Path(__file__).with_suffix(".yml")
DATA_DIR = ROOT.parent / "shared" / "data"
SALES, WEATHER = "orange_juice_weekly.csv.gz", "chicago_weather_daily.csv.gz"

LAST_RUN = date(1992, 9, 10)
"""A Thursday: the four weeks that follow are the last ones of the data."""

MODELS = {
    "prophet": "Prophet with y_lag1",
    "prophet_no_lag": "Prophet without",
    "naive": "naive",
    "seasonal_naive": "seasonal naive",
    "mean_4": "mean of 4 weeks",
    "mean_8": "mean of 8 weeks",
}
CHAMPION = "prophet"
NOMINAL = 0.8
N_CALIBRATING = 13
"""Origins before TSPerf's first, two weeks apart, whose residuals calibrate the first rounds."""

STAGES = ("before_forecast", "coefficients", "priors", "train", "predict", "after_forecast")

BY_STEP = """
select horizon_step, model_name, n_scored, n_removed, n_unscored, wape, smape, rmse, bias, coverage
from {accuracy_by_horizon_step}
where run_kind = 'issued' and basis = 'comparable'
order by horizon_step, model_name
"""

OVERALL = """
select model_name, n_scored, n_removed, n_unscored, wape, smape, rmse, bias, coverage
from {accuracy_by_use_case}
where run_kind = 'issued' and basis = 'comparable'
order by model_name
"""

OURS = """
select
    series_id,
    model_name as model,
    origin_date as origin,
    target_date as target,
    horizon_step,
    if(is_fallback, null, yhat) as yhat
from {forecasts}
"""

OUTCOMES = """
select model_name, outcome, coalesce(reason, '') as reason, count(*) as n
from {run_forecasts}
group by model_name, outcome, reason
order by model_name, n desc
"""

FITS = """
select count(*) as n_fits, countif(status like '%failed') as n_failed
from {model_log}
"""

SECONDS = """
select step, sum(seconds) as seconds
from {run_log}
where event = 'ended' and status = 'done' and run_kind = 'replay'
group by step
"""


def missing_data(data_dir: Path) -> str:
    """Say which file is not there; empty where both are."""
    missing = [name for name in (SALES, WEATHER) if not (data_dir / name).is_file()]
    return f"skipped: {data_dir} has no {' and no '.join(missing)}" if missing else ""


def shortened(sales: Path, n_series: int, folder: Path) -> Path:
    """Write the rows of n series, spread evenly over stores and brands, to a file of their own."""
    rows = pd.read_csv(sales, dtype=str)
    keys = rows[["unit", "sku_id"]].agg("|".join, axis=1)
    everyone = np.sort(keys.unique())
    chosen = everyone[np.linspace(0, len(everyone) - 1, n_series).round().astype(int)]
    path = folder / SALES
    rows[keys.isin(chosen)].to_csv(path, index=False)
    return path


def deployment(endpoints: Endpoints, folder: Path, dataset: str) -> dict[str, str]:
    """The environment of a deployment of its own: dataset, settings, dbt's folders."""
    profiles = folder / "profiles"
    profiles.mkdir(exist_ok=True)
    shutil.copy(ROOT / "profiles.example.yml", profiles / "profiles.yml")
    return {
        **endpoints.environment(),
        "SHELFCAST_TARGET": "local",
        "SHELFCAST_DATASET": dataset,
        "SHELFCAST_SETTINGS": str(SETTINGS),
        "SHELFCAST_PROJECT_DIR": str(ROOT),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "DBT_PROFILES_DIR": str(profiles),
    }


def shelfcast(*arguments: str) -> float:
    """Run a command in this process; its wall time in seconds.

    Raises:
        SystemExit: the command failed.
    """
    say(f"shelfcast {' '.join(arguments)}")
    began = time.perf_counter()
    code = shelfcast_cli.main(list(arguments), prog_name="shelfcast", standalone_mode=False)
    if code:
        raise SystemExit(f"shelfcast {arguments[0]} ended with {code}")
    return time.perf_counter() - began


def load(sales: Path, weather: Path) -> float:
    """Load the sales, the same file as the plan, and the weather; seconds."""
    files = {"sales": sales, "promotions": sales, "weather": weather}
    return sum(shelfcast("load", str(path), "--as", kind) for kind, path in files.items())


def run_days(n_origins: int, last_run: date = LAST_RUN) -> list[date]:
    """The Thursdays of n runs four weeks apart, earliest first."""
    return [last_run - timedelta(weeks=4 * back) for back in range(n_origins - 1, -1, -1)]


def replay(n_origins: int, last_run: date = LAST_RUN) -> float:
    """Train and forecast as of n origins four weeks apart, the last one at last_run; seconds."""
    first, *_ = days = run_days(n_origins, last_run)
    arguments = ("--from", str(first), "--to", str(days[-1]), "--every", "4")
    return shelfcast("replay", *arguments, "--as-issued")


def tune(days: list[date]) -> float:
    """Choose recipes as of each day, from weeks that were over then; seconds.

    Raises:
        SystemExit: this version of Shelfcast has no such command.
    """
    if "tune" not in shelfcast_cli.commands:
        raise SystemExit("--tune: this version of shelfcast has no command `tune`")
    every = ("--origins", "3", "--every", "4")
    return sum(shelfcast("tune", *every, "--as-of", f"{day}T22:00") for day in sorted(set(days)))


def backtest_rounds() -> float:
    """Backtest TSPerf's origins and half a year before, then these again, calibrated; seconds."""
    n_rounds = len(orange_juice_rounds.round_days())
    return sum(
        shelfcast(*orange_juice_rounds.backtest_arguments(run_id, n_origins))
        for run_id, n_origins in (
            (orange_juice_rounds.BEFORE, n_rounds + N_CALIBRATING),
            (orange_juice_rounds.AFTER, n_rounds),
        )
    )


def read(statement: str, **parameters: str | float) -> pd.DataFrame:
    return open_context().warehouse.read(statement, **parameters)


def beside_peers(
    ours: pd.DataFrame, panel: pd.DataFrame, chosen: list[peers.Peer], cache: Path | None
) -> comparison.Timed:
    """Put peers' forecasts of a panel's series beside ours.

    Args:
        ours: one row per series_id, origin, target and model, with horizon_step and yhat (ounces,
            null where a baseline stood in).
        panel: the series to compare on, one row per series_id and week, gaps null.
        chosen: peers whose packages are installed.
        cache: a folder that keeps their forecasts.

    Returns:
        Rows as `orange_juice_peers.forecasts`, peers first, and each peer's seconds.
    """
    own = ours[ours["series_id"].isin(panel["series_id"].unique())]
    origins = [pd.Timestamp(origin) for origin in sorted(own["origin"].unique())]
    own = comparison.with_actuals(own, panel)[comparison.COLUMNS]
    if not chosen:
        return own, {}
    others, seconds = comparison.forecasts(panel, origins, chosen, cache=cache)
    return pd.concat([others, own], ignore_index=True), seconds


class PeakMemory:
    """The largest sum of resident memory of this process, its workers and the emulators."""

    def __init__(self) -> None:
        self.megabytes = 0.0

    @contextmanager
    def watched(self, every_s: float = 0.2) -> Iterator[None]:
        """Look every so often, in a thread, while the block runs."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(every_s):
                self.megabytes = max(self.megabytes, resident_megabytes())

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def resident_megabytes() -> float:
    """Resident memory of this process and all below it; pages that they share count for each."""
    own = psutil.Process()
    total = 0
    for process in (own, *own.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it ended since it was listed
            continue
    return total / 1e6


def tables(by_step: pd.DataFrame, overall: pd.DataFrame) -> str:
    """The comparison as Markdown: overall, then one metric a table by horizon step."""
    columns = {"wape": "WAPE", "smape": "sMAPE (0..2)", "rmse": "RMSE, oz", "bias": "bias"}
    everything = overall.set_index("model_name").reindex(MODELS)
    lines = [_line(["model", *columns.values(), "coverage of 80 %"]), _rule(5)]
    for name, title in MODELS.items():
        row = everything.loc[name]
        cells = [_shown(metric, row[metric]) for metric in (*columns, "coverage")]
        lines.append(_line([title, *cells]))
    for metric, heading in columns.items():
        wide = by_step.pivot(index="model_name", columns="horizon_step", values=metric)
        steps = [f"week {step}" for step in wide]
        lines += ["", _line([f"{heading} by horizon step", *steps]), _rule(len(steps))]
        for name, title in MODELS.items():
            lines.append(_line([title, *(_shown(metric, value) for value in wide.loc[name])]))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(n_numbers: int) -> str:
    return f"|---|{'---:|' * n_numbers}"


def _shown(metric: str, value: float) -> str:
    if pd.isna(value):
        return ""
    return format(value, {"rmse": ",.0f", "bias": "+.1%"}.get(metric, ".1%"))


def score_figures(scores: pd.DataFrame, n_series: int) -> dict[str, object]:
    """What the last line says of one set of series: fractions; rmse in ounces.

    Args:
        scores: one row per model (`orange_juice_peers.accuracy`).
        n_series: how many there are; it ends each name.
    """
    wapes = {f"wape_{model}_{n_series}": round(x, 4) for model, x in scores["wape"].items()}
    others = {
        f"{metric}_{n_series}": {model: round(x, 4) for model, x in scores[metric].items()}
        for metric in ("smape", "rmse", "bias")
    }
    counts = {f"n_compared_{n_series}": int(scores["n"].iloc[0])}
    return {**wapes, **others, **counts}


def own_figures(overall: pd.DataFrame) -> dict[str, object]:
    """What the last line says of our own rows in the marts."""
    models = overall.set_index("model_name").loc[CHAMPION]
    counts = {name: int(models[name]) for name in ("n_scored", "n_removed", "n_unscored")}
    return {"coverage_80": round(float(models["coverage"]), 4), **counts}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    keys = [peer.key for peer in peers.PEERS]
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR, help="where the two files are")
    parser.add_argument("--series", type=int, help="so many series only; default: all")
    parser.add_argument("--origins", type=int, default=3, help="origins, four weeks apart")
    parser.add_argument(
        "--last-run",
        type=date.fromisoformat,
        default=LAST_RUN,
        help="the Thursday of the last origin's run; an earlier one leaves the test weeks unseen",
    )
    parser.add_argument("--peers", nargs="*", choices=keys, default=keys, metavar="PEER")
    parser.add_argument("--cache", type=Path, help="a folder that keeps the peers' forecasts")
    parser.add_argument(
        "--rounds",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="TSPerf's rounds, and intervals before and after calibration",
    )
    parser.add_argument(
        "--tune",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="choose recipes as of each origin first",
    )
    return parser.parse_args()


def run_shelfcast(args: argparse.Namespace, sales: Path) -> dict[str, float]:
    """Everything that Shelfcast does, at the deployment that the environment names; seconds."""
    seconds = {"load": load(sales, args.data_dir / WEATHER)}
    days = run_days(args.origins, args.last_run)
    if args.tune:
        seconds["tune"] = tune(days + (orange_juice_rounds.round_days() if args.rounds else []))
    if args.rounds:
        seconds["rounds"] = backtest_rounds()
    seconds["replay"] = replay(args.origins, args.last_run)
    steps = read(SECONDS).set_index("step")["seconds"]
    return seconds | {f"replay_{stage}": float(steps[stage]) for stage in STAGES}


def rounds_report(sales: pd.DataFrame) -> tuple[str, dict[str, object]]:
    """TSPerf's table and the intervals', and what the last line says of them."""
    ours = orange_juice_rounds.tsperf_mape(read, sales, CHAMPION)
    rounds = (read, "origin_date", CHAMPION, NOMINAL), (read, "horizon_step", CHAMPION, NOMINAL)
    by_origin, by_step = (orange_juice_rounds.intervals(*each) for each in rounds)
    baselines = comparison.tsperf_check(sales)
    title = {f"Shelfcast: {MODELS[CHAMPION]}": ours["tsperf_mape"]}
    text = "\n\n".join(
        [
            comparison.tsperf_table(baselines, title),
            orange_juice_rounds.intervals_table(by_origin, by_step, NOMINAL),
        ]
    )
    return text, {**ours, **orange_juice_rounds.interval_figures(by_origin, by_step)}


def compared(
    ours: pd.DataFrame, panel: pd.DataFrame, args: argparse.Namespace
) -> tuple[str, dict[str, object]]:
    """The table beside the peers on a panel's series, and what the last line says of it."""
    chosen = comparison.installed([peer for peer in peers.PEERS if peer.key in args.peers], say)
    titles = MODELS | {peer.key: peer.title for peer in chosen}
    rows, seconds = beside_peers(ours, panel, chosen, args.cache)
    scores, n_series = comparison.accuracy(rows), panel["series_id"].nunique()
    heading = f"{n_series} series, {scores['n'].iloc[0]:,} rows that all models have"
    text = f"{heading}\n\n{comparison.table(scores, titles, seconds)}"
    return text, score_figures(scores, n_series)


def main() -> None:
    args = parse_arguments()
    skipped = missing_data(args.data_dir)
    if skipped:
        print(skipped)
        return
    memory, began = PeakMemory(), time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary, memory.watched():
        folder = Path(temporary)
        path = args.data_dir / SALES
        if args.series:
            path = shortened(path, args.series, folder)
        sales = orange_juice_panel.read_sales(path)
        with stack.ephemeral() as endpoints:
            os.environ.update(deployment(endpoints, folder, "orange_juice"))
            environment.use(endpoints)
            seconds = {"start": time.perf_counter() - began} | run_shelfcast(args, path)
            by_step, overall, outcomes = read(BY_STEP), read(OVERALL), read(OUTCOMES)
            fits, ours = read(FITS).iloc[0], read(OURS)
            rounds, rounds_figures = rounds_report(sales) if args.rounds else ("", {})
    seconds["total"] = time.perf_counter() - began
    say(outcomes.to_string(index=False))
    print(tables(by_step, overall), rounds, sep="\n\n", end="\n\n", flush=True)
    figures: dict[str, object] = {}
    for panel in (orange_juice_panel.complete_series(sales), orange_juice_panel.weekly(sales)):
        text, added = compared(ours, panel, args)
        print(text, end="\n\n", flush=True)
        figures |= added
    result = {
        **figures,
        **own_figures(overall),
        **rounds_figures,
        "is_tuned": args.tune,
        "n_fits": int(fits["n_fits"]),
        "n_fits_failed": int(fits["n_failed"]),
        "n_series": int(ours["series_id"].nunique()),
        "n_origins": args.origins,
        "seconds": {stage: round(value, 1) for stage, value in seconds.items()},
        "peak_mb": round(memory.megabytes),
        "cpu_count": os.cpu_count(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
