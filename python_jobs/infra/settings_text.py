"""Reads the text of settings, YAML or JSON, and refuses what no settings need.

A parser expands aliases, keeps the last of two equal keys and reads `010` as eight. Here each of
these is an error with its line, before anything is expanded.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import orjson
import yaml

from python_jobs.infra.errors import SettingsError

MOST_BYTES = 4_000_000
MOST_NODES = 200_000
"""Values of a file, with every alias counted as what it stands for."""
DEEPEST = 50
"""Levels of mappings and lists."""
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C, where PyYAML was built with it; it is ten times as quick."""

TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")
)
ODD_NUMBERS = {
    r"[-+]?0[0-7_]+": "is read as an octal number; leave the zero out, or quote it",
    r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?": "is read as a number of base 60; quote it",
    r"[-+]?[0-9_]{30,}": "is too large a number",
}
"""Plain texts that YAML 1.1 takes for numbers which nobody means."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a file of settings.

    Raises:
        SettingsError: it cannot be read, is not YAML, holds no mapping, or has what no settings
            need: repeated keys, other tags, numbers of odd notation, texts without end.
    """
    text = _text_of(path)
    try:
        _Examined(str(path)).examine(text)
        content = yaml.load(text, Loader=SAFE_LOADER)  # noqa: S506 - it is a safe one
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    except (ValueError, OverflowError) as error:  # a date of no calendar, a number without end
        raise SettingsError(f"{path} has a value that cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path} holds no settings (a mapping of keys is expected).")
    _check_values(str(path), content)
    return content


def read_json(where: str, text: str) -> dict[str, Any]:
    """Read settings written as one JSON object. Errors are those of `read_yaml`."""
    if len(text) > MOST_BYTES:
        raise SettingsError(f"{where} is longer than {MOST_BYTES:,} characters.")
    try:
        content: dict[str, Any] = orjson.loads(text)
        json.loads(text, object_pairs_hook=_without_repeats, parse_int=_whole)
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"{where} is not JSON: {error}.") from error
    except RecursionError as error:
        raise SettingsError(f"{where} is nested more than {DEEPEST} levels deep.") from error
    except ValueError as error:
        raise SettingsError(f"{where}: {error}.") from error
    _check_values(where, content)
    return content


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SettingsError(f"{path} is longer than {MOST_BYTES:,} bytes.")
        return content.decode("utf-8")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8: byte {error.start}, {error.reason}.") from error
    except ValueError as error:
        raise SettingsError(f"{str(path)!r} is no path: {error}.") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> None:
    keys: set[str] = set()
    for key, _ in pairs:
        if key in keys:
            raise ValueError(f"the key '{key}' is there twice")
        keys.add(key)


def _whole(digits: str) -> int:
    """A whole number of JSON, which orjson reads as a float beyond 64 bits."""
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        raise ValueError(f"{digits[:40]} is a whole number beyond 64 bits")
    return int(digits)


@dataclass
class _Open:
    """A mapping or a list that has begun and not ended."""

    is_mapping: bool
    anchor: str | None
    n_nodes: int = 1
    n_children: int = 0
    keys: set[str] = field(default_factory=set)


class _Examined:
    """One look at the events of a YAML text, which expands nothing."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.open: list[_Open] = []
        self.sizes: dict[str, int] = {}

    def examine(self, text: str) -> None:
        """Look at every event of a text.

        Raises:
            SettingsError: with the line of what is refused.
        """
        for event in yaml.parse(text, Loader=SAFE_LOADER):
            if isinstance(event, yaml.CollectionStartEvent):
                self._begin(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                ended = self.open.pop()
                self._count(event, ended.anchor, ended.n_nodes)
            elif isinstance(event, yaml.AliasEvent):
                size = self.sizes.get(event.anchor or "")
                if size is None:
                    self._refuse(event, f"*{event.anchor} stands for itself, or for nothing")
                self._count(event, None, size)
            elif isinstance(event, yaml.ScalarEvent):
                self._look_at_scalar(event)
                self._count(event, event.anchor, 1)

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        self._check_tag(event)
        if self._is_key():
            self._refuse(event, "a key is a mapping or a list, and must be a word")
        self.open.append(_Open(isinstance(event, yaml.MappingStartEvent), event.anchor))
        if len(self.open) > DEEPEST:
            self._refuse(event, f"nested more than {DEEPEST} levels deep")

    def _look_at_scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_tag(event)
        if event.implicit[0]:
            for pattern, what in ODD_NUMBERS.items():
                if re.fullmatch(pattern, event.value):
                    self._refuse(event, f"{event.value[:40]} {what}")
        if self._is_key() and event.value != "<<":
            if event.value in self.open[-1].keys:
                self._refuse(event, f"the key '{event.value[:80]}' is there twice")
            self.open[-1].keys.add(event.value)

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None and event.tag != "!" and event.tag not in TAGS:
            self._refuse(event, f"a value has the tag {event.tag[:80]}, which no setting takes")

    def _is_key(self) -> bool:
        return bool(self.open) and self.open[-1].is_mapping and self.open[-1].n_children % 2 == 0

    def _count(self, event: yaml.Event, anchor: str | None, n_nodes: int) -> None:
        if anchor is not None:
            self.sizes[anchor] = n_nodes
        if self.open:
            self.open[-1].n_children += 1
            self.open[-1].n_nodes += n_nodes
            if self.open[-1].n_nodes > MOST_NODES:
                self._refuse(event, f"there are more than {MOST_NODES:,} values, with its aliases")

    def _refuse(self, event: yaml.Event, what: str) -> NoReturn:
        line = event.start_mark.line + 1 if event.start_mark else "?"
        raise SettingsError(f"{self.where}, line {line}: {what}.")


def _check_values(where: str, content: object) -> None:
    """Refuse numbers that JSON or BigQuery cannot hold, and what is nested too deep."""
    waiting: list[tuple[tuple[str, ...], object]] = [((), content)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > DEEPEST:
            raise SettingsError(f"{where} is nested more than {DEEPEST} levels deep.")
        if isinstance(value, dict):
            waiting += [((*path, str(key)), one) for key, one in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, str(number)), one) for number, one in enumerate(value)]
        elif fault := _number_fault(value):
            raise SettingsError(f"{where}: {'.'.join(path)[:200]} is {fault}.")


def _number_fault(value: object) -> str:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "a whole number beyond 64 bits"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}, which is no number"
    return ""
