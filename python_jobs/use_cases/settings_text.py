"""Add a use case to a settings file and leave every other character of it as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings_text import SAFE_LOADER

WIDTH = 100
REASON_AT = 46
"""Column at which the reasons stand, as far as the settings leave room."""


def block(name: str, settings: Mapping[str, Any], reasons: Mapping[str, str]) -> list[str]:
    """The lines of a use case's settings, each reason a comment beside its setting.

    Args:
        name: of the use case.
        settings: what stands under it.
        reasons: by setting, with dots between levels.

    Returns:
        Lines that begin at column 0.
    """
    return [f"{name}:", *_mapping(settings, reasons, "", 2)]


def _mapping(
    settings: Mapping[str, Any], reasons: Mapping[str, str], above: str, indent: int
) -> list[str]:
    lines = []
    for key, value in settings.items():
        path, start = f"{above}{key}", " " * indent + f"{flow(key)}:"
        is_explained_below = any(reason.startswith(f"{path}.") for reason in reasons)
        one_line = f"{start} {flow(value)}"
        if (
            isinstance(value, Mapping)
            and value
            and (is_explained_below or _is_deep(value, one_line))
        ):
            lines += [start, *_mapping(value, reasons, f"{path}.", indent + 2)]
        else:
            lines.append(_with_reason(one_line, reasons.get(path)))
    return lines


def _is_deep(value: Mapping[str, Any], one_line: str) -> bool:
    """Whether a mapping takes a line for each of its keys."""
    return len(one_line) > WIDTH - 20 or any(isinstance(one, Mapping) for one in value.values())


def _with_reason(line: str, reason: str | None) -> str:
    return f"{line.ljust(REASON_AT)}  # {reason}" if reason else line


def flow(value: object) -> str:
    """A value as YAML on one line."""
    return yaml.safe_dump([value], default_flow_style=True, sort_keys=False, width=10**6)[1:-2]


def insert(text: str, lines: list[str], where: str) -> str:
    """Put a use case behind the last one of `use_cases:`.

    Args:
        text: a dbt_project.yml (under `vars:`) or a settings file (at the top).
        lines: of `block`.
        where: the file's name, for messages.

    Returns:
        The text with the lines added, parsed again to see that nothing else changed.

    Raises:
        SettingsError: the file has no `use_cases:` in block style, or has the use case already.
    """
    use_cases = _use_cases(text, where)
    name = lines[0].rstrip(":")
    names = [key.value for key, _ in use_cases.value]
    if name in names:
        raise SettingsError(f"{where} has a use case '{name}' already.")
    old = text.splitlines(keepends=True)
    if names:
        at, indent = _last_line(use_cases) + 1, use_cases.value[0][0].start_mark.column
    else:
        at, indent = use_cases.start_mark.line + 1, 2 + _indent(old[use_cases.start_mark.line])
        old[at - 1] = old[at - 1].replace("{}", "", 1).replace(": \n", ":\n")
    if not old[at - 1].endswith("\n"):
        old[at - 1] += "\n"
    added = [" " * indent + line + "\n" for line in lines]
    new = "".join([*old[:at], *added, *old[at:]])
    _check_only_added(text, new, name, where)
    return new


def _use_cases(text: str, where: str) -> yaml.MappingNode:
    root = yaml.compose(text, Loader=SAFE_LOADER)
    node = _child(_child(root, "vars") or root, "use_cases")
    if isinstance(node, yaml.MappingNode) and (not node.flow_style or not node.value):
        return node
    raise SettingsError(
        f"{where} has no `use_cases:` with a line for each use case. Add one, or write it in block "
        "style, and run the command again."
    )


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _last_line(node: yaml.Node) -> int:
    """The line on which the last scalar of a node ends (a block's own end lies behind comments)."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    end = node.end_mark
    return int(end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _check_only_added(old: str, new: str, name: str, where: str) -> None:
    """Refuse a text in which more changed than the use case that was added.

    Raises:
        SettingsError: it did.
    """
    before, after = (yaml.load(text, Loader=SAFE_LOADER) for text in (old, new))  # noqa: S506
    use_cases = (after.get("vars") or after).get("use_cases", {})
    added = use_cases.pop(name, None)
    if added is None or before != after:
        raise SettingsError(f"{where}: the use case cannot be added without changing another key.")
