"""Every event is explained, and every call logs what the catalogue says of its event."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from python_jobs.infra.event_catalogue import CATALOGUE, as_markdown
from python_jobs.infra.logs import Event
from tests.support.site import ROOT

OF_EVERY_LINE = {"run_id", "run_kind", "use_case", "level"}


@dataclass
class Call:
    """A call of log or warn."""

    where: str
    event: Event
    level: int | None
    fields: set[str]
    has_more: bool


def calls() -> Iterator[Call]:
    for path in sorted((ROOT / "python_jobs").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or _name(node.func) not in ("log", "warn"):
                continue
            first = node.args[0] if node.args else None
            if not (isinstance(first, ast.Attribute) and _name(first.value) == "Event"):
                continue
            keywords = {one.arg: one.value for one in node.keywords if one.arg}
            level = keywords.get("level")
            yield Call(
                f"{path.relative_to(ROOT)}:{node.lineno}",
                Event[first.attr],
                _level(_name(node.func), level),
                set(keywords) - OF_EVERY_LINE,
                any(one.arg is None for one in node.keywords),
            )


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _level(function: str, given: ast.expr | None) -> int | None:
    if function == "warn":
        return logging.WARNING
    if given is None:
        return logging.INFO
    return getattr(logging, _name(given), None)


def test_every_event_is_explained() -> None:
    assert set(CATALOGUE) == set(Event)
    assert all(about.means and about.levels for about in CATALOGUE.values())


@pytest.mark.parametrize("event", Event, ids=str)
def test_what_somebody_should_look_at_says_what_to_do(event: Event) -> None:
    about = CATALOGUE[event]
    is_grave = min(about.levels) >= logging.WARNING
    assert about.todo or not is_grave or event == Event.DBT_WARNED


@pytest.mark.parametrize("call", calls(), ids=lambda call: call.where)
def test_each_call_logs_what_is_said_of_its_event(call: Call) -> None:
    about = CATALOGUE[call.event]
    known = {name.rstrip("?") for name in about.fields}
    always = {name for name in about.fields if not name.endswith("?") and name != "*"}
    assert call.level is None or call.level in about.levels
    assert call.fields <= known
    assert always <= call.fields or call.has_more


def test_the_calls_are_found() -> None:
    assert len(list(calls())) > 40


def test_the_page_is_made_of_the_catalogue() -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    assert page == as_markdown(), "python -m python_jobs.infra.event_catalogue > docs/events.md"
