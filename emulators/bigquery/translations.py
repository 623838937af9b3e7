"""Replacements that let the BigQuery emulator translate each text once, whatever its datasets.

Most of the emulator's time goes to translating GoogleSQL, and what a deployment sends is the same
from run to run but for the names of datasets and of temporary tables, and for its days. Those are
put out of the text before it is translated, and into the result: the translation of the text with
stand-ins is what is kept, in a file of the user's cache folder that all emulators of the user
share. Each function takes the emulator's original and returns what stands in its place.
"""

import functools
import hashlib
import json
import os
import re
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bqemulator.domain.result import Ok, Result
from bqemulator.jobs import executor

from python_jobs.local import emulator_sql
from python_jobs.local.emulator_engine import RecentResults

MOST_KEPT = 20_000
"""Translations on file, of some 10 KB each; those that were asked for longest ago go first."""

MOST_AT_HAND = 2000
"""Translations in memory."""


class Kept:
    """What was worked out before, by a digest of all that it depends on.

    It lies in a file that several emulators read and write at once. Without one, or where the file
    cannot be used, it lies in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or make the file, and forget what was not asked for in a long time."""
        self._known = RecentResults(entries=MOST_AT_HAND, megabytes=512)
        self._using = threading.Lock()
        self._file: sqlite3.Connection | None = None
        with suppress(OSError, sqlite3.Error):
            if path is not None:
                self._file = _opened(path)

    def get(self, *parts: str) -> str | None:
        """Return what was kept for these parts."""
        key = _digest(parts)
        with self._using:
            if key not in self._known and self._file is not None:
                with suppress(sqlite3.Error):
                    asked = "update kept set asked_at = unixepoch() where key = ? returning value"
                    row = self._file.execute(asked, [key]).fetchone()
                    if row is not None:
                        self._known[key] = row[0]
            known: str | None = self._known.get(key)
            return known

    def put(self, value: str, *parts: str) -> None:
        """Keep a value for these parts."""
        key = _digest(parts)
        with self._using:
            self._known[key] = value
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
        [MOST_KEPT],
    )
    return file


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps([_translator(), *parts]).encode()).hexdigest()


_TRANSLATOR: list[str] = []


def _translator() -> str:
    """Everything that decides a translation beside the text: the packages, and these patches."""
    if not _TRANSLATOR:
        packages = [f"{name} {version(name)}" for name in ("bqemulator", "sqlglot", "duckdb")]
        sources = sorted(Path(__file__).parent.glob("emulator_*.py"))
        code = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
        _TRANSLATOR.append("; ".join([*packages, code]))
    return _TRANSLATOR[0]


def cache_file() -> Path:
    """Where a user's translations are kept; XDG_CACHE_HOME names another folder than ~/.cache."""
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "shelfcast" / "translations.sqlite"


@functools.cache
def kept() -> Kept:
    """What this emulator knows, opened when it first translates."""
    try:
        return Kept(cache_file())
    except RuntimeError:  # nobody's home
        return Kept(None)


_MARK = "shelfcast_stand_in_"
_YEAR = "1583"
"""Of the days that stand in for others; no text of ours is about that year."""

# `project`.`dataset`.`table` in GoogleSQL; DuckDB's names have double quotes. dbt puts the time of
# day into the names of its temporary tables, and each run's days and instants stand in its SQL.
_NAME = re.compile(
    r"(?P<before>(?P<quote>[`\"])[\w-]+(?P=quote)\.(?P=quote))(?P<dataset>\w+)"
    r"(?=(?P=quote)\.(?P=quote))"
    r"|(?<=__dbt_tmp)(?P<time>\d{6,})(?=[`\"])"
    r"|(?<=')(?P<instant>\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::\d\d)?)?)?)"
    r"(?=')"
)
_STAND_IN = re.compile(
    rf"{_MARK}(?P<number>\d+)_|(?<='){_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)[\d :T.Z+-]*(?=')"
)
_DAYS = 28
"""Stand-ins in a month: each month has as many."""

_MOST_NAMES = 12 * _DAYS


