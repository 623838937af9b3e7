"""Seconds and memory of the monitoring build, and how they grow with the portfolio.

    python -m benchmarks.monitoring_scale                       # 1,000, 10,000 and 100,000 series
    python -m benchmarks.monitoring_scale --series 1000 --weeks 13

For each size a dataset of its own on one local emulator is filled as runs would have left it:
30 weeks of sales, and at each of 13 weekly origins four weeks of forecasts with intervals and four
baselines. Everything before the forecasts is written by SQL, not forecast: what is timed is
`shelfcast monitor`, the true command's code, with all its data tests and alerts.

- `first_s`: no forecast has ever been scored; all 13 weeks are.
- `again_s`: the next Friday; the last `lookback_periods` and what was revised, here one week.
- `n_scored_rows`: rows of forecast_errors, models and baselines alike.
- `emulator_peak_mb`, `job_peak_mb`: peak resident memory of the two processes, of all sizes so far
  (the emulator is DuckDB and computes; on BigQuery that part is Google's).
- `growth`: by what the seconds of `first_s` grow when the series grow tenfold.

Progress goes to stderr; the last line on stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from python_jobs.infra.settings import project_dir
from python_jobs.local import environment, stack
from python_jobs.runs.context import RunContext, open_context
from python_jobs.runs.monitor import monitor
from python_jobs.runs.stages import ensure_tables

MONDAY = date(2026, 11, 9)
"""First day of the newest complete week."""

HISTORY = 30
"""Weeks of sales before and with it."""

HORIZON = 4

SERIES = """
    select
        concat('U', cast(mod(n, 7) as string)) as unit,
        concat('C', cast(mod(n, 3) as string)) as channel,
        concat('S', cast(n as string)) as sku_id,
        concat('U', cast(mod(n, 7) as string), '|C', cast(mod(n, 3) as string), '|S',
            cast(n as string)) as series_id,
        5 + mod(n * 7919, 200) as level
    from unnest(generate_array(1, @n_series)) as n
