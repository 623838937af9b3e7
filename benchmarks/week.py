"""Seconds of one scheduled run on the demo's deployment, as its own process, by part.

`make demo` first. Each round is `shelfcast run` for today's origin: dbt from sources to panels, a
refit of every series, the forecasts, dbt from logs to marts. Prints the seconds of each part and,
on its last line, one JSON object of medians: `week_s` (wall, from the start of the process to its
end), `dbt_s` (dbt's commands, parsing among them), `parse_s` (of it, parsing), `store_s` (model
objects written and read), `start_s` (until the command line is there), `rest_s`.

    .venv/bin/python benchmarks/week.py --rounds 3
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MEASURED = "SHELFCAST_WEEK_STARTED"
"""Set in the measured process: when it was started, in seconds of the monotonic clock."""


class Clock:
    """Seconds by part; a call within a call of the same part counts once."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.seconds: dict[str, float] = {}
        self.depth: dict[str, int] = {}

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, adding its wall seconds to a part."""

        @functools.wraps(function)
        def with_clock(*arguments: object, **named: object) -> object:
            self.depth[part] = self.depth.get(part, 0) + 1
            started = time.monotonic()
            try:
                return function(*arguments, **named)
            finally:
                self.depth[part] -= 1
                if not self.depth[part]:
                    spent = time.monotonic() - started
                    self.seconds[part] = self.seconds.get(part, 0.0) + spent

        return with_clock


def measured() -> None:
    """Run the week in this process, and print its parts on the last line."""
    from python_jobs.cli.app import main as shelfcast
    from python_jobs.infra.dbt_runner import Dbt
    from python_jobs.infra.store import BucketStore

    begun = float(os.environ[MEASURED])
    clock = Clock()
    parts = {"start": time.monotonic() - begun}
    for name, part in (("run", "dbt"), ("_parsed_by_dbt", "parse")):
        setattr(Dbt, name, clock.timed(part, getattr(Dbt, name)))
    for name in ("put", "get", "put_many", "get_many", "list", "delete", "stat"):
        setattr(BucketStore, name, clock.timed("store", getattr(BucketStore, name)))
    shelfcast(["run"], standalone_mode=False)
    parts |= clock.seconds
    sys.stdout.write(f"{json.dumps(parts)}\n")


def one_week() -> dict[str, float]:
    """Seconds of one run and of its parts."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, __file__],
        cwd=ROOT,
        env={**os.environ, MEASURED: str(started)},
        check=True,
        capture_output=True,
        text=True,
    )
    week = time.monotonic() - started
    parts = json.loads(done.stdout.strip().splitlines()[-1])
    dbt, store = parts.get("dbt", 0.0), parts.get("store", 0.0)
    return {
        "week_s": week,
        "dbt_s": dbt,
        "parse_s": parts.get("parse", 0.0),
        "store_s": store,
        "start_s": parts["start"],
        "rest_s": week - dbt - store - parts["start"],
    }


def main() -> None:
    """Print a line a round, then the medians as JSON."""
    if MEASURED in os.environ:
        measured()
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = []
    for number in range(parser.parse_args().rounds):
        rounds.append(one_week())
        timings = ", ".join(f"{name} {seconds:.1f}" for name, seconds in rounds[-1].items())
        print(f"round {number + 1}: {timings}", flush=True)
    medians = {name: round(statistics.median(one[name] for one in rounds), 1) for name in rounds[0]}
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