@dataclass(frozen=True)
class Nameless:
    """A text with stand-ins where it names its datasets and its days.

    Attributes:
        text: the same for equal statements on other datasets, of other days.
        names: what the stand-ins stand for.
    """

    text: str
    names: tuple[str, ...]

    def named(self, text: str) -> str:
        """Put the names into a text that has the same stand-ins."""
        return _STAND_IN.sub(self._name, text) if self.names else text

    def _name(self, match: re.Match[str]) -> str:
        if match["number"]:
            return self.names[int(match["number"])]
        return self.names[(int(match["month"]) - 1) * _DAYS + int(match["day"]) - 1]

    def hidden(self, text: str) -> str:
        """Put the stand-ins into another text that has these names."""
        places = {name: place for place, name in enumerate(self.names)}
        return _NAME.sub(lambda match: _stand_in(match, places), text)


def _stand_in(match: re.Match[str], places: Mapping[str, int]) -> str:
    """What stands in for a name, in the same form; the name itself where it has no place."""
    place = places.get(_named_in(match))
    if place is None:
        return match[0]
    if match["instant"]:
        time = re.sub(r"\d", "0", match["instant"][10:])
        return f"{_YEAR}-{place // _DAYS + 1:02d}-{place % _DAYS + 1:02d}{time}"
    return f"{match['before'] or ''}{_MARK}{place}_"


def _named_in(match: re.Match[str]) -> str:
    return match["dataset"] or match["time"] or match["instant"]


def nameless(sql: str) -> Nameless:
    """Put datasets in whole quoted paths, times in temporary tables, and days out of a text."""
    names = tuple(dict.fromkeys(_named_in(match) for match in _NAME.finditer(sql)))
    if _MARK in sql or f"'{_YEAR}-" in sql or len(names) > _MOST_NAMES:
        return Nameless(sql, ())
    asked = Nameless(sql, names)
    return Nameless(asked.hidden(sql), names)


def rewritten(sql: str) -> str:
    """`emulator_sql.rewrite`, once for each text."""
    asked = nameless(sql)
    key = ("rewritten", asked.text)
    known = kept().get(*key)
    if known is None:
        known = emulator_sql.rewrite(asked.text)
        kept().put(known, *key)
    return asked.named(known)


def translate_once(original: Callable[..., Result[str, Any]]) -> Callable[..., Result[str, Any]]:
    """Keep the translation of each text and the types of its columns; errors are not kept."""

    def translate(
        translator: Any, bq_sql: str, *, schema: Any = None, caller: Any = None, **rest: Any
    ) -> Result[str, Any]:
        asked = nameless(bq_sql)
        key = ("translation", asked.text, repr(schema), repr(caller))
        known = kept().get(*key)
        if known is None:
            result = original(translator, asked.text, schema=schema, caller=caller, **rest)
            if not isinstance(result, Ok):
                return original(translator, bq_sql, schema=schema, caller=caller, **rest)
            known = result.value
            kept().put(known, *key)
        return Ok(asked.named(known))

    return translate


def qualify_once(original: Callable[[str, str], str]) -> Callable[[str, str], str]:
    """Keep the text in which each table is named as DuckDB names it."""

    def rewrite_table_refs(duckdb_sql: str, project_id: str) -> str:
        asked = nameless(duckdb_sql)
        key = ("qualified", asked.text, project_id)
        known = kept().get(*key)
        if known is None:
            known = original(asked.text, project_id)
            kept().put(known, *key)
        return asked.named(known)

    return rewrite_table_refs


class _AskedTables:
    """A catalog that knows no table and notes which ones it was asked for."""

    def __init__(self) -> None:
        self.paths: list[tuple[str, str, str]] = []

    def get_table(self, project_id: str, dataset_id: str, table_id: str) -> None:
        self.paths.append((project_id, dataset_id, table_id))

    def list_row_access_policies(self, *_path: str) -> tuple[()]:
        return ()


def _asked(paths: Iterable[tuple[str, ...]]) -> str:
    """Paths as a text whose datasets are found by `nameless`."""
    return "\n".join(".".join(f"`{part}`" for part in path) for path in paths)


