"""What promotions and weather are worth on 913 real series: Dominick's orange juice, in Chicago.

Six use cases of the same data, each in a dataset of its own, which differ in their regressors only:

- promotions (price, deal, feature) and weather; either of them; neither;
- weather as it would have been known: observed up to the origin, climatology after it, for the data
  hold no forecast that was issued then;
- weather as it came: every day known beforehand, which no weather forecast can better.

One `shelfcast backtest` each, at the same origins; accuracy by horizon step comes from
`accuracy_by_horizon_step`, and differences are taken on the same rows, origin by origin.

    python -m benchmarks.orange_juice_regressors --series 40 --origins 2
    python -m benchmarks.orange_juice_regressors

Without the data (see benchmarks/README.md) it says so and does nothing. Tables go to stdout; the
last line is one JSON object.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import tempfile
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy import stats

from benchmarks import orange_juice
from benchmarks.orange_juice import DATA_DIR, SALES, SETTINGS, WEATHER, say
from python_jobs.local import environment, stack
from python_jobs.local.ports import Endpoints

PROJECT, DATASET = "shelfcast-local", "orange_juice"
"""Hold the sources; each variant's own dataset has its name after it."""

PROMOTION, TEMPERATURE = ("log_price", "deal", "feat"), ("temperature_c",)
METRICS = {"wape": "WAPE", "smape": "sMAPE (0..2)", "rmse": "RMSE, oz", "bias": "bias"}
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Variant:
    """A use case of the same data.

    Attributes:
        title: what the tables call it.
        regressors: those of orange_juice.yml that it keeps.
        has_foresight: whether every day's weather is known beforehand.
    """

    title: str
    regressors: tuple[str, ...]
    has_foresight: bool = False


VARIANTS = {
    "both": Variant("promotions and weather", (*PROMOTION, *TEMPERATURE)),
    "both_foresight": Variant(
        "promotions and weather as it came", (*PROMOTION, *TEMPERATURE), has_foresight=True
    ),
    "promotion": Variant("promotions only", PROMOTION),
    "weather": Variant("weather only", TEMPERATURE),
    "weather_foresight": Variant("weather as it came only", TEMPERATURE, has_foresight=True),
    "neither": Variant("neither", ()),
}

QUESTIONS = {
    "promotions, without weather": ("neither", "promotion"),
    "promotions, with weather": ("weather", "both"),
    "weather as known, with promotions": ("promotion", "both"),
    "weather as it came, with promotions": ("promotion", "both_foresight"),
    "weather as known, without promotions": ("neither", "weather"),
    "weather as it came, without promotions": ("neither", "weather_foresight"),
    "its coming against climatology, with promotions": ("both", "both_foresight"),
    "its coming against climatology, without": ("weather", "weather_foresight"),
}
"""What is asked, and the variants without and with it."""

BY_STEP = """
select horizon_step, n_scored, n_removed, n_unscored, wape, smape, rmse, bias
from {accuracy_by_horizon_step}
where run_kind = 'backtest' and basis = 'comparable' and model_name = @model_name
order by horizon_step
"""

OVERALL = """
select n_scored, n_removed, n_unscored, wape, smape, rmse, bias
from {accuracy_by_use_case}
where run_kind = 'backtest' and basis = 'comparable' and model_name = @model_name
"""

ROWS = """
select series_id, origin_date, target_date, y, yhat
from {forecast_errors}
where run_kind = 'backtest' and model_name = @model_name and is_comparable
order by series_id, origin_date, target_date
"""

KEYS = ["series_id", "origin_date", "target_date"]


def settings_of(variant: Variant) -> dict[str, Any]:
    """The settings of orange_juice.yml with a variant's regressors, over the loaded sources."""
    settings = copy.deepcopy(yaml.safe_load(SETTINGS.read_text()))
    use_case = settings["use_cases"]["sku_weekly"]
    use_case["families"] = [orange_juice.CHAMPION]
    use_case["family_options"] = {
        orange_juice.CHAMPION: {
            name: value
            for name, value in use_case["family_options"][orange_juice.CHAMPION].items()
            if name != "candidates"
        }
    }
    use_case["regressors"] = {name: use_case["regressors"][name] for name in variant.regressors}
    sources = use_case["sources"]
    for source in sources.values():
        source["table"] = f"{PROJECT}.{DATASET}_raw.{source['table']}"
    if variant.has_foresight:
        # Rows without known_at have always been known, and forecasts may be of days to come.
        sources["weather"]["columns"]["kind"] = "'forecast'"
    return settings


