"""Each test gets the marker of what it needs, and longer ones start first."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.support import children, golden, kinds


def item(folder: Path, *fixtures: str, scope: str = "session", **imported: Any) -> Any:
    module = ModuleType("test_it")
    vars(module).update(imported)
    found = {name: [SimpleNamespace(scope=scope)] for name in fixtures}
    return SimpleNamespace(
        path=folder / "test_it.py",
        nodeid="test_it.py::test_it",
        module=module,
        _fixtureinfo=SimpleNamespace(name2fixturedefs=found),
    )


INTEGRATION = kinds.TESTS / "integration"


@pytest.mark.parametrize(
    ("one", "marker"),
    [
        (item(kinds.UNIT, "tmp_path"), "unit"),
        (item(kinds.EMULATORS), "unit"),
        (item(kinds.EMULATORS, "local_stack"), None),
        (item(kinds.DEPLOY), "slow"),
        (item(INTEGRATION, "local_stack"), None),
        (item(INTEGRATION, "local_stack", "trained_fortnight"), "golden"),
        (item(INTEGRATION, "local_stack", "trained_fortnight", children=children), "slow"),
        (item(INTEGRATION, "local_stack", start=children.start), "slow"),
        (item(INTEGRATION, "local_stack", golden=golden), None),
        (item(INTEGRATION, "played", scope="module"), None),
    ],
)
def test_a_test_is_marked_by_what_it_needs(one: Any, marker: str | None) -> None:
    assert kinds.marker_of(one) == marker


def test_a_unit_test_that_needs_an_emulator_is_refused() -> None:
    with pytest.raises(pytest.UsageError, match="it is no unit test"):
        kinds.marker_of(item(kinds.UNIT, "local_stack"))


def test_the_golden_fortnight_is_one_share_and_starts_first() -> None:
    file = INTEGRATION / "test_it.py"
    assert kinds.group_of(item(INTEGRATION), {file}) == "golden"
    assert kinds.group_of(item(INTEGRATION), set()) == "test_it"
    shares = sorted(["test_it", "test_retrain", "golden"], key=kinds.order_of)
    assert shares == ["golden", "test_retrain", "test_it"]


def test_shares_that_take_longest_are_those_of_files() -> None:
    files = {path.stem for path in kinds.TESTS.rglob("test_*.py")}
    assert set(kinds.LONGEST_FIRST) - {"golden"} <= files
