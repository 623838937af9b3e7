"""Commands of a laptop: the emulators and the demo."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path

import click

from python_jobs.cli.options import DATE


@click.group()
def local() -> None:
    """The emulators of BigQuery and Cloud Storage on this machine."""


def _state_dir() -> Path:
    from python_jobs.infra.settings import project_dir
    from python_jobs.local.environment import STATE_DIR

    return project_dir() / STATE_DIR


@local.command()
def start() -> None:
    """Start the emulators, or say that they run.

    \b
    Example:
      shelfcast local start
    """
    from python_jobs.local import environment, stack

    endpoints = stack.start(_state_dir())
    environment.use(endpoints)
    for name, value in endpoints.environment().items():
        click.echo(f"{name}={value}")


@local.command()
def stop() -> None:
    """Stop the emulators; their data stays.

    \b
    Example:
      shelfcast local stop
    """
    from python_jobs.local import stack

    stack.stop(_state_dir())
    click.echo("stopped", err=True)


@local.command()
def status() -> None:
    """Say what runs, where, and how much data it holds; exit 1 unless both run.

    \b
    Example:
      shelfcast local status
    """
    from python_jobs.local import stack

    now = stack.status(_state_dir())
    for server in now.servers:
        where = ", ".join(f"127.0.0.1:{port}" for port in server.ports)
        click.echo(f"{server.name}\t{server.state}\tpid {server.pid or '-'}\t{where}")
    click.echo(f"data\t{now.data_bytes / 1e6:.1f} MB in {_state_dir()}")
    if now.endpoints is None:
        sys.exit(1)


@click.command()
@click.option("--today", type=DATE, help="The day on which the demo plays; default: today.")
@click.option("--keep", is_flag=True, help="Go on with the data that is there.")
@click.pass_context
def demo(ctx: click.Context, today: datetime | None, keep: bool) -> None:
    """The whole pipeline on a distributor's made-up data, on this machine.

    \b
    Example:
      shelfcast demo
    """
    from python_jobs.local.demo_run import play

    play(today.date() if today else date.today(), keep=keep)


COMMANDS = (local, demo)
