"""The index of buckets and objects of a Storage: one SQLite row an entry."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Sections = dict[str, dict[str, Any]]
Entry = tuple[str, ...]
"""(section, key), or ("objects", bucket, object name)."""

SECTIONS = ("buckets", "objects", "resumable", "bucket_iam_policies", "soft_deleted")


class Listing:
    """The metadata of a folder's buckets and objects, kept across a kill.

    The emulator writes all its metadata as one JSON file at each change, which takes longer with
    each object. Here a change writes its own rows, in one transaction.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file. The server's threads take turns in using it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, check_same_thread=False)
        self._file.execute("pragma journal_mode = wal")
        # A killed process loses nothing by it; only a power failure might.
        self._file.execute("pragma synchronous = off")
        self._file.execute("create table if not exists entries (key text primary key, value text)")

    def read(self) -> Sections:
        """Return every section; all are empty in a new file."""
        sections: Sections = {section: {} for section in SECTIONS}
        for key, value in self._file.execute("select key, value from entries order by rowid"):
            section, *parents, name = json.loads(key)
            entries = sections[section]
            for parent in parents:
                entries = entries.setdefault(parent, {})
            entries[name] = json.loads(value)
        return sections

    def replace(self, sections: Sections) -> None:
        """Replace all sections."""
        rows = [(_key(entry), json.dumps(value)) for entry, value in _entries(sections)]
        with self._file:
            self._file.execute("delete from entries")
            self._file.executemany("insert into entries values (?, ?)", rows)

    def change(self, written: dict[Entry, Any], dropped: Iterable[Entry] = ()) -> None:
        """Write some entries and drop others, all or none."""
        rows = [(_key(entry), json.dumps(value)) for entry, value in written.items()]
        with self._file:
            self._file.executemany("insert or replace into entries values (?, ?)", rows)
            drop = "delete from entries where key = ?"
            self._file.executemany(drop, [(_key(entry),) for entry in dropped])


def _key(entry: Entry) -> str:
    return json.dumps(entry)


def _entries(sections: Sections) -> Iterator[tuple[Entry, Any]]:
    for section, entries in sections.items():
        for key, value in entries.items():
            if section == "objects":
                yield from (((section, key, name), held) for name, held in value.items())
            else:
                yield (section, key), value
