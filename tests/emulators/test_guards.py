"""What the servers keep from other programs, other users and web pages."""

import http.client
import json
import stat
from urllib.parse import urlsplit

import pandas as pd
import pytest
from google.api_core.exceptions import Conflict, GoogleAPICallError
from google.cloud import bigquery

from python_jobs.local import stack
from tests.support import clients
from tests.support.clients import rows


@pytest.fixture(scope="module")
def folder():
    with stack.ephemeral_folder() as made:
        yield made


@pytest.fixture(scope="module")
def endpoints(folder):
    return stack.status(folder).endpoints


@pytest.fixture(scope="module")
def client(endpoints):
    return clients.bigquery_client(endpoints)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('{outside}')",
        "select * from read_csv('{outside}')",
        "select * from glob('{home}/*')",
        "copy (select 1 as a) to '{home}/written.csv'",
        "attach '{home}/other.db' as other",
        "select * from '{outside}'",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "install httpfs",
        "export data options (uri='file://{home}/written-*.csv', format='CSV') as select 1 as a",
    ],
)
def test_sql_touches_no_file_of_the_user(client, tmp_path, statement):
    outside = tmp_path / "secret.csv"
    outside.write_text("secret\n42\n")
    with pytest.raises(GoogleAPICallError):
        client.query(statement.format(outside=outside, home=tmp_path), retry=None).result(
            retry=None
        )
    assert [one.name for one in tmp_path.iterdir()] == ["secret.csv"]


def test_a_load_from_files_runs_once_too(client, folder):
    client.create_dataset("d", exists_ok=True)
    pd.DataFrame({"a": [1, 2]}).to_parquet(folder / "uploads" / "frame.parquet")
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    uri = f"file://{folder}/uploads/frame.parquet"
    client.load_table_from_uri(uri, "d.t", job_id="once", job_config=config).result()
    with pytest.raises(Conflict):
        client.load_table_from_uri(uri, "d.t", job_id="once", job_config=config)
    assert rows(client, "select sum(a) from d.t") == [(3,)]


def test_every_connection_of_a_thread_has_utc(client):
    statement = "select cast(timestamp '2026-01-05 23:30:00+03' as string) as at"
    assert {row for _ in range(8) for row in rows(client, statement)} == {
        ("2026-01-05 20:30:00+00",)
    }


@pytest.mark.parametrize("server", ["bigquery", "storage"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:{port}"}, 200),
        ({"Host": "evil.example:{port}"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null", "Content-Type": "text/plain"}, 403),
    ],
)
def test_a_web_page_gets_no_answer(endpoints, server, headers, status):
    where = urlsplit(getattr(endpoints, server))
    path = "/bigquery/v2/projects/p/datasets" if server == "bigquery" else "/storage/v1/b?project=p"
    connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=10)
    given = {name: value.format(port=where.port) for name, value in headers.items()}
    connection.request("GET", path, headers=given)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == status
    if status == 403 and server == "bigquery":
        assert json.loads(content)["error"]["errors"] == [{"reason": "accessDenied"}]


def test_a_form_of_a_web_page_runs_nothing(endpoints, client):
    client.create_dataset("e", exists_ok=True)
    where = urlsplit(endpoints.bigquery)
    connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=10)
    query = json.dumps({"query": "create table e.made as select 1 as a", "useLegacySql": False})
    headers = {"Content-Type": "text/plain", "Origin": "https://evil.example"}
    connection.request("POST", "/bigquery/v2/projects/shelfcast-local/queries", query, headers)
    assert connection.getresponse().status == 403
    connection.close()
    assert [one.table_id for one in client.list_tables("e")] == []


def test_files_are_the_user_s_alone(tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    try:
        stack.start(state)
        folders = [state, *(path for path in state.rglob("*") if path.is_dir())]
        assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in folders} == {"0o700"}
    finally:
        stack.stop(state)
