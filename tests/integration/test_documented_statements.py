"""Every query that the documents tell people to type is one that runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.played import Played
from tests.support.site import ROOT

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "python_jobs" / "cli").glob("*.py")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "deploy").glob("*.md")),
]


def statements() -> list[tuple[Path, str]]:
    found = []
    for path in PAGES:
        for statement in re.findall(r'shelfcast sql "([^"]+)"', path.read_text()):
            if "…" not in statement:  # leaves something out
                found.append((path.relative_to(ROOT), " ".join(statement.split())))
    return found


def test_there_are_some():
    assert len(statements()) > 20


@pytest.mark.parametrize(
    ("page", "statement"),
    [pytest.param(*one, id=f"{one[0]}-{i}") for i, one in enumerate(statements())],
)
def test_a_documented_query_runs(page: Path, statement: str, played: Played):
    played.site.context().warehouse.read(statement)
