"""Start, stop, kill and restart; and that nothing is lost or doubled when a server is killed."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from google.api_core.exceptions import Conflict
from google.cloud import bigquery
from requests.exceptions import ConnectionError as Disconnected

from python_jobs.local import environment, stack
from tests.support import clients
from tests.support.clients import rows

LONG_QUERY = """
    select count(*)
    from unnest(generate_array(1, 30000)) as a cross join unnest(generate_array(1, 30000)) as b
    where mod(a * b, 7) = 3
"""


def states(folder: Path) -> dict[str, str]:
    return {server.name: server.state for server in stack.status(folder).servers}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not (status.exists() and "State:\tZ" in status.read_text())


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "local"
    stack.stop(tmp_path / "local")


def test_a_stack_from_start_to_stop(folder):
    assert states(folder) == {"bigquery": "stopped", "storage": "stopped"}
    endpoints = stack.start(folder)
    assert stack.start(folder) == endpoints, "a second start finds it running"
    status = stack.status(folder)
    assert status.endpoints == endpoints
    assert all(server.pid and is_alive(server.pid) for server in status.servers)
    assert endpoints.environment() == {
        "SHELFCAST_BIGQUERY_ENDPOINT": endpoints.bigquery,
        "SHELFCAST_BIGQUERY_GRPC_ENDPOINT": endpoints.bigquery_grpc,
        "STORAGE_EMULATOR_HOST": endpoints.storage,
    }

    client = clients.bigquery_client(endpoints)
    client.create_dataset("d")
    rows(client, "create table d.t as select 1 as a")
    clients.storage_client(endpoints).create_bucket("models").blob("a").upload_from_string("x")
    stack.stop(folder)
    assert states(folder) == {"bigquery": "stopped", "storage": "stopped"}
    assert not any(is_alive(server.pid) for server in status.servers)
    assert stack.status(folder).data_bytes > 0
    stack.stop(folder)

    assert stack.start(folder) == endpoints, "on the same ports"
    assert rows(client, "select a from d.t") == [(1,)]
    models = clients.storage_client(endpoints).bucket("models")
    assert models.blob("a").download_as_text() == "x"


def test_a_killed_server_is_stale_and_starts_again_on_its_ports(folder):
    endpoints = stack.start(folder)
    stack.kill(folder, "storage")
    assert states(folder) == {"bigquery": "running", "storage": "stale"}
    assert stack.status(folder).endpoints is None
    assert stack.start(folder) == endpoints
    assert states(folder) == {"bigquery": "running", "storage": "running"}


def test_a_process_that_took_a_dead_servers_id_is_left_alone(folder):
    """After a restart of the machine, the id in the file may be anyone's: here, this test's."""
    folder.mkdir()
    ports = {"bigquery": 1, "bigquery_grpc": 2, "storage": 3}
    pids = {"bigquery": os.getpid(), "storage": os.getpid()}
    (folder / "stack.json").write_text(json.dumps({"pids": pids, "ports": ports}))
    (folder / "bigquery.lock").touch()
    assert states(folder) == {"bigquery": "stale", "storage": "stale"}
    stack.stop(folder)
    stack.kill(folder, "bigquery")
    assert states(folder) == {"bigquery": "stopped", "storage": "stopped"}


def test_a_port_that_is_taken_now_is_replaced(folder):
    folder.mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"bigquery": port, "bigquery_grpc": port, "storage": port}
        (folder / "stack.json").write_text(json.dumps({"pids": {}, "ports": ports}))
        endpoints = stack.start(folder)
    assert str(port) not in f"{endpoints.bigquery}{endpoints.bigquery_grpc}{endpoints.storage}"


@pytest.mark.parametrize("victim", ["bigquery", "storage"])
def test_a_port_taken_between_choice_and_use_is_chosen_again(folder, monkeypatch, victim):
    choose, taken = stack.free_ports, []

    def choose_and_lose(count: int) -> list[int]:
        ports = choose(count)
        if not taken and count == (2 if victim == "bigquery" else 1):
            taken.append(socket.socket())
            taken[0].bind(("127.0.0.1", ports[0]))
        return ports

    monkeypatch.setattr(stack, "free_ports", choose_and_lose)
    endpoints = stack.start(folder)
    lost = taken[0].getsockname()[1]
    taken[0].close()
    assert str(lost) not in (endpoints.bigquery + endpoints.storage)


def test_a_server_that_dies_at_start_is_told_with_its_log(folder):
    (folder / "bigquery").mkdir(parents=True)
    (folder / "bigquery" / "bqemulator.duckdb").write_text("not a database")
    with pytest.raises(stack.StackError) as told:
        stack.start(folder)
    assert "ended while it started" in str(told.value)
    assert "not a valid DuckDB database file" in str(told.value)
    assert "move that folder away" in str(told.value)
    assert states(folder) == {"bigquery": "stale", "storage": "stale"}


def test_an_installation_without_the_emulators_says_so(folder, monkeypatch):
    """As a deployment is: its image holds Shelfcast alone."""
    monkeypatch.setitem(sys.modules, "emulators", None)
    assert states(folder) == {"bigquery": "stopped", "storage": "stopped"}
    with pytest.raises(stack.StackError, match="the emulators are not part of this installation"):
        stack.start(folder)


def test_starts_at_once_share_one_stack(folder):
    code = (
        "import time; from pathlib import Path; from python_jobs.local import stack\n"
        f"time.sleep({time.time() + 2} - time.time())\n"
        f"print(stack.start(Path({str(folder)!r})))"
    )
    command = [sys.executable, "-c", code]
    starting = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    printed = {process.communicate(timeout=30)[0] for process in starting}
    assert len(printed) == 1
    assert b"127.0.0.1" in printed.pop()


class TestEphemeral:
    def test_it_ends_with_its_block_even_after_an_error(self):
        with pytest.raises(KeyError), stack.ephemeral_folder() as folder:
            pids = [server.pid for server in stack.status(folder).servers]
            assert all(map(is_alive, pids))
            raise KeyError
        assert not any(map(is_alive, pids))
        assert not folder.exists()

    def test_it_ends_with_a_parent_that_is_killed(self):
        code = (
            "import time; from python_jobs.local import stack\n"
            "with stack.ephemeral_folder() as folder:\n"
            "    print(*(s.pid for s in stack.status(folder).servers), folder, flush=True)\n"
            "    time.sleep(600)\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        *pids, _folder = parent.stdout.readline().split()
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
        end = time.monotonic() + 10
        while any(is_alive(int(pid)) for pid in pids) and time.monotonic() < end:
            time.sleep(0.05)
        assert not any(is_alive(int(pid)) for pid in pids)

    def test_it_downloads_nothing_and_keeps_only_translations_at_home(self, tmp_path, monkeypatch):
        """DuckDB's extensions are the one download; it would go to HOME."""
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with stack.ephemeral() as endpoints:
            client = clients.bigquery_client(endpoints)
            moscow = "date(timestamp '2026-01-04 22:00:00+00', 'Europe/Moscow')"
            assert rows(client, f"select cast({moscow} as string), json '1'") == [("2026-01-05", 1)]
            with urllib.request.urlopen(f"{endpoints.bigquery}/readyz") as answer:
                assert json.load(answer)["checks"] == {"duckdb": "ok", "catalog": "ok"}
        files = {path.name.split("-")[0] for path in tmp_path.rglob("*") if path.is_file()}
        assert files == {"translations.sqlite"}


