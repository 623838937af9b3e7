"""Opens the context of a command: settings, warehouse, store and dbt of its use case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from python_jobs.cli.terminal import progress_bars

if TYPE_CHECKING:
    from python_jobs.runs.context import Progress, RunContext


def open_context(ctx: click.Context, progress: Progress | None = None) -> RunContext:
    """Open the context of a command; on the local target, at the running emulators."""
    from python_jobs.infra.settings import project_dir
    from python_jobs.local import environment
    from python_jobs.runs import context as runs

    environment.connect(project_dir())
    return runs.open_context(
        ctx.obj["use_case"], n_jobs=ctx.obj["n_jobs"], progress=progress or runs.no_progress
    )


@contextmanager
def command_context(ctx: click.Context) -> Iterator[RunContext]:
    """Open the context of a command and show progress bars while it works."""
    with progress_bars() as progress:
        yield open_context(ctx, progress)


def context_of_any(ctx: click.Context) -> RunContext:
    """Open the context of the named use case; without a name, of the first one.

    For checks of the whole deployment, which any use case serves.
    """
    from python_jobs.infra.settings import load_settings, project_dir

    ctx.obj["use_case"] = ctx.obj["use_case"] or next(
        iter(load_settings(project_dir()).use_cases), None
    )
    return open_context(ctx)
