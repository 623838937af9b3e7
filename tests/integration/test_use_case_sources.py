"""`use-case new` looks at a table of BigQuery as it looks at a file."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from google.cloud import bigquery

from python_jobs.infra.connection import Connection, connection
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.warehouse import Warehouse
from python_jobs.use_cases import look as looking
from python_jobs.use_cases.look import look_at
from python_jobs.use_cases.proposal import Wish
from python_jobs.use_cases.propose import propose
from tests.support import clients

TYPES = {
    "store": "INTEGER",
    "Sold": "DATE",
    "pieces": "FLOAT",
    "updated_at": "TIMESTAMP",
}
KEY = {"store": "int64"}


@pytest.fixture
def here(
    local_stack, bigquery_client: bigquery.Client, monkeypatch: pytest.MonkeyPatch
) -> Connection:
    for name, value in {**local_stack.environment(), "SHELFCAST_TARGET": "local"}.items():
        monkeypatch.setenv(name, value)
    return connection()


@pytest.fixture
def table(here: Connection, dataset: str) -> str:
    """Twenty stores, a row a Sunday for thirty weeks."""
    rows = pd.DataFrame(
        {
            "store": store,
            "Sold": date(2025, 1, 5) + timedelta(days=7 * week),
            "pieces": 1.5 * week,
            "updated_at": pd.Timestamp("2026-01-01", tz="UTC"),
        }
        for store in range(20)
        for week in range(30)
    )
    name = f"{clients.PROJECT}.{dataset}.orders"
    warehouse = Warehouse(here, {}, clients.PROJECT)
    warehouse.create_table(name, TYPES)
    warehouse.append_to(name, rows, "orders")
    return name


@pytest.fixture
def look(here: Connection) -> Any:
    def look(table: str) -> looking.Look:
        return look_at(table, list(KEY), here, lambda project: Warehouse(here, {}, project))

    return look


def test_a_table_is_proposed_as_a_file_would_be(look, table):
    found = propose(Wish("uc", KEY, columns={"date": "sold"}), look(table))
    sales = found.settings["sources"]["sales"]
    assert sales == {
        "table": table,
        "columns": {"store": "store", "date": "Sold", "quantity": "pieces"},
        "date_means": "period_end",
        "known_at": "updated_at",
    }
    assert (found.facts.n_rows, found.facts.n_series, found.facts.n_periods) == (600, 20, 30)


def test_of_a_large_table_whole_series_are_read(look, table, monkeypatch):
    monkeypatch.setattr(looking, "MOST_ROWS", 200)
    seen = look(table)
    assert seen.one_in == 3
    rows_of_series = seen.rows.groupby("store").size()
    assert set(rows_of_series) == {30}
    assert 1 <= len(rows_of_series) < 20
    assert "1 series in 3 was read" in " ".join(propose(Wish("uc", KEY), seen).found)


def test_a_table_that_is_not_there_is_named(look, table):
    with pytest.raises(SettingsError, match="nothing_here does not exist"):
        look(table.replace("orders", "nothing_here"))


def test_an_empty_table_is_named(here, look, dataset):
    name = f"{clients.PROJECT}.{dataset}.empty"
    Warehouse(here, {}, clients.PROJECT).create_table(name, TYPES)
    with pytest.raises(SettingsError, match="is empty"):
        look(name)
