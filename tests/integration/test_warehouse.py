"""Load jobs that a retry cannot double, and errors in words."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pandas as pd
import pytest
from google.cloud import bigquery

from python_jobs.infra.errors import ShelfcastError
from python_jobs.infra.settings import Connection, connection
from python_jobs.infra.warehouse import MissingRelation, Warehouse
from tests.support import clients

ROWS = pd.DataFrame({"a": [1, 2], "day": pd.to_datetime(["2026-01-05", None])})


@pytest.fixture
def warehouse(local_stack, bigquery_client: bigquery.Client, dataset: str) -> Warehouse:
    connection = Connection(
        target="local",
        dataset=dataset,
        project=None,
        location=None,
        keyfile=None,
        bigquery_endpoint=local_stack.bigquery,
        bigquery_grpc_endpoint=local_stack.bigquery_grpc,
        models_uri=None,
    )
    names = {"run_log": f"`{clients.PROJECT}`.`{dataset}`.`run_log`"}
    return Warehouse(connection, names)


@pytest.fixture
def other_dataset(bigquery_client: bigquery.Client, dataset: str) -> Iterator[str]:
    bigquery_client.create_dataset(name := f"{dataset}_other")
    yield name
    bigquery_client.delete_dataset(name, delete_contents=True)


def make_table(warehouse: Warehouse, dataset: str, name: str = "t") -> str:
    table = f"{clients.PROJECT}.{dataset}.{name}"
    warehouse.create_table(table, {"a": "INTEGER", "day": "DATE", "note": "STRING"})
    return table


def count(warehouse: Warehouse, table: str) -> int:
    return int(warehouse.read(f"select count(*) as n from `{table}`")["n"][0])


REFUSAL = "Query exceeded limit for bytes billed: 1000. 10485760 or higher required."


class Refusing(BaseHTTPRequestHandler):
    """BigQuery's answer to a query that would bill more than it may; the emulator bills nothing."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(job["configuration"]["query"])
        error = {"reason": "bytesBilledLimitExceeded", "message": REFUSAL}
        status = {"state": "DONE", "errorResult": error, "errors": [error]}
        answer = json.dumps({**job, "status": status}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_query_that_would_bill_more_than_it_may_says_which_limit_to_raise(
    refusing: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SHELFCAST_BIGQUERY_GRPC_ENDPOINT", raising=False)
    monkeypatch.setenv("SHELFCAST_BIGQUERY_ENDPOINT", refusing)
    monkeypatch.setenv("SHELFCAST_MAXIMUM_BYTES_BILLED", "1000")
    warehouse = Warehouse(connection(), {"run_log": "`p`.`d`.`run_log`"})
    refused = r"BigQuery refuses: .*billed: 1000\..* Raise SHELFCAST_MAXIMUM_BYTES_BILLED where"
    with pytest.raises(ShelfcastError, match=refused):
        warehouse.read("select 1 as n")
    assert Refusing.asked[-1]["maximumBytesBilled"] == "1000"


def test_the_same_job_writes_once(warehouse: Warehouse, dataset: str):
    table = make_table(warehouse, dataset)
    assert warehouse.append_to(table, ROWS, "R1-t-0")
    assert not warehouse.append_to(table, ROWS, "R1-t-0")
    assert warehouse.append_to(table, ROWS, "R1-t-1")
    assert count(warehouse, table) == 4


def test_deployments_of_one_project_share_no_job(
    warehouse: Warehouse, dataset: str, other_dataset: str
):
    here, there = make_table(warehouse, dataset), make_table(warehouse, other_dataset)
    assert warehouse.append_to(here, ROWS, "R1-t-0")
    assert warehouse.append_to(there, ROWS, "R1-t-0")
    assert count(warehouse, here) == count(warehouse, there) == 2


def test_types_are_the_tables_and_what_is_absent_is_null(warehouse: Warehouse, dataset: str):
    table = make_table(warehouse, dataset)
    warehouse.append_to(table, ROWS, "R1")
    rows = warehouse.read(f"select a, day, note from `{table}` order by a")
    assert rows["day"].tolist() == [pd.Timestamp("2026-01-05"), pd.NaT]
    assert rows["note"].isna().all()


def test_a_column_that_the_table_lacks_is_named(warehouse: Warehouse, dataset: str):
    table = make_table(warehouse, dataset)
    with pytest.raises(ShelfcastError, match="has no column b, c"):
        warehouse.append_to(table, ROWS.assign(b=1, c=2), "R1")
    assert count(warehouse, table) == 0


def test_a_table_that_is_missing_is_named(warehouse: Warehouse, dataset: str):
    with pytest.raises(MissingRelation, match=rf"{dataset}\.nowhere does not exist"):
        warehouse.append_to(f"{clients.PROJECT}.{dataset}.nowhere", ROWS, "R1")
    with pytest.raises(MissingRelation, match=r"a table is missing: .*run_log"):
        warehouse.read("select * from {run_log}")
    assert not warehouse.exists("run_log")


def test_values_travel_as_parameters(warehouse: Warehouse):
    evil = "'; drop table x; --"
    row = warehouse.read(
        "select @text as text, @day as day, array_length(@many) as n, @nothing is null as gone",
        text=evil,
        day=pd.Timestamp("2026-01-05").date(),
        many=["a", "b"],
        nothing=None,
    ).iloc[0]
    assert row.tolist() == [evil, pd.Timestamp("2026-01-05"), 2, True]


def test_a_statement_is_checked_without_being_run(warehouse: Warehouse, dataset: str):
    table = make_table(warehouse, dataset)
    assert warehouse.is_valid(f"select a + 1 from `{table}`")
    assert not warehouse.is_valid(f"select b from `{table}`")
    assert warehouse.is_valid(f"delete from `{table}` where true")
