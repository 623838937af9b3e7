"""Text on a terminal, one JSON object a line elsewhere, and what each line says of its run."""

import io
import json
import logging
import os
import sys
import threading
import warnings

import orjson
import pytest
from google.api_core import client_logging
from joblib.externals.loky import get_reusable_executor

from python_jobs.fitting.pool import run_chunks
from python_jobs.infra import logs
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.logs import Event

ON_CLOUD_RUN = {
    "CLOUD_RUN_JOB": "predict-weekly",
    "CLOUD_RUN_EXECUTION": "predict-weekly-abc12",
    "CLOUD_RUN_TASK_INDEX": "3",
    "CLOUD_RUN_TASK_ATTEMPT": "1",
}
LABELS = "logging.googleapis.com/labels"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before():
    handlers, level = logs.LOGGER.handlers, logs.LOGGER.level
    logs.about()
    yield
    logs.about()
    logs.set_up(Terminal(), {})  # libraries are as they were
    logs.LOGGER.handlers, logs.LOGGER.level = handlers, level


@pytest.fixture
def stream():
    """What a log of JSON that is no terminal's gets."""
    logs.set_up(stream := io.StringIO(), {})
    return stream


def entry_of(stream: io.StringIO) -> dict:
    (entry,) = entries_of(stream)
    return entry


def entries_of(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().split("\n")[:-1]]


def test_a_terminal_reads_a_sentence():
    logs.set_up(stream := Terminal(), {})
    logs.warn(Event.STALE_ACTUALS, "two weeks behind", run_id="R1")
    assert stream.getvalue()[2::3][:1] == ":"
    assert stream.getvalue()[8:] == " warning: two weeks behind\n"


def test_a_machine_reads_one_json_object_a_line(stream):
    logs.log(Event.RUN_STARTED, 'say "hi"\nthere', n=3)
    entry = entry_of(stream)
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "severity": "INFO",
        "message": 'say "hi"\nthere',
        "event": "run_started",
        "n": 3,
    }


def test_every_line_says_what_its_run_is_as_fields_and_as_labels():
    logs.set_up(stream := io.StringIO(), ON_CLOUD_RUN)
    logs.about(run_id="R1", run_kind="issued", use_case="sku_weekly")
    logs.warn(Event.FIT_FAILED, "2 series", model_name="prophet", n_failed=2)
    entry = entry_of(stream)
    said = {
        "run_id": "R1",
        "run_kind": "issued",
        "use_case": "sku_weekly",
        "job": "predict-weekly",
        "execution": "predict-weekly-abc12",
        "task_index": 3,
        "attempt": 1,
        "model_name": "prophet",
    }
    assert said.items() <= entry.items()
    assert entry[LABELS] == {name: str(value) for name, value in said.items()}
    logs.about()
    logs.log(Event.NO_NEW_ALERT, "nothing")
    assert "run_id" not in entries_of(stream)[1]


def test_on_cloud_run_json_goes_to_stdout_with_the_nodes_of_dbt(capsys):
    logs.set_up(environment=ON_CLOUD_RUN)
    logs.log(Event.DBT_NODE_ENDED, "forecasts", level=logging.DEBUG)
    said = capsys.readouterr()
    assert json.loads(said.out)["severity"] == "DEBUG"
    assert said.err == ""


def test_elsewhere_it_goes_to_stderr_without_them(capsys):
    logs.set_up(environment={})
    logs.log(Event.DBT_NODE_ENDED, "forecasts", level=logging.DEBUG)
    logs.log(Event.RUN_ENDED, "done")
    said = capsys.readouterr()
    assert json.loads(said.err)["message"] == "done"
    assert said.out == ""


@pytest.mark.parametrize(
    ("stream", "environment", "is_json"),
    [
        (Terminal(), {"SHELFCAST_LOG_FORMAT": "json"}, True),
        (io.StringIO(), {"SHELFCAST_LOG_FORMAT": "text"}, False),
        (Terminal(), {"SHELFCAST_LOG_FORMAT": "auto"}, False),
        (io.StringIO(), {"SHELFCAST_LOG_FORMAT": ""}, True),
        (Terminal(), ON_CLOUD_RUN, True),
        (io.StringIO(), {**ON_CLOUD_RUN, "SHELFCAST_LOG_FORMAT": "text"}, False),
    ],
)
def test_the_form_may_be_chosen(stream, environment, is_json):
    logs.set_up(stream, environment)
    assert logs.is_json() is is_json


def test_a_form_that_there_is_not_is_refused_and_the_log_works(capsys):
    with pytest.raises(SettingsError, match="SHELFCAST_LOG_FORMAT is 'yaml', not auto, json, text"):
        logs.set_up(environment={"SHELFCAST_LOG_FORMAT": "yaml"})
    logs.log(Event.RUN_ENDED, "done")
    assert json.loads(capsys.readouterr().err)["message"] == "done"


def test_an_error_that_nobody_expected_is_one_line_with_its_traceback(stream):
    logs.about(run_id="R1")
    try:
        raise KeyError("half\na sentence")
    except KeyError as error:
        logs.fail("KeyError", error)
    entry = entry_of(stream)
    assert (entry["severity"], entry["event"], entry["run_id"]) == ("ERROR", "run_failed", "R1")
    assert entry["stack_trace"].startswith("Traceback (most recent call last):\n")
    assert entry["stack_trace"].endswith("KeyError: 'half\\na sentence'")
    assert entry["@type"].endswith("ReportedErrorEvent")