def backtest(n_origins: int, last_run: date) -> float:
    """Backtest origins four weeks apart, the last one that of a run at last_run; seconds."""
    first_target_over = last_run + timedelta(days=6)
    arguments = ("--origins", str(n_origins), "--every", "4", "--to", str(first_target_over))
    return orange_juice.shelfcast("backtest", *arguments)


@dataclass(frozen=True)
class Measured:
    """What one variant forecast.

    Attributes:
        by_step: a row a horizon step, as the mart has them.
        overall: all steps together.
        rows: one a scored series, origin and target, with y and yhat.
        seconds: of its backtest.
    """

    by_step: pd.DataFrame
    overall: pd.Series
    rows: pd.DataFrame
    seconds: float


def measure(name: str, endpoints: Endpoints, folder: Path, args: argparse.Namespace) -> Measured:
    """Backtest one variant in a dataset of its own."""
    own = folder / name
    own.mkdir()
    path = own / "settings.yml"
    path.write_text(yaml.safe_dump(settings_of(VARIANTS[name]), sort_keys=False))
    deployed = orange_juice.deployment(endpoints, own, f"{DATASET}_{name}")
    # dbt's data tests are orange_juice.py's to run; here they would be half of the time.
    os.environ.update(deployed, SHELFCAST_SETTINGS=str(path), DBT_EXCLUDE_RESOURCE_TYPES="test")
    seconds = backtest(args.origins, args.last_run)
    ours = {"model_name": orange_juice.CHAMPION}
    read = orange_juice.read
    return Measured(
        read(BY_STEP, **ours), read(OVERALL, **ours).iloc[0], read(ROWS, **ours), seconds
    )


def same_rows(measured: dict[str, Measured]) -> int:
    """How many rows each variant was scored on.

    Raises:
        SystemExit: they are not the same rows, so that nothing could be compared.
    """
    keys = {name: set(map(tuple, one.rows[KEYS].to_numpy())) for name, one in measured.items()}
    first, *others = keys.values()
    if any(other != first for other in others):
        counts = ", ".join(f"{name} {len(rows)}" for name, rows in keys.items())
        raise SystemExit(f"the variants were scored on different rows: {counts}")
    return len(first)


def differences(without: pd.DataFrame, with_it: pd.DataFrame) -> dict[str, Any]:
    """What something is worth: WAPE with it less WAPE without, origin by origin, on the same rows.

    All series of a week share its weather and much of its promotions, so that rows of one week are
    no independent evidence; origins, whose targets do not overlap, are. Below 0 it helps.

    Args:
        without: rows of the variant without it: KEYS, y, yhat.
        with_it: rows of the variant with it.

    Returns:
        total (of all rows), by_origin, low and high (Student's t interval of the mean over
        origins, null with fewer than three), n_origins_better, n_weeks_better, n_weeks.
    """
    both = without.merge(with_it, on=[*KEYS, "y"], suffixes=("_without", "_with"), validate="1:1")
    for side in ("without", "with"):
        both[side] = (both[f"yhat_{side}"] - both["y"]).abs()
    both["gain"] = both["with"] - both["without"]

    def by(columns: list[str]) -> pd.Series:
        sums = both.groupby(columns)[["gain", "y"]].sum()
        return sums["gain"] / sums["y"]

    by_origin, by_week = by(["origin_date"]), by(["origin_date", "target_date"])
    low = high = None
    if len(by_origin) >= 3:
        spread = stats.t.ppf((1 + CONFIDENCE) / 2, len(by_origin) - 1) * stats.sem(by_origin)
        low, high = by_origin.mean() - spread, by_origin.mean() + spread
    return {
        "total": both["gain"].sum() / both["y"].sum(),
        "by_origin": list(by_origin),
        "low": low,
        "high": high,
        "n_origins_better": int((by_origin < 0).sum()),
        "n_weeks_better": int((by_week < 0).sum()),
        "n_weeks": len(by_week),
        "rows_better": float(np.mean(both["gain"] < 0)),
    }


