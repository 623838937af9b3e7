"""Compare a use case's files with their templates, and write them: all of them or none."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings import UseCase
from python_jobs.use_cases.render import digest, render, split_marker

State = Literal["current", "missing", "stale", "edited", "edited and stale"]


@dataclass(frozen=True)
class FileState:
    """How a file stands to its template.

    Attributes:
        path: within the project.
        state: current; missing; stale: rendered from a template that has changed, or for other
            settings; edited: changed by hand, or written by hand; edited and stale: both.
    """

    path: str
    state: State

    @property
    def is_fault(self) -> bool:
        """Whether `use-case check` fails for it, and `--write` mends it."""
        return self.state in ("missing", "stale")


def states(project: Path, use_case: UseCase) -> list[FileState]:
    """Compare each file that a use case needs with what its template renders."""
    return [
        FileState(path, _state(project / path, text)) for path, text in render(use_case).items()
    ]


def _state(path: Path, rendered: str) -> State:
    if not path.is_file():
        return "missing"
    now, _ = split_marker(rendered)
    then, body = split_marker(path.read_text("utf-8"))
    if then == digest(body):
        return "current" if then == now else "stale"
    return "edited" if then in (now, None) else "edited and stale"


def summary(found: list[FileState]) -> str:
    """`15 files: 14 current, 1 edited`."""
    counts = Counter(one.state for one in found)
    return f"{len(found)} files: " + ", ".join(f"{n} {state}" for state, n in counts.items())


def without_settings(project: Path, known: Collection[str]) -> list[str]:
    """Folders of rendered files whose use case is in no settings (`known` names those that are)."""
    folders = [*project.glob("models/staging/*/"), *project.glob("models/features/*/")]
    return sorted(
        str(folder.relative_to(project))
        for folder in folders
        if folder.name not in known and any(map(_is_rendered, folder.glob("*.*")))
    )


def _is_rendered(path: Path) -> bool:
    return split_marker(path.read_text("utf-8"))[0] is not None


def refresh(project: Path, use_case: UseCase) -> list[FileState]:
    """Write the files that are missing or stale; keep those that were edited.

    Returns:
        What was written, with the state of before.
    """
    rendered = render(use_case)
    faults = [one for one in states(project, use_case) if one.is_fault]
    write_all({project / one.path: rendered[one.path] for one in faults})
    return faults


def write_all(files: Mapping[Path, str]) -> None:
    """Write files so that after an error each is what it was before.

    Raises:
        SettingsError: one cannot be written; none is.
    """
    before = {path: path.read_bytes() if path.is_file() else None for path in files}
    made: list[Path] = []
    try:
        for path, text in files.items():
            made += _make_folder(path.parent)
            _replace(path, text.encode())
    except OSError as error:
        _restore(before, made)
        raise SettingsError(
            f"{error.filename or 'a file'} cannot be written ({error.strerror}): nothing was."
        ) from error


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it that are missing, and name them, the innermost last."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()][::-1]
    for one in missing:
        one.mkdir()
    return missing


def _replace(path: Path, content: bytes) -> None:
    """Put content in the place of a file in one move."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        if path.exists():
            part.chmod(path.stat().st_mode)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _restore(before: Mapping[Path, bytes | None], made: list[Path]) -> None:
    for path, content in before.items():
        with contextlib.suppress(OSError):
            if content is None:
                path.unlink(missing_ok=True)
            elif path.read_bytes() != content:
                _replace(path, content)
    for folder in reversed(made):
        with contextlib.suppress(OSError):
            folder.rmdir()
