"""How good other forecasters are on Dominick's orange juice, on rows that Shelfcast can join.

550 complete series, the last three origins four weeks apart, four weeks from each; and TSPerf's
own protocol with its baselines, as a check that data, rounds and score are what was published.

    python -m benchmarks.orange_juice_peers --series 40 --peers naive lightgbm
    python -m benchmarks.orange_juice_peers --cache /tmp/peers --output /tmp/peers.parquet

Peers whose packages are missing are named and left out (`pip install -r requirements-bench.lock`).
Without the data it says so and does nothing. The table goes to stdout; the last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import orange_juice_panel, peers, tsperf
from benchmarks.orange_juice_panel import DATA_DIR, SALES, WEEK, complete_series

HORIZON = 4
COLUMNS = ["series_id", "origin", "target", "horizon_step", "model", "yhat", "y"]
KEY = ["series_id", "origin", "target", "horizon_step"]
METRICS = ["n", "wape", "smape", "rmse", "bias"]

Timed = tuple[pd.DataFrame, dict[str, float]]


def forecasts(
    panel: pd.DataFrame,
    origins: Sequence[pd.Timestamp],
    chosen: Sequence[peers.Peer] = peers.PEERS,
    horizon: int = HORIZON,
    cache: Path | None = None,
) -> Timed:
    """Forecast from each origin with each peer.

    Args:
        panel: one row per series_id and week, gaps null (`complete_series`).
        origins: last known days, each the last of a week (`orange_juice_panel.origins`).
        chosen: peers whose packages are installed.
        horizon: weeks from each origin; their plans are in the panel.
        cache: a folder that keeps forecasts, so that the same ones are not made twice.

    Returns:
        One row per series_id, origin, target (a week's first day) and model, with horizon_step
        from 1, yhat in ounces (null: none) and y (null: not recorded); and each peer's seconds,
        summed over origins, from the run that made the forecasts.
    """
    parts, seconds = [], dict.fromkeys((peer.key for peer in chosen), 0.0)
    for origin in origins:
        history = orange_juice_panel.known_at(panel, origin)
        plan = orange_juice_panel.plan_after(panel, origin, horizon)
        for peer in chosen:
            yhat = cached(cache, peer, history, plan)
            seconds[peer.key] += yhat.attrs["seconds"]
            say(f"{peer.key} from {origin:%Y-%m-%d}: {yhat.attrs['seconds']:.1f} s")
            parts.append(yhat.assign(origin=origin, model=peer.key))
    rows = pd.concat(parts, ignore_index=True).rename(columns={"ds": "target"})
    rows["horizon_step"] = (rows["target"] - rows["origin"]) // WEEK + 1
    return with_actuals(rows, panel)[COLUMNS], seconds


def with_actuals(rows: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    """Add what was recorded to forecasts; null where nothing was."""
    actuals = panel[["series_id", "ds", "y"]].rename(columns={"ds": "target"})
    return rows.merge(actuals, on=["series_id", "target"], how="left", validate="many_to_one")


def cached(
    cache: Path | None, peer: peers.Peer, history: pd.DataFrame, plan: pd.DataFrame
) -> pd.DataFrame:
    """Read a peer's forecast from the cache, or make it and keep it there."""
    if cache is None:
        return timed(peer, history, plan)
    path = cache / f"{peer.key}-{cache_key(peer, history, plan)}.parquet"
    if path.is_file():
        return pd.read_parquet(path)
    made = timed(peer, history, plan)
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    made.to_parquet(unfinished, index=False)
    unfinished.replace(path)
    return made


def timed(peer: peers.Peer, history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Make a peer's forecast; its wall seconds stand in `attrs`.

    Raises:
        ValueError: it does not hold each planned week exactly once.
    """
    began = time.perf_counter()
    forecast = peer.forecast(history, plan)
    seconds = time.perf_counter() - began
    rows = plan[["series_id", "ds"]].merge(forecast, how="outer", indicator=True)
    n_wrong = int((rows["_merge"] != "both").sum()) + len(rows) - len(plan)
    if n_wrong:
        raise ValueError(f"{peer.key}: {n_wrong} of {len(plan)} planned weeks missing or not asked")
    made = rows[["series_id", "ds", "yhat"]].copy()
    made.attrs["seconds"] = seconds
    return made


def cache_key(peer: peers.Peer, history: pd.DataFrame, plan: pd.DataFrame) -> str:
    """Hash all that a forecast depends on: rows, settings (the peers' source) and versions."""
    digest = hashlib.sha256(Path(peers.__file__).read_bytes())
    for frame in (history, plan):
        digest.update(",".join(frame.columns).encode())
        digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    versions = {name: importlib.metadata.version(name) for name in ("prophet", *peer.packages)}
    digest.update(json.dumps([peer.key, versions], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def comparable(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows that every model forecast and whose actual was recorded.

    Raises:
        ValueError: a model has two forecasts of the same row.
    """
    wide = rows.pivot(index=KEY, columns="model", values="yhat")
    complete = wide.index[wide.notna().all(axis=1)]
    kept = rows[pd.MultiIndex.from_frame(rows[KEY]).isin(complete) & rows["y"].notna()]
    return kept.reset_index(drop=True)


def accuracy(rows: pd.DataFrame) -> pd.DataFrame:
    """Score each model over the rows that all of them have (`comparable`), all weeks together.

    Returns:
        One row per model: n rows; wape = sum |y - yhat| / sum |y|; smape = mean of
        2 |y - yhat| / (|y| + |yhat|), on the scale 0 to 2, 0 where both are zero; rmse in units of
        y; bias = sum (yhat - y) / sum |y|, positive for over-forecasts. Fractions, not percent.
    """
    each = comparable(rows)
    error, size = each["yhat"] - each["y"], each["y"].abs()
    terms = each[["model"]].assign(
        abs_error=error.abs(),
        squared_error=error**2,
        error=error,
        abs_y=size,
        smape_term=(2 * error.abs() / (size + each["yhat"].abs())).where(error != 0, 0.0),
    )
    by_model = terms.groupby("model", sort=False)
    totals = by_model.sum()
    scores = pd.DataFrame(
        {
            "n": by_model.size(),
            "wape": totals["abs_error"] / totals["abs_y"],
            "smape": by_model["smape_term"].mean(),
            "rmse": np.sqrt(by_model["squared_error"].mean()),
            "bias": totals["error"] / totals["abs_y"],
        }
    )
    return scores[METRICS]


def table(scores: pd.DataFrame, titles: dict[str, str], seconds: dict[str, float]) -> str:
    """Write scores as Markdown, a model a line."""
    lines = ["| model | WAPE | sMAPE (0..2) | RMSE, oz | bias | seconds |", "|---|" + "---:|" * 5]
    for model, row in scores.iterrows():
        cells = [f"{row['wape']:.2%}", f"{row['smape']:.2%}", f"{row['rmse']:,.0f}"]
        cells += [f"{row['bias']:+.1%}", f"{seconds[model]:.1f}" if model in seconds else ""]
        lines.append(f"| {titles.get(str(model), model)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tsperf_forecasts(
    sales: pd.DataFrame, chosen: Sequence[peers.Peer], cache: Path | None = None
) -> Timed:
    """Forecast TSPerf's 12 rounds of all 913 series with peers, gaps filled by our own rule.

    Returns:
        As `forecasts`, weeks 2 and 3 ahead only, with TSPerf's round and week; and seconds.
    """
    panel = orange_juice_panel.weekly(sales)
    origins = [each.origin for each in tsperf.tsperf_rounds()]
    horizon = tsperf.GAP + tsperf.HORIZON
    rows, seconds = forecasts(panel, origins, chosen, horizon=horizon, cache=cache)
    return tsperf.by_round(rows), seconds


def tsperf_check(sales: pd.DataFrame) -> dict[str, float]:
    """Score TSPerf's baselines by its protocol, as fractions."""
    actuals = numbered(sales)
    baselines = tsperf.baseline_forecasts(actuals)
    return {name: tsperf.tsperf_mape(rows, actuals) for name, rows in baselines.items()}


def numbered(sales: pd.DataFrame) -> pd.DataFrame:
    """Add TSPerf's number of each week."""
    return sales.assign(week=tsperf.week_number(sales["ds"]))


def tsperf_scores(rows: pd.DataFrame, sales: pd.DataFrame) -> dict[str, float]:
    """Score each model's rounds (`tsperf_forecasts`) by TSPerf's MAPE, as fractions.

    Raises:
        ValueError: a model has no forecast for some of the rows: TSPerf scores whole submissions.
    """
    incomplete = rows[rows["yhat"].isna()]
    if len(incomplete):
        counts = incomplete.groupby("model").size().to_dict()
        raise ValueError(f"tsperf: forecasts missing, by model: {counts}. Score other models.")
    actuals = numbered(sales)
    return {
        str(model): tsperf.tsperf_mape(each, actuals)
        for model, each in rows.groupby("model", sort=False)
    }


def tsperf_table(baselines: dict[str, float], ours: dict[str, float]) -> str:
    """Write TSPerf's baselines beside what was published, and other models below; Markdown."""
    lines = ["| TSPerf, 12 rounds, weeks 2 and 3 | MAPE | published |", "|---|---:|---:|"]
    for name, published in tsperf.PUBLISHED_MAPE.items():
        again = f"{baselines[name]:.2%}" if name in baselines else ""
        lines.append(f"| TSPerf's {name} | {again} | {published:.2%} |")
    lines += [f"| {title} | {mape:.2%} | |" for title, mape in ours.items()]
    return "\n".join(lines)


def sample(panel: pd.DataFrame, n_series: int | None) -> pd.DataFrame:
    """Keep n series, spread evenly over stores and brands; all of them where n is None."""
    everyone = np.sort(panel["series_id"].unique())
    if n_series is None or n_series >= len(everyone):
        return panel
    chosen = everyone[np.linspace(0, len(everyone) - 1, n_series).round().astype(int)]
    return panel[panel["series_id"].isin(chosen)].reset_index(drop=True)


def installed(chosen: Sequence[peers.Peer], log: Callable[[str], None]) -> list[peers.Peer]:
    """Keep the peers that can run here, and say of the others what they need."""
    for peer in chosen:
        if missing := peer.missing_packages():
            need = f"{' and '.join(missing)}: pip install -r requirements-bench.lock"
            log(f"skipped: {peer.key} needs {need}")
    return [peer for peer in chosen if not peer.missing_packages()]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    keys = [peer.key for peer in peers.PEERS]
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR, help=f"where {SALES} is")
    parser.add_argument("--series", type=int, help="so many series only; default: all 550")
    parser.add_argument("--origins", type=int, default=3, help="origins, four weeks apart")
    parser.add_argument("--peers", nargs="+", choices=keys, default=keys, metavar="PEER")
    parser.add_argument(
        "--tsperf",
        nargs="+",
        choices=keys,
        default=[],
        metavar="PEER",
        help="run these on TSPerf's 12 rounds of 913 series too; default: its baselines only",
    )
    parser.add_argument("--cache", type=Path, help="a folder that keeps forecasts; default: none")
    parser.add_argument("--output", type=Path, help="write the forecasts to this parquet file")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    if not (args.data_dir / SALES).is_file():
        print(f"skipped: {args.data_dir} has no {SALES}")
        return
    sales = orange_juice_panel.read_sales(args.data_dir / SALES)
    panel = sample(complete_series(sales), args.series)
    chosen = installed([peer for peer in peers.PEERS if peer.key in args.peers], say)
    if not chosen:
        print("skipped: none of these peers can run here")
        return
    origins = orange_juice_panel.origins(panel, args.origins, every=HORIZON)
    rows, seconds = forecasts(panel, origins, chosen, cache=args.cache)
    if args.output:
        rows.to_parquet(args.output, index=False)
    scores, check = accuracy(rows), tsperf_check(sales)
    rounds = installed([peer for peer in peers.PEERS if peer.key in args.tsperf], say)
    mapes = tsperf_scores(tsperf_forecasts(sales, rounds, args.cache)[0], sales) if rounds else {}
    titles = {peer.key: peer.title for peer in peers.PEERS}
    print(table(scores, titles, seconds))
    print(f"\n{tsperf_table(check, {titles[key]: mape for key, mape in mapes.items()})}")
    n_series, n_compared = panel["series_id"].nunique(), int(scores["n"].iloc[0])
    result = {
        **{f"wape_{key}_{n_series}": round(wape, 4) for key, wape in scores["wape"].items()},
        **{f"tsperf_mape_{name.replace(' ', '_')}": round(x, 4) for name, x in check.items()},
        **{f"tsperf_mape_peer_{key}": round(mape, 4) for key, mape in mapes.items()},
        "n_compared": n_compared,
        "n_removed": len(rows) // len(chosen) - n_compared,
        "n_series": n_series,
        "n_origins": len(origins),
        "seconds": {key: round(value, 1) for key, value in seconds.items()},
        "cpu_count": os.cpu_count(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
