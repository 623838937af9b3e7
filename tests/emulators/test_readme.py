"""The README lists every repair, and names only what is there."""

import re
from importlib.metadata import version
from pathlib import Path

import emulators
from emulators.bigquery import patches
from emulators.bigquery.sql import STEPS, functions

PACKAGE = Path(emulators.__file__).parent
README = (PACKAGE / "README.md").read_text(encoding="utf-8")
ROWS = [line for line in README.splitlines() if line.startswith("|") and "`test_" in line]


def short_name(function) -> str:
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def test_each_replacement_is_listed():
    replacements = {short_name(patch.replace) for patch in patches.PATCHES}
    assert len(replacements) > 30
    assert [name for name in sorted(replacements) if f"`{name}`" not in README] == []


def test_each_rewrite_of_sql_is_listed():
    steps = {short_name(step) for step in (*STEPS, *functions.DATE_STEPS)}
    steps.remove(short_name(functions.rewrite_dates))
    assert len(steps) == len(STEPS) - 1 + len(functions.DATE_STEPS)
    assert [name for name in sorted(steps) if f"`{name}`" not in README] == []


def test_each_repair_that_is_listed_exists():
    named = {name for row in ROWS for name in re.findall(r"`([a-z_]+\.[A-Za-z_]+)`", row)}
    sources = {path.stem: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    missing = []
    for name in sorted(named):
        module, _, attribute = name.partition(".")
        if not re.search(rf"^(?:def|class) {attribute}\b", sources.get(module, ""), re.MULTILINE):
            missing.append(name)
    assert len(named) > 50
    assert missing == []


def test_each_test_that_is_listed_exists():
    tests = PACKAGE.parent / "tests"
    text = "\n".join(path.read_text(encoding="utf-8") for path in tests.rglob("test_*.py"))
    named = {name for row in ROWS for name in re.findall(r"`(test_\w+|Test\w+)`", row)}
    assert [name for name in sorted(named) if not re.search(rf"(?:def|class) {name}\b", text)] == []
    files = re.findall(r"`(tests/[\w/]+\.py)`", README)
    assert [name for name in files if not (PACKAGE.parent / name).is_file()] == []


def test_each_row_names_its_test():
    tables = [line for line in README.splitlines() if line.startswith("|")]
    without = [line for line in tables if not re.search(r"`[Tt]est", line)]
    assert [line for line in without if not line.startswith(("|---", "| upstream"))] == []


def test_versions_are_the_installed_ones():
    assert f"`bqemulator` {version('bqemulator')} " in README
    assert f"`gcp-storage-emulator` {version('gcp-storage-emulator')}." in README