class TestKills:
    """kill -9 of the BigQuery server; every client then does its work again under the same id."""

    @pytest.fixture(scope="class")
    def folder(self):
        with stack.ephemeral_folder(persistent_bigquery=True) as folder:
            client = clients.bigquery_client(stack.status(folder).endpoints)
            client.create_dataset("d")
            yield folder

    @pytest.fixture
    def client(self, folder):
        return clients.bigquery_client(stack.start(folder))

    def kill_and_restart(self, folder: Path) -> None:
        stack.kill(folder, "bigquery")
        stack.start(folder)

    def test_a_seen_load_stays_seen(self, folder, client):
        rows(client, "create or replace table d.log (a int64)")
        client.load_table_from_json([{"a": 1}], "d.log", job_id="r1-log-0").result()
        self.kill_and_restart(folder)
        with pytest.raises(Conflict, match="Already Exists: Job"):
            client.load_table_from_json([{"a": 1}], "d.log", job_id="r1-log-0")
        assert client.get_job("r1-log-0").output_rows == 1
        assert rows(client, "select count(*) from d.log") == [(1,)]

    def test_an_added_column_stays(self, folder, client):
        rows(client, "create or replace table d.wider (a int64)")
        table = client.get_table("d.wider")
        table.schema = [*table.schema, bigquery.SchemaField("b", "JSON")]
        client.update_table(table, ["schema"])
        self.kill_and_restart(folder)
        client.load_table_from_json([{"a": 1, "b": [2]}], "d.wider").result()
        assert rows(client, "select a, b from d.wider") == [(1, [2])]

    @pytest.mark.parametrize("seed", range(2))
    def test_loads_killed_at_any_moment_are_there_once(self, folder, client, seed):
        rows(client, "create or replace table d.log (shard int64, a int64)")
        shards, size = range(30), 200

        def load(shard: int) -> None:
            sent = [{"shard": shard, "a": number} for number in range(size)]
            job_id = f"kill-{seed}-log-{shard}"
            client.load_table_from_json(sent, "d.log", job_id=job_id, num_retries=0).result()

        def load_all() -> None:
            for shard in shards:
                try:
                    load(shard)
                except Disconnected:  # killed before it answered; sent again below
                    continue
                except Conflict:
                    assert client.get_job(f"kill-{seed}-log-{shard}").output_rows == size

        loading = threading.Thread(target=load_all)
        loading.start()
        time.sleep(random.Random(seed).uniform(0.05, 0.5))
        stack.kill(folder, "bigquery")
        stack.start(folder)
        loading.join()
        load_all()
        assert not loading.is_alive()
        after = dict(rows(client, "select shard, count(*) from d.log group by shard"))
        assert after == dict.fromkeys(shards, size)

    def test_a_killed_insert_is_there_once(self, folder, client):
        rows(client, "create or replace table d.once (a int64)")
        client.query("insert into d.once values (1)", job_id="insert-0").result()
        self.kill_and_restart(folder)
        with pytest.raises(Conflict):
            client.query("insert into d.once values (1)", job_id="insert-0")
        assert rows(client, "select count(*) from d.once") == [(1,)]

    def run_killed(self, folder: Path, script: str, job_id: str) -> bigquery.Client:
        """Run a script that takes many seconds, kill the server meanwhile and restart it."""
        client = clients.bigquery_client(stack.status(folder).endpoints)

        def run() -> None:
            with pytest.raises(Disconnected):
                client.query(script, job_id=job_id, retry=None, job_retry=None).result()

        running = threading.Thread(target=run)
        running.start()
        time.sleep(1.0)
        stack.kill(folder, "bigquery")
        running.join()
        return clients.bigquery_client(stack.start(folder))

    def test_a_killed_transaction_left_nothing_and_may_run_again(self, folder, client):
        rows(client, "create or replace table d.whole (a int64)")
        insert = "insert into d.whole values (1)"
        script = f"begin transaction; {insert}; insert into d.whole {{}}; {insert}; commit"
        client = self.run_killed(folder, script.format(LONG_QUERY), "transaction-0")
        assert rows(client, "select count(*) from d.whole") == [(0,)]
        client.query(script.format("select 2"), job_id="transaction-0").result()
        assert rows(client, "select count(*) from d.whole") == [(3,)]

    def test_a_transaction_of_a_killed_script_left_nothing(self, folder, client):
        rows(client, "create or replace table d.part as select 1 as a")
        script = f"""
            select 1; begin transaction; delete from d.part where true;
            insert into d.part {LONG_QUERY}; commit
        """
        client = self.run_killed(folder, script, "overwrite-0")
        assert rows(client, "select a from d.part") == [(1,)]

    def test_a_killed_script_has_failed_and_does_not_run_again(self, folder, client):
        rows(client, "create or replace table d.script (a int64)")
        script = f"insert into d.script values (1); insert into d.script {LONG_QUERY}"
        client = self.run_killed(folder, script, "script-0")
        job = client.get_job("script-0")
        assert (job.state, job.error_result["reason"]) == ("DONE", "jobInternalError")
        assert "which of its statements were committed is unknown" in job.error_result["message"]
        with pytest.raises(Conflict):
            client.query(script, job_id="script-0")
        assert rows(client, "select count(*) from d.script") == [(1,)]


