"""Command lines and environments that nobody means: exit 2 with a sentence, before any work."""

from __future__ import annotations

import io
import json

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from python_jobs.cli.app import main
from python_jobs.cli.terminal import defused
from python_jobs.data.statements import looks_like_query
from python_jobs.infra import logs
from python_jobs.infra.connection import connection
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.run import number_of_task, shard_of_task
from python_jobs.infra.schedule import origin_at, validation_origins
from python_jobs.infra.settings import load_settings
from tests.support.site import ROOT, instant

HUGE = "9" * 25


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """Neither a command's log nor its environment outlives it."""
    handlers, level = logs.LOGGER.handlers, logs.LOGGER.level
    monkeypatch.setenv("SHELFCAST_PROJECT_DIR", str(ROOT))
    monkeypatch.setenv("SHELFCAST_TARGET", "local")
    monkeypatch.setenv("SHELFCAST_BIGQUERY_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("SHELFCAST_SETTINGS", raising=False)
    yield
    logs.LOGGER.handlers, logs.LOGGER.level = handlers, level


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("replay", "--from", "2026-02-18", "--to", "2026-02-18", "--every", "0"), "'--every'"),
        (("replay", "--from", "2026-02-18", "--to", "2026-02-18", "--every", "-1"), "'--every'"),
        (("replay", "--from", "2026-02-18", "--to", "2026-02-18", "--every", HUGE), "'--every'"),
        (("replay", "--from", "0001-01-01", "--to", "2026-02-18"), "years 1970 to 2200"),
        (("backtest", "--origins", "0"), "'--origins'"),
        (("backtest", "--origins", HUGE), "'--origins'"),
        (("backtest", "--every", HUGE), "'--every'"),
        (("tune", "--origins", HUGE), "'--origins'"),
        (("check-runs", "--grace", "nan"), "nan is no number of hours"),
        (("check-runs", "--grace", "inf"), "inf is no number of hours"),
        (("check-runs", "--grace", "1e9"), "1000000000.0 is no number of hours"),
        (("make-holidays", "--to", HUGE), "'--to'"),
        (("make-holidays", "--from", "0"), "'--from'"),
        (("make-holidays", "--from", "-1"), "'--from'"),
        (("report", "--horizon-step", "0"), "'--horizon-step'"),
        (("--jobs", "0", "train"), "0 processes fit no model"),
        (("--jobs", HUGE, "train"), "'--jobs'"),
        (("run", "--series", "--dry-run"), "'--dry-run' looks like an option"),
        (("run", "--run-id", "--take-over"), "'--take-over' looks like an option"),
        (("what-if", "--scenario", "--dry-run"), "'--dry-run' looks like an option"),
        (("models", "show", "--series", "a\0b"), "a text holds no NUL"),
        (
            (
                *("load", "f.csv", "--as", "promotions", "--covers-from", "2026-03-01"),
                *("--covers-to", "2026-02-01"),
            ),
            "--covers-from 2026-03-01 is after --covers-to 2026-02-01",
        ),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(arguments, fault):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert fault in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["train", "tune", "retrain", "monitor", "check-future"])
@pytest.mark.parametrize(
    ("as_of", "fault"),
    [
        ("0001-01-01", "years 1970 to 2200"),
        ("9999-12-31", "years 1970 to 2200"),
        ("2199-12-31", "lies in the future"),
    ],
)
def test_nothing_is_done_as_of_a_day_that_no_data_are_of(command, as_of, fault):
    result = run(command, "--as-of", as_of)
    assert result.exit_code == 2
    assert fault in result.output


def test_origins_beyond_the_calendar_are_left_out():
    use_case = load_settings(ROOT, {}).use_case(None)
    current = origin_at(use_case, instant("2026-02-18 22:00"))
    found = validation_origins(use_case, current, 1000, 1000)
    assert len(found) == 3
    assert found[0].origin_date.year >= 1970


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        ({"CLOUD_RUN_TASK_INDEX": "x"}, "CLOUD_RUN_TASK_INDEX is 'x', not a whole number"),
        ({"CLOUD_RUN_TASK_INDEX": "-1"}, "CLOUD_RUN_TASK_INDEX is '-1'"),
        ({"CLOUD_RUN_TASK_COUNT": "²"}, "CLOUD_RUN_TASK_COUNT is '²'"),
        ({"CLOUD_RUN_TASK_COUNT": HUGE}, "CLOUD_RUN_TASK_COUNT is '9999"),
        ({"CLOUD_RUN_TASK_COUNT": "0"}, "CLOUD_RUN_TASK_INDEX 0 is not below 0"),
    ],
)
def test_a_task_that_has_no_number_is_refused(environment, fault):
    with pytest.raises(SettingsError, match=fault):
        shard_of_task(environment)


