"""How the servers are started, and who knows the package."""

import ast
import sys
from pathlib import Path

import emulators
from emulators import commands, lifeline

PACKAGE = Path(emulators.__file__).parent
ROOT = PACKAGE.parent


def test_bigquery_keeps_its_tables_in_a_folder_or_in_memory():
    start = [sys.executable, "-m", "emulators.bigquery", "start", "--rest-host", "::1"]
    start += ["--rest-port", "1", "--grpc-host", "::1", "--grpc-port", "2"]
    kept = commands.bigquery("::1", 1, 2, Path("data"))
    assert kept == [*start, "--persistent", "--data-dir", "data", "--log-level", "warning"]
    lost = commands.bigquery("::1", 1, 2, None, ends_with_parent=True)
    assert lost == [*start, "--ephemeral", "--log-level", "warning", lifeline.FLAG]


def test_storage_keeps_its_objects_in_a_folder():
    start = [sys.executable, "-m", "emulators.storage", "--host", "::1", "--port", "3"]
    start += ["--data-dir", "data"]
    assert commands.storage("::1", 3, Path("data")) == start
    assert commands.storage("::1", 3, Path("data"), ends_with_parent=True)[-1] == lifeline.FLAG


def test_servers_import_this_package_and_no_other_emulators_settings():
    inherited = {"BQEMU_REST_PORT": "1", "PYTHONPATH": "theirs", "HOME": "/home/a"}
    environment = commands.environment(inherited, Path("uploads"))
    assert environment == {
        "HOME": "/home/a",
        "PYTHONPATH": f"{ROOT}:theirs",
        "BQEMU_UPLOAD_STAGING_DIR": "uploads",
    }
    assert commands.environment({}, Path("u"))["PYTHONPATH"] == str(ROOT)


def importers(folder: Path, package: str) -> set[str]:
    """Return the files below a folder that import a package, at their top or in a function."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == package for name in names):
                found.add(path.relative_to(folder).as_posix())
    return found


def test_only_the_local_stack_knows_the_emulators():
    assert importers(ROOT / "python_jobs", "emulators") == {"local/stack.py"}


def test_the_emulators_know_nothing_of_shelfcast():
    assert importers(PACKAGE, "bqemulator")  # the search finds imports
    assert importers(PACKAGE, "python_jobs") == set()