def test_endpoints_that_are_set_already_get_a_store_of_the_datasets_own(
    local_stack, storage_client, monkeypatch
):
    for name, value in local_stack.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHELFCAST_TARGET", "local")
    monkeypatch.setenv("SHELFCAST_DATASET", "mine")
    monkeypatch.setenv("SHELFCAST_MODELS_URI", "taken away when the test ends")
    monkeypatch.delenv("SHELFCAST_MODELS_URI")
    environment.connect(Path("nowhere"))
    assert os.environ["SHELFCAST_MODELS_URI"] == "gs://shelfcast-models/mine"
    bucket = storage_client.lookup_bucket("shelfcast-models")
    bucket.delete()  # as a stack that starts from nothing has none
    environment.connect(Path("nowhere"))
    assert storage_client.lookup_bucket("shelfcast-models") is not None
    monkeypatch.setenv("SHELFCAST_MODELS_URI", "gs://my-own/store")
    environment.connect(Path("nowhere"))
    assert os.environ["SHELFCAST_MODELS_URI"] == "gs://my-own/store"


def test_a_target_in_the_cloud_is_left_alone(monkeypatch):
    monkeypatch.setenv("SHELFCAST_TARGET", "prod")
    monkeypatch.setenv("SHELFCAST_PROJECT", "somebodys")
    monkeypatch.delenv("SHELFCAST_BIGQUERY_ENDPOINT", raising=False)
    before = dict(os.environ)
    environment.connect(Path("nowhere"))
    assert dict(os.environ) == before