def test_an_entry_stays_below_what_cloud_logging_takes_and_says_what_it_lost(stream):
    logs.warn(Event.ROWS_REJECTED, "é" * 300_000, rows=["x\n"] * 100_000, n=7)
    (line, _) = stream.getvalue().split("\n")
    assert len(line.encode()) < 200_000
    entry = json.loads(line)
    assert sorted(entry["cut_fields"]) == ["message", "rows"]
    assert entry["n"] == 7
    assert entry["message"][:9] == entry["message"][-9:] == "é" * 9
    assert "characters cut" in entry["message"]


@pytest.mark.parametrize(
    ("message", "fields", "said"),
    [
        (os.fsdecode(b"plan-\xff.csv"), {}, {"message": "plan-?.csv"}),
        ("huge", {"n": 2**70}, {"message": "huge", "n": 2**70}),
    ],
    ids=["half a surrogate", "beyond 64 bits"],
)
def test_what_json_cannot_say_costs_no_line(message, fields, said):
    """Formatted, not logged: pytest reports what was logged, and xdist cannot send a surrogate."""
    record = logging.makeLogRecord({"msg": message, "levelname": "INFO", "fields": fields})
    assert said.items() <= json.loads(logs.JsonFormatter({}).format(record)).items()


def test_another_threads_lines_say_what_this_ones_do_where_they_inherit(stream):
    logs.about(run_id="R1")
    work = logs.inherited(lambda message: logs.log(Event.STEP_ENDED, message))
    for target in (work, lambda message: logs.log(Event.STEP_ENDED, message)):
        thread = threading.Thread(target=target, args=["done"])
        thread.start()
        thread.join()
    assert [one.get("run_id") for one in entries_of(stream)] == ["R1", None]


def test_warnings_of_libraries_are_entries_too(stream):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.set_up(stream, {})
        warnings.warn("deprecated\nlong ago", stacklevel=1)
    logging.getLogger("google.api_core").warning("slow\nanswer")
    logging.getLogger("google.api_core").info("not this")
    entries = entries_of(stream)
    assert [one["logger"] for one in entries] == ["py.warnings", "google.api_core"]
    assert {one["event"] for one in entries} == {"library_warned"}
    assert "deprecated\nlong ago" in entries[0]["message"]


@pytest.mark.parametrize("are_used_before", [True, False])
def test_googles_clients_do_not_keep_their_warnings(monkeypatch, are_used_before):
    google = logging.getLogger("google")
    monkeypatch.setattr(google, "handlers", [])
    monkeypatch.setattr(google, "propagate", True)
    monkeypatch.setattr(client_logging, "_LOGGING_INITIALIZED", False)
    if are_used_before:
        client_logging.initialize_logging()
        assert not google.propagate
    logs.set_up(stream := io.StringIO(), {})
    client_logging.initialize_logging()
    logging.getLogger("google.cloud.bigquery").warning("slow")
    assert entry_of(stream)["logger"] == "google.cloud.bigquery"


def test_a_terminal_leaves_libraries_alone(stream):
    logs.set_up(terminal := Terminal(), {})
    logging.getLogger("google.api_core").warning("slow")
    assert (stream.getvalue(), terminal.getvalue()) == ("", "")


@pytest.mark.parametrize("key", ["s3cr3t/k+y", 'with"quote', "plain"])
def test_no_line_holds_a_secret_whoever_wrote_it(key, monkeypatch):
    monkeypatch.setenv("SHELFCAST_WEATHER_KEY", key)
    logs.set_up(stream := io.StringIO(), os.environ)
    logs.log(Event.WEATHER_FETCHED, f"with {key}", url=f"https://x/?apikey={key}&y=1")
    logging.getLogger("urllib3").warning("retry /v1?apikey=s3cr3t%2Fk%2By plain")
    text = stream.getvalue()
    assert key not in text
    assert key.replace('"', '\\"') not in text
    assert "s3cr3t%2Fk%2By" not in text or key != "s3cr3t/k+y"
    assert len(entries_of(stream)) == 2


def warn_in_worker(number: int) -> int:
    logs.warn(Event.FIT_FAILED, f"series {number}")
    warnings.warn("singular\nmatrix", RuntimeWarning, stacklevel=1)
    return os.getpid()


def test_the_processes_of_a_pool_log_as_this_one_does(capfd, monkeypatch):
    """They write to the same stdout; each line is whole and says what its run is."""
    for name, value in ON_CLOUD_RUN.items():
        monkeypatch.setenv(name, value)
    logs.set_up()
    logs.about(run_id="R1")
    get_reusable_executor().shutdown()  # the processes of an earlier test write where it did
    pids = run_chunks(warn_in_worker, [1, 2, 3], n_jobs=2)
    assert os.getpid() not in pids
    sys.stdout.flush()
    entries = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    told = [one for one in entries if one["event"] == "fit_failed"]
    assert sorted(one["message"] for one in told) == ["series 1", "series 2", "series 3"]
    assert {(one["run_id"], one["job"]) for one in told} == {("R1", "predict-weekly")}
    assert [one["logger"] for one in entries if one not in told][:1] == ["py.warnings"]


def test_event_names_are_snake_case_and_given_once():
    names = [event.value for event in Event]
    assert len(set(names)) == len(names)
    assert all(event.value == event.name.lower() for event in Event)


def test_a_line_is_what_orjson_reads(stream):
    logs.log(Event.STEP_ENDED, "done", seconds=1.5, none=None)
    assert orjson.loads(stream.getvalue())["none"] is None