"""

NOISE = "mod(abs(farm_fingerprint(concat(series_id, cast({day} as string)))), 21) - 10"
"""A whole number from -10 to 10, the same wherever it is asked for."""

FILL = {
    "sku_weekly_sales.rows": f"""
        select unit, channel, sku_id, day as week_start,
            greatest(level + {NOISE.format(day="day")}, 0) * 1.0 as units_sold, 2.5 as price,
            false as is_sold_out,
            timestamp(date_add(day, interval 7 day)) as loaded_at
        from ({SERIES})
        cross join unnest(generate_date_array(@first_week, @last_week, interval 7 day)) as day
    """,
    "run_origins": """
        select concat('r', cast(day as string)) as run_id, 'issued' as run_kind,
            'sku_weekly' as use_case, date_sub(day, interval 1 day) as origin_date,
            timestamp(date_add(day, interval 2 day)) as as_of_at, false as is_as_issued,
            timestamp(date_add(day, interval 2 day)) as requested_at
        from unnest(generate_date_array(@first_origin, @last_origin, interval 7 day)) as day
    """,
    "run_log": """
        select concat('r', cast(day as string)) as run_id, 'issued' as run_kind,
            'sku_weekly' as use_case, step, 0 as shard, 1 as n_shards, 0 as attempt,
            'ended' as event, 'done' as status, @n_series as n_in, @n_series as n_out,
            1.0 as seconds, false as is_partial, '' as settings_hash, '' as code_version,
            '' as message, timestamp(date_add(day, interval 2 day)) as logged_at
        from unnest(generate_date_array(@first_origin, @last_origin, interval 7 day)) as day
        cross join unnest(['predict', 'after_forecast']) as step
    """,
    "series_profiles": """
        select 'sku_weekly' as use_case, concat('r', cast(day as string)) as run_id, series_id,
            date_sub(day, interval 1 day) as origin_date,
            timestamp(date_add(day, interval 2 day)) as as_of_at, 26 as n_observed,
            level * 1.0 as y_mean, 6.0 as y_sd, 7.0 as naive_scale, 'smooth' as demand_class,
            true as is_forecastable, cast(null as string) as reason
        from ({series})
        cross join unnest(generate_date_array(@first_origin, @last_origin, interval 7 day)) as day
    """,
    "forecast_log": """
        select concat('r', cast(day as string)) as run_id, 0 as shard, 'issued' as run_kind,
            'sku_weekly' as use_case, series_id, 'prophet' as model_name, 'v1' as model_version,
            date_sub(day, interval 1 day) as origin_date,
            timestamp(date_add(day, interval 2 day)) as as_of_at,
            date_add(day, interval 7 * (step - 1) day) as target_date, step as horizon_step,
            level * 1.0 as yhat, level - 8.0 as yhat_lower, level + 8.0 as yhat_upper,
            'simulated_paths' as interval_source, 'none' as interval_calibration,
            8.0 as half_width, 'none' as transform, '{"promo_share": 0.0}' as regressors_as_known,
            'forecast' as outcome, cast(null as string) as reason, '' as code_version,
            timestamp(date_add(day, interval 2 day)) as issued_at
        from ({series})
        cross join unnest(generate_date_array(@first_origin, @last_origin, interval 7 day)) as day
        cross join unnest(generate_array(1, @horizon)) as step
    """,
    "forecasts": """
        select use_case, series_id, model_name, origin_date, target_date, horizon_step, yhat,
            yhat_lower, yhat_upper, interval_source, interval_calibration, false as is_fallback,
            cast(null as string) as fallback_model, reason, true as is_champion, run_id, run_kind,
            as_of_at, issued_at, model_version, regressors_as_known, code_version
        from {forecast_log}
    """,
    "sku_weekly_baselines": """
        select log.run_id, log.series_id, log.origin_date, log.target_date, log.horizon_step,
            baseline.model_name, log.yhat + 3.0 * baseline.shift as yhat
        from {forecast_log} as log
        cross join unnest([
            struct('naive' as model_name, 1 as shift),
            struct('seasonal_naive' as model_name, 2 as shift),
            struct('mean_4' as model_name, -1 as shift), struct('mean_8' as model_name, -2 as shift)
        ]) as baseline
    """,
}
"""What runs would have left, by relation, in the order in which it is written."""


def say(what: str) -> None:
    """Tell progress."""
    print(what, file=sys.stderr, flush=True)


def fill(context: RunContext, n_series: int, n_weeks: int) -> None:
    """Make every relation, empty, then write what runs would have left in it."""
    ensure_tables(context)
    warehouse = context.warehouse
    for source, columns in SOURCES.items():
        warehouse.create_table(warehouse.table(f"sku_weekly_{source}.rows"), columns)
    context.dbt.run("seed")
    context.dbt.run("run", "--empty")
    context.dbt.run("run", "--select", "config.materialized:view")  # --empty makes them empty too
    first = MONDAY - timedelta(weeks=n_weeks - 1)
    values: dict[str, Any] = {
        "n_series": n_series,
        "first_week": MONDAY - timedelta(weeks=HISTORY - 1),
        "last_week": MONDAY,
        "first_origin": first,
        "last_origin": MONDAY,
        "horizon": HORIZON,
    }
    for relation, select in FILL.items():
        started = time.perf_counter()
        query = select.replace("{series}", SERIES)
        columns = [
            column.name
            for column in warehouse.query(f"select * from ({query}) where false", **values).schema
        ]
        warehouse.query(f"insert into {{{relation}}} ({', '.join(columns)}) {query}", **values)
        say(f"  {relation}: {time.perf_counter() - started:.1f} s")
    for relation in ("forecast_errors", "distributor_model_performance_metrics"):
        warehouse.query(f"drop table {{{relation}}}")


SOURCES: dict[str, dict[str, str]] = {
    "sales": {
        "unit": "STRING",
        "channel": "STRING",
        "sku_id": "STRING",
        "week_start": "DATE",
        "units_sold": "FLOAT",
        "price": "FLOAT",
        "is_sold_out": "BOOLEAN",
        "loaded_at": "TIMESTAMP",
    },
    "promotions": {
        "unit": "STRING",
        "channel": "STRING",
        "sku_id": "STRING",
        "start_date": "DATE",
        "end_date": "DATE",
        "price": "FLOAT",
        "discount": "FLOAT",
        "covers_from": "DATE",
        "covers_to": "DATE",
        "loaded_at": "TIMESTAMP",
    },
    "weather": {
        "location": "STRING",
        "date": "DATE",
        "kind": "STRING",
        "temperature_c": "FLOAT",
        "issued_at": "TIMESTAMP",
    },
}


def measure(folder: Path, emulator: psutil.Process, n_series: int, n_weeks: int) -> dict[str, Any]:
    """Fill a dataset of its own, then monitor twice."""
    folder.mkdir()
    os.environ |= {
        "SHELFCAST_DATASET": f"scale{n_series}",
        "SHELFCAST_MODELS_URI": str(folder / "models"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    context = open_context("sku_weekly")
    say(f"{n_series} series: filling")
    fill(context, n_series, n_weeks)
    friday = datetime(2026, 11, 20, 9, tzinfo=UTC)
    seconds = {}
    for name, at in (("first_s", friday), ("again_s", friday + timedelta(days=7))):
        started = time.perf_counter()
        monitor(context, as_of_at=at)
        seconds[name] = round(time.perf_counter() - started, 1)
        say(f"{n_series} series: {name} {seconds[name]}")
    rows = context.warehouse.read("select count(*) as n from {forecast_errors}")
    return {
        "series": n_series,
        **seconds,
        "n_scored_rows": int(rows["n"].iloc[0]),
        "emulator_peak_mb": round(_peak_mb(emulator.pid)),
        "job_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _peak_mb(pid: int) -> float:
    """Peak resident memory of another process (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peak.split()[1]) / 1024


def _emulator() -> psutil.Process:
    """The child that serves BigQuery."""
    for child in psutil.Process().children(recursive=True):
        if any("bigquery_emulator" in part for part in child.cmdline()):
            return child
    sys.exit("the emulator's process was not found")


def main() -> None:
    """Measure each size, one after the other, on one emulator."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--weeks", type=int, default=13)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as made,
        stack.ephemeral(persistent_bigquery=True) as endpoints,
    ):
        environment.use(endpoints)
        profiles = Path(made) / "profiles"
        profiles.mkdir()
        text = (project_dir() / "profiles.example.yml").read_text()
        # 26 million rows on two cores take longer than a statement may elsewhere.
        text = re.sub(r"(timeout_seconds:) \d+", r"\1 7200", text)
        (profiles / "profiles.yml").write_text(text)
        os.environ["DBT_PROFILES_DIR"] = str(profiles)
        emulator = _emulator()
        found = [
            measure(Path(made) / str(size), emulator, size, options.weeks)
            for size in options.series
        ]
    growth = [round(b["first_s"] / a["first_s"], 2) for a, b in pairwise(found)]
    print(json.dumps({"weeks": options.weeks, "sizes": found, "growth": growth}))


if __name__ == "__main__":
    main()
