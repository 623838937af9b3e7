"""Seconds of `dbt build` over the whole project on the demo's data, and where they go.

`make demo` first. Prints the slowest models and tests and, on its last line, one JSON object:
`build_s` (wall), `nodes`, `models_s`, `tests_s`, `seeds_s` (summed over four threads).

    .venv/bin/python benchmarks/dbt_build.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from python_jobs.local import environment

ROOT = Path(__file__).resolve().parents[1]
SHOWN = 12


def build() -> float:
    """Run dbt in a process of its own, as a person would; wall seconds."""
    started = time.perf_counter()
    command = [str(Path(sys.executable).parent / "dbt"), "build"]
    left_out = ["--exclude-resource-type", "unit_test"]
    subprocess.run([*command, *left_out], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Build, then read what dbt noted of each node."""
    os.chdir(ROOT)
    environment.connect(ROOT)
    seconds = build()
    results = json.loads((ROOT / "target" / "run_results.json").read_text())["results"]
    by_type: dict[str, float] = defaultdict(float)
    for result in results:
        by_type[result["unique_id"].split(".")[0]] += result["execution_time"]
    for result in sorted(results, key=lambda one: -one["execution_time"])[:SHOWN]:
        kind, _, name = result["unique_id"].split(".")[:3]
        print(f"{result['execution_time']:7.2f} s  {kind:<6} {name}")
    print(
        json.dumps(
            {
                "build_s": round(seconds, 1),
                "nodes": len(results),
                "models_s": round(by_type["model"], 1),
                "tests_s": round(by_type["test"], 1),
                "seeds_s": round(by_type["seed"], 1),
            }
        )
    )


if __name__ == "__main__":
    main()
