"""What BigQuery and the network do on a bad day: it is survived, or said in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pandas as pd
import pytest

from python_jobs.infra import clients as google_clients
from python_jobs.infra import warehouse as warehouse_module
from python_jobs.infra.errors import ConnectionFailed, ShelfcastError
from python_jobs.infra.settings import connection
from python_jobs.infra.warehouse import Warehouse
from python_jobs.local import stack
from tests.support import clients
from tests.support.proxy import HttpProxy, Rule, TcpProxy, http_proxy, tcp_proxy

LOADS = r"POST \S*/upload/"


@dataclasses.dataclass
class Behind:
    """A warehouse with one table, behind proxies."""

    http: HttpProxy
    tcp: TcpProxy
    table: str

    def open(self) -> Warehouse:
        return Warehouse(connection(), {"run_log": f"`shelfcast-local`.`{self.table}`"})

    def count(self) -> int:
        return int(self.open().read(f"select count(*) as n from `{self.table}`")["n"].iloc[0])


@pytest.fixture
def behind(
    local_stack: stack.Endpoints, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Behind]:
    with http_proxy(local_stack.bigquery) as http, tcp_proxy(local_stack.bigquery_grpc) as tcp:
        endpoints = dataclasses.replace(
            local_stack, bigquery=http.endpoint, bigquery_grpc=tcp.endpoint
        )
        for name, value in endpoints.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SHELFCAST_TARGET", "local")
        monkeypatch.setattr(warehouse_module, "LOAD_PAUSES", (0.01, 0.01, 0.01))
        table = f"{clients.bigquery_client(local_stack).project}.{dataset}.rows"
        found = Behind(http, tcp, table)
        found.open().create_table(table, {"a": "INTEGER"})
        yield found


ROWS = pd.DataFrame({"a": [1, 2, 3]})


@pytest.mark.parametrize(
    "rule",
    [
        Rule(LOADS, 403, "rateLimitExceeded", times=3),
        Rule(LOADS, 503, "backendError", times=2),
        Rule(r"PUT \S*/upload/|POST \S*/upload/", 503, "backendError", times=1, after=True),
    ],
    ids=["too many loads", "unavailable", "answer lost"],
)
def test_a_load_that_is_disturbed_writes_its_rows_once(behind: Behind, rule: Rule) -> None:
    behind.http.rules.append(rule)
    warehouse = behind.open()
    warehouse.append_to(behind.table, ROWS, "J")
    assert rule.seen > 0
    assert behind.count() == 3
    assert warehouse.append_to(behind.table, ROWS, "J") is False
    assert behind.count() == 3


def test_too_many_loads_for_too_long_is_said(behind: Behind) -> None:
    behind.http.rules.append(Rule(LOADS, 403, "rateLimitExceeded", times=-1))
    with pytest.raises(ShelfcastError, match="A quota is used up, and waiting did not help"):
        behind.open().append_to(behind.table, ROWS, "J")
    behind.http.rules.clear()
    assert behind.open().append_to(behind.table, ROWS, "J") is True
    assert behind.count() == 3


@pytest.mark.parametrize(("status", "reason"), [(403, "accessDenied"), (401, "authError")])
@pytest.mark.parametrize("matches", [r"GET \S*/tables/", r"POST \S*/(queries|jobs)", LOADS])
def test_a_refusal_names_right_and_remedy(
    behind: Behind, matches: str, status: int, reason: str
) -> None:
    warehouse = behind.open()
    behind.http.rules.append(Rule(matches, status, reason, times=-1))
    with pytest.raises(
        ConnectionFailed, match=r"BigQuery refuses: .*lacks a right|Google refuses the cred"
    ):
        warehouse.append_to(behind.table, ROWS, "J")
        warehouse.read(f"select * from `{behind.table}`")


def test_a_read_goes_on_after_a_connection_that_died_without_a_word(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [(name, value if value < 0 else 500) for name, value in google_clients.CHANNEL_OPTIONS]
    monkeypatch.setattr(google_clients, "CHANNEL_OPTIONS", quick)
    n_rows = 200_000
    behind.open().append_to(behind.table, pd.DataFrame({"a": range(n_rows)}), "J")
    behind.tcp.silent_after, behind.tcp.n_silent = 60_000, 1
    found = behind.open().read(f"select a from `{behind.table}`")
    assert sorted(found["a"]) == list(range(n_rows))
    assert behind.tcp.n_silent == 0, "the first connection died"


def test_a_read_that_never_ends_is_said(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse_module, "READ_TIMEOUT", 2.0)
    behind.open().append_to(behind.table, pd.DataFrame({"a": range(200_000)}), "J")
    behind.tcp.silent_after, behind.tcp.n_silent = 60_000, 100
    with pytest.raises(ConnectionFailed, match="sent no whole result within 2 s"):
        behind.open().read(f"select a from `{behind.table}`")