def tables(measured: dict[str, Measured], found: dict[str, dict[str, Any]]) -> str:
    """The variants side by side, overall and by horizon step, then what each thing is worth."""
    lines = [_line(["regressors", *METRICS.values()]), _rule(len(METRICS))]
    for name, one in measured.items():
        cells = [_shown(metric, one.overall[metric]) for metric in METRICS]
        lines.append(_line([VARIANTS[name].title, *cells]))
    for metric, heading in METRICS.items():
        steps = next(iter(measured.values())).by_step["horizon_step"]
        lines += ["", _line([f"{heading} by horizon step", *(f"week {step}" for step in steps)])]
        lines.append(_rule(len(steps)))
        for name, one in measured.items():
            cells = [_shown(metric, value) for value in one.by_step[metric]]
            lines.append(_line([VARIANTS[name].title, *cells]))
    heads = ["change of WAPE by", "all rows", "95 % of origins' mean", "origins better"]
    lines += ["", _line([*heads, "weeks better", "rows better"]), _rule(5)]
    lines += [_line([question, *_worth(one)]) for question, one in found.items()]
    return "\n".join(lines)


def _worth(found: dict[str, Any]) -> list[str]:
    known = found["low"] is not None
    return [
        f"{100 * found['total']:+.2f}",
        f"{100 * found['low']:+.2f} to {100 * found['high']:+.2f}" if known else "",
        f"{found['n_origins_better']} of {len(found['by_origin'])}",
        f"{found['n_weeks_better']} of {found['n_weeks']}",
        f"{found['rows_better']:.1%}",
    ]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(n_numbers: int) -> str:
    return f"|---|{'---:|' * n_numbers}"


def _shown(metric: str, value: float) -> str:
    return format(value, {"rmse": ",.0f", "bias": "+.1%"}.get(metric, ".2%"))


def rounded(found: dict[str, Any]) -> dict[str, Any]:
    """The differences with six decimals, for the last line."""
    kept = {}
    for name, value in found.items():
        if isinstance(value, list):
            kept[name] = [round(one, 6) for one in value]
        else:
            kept[name] = round(value, 6) if isinstance(value, float) else value
    return kept


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR, help="where the two files are")
    parser.add_argument("--series", type=int, help="so many series only; default: all")
    parser.add_argument("--origins", type=int, default=6, help="origins, four weeks apart")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument(
        "--last-run",
        type=date.fromisoformat,
        default=orange_juice.LAST_RUN,
        help="the Thursday of the last origin's run",
    )
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    skipped = orange_juice.missing_data(args.data_dir)
    if skipped:
        print(skipped)
        return
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sales = args.data_dir / SALES
        if args.series:
            sales = orange_juice.shortened(sales, args.series, folder)
        with stack.ephemeral() as endpoints:
            os.environ.update(orange_juice.deployment(endpoints, folder, DATASET))
            environment.use(endpoints)
            orange_juice.load(sales, args.data_dir / WEATHER)
            measured = {}
            for name in args.variants:
                measured[name] = measure(name, endpoints, folder, args)
                say(f"{name}: WAPE {measured[name].overall['wape']:.2%}")
    n_rows = same_rows(measured)
    found = {
        question: differences(measured[without].rows, measured[with_it].rows)
        for question, (without, with_it) in QUESTIONS.items()
        if {without, with_it} <= set(measured)
    }
    print(tables(measured, found), end="\n\n", flush=True)
    result = {
        **{
            f"{metric}_{name}": round(float(one.overall[metric]), 6)
            for name, one in measured.items()
            for metric in METRICS
        },
        "differences": {question: rounded(one) for question, one in found.items()},
        "n_rows": n_rows,
        "n_series": int(measured[args.variants[0]].rows["series_id"].nunique()),
        "n_origins": args.origins,
        "backtest_seconds": {name: round(one.seconds, 1) for name, one in measured.items()},
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
