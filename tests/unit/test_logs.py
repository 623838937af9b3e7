"""Text on a terminal, one JSON object a line elsewhere."""

import io
import json

import pytest

from python_jobs import logs
from python_jobs.logs import Event


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before():
    handlers = logs.LOGGER.handlers
    yield
    logs.LOGGER.handlers = handlers


def test_a_terminal_reads_a_sentence():
    logs.set_up(stream := Terminal())
    logs.warn(Event.STALE_ACTUALS, "two weeks behind", run_id="R1")
    assert stream.getvalue()[2::3][:1] == ":"
    assert stream.getvalue()[8:] == " warning: two weeks behind\n"


def test_a_machine_reads_one_json_object_a_line():
    logs.set_up(stream := io.StringIO())
    logs.log(Event.RUN_STARTED, 'say "hi"\nthere', run_id="R1", n=3)
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "severity": "INFO",
        "message": 'say "hi"\nthere',
        "event": "run_started",
        "run_id": "R1",
        "n": 3,
    }


def test_event_names_are_snake_case_and_given_once():
    names = [event.value for event in Event]
    assert len(set(names)) == len(names)
    assert all(event.value == event.name.lower() for event in Event)
