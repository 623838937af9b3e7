"""Hostile command lines and environments, for every command but those that start servers."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from click.testing import CliRunner

from python_jobs.cli.app import main
from python_jobs.infra import logs
from python_jobs.infra.clients import bigquery_client
from python_jobs.infra.connection import connection
from python_jobs.infra.errors import ConnectionFailed, ShelfcastError
from python_jobs.infra.run import new_run_id, number_of_task, shard_of_task
from python_jobs.infra.settings import load_settings, project_dir
from python_jobs.infra.store import open_store
from python_jobs.local import environment as local_environment
from python_jobs.runs import context as runs
from tests.faults.hostile import values
from tests.faults.hostile.areas import keyed
from tests.faults.hostile.classes import Case
from tests.support.site import ROOT

SELECTING = {"--series": "N1|*", "--series-table": "", "--run-id": "R1", "--cluster": ""}
AS_OF = {"--as-of": "2026-02-18T22:00"}
SPAN = {"--from": "2026-02-18", "--to": "2026-02-25"}
EVERY = {"--origins": "3", "--every": "1"}
COVERS = {"--covers-from": "2026-02-02", "--covers-to": "2026-03-08", "--covers-only": "unit=N1"}
VERSION = {"--series": "N1|retail|A", "--model-version": "v1"}
COMMANDS: dict[tuple[str, ...], dict[str, str]] = {
    ("run", "--dry-run"): {**SELECTING, "--step": "all"},
    ("train", "--dry-run"): {**SELECTING, **AS_OF, "--step": "all"},
    ("tune", "--dry-run"): {**SELECTING, **AS_OF, **EVERY},
    ("predict", "--dry-run"): SELECTING,
    ("replay", "--dry-run"): {**SELECTING, **SPAN, "--every": "1"},
    ("backtest", "--dry-run"): {**SELECTING, **EVERY, "--to": "2026-02-18"},
    ("retrain", "--dry-run"): {**SELECTING, **AS_OF},
    ("check-future", "--dry-run"): {**SELECTING, **AS_OF},
    ("monitor", "--dry-run"): {**AS_OF, "--run-id": "R1"},
    ("what-if", "--dry-run"): {"--scenario": "spring", "--series": "N1|*"},
    ("check-runs",): {"--grace": "4"},
    ("make-holidays", "--dry-run"): {"--from": "2025", "--to": "2026", "--country": "DE"},
    ("load", "--dry-run", "--as", "promotions"): {"": "f.csv", **COVERS},
    ("load-inbox", "--dry-run"): {},
    ("fetch-weather", "--dry-run"): {},
    ("sql",): {"": "select 1"},
    ("report",): {"--horizon-step": "1", "--series": "*"},
    ("looker-links",): {"--template": "x"},
    ("models", "list"): {"--series": "*"},
    ("models", "show"): {"--series": "N1|retail|A"},
    ("models", "promote", "--dry-run"): VERSION,
    ("models", "export", "--format", "prophet"): {**VERSION, "--model-name": "prophet"},
    ("use-case", "check"): {"": "sku_weekly"},
    ("use-case", "list"): {},
    ("use-case", "new", "--dry-run", "--sales", "nowhere.csv"): {
        **{"": "web_daily", "--key": "shop,item", "--column": "date=ordered_at"},
        **{"--horizon": "4", "--season": "52", "--families": "prophet", "--time-zone": "UTC"},
    },
}
GLOBAL = ("--jobs", "--use-case", "--target")
NUMERIC = frozenset(
    {
        *("--every", "--origins", "--grace", "--from", "--to", "--as-of", "--jobs", "--horizon"),
        *("--season", "--horizon-step", "--covers-from", "--covers-to"),
    }
)
NUMBERS = (
    *(
        "0",
        "-1",
        "1",
        "1000",
        "1001",
        "1" * 25,
        "99999999999999999999",
        "1e9",
        "nan",
        "inf",
        "-inf",
    ),
    *("0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31", "2026-02-18", "2200-12-31", "2026"),
)


class Nobody:
    """Stands for a warehouse and for dbt: whatever is asked of it fails in words."""

    def __getattr__(self, name: str) -> Any:
        raise ConnectionFailed("nothing listens here.")


def commands(random: Random) -> Case:
    """A sound command line with hostile values in one or two places, and no warehouse behind it."""
    words, sound = random.choice(list(COMMANDS.items()))
    options = dict(sound)
    spoiled = random.sample(list(options), min(len(options), random.choice((1, 1, 2))))
    for option in spoiled:
        options[option] = _value_of(random, option)
    arguments = list(words)
    for option, value in options.items():
        arguments += ([option] if option else []) + [value]
    if not spoiled or random.random() < 0.1:
        option = random.choice(GLOBAL)
        arguments = [option, _value_of(random, option), *arguments]
    return Case("command lines", repr(arguments)[:600], lambda: _run(arguments))


def _value_of(random: Random, option: str) -> str:
    if option in NUMERIC and random.random() < 0.8:
        return random.choice(NUMBERS)
    return values.text(random)


def _run(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, _environment(_of_no_stack(folder)):
        result = CliRunner().invoke(main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if "unforeseen" in result.output:
        raise AssertionError(result.output)
    if result.exit_code not in (0, 1, 2):
        raise AssertionError(f"exit code {result.exit_code}: {result.output}")
    if result.exit_code:
        raise ShelfcastError(result.output)


def _of_no_stack(folder: str) -> dict[str, str | None]:
    return {
        "SHELFCAST_PROJECT_DIR": str(ROOT),
        "SHELFCAST_SETTINGS": None,
        "SHELFCAST_MODELS_URI": f"{folder}/models",
        "SHELFCAST_BIGQUERY_ENDPOINT": "http://127.0.0.1:9",
        "STORAGE_EMULATOR_HOST": None,
        "DBT_LOG_PATH": f"{folder}/logs",
    }


@contextlib.contextmanager
def _environment(changes: dict[str, str | None]) -> Iterator[None]:
    """The environment of a process, with nothing behind it; what it changes is undone."""
    opened = runs.open_context

    def open_context(*given: Any, **named: Any) -> runs.RunContext:
        context = opened(*given, **named)
        context.__dict__.update(warehouse=Nobody(), dbt=Nobody())
        return context

    handlers, level = logs.LOGGER.handlers, logs.LOGGER.level
    with (
        mock.patch.dict(os.environ, keyed(changes), clear=True),
        mock.patch.object(runs, "open_context", open_context),
        mock.patch.object(local_environment, "connect", lambda project: None),
    ):
        try:
            yield
        finally:
            logs.about()
            logs.LOGGER.handlers, logs.LOGGER.level = handlers, level


VARIABLES = (
    *("CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT", "CLOUD_RUN_TASK_ATTEMPT", "CLOUD_RUN_JOB"),
    *("CLOUD_RUN_EXECUTION", "SHELFCAST_TARGET", "SHELFCAST_DATASET", "SHELFCAST_PROJECT"),
    *("SHELFCAST_LOCATION", "SHELFCAST_KEYFILE", "SHELFCAST_BIGQUERY_ENDPOINT"),
    *("SHELFCAST_BIGQUERY_GRPC_ENDPOINT", "SHELFCAST_MODELS_URI", "SHELFCAST_WEATHER_KEY"),
    *("SHELFCAST_LOADING", "SHELFCAST_MAXIMUM_BYTES_BILLED", "SHELFCAST_SETTINGS"),
    *("SHELFCAST_PROJECT_DIR", "SHELFCAST_SERIES", "SHELFCAST_SERIES_TABLE"),
    *("SHELFCAST_LOG_FORMAT", "SHELFCAST_CLUSTER", "SHELFCAST_USE_CASE"),
)
ADDRESSES = (
    *("http://127.0.0.1:abc", "http://127.0.0.1:99999", "http://[::1", "http://", "127.0.0.1:9"),
    *(
        "[::1",
        "localhost",
        "http://127.0.0.1:-1",
        "ftp://x",
        "/etc/passwd",
        "/proc/1/x",
        "/dev/zero",
    ),
)
KEYFILES = (
    *(b'"x"', b"[1]", b"null", b"5", b"{}", b"{", b"\xff", b'{"client_email": 5}'),
    b'{"client_email": "a", "token_uri": "b", "private_key": "c"}',
    b'{"client_email": "a", "token_uri": "b", "private_key": [1]}',
)


def environments(random: Random) -> Case:
    """Variables of the environment, each read as a run reads it."""
    names = random.sample(VARIABLES, random.choice((1, 1, 2, 3)))
    given = {name: random.choice((values.text(random), random.choice(ADDRESSES))) for name in names}
    keyfile = random.choice(KEYFILES) if random.random() < 0.2 else None
    shown = f"{given!r} {keyfile!r}"[:600]
    return Case("environments", shown, lambda: _read_environment(given, keyfile))


def _read_environment(given: dict[str, str], keyfile: bytes | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        changes: dict[str, str | None] = {**_of_no_stack(folder), **given}
        if keyfile is not None:
            (Path(folder) / "key.json").write_bytes(keyfile)
            changes |= {"SHELFCAST_KEYFILE": f"{folder}/key.json", "SHELFCAST_TARGET": "prod"}
            changes |= {"SHELFCAST_BIGQUERY_ENDPOINT": None, "SHELFCAST_PROJECT": "p"}
        with _environment(changes), contextlib.chdir(folder):
            _use_environment(is_keyfile=keyfile is not None)


def _use_environment(*, is_keyfile: bool) -> None:
    logs.set_up(io.StringIO())
    found = connection()
    shard_of_task()
    number_of_task("CLOUD_RUN_TASK_ATTEMPT")
    new_run_id()
    runs.environment_selection()
    load_settings(project_dir())
    if found.models_uri and not found.models_uri.startswith("gs://"):
        open_store(found.models_uri).stat("x")
    if is_keyfile:
        bigquery_client(found, "p")
