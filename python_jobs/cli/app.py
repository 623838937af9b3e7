"""The command line: `shelfcast --help`.

Data goes to stdout, progress and messages to stderr; on Cloud Run messages go to stdout, as JSON.
Exit codes: 0 done, 1 failed, 2 bad usage or settings, 143 told to end.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

import click

from python_jobs.cli import checks, data, local, models, report, runs, use_cases
from python_jobs.cli.options import TEXT
from python_jobs.infra import logs
from python_jobs.infra.ending import terminable
from python_jobs.infra.errors import SettingsError, ShelfcastError, Terminated
from python_jobs.infra.foreign import in_words

GROUPS = (runs, checks, data, models, use_cases, report, local)
"""The modules of commands; each lists its own as COMMANDS.

Commands import what they run when they run, so that `--help` needs neither pandas nor dbt.
"""


def target_first(args: Sequence[str]) -> list[str]:
    """The arguments of a command line, `--target` and its value before all others."""
    first: list[str] = []
    rest = list(args)
    for at, one in enumerate(args):
        if one == "--":
            break
        if one.startswith("--target="):
            first, rest = [one], [*args[:at], *args[at + 1 :]]
        elif one == "--target" and at + 1 < len(args):
            first, rest = list(args[at : at + 2]), [*args[:at], *args[at + 2 :]]
    return first + rest


TERMINATED = 128 + signal.SIGTERM


class Shelfcast(click.Group):
    """A group whose commands fail with one clear line instead of a traceback."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take `--target` from behind the command too: `shelfcast train --target prod`."""
        return super().parse_args(ctx, target_first(args))

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; turn any error into one line, an event and an exit code.

        The traceback of an error that nobody foresaw goes into the entry where machines read the
        log, and into a file where a person does.
        """
        try:
            with terminable():
                return super().invoke(ctx)
        except Terminated:
            logs.fail(
                "told to end (SIGTERM): what was under way is given back. Start the command again; "
                "a run goes on with its --run-id."
            )
            ctx.exit(TERMINATED)
        except ShelfcastError as error:
            logs.fail(str(error))
            ctx.exit(2 if isinstance(error, SettingsError) else 1)
        except click.UsageError as error:
            if not logs.is_json():
                raise
            where = (error.ctx or ctx).command_path
            logs.fail(f"{error.format_message()} See `{where} --help`.")
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, its user reads one line
            foreseen = in_words(error)
            if foreseen is not None:
                logs.fail(str(foreseen))
            else:
                logs.fail_unforeseen(error)
            ctx.exit(2 if isinstance(foreseen, SettingsError) else 1)


def _some_processes(_ctx: click.Context, _parameter: click.Parameter, value: int) -> int:
    if value == 0:
        raise click.BadParameter("0 processes fit no model; -1: one a core.")
    return value


@click.group(cls=Shelfcast, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--target",
    type=TEXT,
    envvar="SHELFCAST_TARGET",
    default="local",
    help="Target of profiles.yml.",
)
@click.option(
    "--use-case", type=TEXT, envvar="SHELFCAST_USE_CASE", help="Needed where several are set."
)
@click.option(
    "--jobs",
    "n_jobs",
    type=click.IntRange(-1, 1024),
    callback=_some_processes,
    default=-1,
    help="Processes for local models; -1: one a core.",
)
@click.pass_context
def main(ctx: click.Context, target: str, use_case: str | None, n_jobs: int) -> None:
    """Retail forecasts on BigQuery, on Google Cloud or on a laptop.

    \b
    Example, on a laptop:
      shelfcast local start
      shelfcast load sales.csv --as sales
      shelfcast train
      shelfcast run
      shelfcast sql "select * from {accuracy_by_target_date} where run_kind = 'issued'"
    """
    logs.set_up()
    os.environ["SHELFCAST_TARGET"] = target
    ctx.obj = {"use_case": use_case, "n_jobs": n_jobs}


for group in GROUPS:
    for command in group.COMMANDS:
        main.add_command(command)
