"""How long the models of a portfolio take to be written and read, packed and one by one.

    python -m benchmarks.model_storage --series 100000

Prophet models of weekly series are fitted for a few series and stored under the keys of all of
them. Times are those of this package's own store, packing and registry code, on a folder and on
the local emulator of Cloud Storage (one thread, on this machine: what it says of one object after
another is slower than Google's, of bytes it is faster).

`write_packed_s` is from models to one stored object, `read_packed_s` from that object to models
whose checksums were compared; both of all series, on the emulator in names that end so.
`…_cpu_s` is what of it this process worked, which other work on the machine hardly changes.
`write_per_series_s` is measured on `per_series_sample` series, eight at a time, and scaled to all.
Memory is the peak of this process. Progress goes to stderr; the last line on stdout is one JSON
object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from google.cloud import storage

from benchmarks.portfolio_speed import HORIZON, ORIGIN, REGRESSORS, say, synthetic_panel
from python_jobs.families import make_family
from python_jobs.families.base import Family, FamilySettings
from python_jobs.infra.object_names import model_path
from python_jobs.infra.store import ModelStore, open_store, sha256_of
from python_jobs.local import stack
from python_jobs.local.ports import Endpoints
from python_jobs.registry.packing import pack
from python_jobs.registry.serving import load_models

OBJECT = "runs/R/sku_weekly/prophet/2026-11-15/shard-00000.jsonl"
T = TypeVar("T")


def fitted_models(family: Family[Any], n_distinct: int, seed: int) -> list[Any]:
    """Fit as many series as the models should differ.

    Raises:
        SystemExit: a series could not be fitted.
    """
    panel, _ = synthetic_panel(n_distinct, seed)
    fitted = family.fit(panel)
    if fitted.failures:
        sys.exit(f"{len(fitted.failures)} of {n_distinct} series could not be fitted")
    return [one.model for one in fitted.models.values()]


def timed(label: str, work: Callable[[], T]) -> tuple[T, float, float]:
    """Do work; what it gives, the seconds it took, and those that this process worked."""
    began, worked = time.perf_counter(), time.process_time()
    result = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    say(f"{label}: {seconds:.2f} s, {cpu:.2f} s of them this process")
    return result, seconds, cpu


def write_packed(
    store: ModelStore, family: Family[Any], models: dict[str, Any]
) -> tuple[pd.DataFrame, int]:
    """Write all models as one object, as training does.

    Returns:
        One row per series_id, as the registry names what serves; and the bytes of all models.
    """
    data = {series_id: family.dumps(model) for series_id, model in models.items()}
    store.put(OBJECT, pack(data))
    serving = pd.DataFrame(
        {
            "series_id": list(data),
            "origin_date": ORIGIN,
            "model_version": "20261115-R",
            "object": OBJECT,
            "sha256": [sha256_of(one) for one in data.values()],
            "train_end": ORIGIN,
        }
    )
    return serving, sum(map(len, data.values()))


def write_one_by_one(store: ModelStore, family: Family[Any], models: dict[str, Any]) -> None:
    """Write an object a series, as training does where people look for them."""
    store.put_many(
        {
            model_path("sku_weekly", ["N1", "retail", series_id]): family.dumps(model)
            for series_id, model in models.items()
        }
    )


def read_packed(store: ModelStore, family: Family[Any], serving: pd.DataFrame) -> int:
    """Read all models as prediction does; how many there are.

    Raises:
        SystemExit: one of them cannot be used.
    """
    loaded = load_models(store, family, serving)
    if loaded.faults:
        sys.exit(f"{len(loaded.faults)} models cannot be used: {min(loaded.faults.values())}")
    return len(loaded.models)


def measure(
    store: ModelStore, family: Family[Any], models: dict[str, Any], n_sample: int
) -> dict[str, float]:
    """Write and read on one store.

    Returns:
        bytes_per_model and seconds of all series: write_packed_s, write_per_series_s (scaled from
        the sample), read_packed_s; and of the packed ones write_packed_cpu_s, read_packed_cpu_s.
    """
    where = store.uri.split(":")[0]
    sample = dict(list(models.items())[:n_sample])
    label = f"{where}, {n_sample} models one by one"
    _, sample_s, _ = timed(label, lambda: write_one_by_one(store, family, sample))
    (serving, n_bytes), write_s, write_cpu_s = timed(
        f"{where}, {len(models)} models packed", lambda: write_packed(store, family, models)
    )
    n_read, read_s, read_cpu_s = timed(
        f"{where}, read", lambda: read_packed(store, family, serving)
    )
    assert n_read == len(models)
    return {
        "bytes_per_model": n_bytes / len(models),
        "write_packed_s": write_s,
        "write_per_series_s": sample_s * len(models) / len(sample),
        "read_packed_s": read_s,
        "write_packed_cpu_s": write_cpu_s,
        "read_packed_cpu_s": read_cpu_s,
    }


def run(
    endpoints: Endpoints, folder: Path, n_series: int, n_sample: int, n_distinct: int
) -> dict[str, float]:
    """Measure on a folder and on the emulator.

    Args:
        endpoints: of the emulators.
        folder: empty.
        n_series: series in the portfolio.
        n_sample: of them, written one by one.
        n_distinct: models that differ.
    """
    settings = FamilySettings("week", HORIZON, 52, REGRESSORS, options={"yearly": True})
    family = make_family("prophet", settings)
    distinct = fitted_models(family, min(n_distinct, n_series), seed=7)
    models = {f"S{i:06d}": distinct[i % len(distinct)] for i in range(n_series)}
    os.environ.update(endpoints.environment())
    bucket = f"models-{os.getpid()}"
    storage.Client(project="shelfcast-local").create_bucket(bucket)
    result = measure(open_store(str(folder)), family, models, n_sample)
    there = measure(open_store(f"gs://{bucket}/store"), family, models, n_sample)
    seconds = {f"{name}_emulator": value for name, value in there.items() if name.endswith("_s")}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    rounded = {name: round(value, 3) for name, value in {**result, **seconds}.items()}
    return {
        **rounded,
        "peak_mb": round(peak),
        "n_series": n_series,
        "per_series_sample": n_sample,
        "n_distinct": len(distinct),
        "cpu_count": os.cpu_count() or 1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--series", type=int, default=100_000, help="series in the portfolio")
    parser.add_argument("--sample", type=int, default=500, help="series written one by one")
    parser.add_argument("--distinct", type=int, default=256, help="series that are fitted")
    args = parser.parse_args()
    if not 0 < args.sample <= args.series or args.distinct < 1:
        parser.error("--sample is 1 to --series, --distinct at least 1")
    with stack.ephemeral() as endpoints, tempfile.TemporaryDirectory() as folder:
        result = run(endpoints, Path(folder), args.series, args.sample, args.distinct)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
