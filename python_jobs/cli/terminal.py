"""Terminal output: progress bars on stderr, tables on stdout."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from python_jobs.infra.logs import is_json

if TYPE_CHECKING:
    import pandas as pd
    from rich.progress import Progress, TaskID

    from python_jobs.runs.context import Progress as OnProgress

NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


@contextmanager
def progress_bars() -> Iterator[OnProgress]:
    """Show progress as bars on a terminal, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from python_jobs.runs.context import no_progress

    console = Console(stderr=True)
    if not (console.is_terminal and sys.stderr.isatty()) or is_json():
        yield no_progress
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        yield _bars_by_name(bars)


def _bars_by_name(bars: Progress) -> OnProgress:
    tasks: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in tasks or bars.tasks[tasks[what]].finished:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total, visible=done < total)

    return show


def show(
    frame: pd.DataFrame,
    title: str = "",
    formats: dict[str, str] | None = None,
    *,
    as_csv: bool = False,
) -> None:
    """Print a frame on stdout: a table on a terminal, CSV elsewhere.

    Args:
        frame: one row a line.
        title: above the table.
        formats: format specification by column, for the table (`{"wape": ".1%"}`).
        as_csv: CSV on a terminal too.
    """
    if as_csv or not sys.stdout.isatty():
        defused(frame).to_csv(sys.stdout, index=False)
    else:
        print_table(frame, title, formats)


def defused(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose texts a spreadsheet shows and does not run.

    A text that begins as a formula does (`=`, `+`, `-`, `@`, a tab, a carriage return) gets an
    apostrophe before it, but a number stays one.
    """
    named = frame.rename(columns=lambda name: _defused(str(name)))
    return named.map(lambda value: _defused(value) if isinstance(value, str) else value)


def _defused(text: str) -> str:
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    return text if NUMBER.fullmatch(text) else f"'{text}"


def print_table(
    frame: pd.DataFrame, title: str = "", formats: dict[str, str] | None = None
) -> None:
    """Print a frame as a table for people.

    Args:
        frame: one row a line; null shows as an empty cell.
        title: above the table.
        formats: format specification by column (`{"wape": ".1%"}`).
    """
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left")
    for name in frame:
        is_number = pd.api.types.is_numeric_dtype(frame[name])
        table.add_column(str(name), justify="right" if is_number else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*_cells(row, list(frame), formats or {}))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _cells(row: Sequence[object], names: list[str], formats: dict[str, str]) -> list[str]:
    return [_cell(value, formats.get(name, "")) for value, name in zip(row, names, strict=True)]


def _cell(value: object, specification: str) -> str:
    import pandas as pd

    if value is None or value is pd.NaT or value != value:  # noqa: PLR0124 - NaN alone is not itself
        return ""
    if isinstance(value, pd.Timestamp) and value == value.normalize() and value.tz is None:
        return f"{value:%Y-%m-%d}"
    return format(value, specification)