def read_tables_once(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Keep which tables a text names; what columns they have now is asked of the catalog."""

    def build_catalog_schema(bq_sql: str, *, project_id: str, catalog: Any) -> dict[str, Any]:
        asked = nameless(bq_sql)
        key = ("read tables", asked.text, project_id)
        known = kept().get(*key)
        if known is None:
            noted = _AskedTables()
            original(asked.text, project_id=project_id, catalog=noted)
            tables = _asked(noted.paths).splitlines()
            known = f"select * from {', '.join(tables)}" if tables else "select 1"
            kept().put(known, *key)
        return original(asked.named(known), project_id=project_id, catalog=catalog)

    return build_catalog_schema


def expand_once(original: Callable[..., str]) -> Callable[..., str]:
    """Rewrite only what reads a view or a table with policies, and each text with its views once.

    A view that is read becomes a subquery; that depends on its text and on those of the views that
    it reads in turn. What policies make of a text depends on who asks, and is not kept.
    """

    def rewrite_for_row_access(bq_sql: str, *, project_id: str, catalog: Any, **rest: Any) -> str:
        def rewrite(sql: str, catalog: Any) -> str:
            return original(sql, project_id=project_id, catalog=catalog, **rest)

        texts, views = [bq_sql], dict[str, str]()
        for text in texts:
            for name in _tables_read(text, project_id, rewrite):
                path = name[1:-1].split("`.`")
                table = catalog.get_table(*path)
                if catalog.list_row_access_policies(*path):
                    return rewrite(bq_sql, catalog)
                body = table.view_query if table and table.table_type == "VIEW" else None
                if body and name not in views:
                    views[name] = body
                    texts.append(body)
        if not views:
            return bq_sql
        asked = nameless("\n".join([bq_sql, *(f"{name}: {views[name]}" for name in views)]))
        key = ("expanded", asked.text, project_id)
        known = kept().get(*key)
        if known is None:
            expanded = rewrite(bq_sql, catalog)
            known = asked.hidden(expanded)
            if asked.named(known) != expanded:
                return expanded
            kept().put(known, *key)
        return asked.named(known)

    return rewrite_for_row_access


def _tables_read(sql: str, project_id: str, rewrite: Callable[[str, Any], str]) -> list[str]:
    """The tables that the emulator asks for before it rewrites a text, as quoted paths."""
    asked = nameless(sql)
    key = ("tables of policies", asked.text, project_id)
    known = kept().get(*key)
    if known is None:
        noted = _AskedTables()
        rewrite(asked.text, noted)
        known = _asked(noted.paths)
        kept().put(known, *key)
    return asked.named(known).splitlines()


def classify_once(original: Callable[[str], str]) -> Callable[[str], str]:
    """Keep what kind of statement a text is."""

    def classify_statement_type(bq_sql: str) -> str:
        asked = nameless(bq_sql)
        key = ("statement type", asked.text)
        known = kept().get(*key)
        if known is None:
            known = original(bq_sql)
            kept().put(known, *key)
        return known

    return classify_statement_type


_DROP = re.compile(r"\s*drop\b", re.IGNORECASE)


def only_drops(original: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Look for the name of a routine only in what drops something."""

    def detect_drop_routine(bq_sql: str, default_project: str) -> Any:
        return original(bq_sql, default_project) if _DROP.match(bq_sql) else None

    return detect_drop_routine


_CHANGES_NO_ROW = re.compile("SELECT|(CREATE|DROP|ALTER)_.+")


def only_where_rows_change(original: Callable[..., Any]) -> Callable[..., Any]:
    """Ask nothing of a statement that is known to be no DML."""

    def ask(project_id: str, bq_sql: str, ctx: Any) -> Any:
        if _CHANGES_NO_ROW.fullmatch(executor.classify_statement_type(bq_sql)):
            return None
        return original(project_id, bq_sql, ctx)

    return ask


def only_where_rows_change_async(
    original: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    """As `only_where_rows_change`, for what is awaited."""
    ask = only_where_rows_change(original)

    async def ask_and_wait(project_id: str, bq_sql: str, ctx: Any) -> None:
        asked = ask(project_id, bq_sql, ctx)
        if asked is not None:
            await asked

    return ask_and_wait
