"""Log tables that an earlier version made get the columns that this one writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from python_jobs.runs.tables import ensure_tables
from tests.support.site import Site, day

NEW = {"half_width": "FLOAT", "transform": "STRING"}


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """With a forecast_log as it was before intervals were calibrated, one row in it."""
    site = make_site()
    context = site.context()
    ensure_tables(context)
    warehouse = context.warehouse
    columns = warehouse.columns(warehouse.table("forecast_log")) or {}
    warehouse.query("drop table {forecast_log}")
    old = {name: kind for name, kind in columns.items() if name not in NEW}
    warehouse.create_table(warehouse.table("forecast_log"), old)
    warehouse.append("forecast_log", row("old"), "old")
    context.dbt.run("run-operation", "create_log_tables")
    return site


def row(run_id: str, **values: Any) -> pd.DataFrame:
    return pd.DataFrame([{"run_id": run_id, "origin_date": day("2026-02-15"), **values}])


def test_missing_columns_are_added_and_rows_stay(site: Site) -> None:
    warehouse = site.context().warehouse
    columns = warehouse.columns(warehouse.table("forecast_log")) or {}
    assert {name: columns.get(name) for name in NEW} == NEW
    warehouse.append("forecast_log", row("new", half_width=0.5, transform="log1p"), "new")
    rows = site.read("select run_id, half_width, transform from {forecast_log} order by run_id")
    assert rows.astype(object).where(rows.notna(), None).values.tolist() == [
        ["new", 0.5, "log1p"],
        ["old", None, None],
    ]
