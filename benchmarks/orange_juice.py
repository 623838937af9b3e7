"""How good forecasts of 913 real series are: Dominick's orange juice, Chicago's weather.

The whole pipeline on emulators of its own: load, then a replay of three origins four weeks apart,
with models trained as of each, four weeks forecast from each. Only `shelfcast` commands write;
every figure is read from the marts by SQL. Models and baselines are compared on the rows that all
of them forecast.

    python -m benchmarks.orange_juice --series 40 --origins 1

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

from python_jobs import pipeline
from python_jobs.cli import main as shelfcast_cli
from python_jobs.local import environment, stack

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
STAGES = ("before_forecast", "train", "predict", "after_forecast")

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

OUTCOMES = """
select model_name, outcome, coalesce(reason, '') as reason, count(*) as n
from {run_forecasts}
group by model_name, outcome, reason
order by model_name, n desc
"""

FITS = """
select count(*) as n_fits, countif(status = 'failed') as n_failed
from {model_log}
"""

SERIES = """
select count(distinct series_id) as n_series
from {run_forecasts}
"""

SECONDS = """
select step, sum(seconds) as seconds
from {run_log}
where event = 'ended' and status = 'done'
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


def deployment(endpoints: stack.Endpoints, folder: Path, dataset: str) -> dict[str, str]:
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


def replay(n_origins: int, last_run: date = LAST_RUN) -> float:
    """Train and forecast as of n origins four weeks apart, the last one at last_run; seconds."""
    first = last_run - timedelta(weeks=4 * (n_origins - 1))
    days = ("--from", str(first), "--to", str(last_run), "--every", "4")
    return shelfcast("replay", *days, "--as-issued")


def read(statement: str) -> pd.DataFrame:
    return pipeline.open_workplace().warehouse.read(statement)


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


def figures(overall: pd.DataFrame) -> dict[str, float]:
    """What the last line says of accuracy."""
    models = overall.set_index("model_name")
    names = {"prophet_lag": "prophet", "prophet": "prophet_no_lag"}
    names |= {name.replace("mean_", "mean"): name for name in list(MODELS)[2:]}
    wapes = {
        f"wape_{short}": round(float(models["wape"][name]), 4) for short, name in names.items()
    }
    return {
        **wapes,
        "coverage_80": round(float(models["coverage"]["prophet"]), 4),
        "n_compared": int(models["n_scored"]["prophet"]),
        "n_removed": int(models["n_removed"]["prophet"]),
        "n_unscored": int(models["n_unscored"]["prophet"]),
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR, help="where the two files are")
    parser.add_argument("--series", type=int, help="so many series only; default: all")
    parser.add_argument("--origins", type=int, default=3, help="origins, four weeks apart")
    parser.add_argument(
        "--last-run",
        type=date.fromisoformat,
        default=LAST_RUN,
        help="the Thursday of the last origin's run; an earlier one leaves the test weeks unseen",
    )
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    skipped = missing_data(args.data_dir)
    if skipped:
        print(skipped)
        return
    memory, began = PeakMemory(), time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary, memory.watched():
        folder = Path(temporary)
        sales = args.data_dir / SALES
        if args.series:
            sales = shortened(sales, args.series, folder)
        with stack.ephemeral() as endpoints:
            os.environ.update(deployment(endpoints, folder, "orange_juice"))
            environment.use(endpoints)
            seconds = {"start": time.perf_counter() - began}
            seconds["load"] = load(sales, args.data_dir / WEATHER)
            seconds["replay"] = replay(args.origins, args.last_run)
            steps = read(SECONDS).set_index("step")["seconds"]
            seconds |= {f"replay_{stage}": float(steps[stage]) for stage in STAGES}
            by_step, overall, outcomes = read(BY_STEP), read(OVERALL), read(OUTCOMES)
            fits, series = read(FITS).iloc[0], read(SERIES).iloc[0]
    seconds["total"] = time.perf_counter() - began
    say(outcomes.to_string(index=False))
    print(tables(by_step, overall))
    result = {
        **figures(overall),
        "n_fits": int(fits["n_fits"]),
        "n_fits_failed": int(fits["n_failed"]),
        "n_series": int(series["n_series"]),
        "n_origins": args.origins,
        "seconds": {stage: round(value, 1) for stage, value in seconds.items()},
        "peak_mb": round(memory.megabytes),
        "cpu_count": os.cpu_count(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
