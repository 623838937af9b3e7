"""What a test needs decides its marker and its worker: nobody has to remember either."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).resolve().parents[1]
UNIT, DEPLOY, EMULATORS = (TESTS / name for name in ("unit", "deploy", "emulators"))

LONGEST_FIRST = (
    *("golden", "test_weekly_in_tasks", "test_golden", "test_retrain", "test_command_line"),
    *("test_google_analyzer", "test_windows", "test_your_data", "test_golden_daily"),
    *("test_orange_juice", "test_killed_retrain", "test_active_run", "test_terraform"),
    *("test_tune", "test_local_stack", "test_dask", "test_leakage", "test_what_if", "test_go_live"),
    *("test_export", "test_own_features", "test_own_tables", "test_logging", "test_fetch_weather"),
    *("test_first_contact", "test_priors", "test_bad_series", "test_global_family_in_tasks"),
)
"""Shares of a worker that take longest, by their CPU seconds; the others follow in any order."""

PLAYED = frozenset({"played", "trained_fortnight", "issued_fortnight"})
"""Fixtures of the golden fortnight, which is played once in each worker that asks for it."""

HEAVY = frozenset({"children", "browser", "dask_cluster", "subprocess", "benchmarks"})
"""What modules of slow tests import: processes, a browser, a cluster, a benchmark."""


def marker_of(item: pytest.Item) -> str | None:
    """`unit`, `golden`, `slow`, or None for a test with a deployment of its own.

    Raises:
        UsageError: a test among the unit tests needs an emulator.
    """
    folder, asked = item.path.parent, fixtures_of(item)
    if folder == UNIT:
        if "local_stack" in asked:
            raise pytest.UsageError(f"{item.nodeid} needs an emulator: it is no unit test.")
        return "unit"
    if folder == DEPLOY or imported_by(item) & HEAVY:
        return "slow"
    if folder == EMULATORS and "local_stack" not in asked:
        return "unit"
    return "golden" if asked & PLAYED else None


def group_of(item: pytest.Item, golden: set[Path]) -> str:
    """The worker's share that a test belongs to: its file, or all files of the fortnight."""
    return "golden" if item.path in golden else item.path.stem


def order_of(group: str) -> int:
    """Where a share stands among all, the longest first."""
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


def fixtures_of(item: pytest.Item) -> frozenset[str]:
    """The fixtures that a test asks for, those of the whole session under their names alone.

    A module's own fixture may have the name of a session's and be another thing.
    """
    defined = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return frozenset(name for name, found in defined.items() if found[-1].scope == "session")


def imported_by(item: pytest.Item) -> frozenset[str]:
    """The modules that a test's module has imported, or imported from, by their last name."""
    values = vars(getattr(item, "module", None) or ModuleType("none")).values()
    modules = {value.__name__ for value in values if isinstance(value, ModuleType)}
    modules |= {getattr(value, "__module__", None) or "" for value in values}
    parts = (part for name in modules for part in (name.split(".")[0], name.split(".")[-1]))
    return frozenset(parts)