def test_an_empty_number_of_a_task_is_the_default(monkeypatch):
    assert shard_of_task({"CLOUD_RUN_TASK_INDEX": "", "CLOUD_RUN_TASK_COUNT": ""}).count == 1
    monkeypatch.setenv("CLOUD_RUN_TASK_ATTEMPT", "x")
    with pytest.raises(SettingsError, match="CLOUD_RUN_TASK_ATTEMPT is 'x'"):
        number_of_task("CLOUD_RUN_TASK_ATTEMPT")
    logs.set_up(stream := io.StringIO(), {"CLOUD_RUN_JOB": "j", "CLOUD_RUN_TASK_INDEX": "x"})
    logs.fail("no")
    assert json.loads(stream.getvalue())["task_index"] == "x"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("BIGQUERY_ENDPOINT", "http://127.0.0.1:abc"),
        ("BIGQUERY_ENDPOINT", "http://127.0.0.1:99999"),
        ("BIGQUERY_ENDPOINT", "http://[::1"),
        ("BIGQUERY_ENDPOINT", "127.0.0.1:9050"),
        ("BIGQUERY_GRPC_ENDPOINT", "127.0.0.1:abc"),
        ("BIGQUERY_GRPC_ENDPOINT", "[::1"),
    ],
)
def test_an_endpoint_that_is_no_address_is_refused(monkeypatch, name, given):
    monkeypatch.setenv(f"SHELFCAST_{name}", given)
    with pytest.raises(SettingsError, match=rf"SHELFCAST_{name} is '.*', not an address such as"):
        connection()


@pytest.mark.parametrize("content", ['"x"', "[1]", "null", "5", '{"client_email": 5}'])
def test_a_key_file_of_other_json_is_refused(tmp_path, monkeypatch, content):
    keyfile = tmp_path / "key.json"
    keyfile.write_text(content)
    monkeypatch.setenv("SHELFCAST_KEYFILE", str(keyfile))
    with pytest.raises(SettingsError, match="whose JSON is no key of a service account"):
        connection()


# What nobody foresaw


@pytest.fixture
def broken(monkeypatch):
    """A command that fails of what nobody foresaw."""

    @click.command("break")
    def break_() -> None:
        raise KeyError("half\na sentence")

    monkeypatch.setitem(main.commands, "break", break_)


def test_what_nobody_foresaw_is_one_entry_with_its_traceback_for_machines(broken, monkeypatch):
    monkeypatch.setenv("SHELFCAST_LOG_FORMAT", "json")
    result = run("break")
    assert result.exit_code == 1
    (entry,) = map(json.loads, result.output.splitlines())
    assert entry["event"] == "run_failed"
    assert "\n" not in entry["message"]
    assert entry["message"].startswith("unforeseen KeyError: 'half")
    assert entry["stack_trace"].startswith("Traceback (most recent call last):")


def test_and_one_line_with_its_traceback_in_the_debug_log_for_people(broken, monkeypatch, tmp_path):
    monkeypatch.setenv("SHELFCAST_LOG_FORMAT", "text")
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    result = run("break")
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    path = tmp_path / "logs" / "shelfcast-debug.log"
    assert line.endswith(f"This is a fault of Shelfcast; its traceback is in {path}.")
    assert "unforeseen KeyError" in line
    assert "Traceback (most recent call last):" in path.read_text()


# Queries and what is exported


@pytest.mark.parametrize(
    "statement",
    [
        "select 1",
        " -- a comment; and more\n# another\n/* a third; */ SELECT ';' as a",
        "with a as (select 1) select * from a;",
        "((select 1) union all (select 2))",
        "from {forecasts} |> limit 1",
        """select '''a;b''', "it's; so", r'\\;', `a;b` from x""",
    ],
)
def test_a_query_is_known_as_one(statement):
    assert looks_like_query(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "drop table {forecast_log}",
        "delete from {forecast_log} where true",
        "insert into a select 1",
        "create or replace table a as select 1",
        "merge a using b on true when matched then delete",
        "truncate table a",
        "export data options (uri='gs://a/*') as select 1",
        "call a.b()",
        "begin select 1; end",
        "select 1; drop table a",
        "select 1 /* ; */ ; drop table a --",
        "select 'a\\'; drop table x --'; drop table a",
        "declare a int64; select a",
        "-- select\ndrop table a",
        "selected",
        "",
    ],
)
def test_any_other_statement_is_none(statement):
    assert not looks_like_query(statement)


def test_formulas_in_exported_cells_are_texts():
    frame = pd.DataFrame(
        {
            "=name": ["=cmd|' /C calc'!A0", "@sum", "+1 (916) 555", "-2", "+3.5e4", "-x"],
            "n": [-1, 2, 3, 4, 5, 6],
            "other": ["a=b", None, "\tx", "\rx", "N1|retail", ""],
        }
    )
    text = defused(frame).to_csv(index=False)
    assert text.splitlines()[0] == "'=name,n,other"
    assert defused(frame).iloc[:, 0].tolist() == [
        *("'=cmd|' /C calc'!A0", "'@sum", "'+1 (916) 555", "-2", "+3.5e4", "'-x"),
    ]
    assert defused(frame)["other"].fillna("-").tolist() == [
        "a=b",
        "-",
        "'\tx",
        "'\rx",
        "N1|retail",
        "",
    ]
    assert defused(frame)["n"].tolist() == frame["n"].tolist()
