"""Keep translations of SQL across queries, emulators and restarts."""

import functools
import hashlib
import json
import os
import sqlite3
import threading
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from emulators.bigquery.memory import BoundedCache

MAX_ON_DISK = 20_000
"""Translations on disk, of some 10 KB each; those not used for longest go first."""

MAX_IN_MEMORY = 2000
"""Translations in memory."""


class TranslationCache:
    """Texts by a digest of all that they depend on.

    They are kept in a file that several emulators read and write at once. Without a file, or if it
    cannot be used, they are kept in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or create the file, and delete what was not used for longest."""
        self._in_memory = BoundedCache(entries=MAX_IN_MEMORY, megabytes=512)
        self._using = threading.Lock()
        self._file: sqlite3.Connection | None = None
        with suppress(OSError, sqlite3.Error):
            if path is not None:
                self._file = _opened(path)

    def get(self, *parts: str) -> str | None:
        """Return what was put under these parts; None if nothing was."""
        key = _digest(parts)
        with self._using:
            if key not in self._in_memory and self._file is not None:
                with suppress(sqlite3.Error):
                    used = "update kept set asked_at = unixepoch() where key = ? returning value"
                    row = self._file.execute(used, [key]).fetchone()
                    if row is not None:
                        self._in_memory[key] = row[0]
            found: str | None = self._in_memory.get(key)
            return found

    def put(self, value: str, *parts: str) -> None:
        """Keep a value under these parts."""
        key = _digest(parts)
        with self._using:
            self._in_memory[key] = value
            if self._file is not None:
                with suppress(sqlite3.Error):
                    new = "insert or replace into kept values (?, ?, unixepoch())"
                    self._file.execute(new, [key, value])


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    for statement in (
        "pragma journal_mode = wal",
        "pragma synchronous = off",
        "create table if not exists kept (key text primary key, value text, asked_at integer)",
    ):
        file.execute(statement)
    file.execute(
        "delete from kept where key in "
        "(select key from kept order by asked_at desc limit -1 offset ?)",
        [MAX_ON_DISK],
    )
    return file


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps([_translator(), *parts]).encode()).hexdigest()


_TRANSLATOR: list[str] = []


def _translator() -> str:
    """Return all that decides a translation besides the text: the packages, and these repairs."""
    if not _TRANSLATOR:
        packages = [f"{name} {version(name)}" for name in ("bqemulator", "sqlglot", "duckdb")]
        sources = sorted(Path(__file__).parent.rglob("*.py"))
        code = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
        _TRANSLATOR.append("; ".join([*packages, code]))
    return _TRANSLATOR[0]


def cache_file() -> Path:
    """Return the user's file of translations; XDG_CACHE_HOME names another folder than ~/.cache."""
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "shelfcast" / "translations.sqlite"


@functools.cache
def translations() -> TranslationCache:
    """Return this emulator's cache, opened at the first translation."""
    try:
        return TranslationCache(cache_file())
    except RuntimeError:  # the user has no home folder
        return TranslationCache(None)
