"""What BigQuery would bill: bytes that each stage reads, and what is stored, by its own rules.

`make demo` first. For each statement of each stage (models and data tests, without the seeds'
loads), takes every table that it reads, through views, and the logical size of those of its columns
that the statement names: 8 bytes a number, date or timestamp, 1 a boolean, 2 and its UTF-8 bytes a
string
(https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types). A table costs 10 MB at
least in a statement (https://cloud.google.com/bigquery/pricing). Partitions are not pruned here, so
the figures are upper bounds; a portfolio of N series is this one's, scaled by N.

    .venv/bin/python benchmarks/bytes_scanned.py --series 525 10000 100000
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from python_jobs.local import environment
from python_jobs.runs.context import RunContext, open_context

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("before_forecast", "priors", "after_forecast", "monitoring")
FLOOR = 10_485_760
TIB = 2**40
WIDTHS = {"STRING": "2 + byte_length({0})", "BOOLEAN": "1", "BOOL": "1"}

Widths = dict[str, float]
"""Bytes of each column of a table, null cells as nothing."""


def nodes_of(context: RunContext, stage: str) -> list[str]:
    """Unique ids of the models and data tests of a stage."""
    from dbt.cli.main import dbtRunner

    arguments = [
        "--quiet",
        "ls",
        "--selector",
        stage,
        "--exclude-resource-type",
        "unit_test",
        "seed",
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        listed = dbtRunner().invoke([*arguments, "--output", "json", "--output-keys", "unique_id"])
    names = [json.loads(line)["unique_id"] for line in listed.result]
    return [name for name in names if name.startswith(("model.", "test."))]


def widths(context: RunContext, table: str) -> Widths:
    """Logical bytes of each column of `project.dataset.table`; empty where there is no table."""
    columns = context.warehouse.columns(table) or {}
    if not columns:
        return {}
    sizes = ", ".join(
        f"sum(if({name} is null, 0, {WIDTHS.get(kind, '8').format(name)})) as {name}"
        for name, kind in columns.items()
    )
    row = context.warehouse.read(f"select {sizes} from `{table}`").iloc[0].fillna(0)
    return {str(name): float(size) for name, size in row.items()}


class Project:
    """The compiled project and the sizes of its tables."""

    def __init__(self, context: RunContext) -> None:
        self.context = context
        context.dbt.run("compile")
        self.manifest = json.loads((context.dbt.target_path / "manifest.json").read_bytes())
        self.nodes: dict[str, Any] = {**self.manifest["nodes"], **self.manifest["sources"]}
        self.sizes: dict[str, Widths] = {}

    def tables_and_text(self, name: str) -> tuple[set[str], str]:
        """The tables that a node reads, through views, and the SQL that reads them."""
        node = self.nodes[name]
        tables, text = set(), node.get("compiled_code") or ""
        for parent in node["depends_on"]["nodes"]:
            above = self.nodes[parent]
            if above["resource_type"] == "model" and above["config"]["materialized"] in (
                "view",
                "ephemeral",
            ):
                more, sql = self.tables_and_text(parent)
                tables |= more
                text += "\n" + sql
            else:
                identifier = above.get("alias") or above["identifier"]
                tables.add(f"{above['database']}.{above['schema']}.{identifier}")
        return tables, text

    def read_by(self, name: str) -> list[float]:
        """Bytes of each table that a node reads, of the columns that its SQL names."""
        tables, text = self.tables_and_text(name)
        words = set(re.findall(r"\w+", text))
        found = []
        for table in sorted(tables):
            if table not in self.sizes:
                self.sizes[table] = widths(self.context, table)
            found.append(sum(size for column, size in self.sizes[table].items() if column in words))
        return found


def main() -> None:
    """Print bytes and USD a stage and series count, then the storage of each dataset."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, nargs="+", default=[525, 10_000, 100_000])
    counts = parser.parse_args().series
    os.chdir(ROOT)
    environment.connect(ROOT)
    context = open_context()
    price = context.settings.prices.bigquery_tib
    project = Project(context)
    here = context.warehouse.read("select count(distinct series_id) as n from {sku_weekly_actuals}")
    n_here = int(here["n"].iloc[0])
    result: dict[str, Any] = {"series_here": n_here, "stages": {}}
    for stage in STAGES:
        reads = {name: project.read_by(name) for name in nodes_of(context, stage)}
        by_count = {}
        for count in counts:
            scale = count / n_here
            billed = sum(max(FLOOR, size * scale) for sizes in reads.values() for size in sizes)
            by_count[count] = {
                "gb": round(billed / 1e9, 2),
                "usd": round(billed / TIB * price, 3),
            }
        n_statements = len(reads)
        n_tables = sum(map(len, reads.values()))
        result["stages"][stage] = {"statements": n_statements, "reads": n_tables, **by_count}
        print(f"{stage:<16} {n_statements:>4} statements, {n_tables:>4} reads: {by_count}")
    datasets: dict[str, float] = defaultdict(float)
    for table, sizes in project.sizes.items():
        datasets[table.split(".")[1]] += sum(sizes.values())
    result["mb"] = {name: round(size / 1e6, 2) for name, size in sorted(datasets.items())}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
