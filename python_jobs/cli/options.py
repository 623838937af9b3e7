"""Options that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from python_jobs.infra.run import Run
    from python_jobs.runs.context import RunContext

FIRST_YEAR, LAST_YEAR = 1970, 2200


class _Day(click.DateTime):
    """A day or an instant that dates before and after it can be reckoned from."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it. Years that no data are of are refused."""
        found: datetime = super().convert(value, param, ctx)
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            self.fail(f"{value} is not of the years {FIRST_YEAR} to {LAST_YEAR}.", param, ctx)
        return found


class _Text(click.types.StringParamType):
    """A text; an option that stands in its place is a value that was forgotten."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Refuse what begins as an option does."""
        text: str = super().convert(value, param, ctx)
        if text.startswith("--"):
            self.fail(f"{text!r} looks like an option: the value is missing.", param, ctx)
        if "\0" in text:
            self.fail("a text holds no NUL.", param, ctx)
        return text


DATE = _Day(["%Y-%m-%d"])
INSTANT = _Day(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
TEXT = _Text()
YEAR = click.IntRange(FIRST_YEAR, LAST_YEAR)
EVERY = click.IntRange(1, 1000)
N_ORIGINS = click.IntRange(1, 1000)

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])

series_option = click.option(
    "--series", type=TEXT, default="", help="Only these: globs over series_id ('N1|retail|*')."
)
one_series_option = click.option(
    "--series", type=TEXT, required=True, help="One whole series_id, such as 'N1|retail|A17'."
)


def dry_run_option(
    what: str = "Say what would be done, and write nothing.",
) -> Callable[[AnyCommand], AnyCommand]:
    """Declare `--dry-run`, which becomes the argument `dry_run`; `what` is its help."""
    return click.option("--dry-run", is_flag=True, help=what)


def _in_zone(
    ctx: click.Context, _parameter: click.Parameter, value: datetime | None
) -> datetime | None:
    """Read a local time as an instant, in the time zone of the command's use case.

    Raises:
        click.BadParameter: it lies in the future, where nothing is known yet; what was put in
            service as of then would hold back all that is put in service until then.
    """
    if value is None:
        return None
    from python_jobs.infra.settings import load_settings, project_dir

    use_case = load_settings(project_dir()).use_case(ctx.obj["use_case"])
    instant = value.replace(tzinfo=use_case.zone)
    if instant > datetime.now(UTC):
        raise click.BadParameter(f"{value} ({use_case.time_zone}) lies in the future.")
    return instant


as_of_option = click.option(
    "--as-of",
    "as_of_at",
    type=INSTANT,
    callback=_in_zone,
    help="Work as of then, in the use case's time zone; default: now.",
)
"""`--as-of` becomes the argument `as_of_at`: an instant, or None without the option."""


def resume_options(command: AnyCommand) -> AnyCommand:
    """Declare the options of a run that a crash or another container may continue."""
    run_id = click.option(
        "--run-id", type=TEXT, help="Go on with this run: crashed, or begun elsewhere."
    )
    take_over = click.option(
        "--take-over", is_flag=True, help="Take the lease of a run that crashed."
    )
    return run_id(take_over(command))


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Declare the options of a command that runs for a selection of series.

    The command gets `options` (RunOptions) and `dry_run`.
    """

    @series_option
    @click.option(
        "--series-table", type=TEXT, default="", help="Only those in project.dataset.table."
    )
    @resume_options
    @click.option(
        "--cluster",
        type=TEXT,
        envvar="SHELFCAST_CLUSTER",
        help="Fit and predict on a Dask cluster: tls://host:port.",
    )
    @dry_run_option()
    @wraps(command)
    def with_options(
        *args: object,
        series: str,
        series_table: str,
        run_id: str | None,
        take_over: bool,
        cluster: str | None,
        **rest: object,
    ) -> None:
        from python_jobs.fitting import pool
        from python_jobs.infra.run import Selection, shard_of_task
        from python_jobs.runs.context import RunOptions, environment_selection

        given = Selection(series, series_table) if series or series_table else None
        options = RunOptions(
            selection=given or environment_selection(),
            run_id=run_id,
            take_over=take_over,
            shard=shard_of_task(),
        )
        with pool.cluster(None if rest["dry_run"] else cluster):
            command(*args, options=options, **rest)

    return with_options


def describe(context: RunContext, run: Run) -> None:
    """Print what `--dry-run` prints of a run: origins, families and series."""
    use_case = context.use_case
    click.echo(f"{use_case.name}: {run.kind} run on dataset {context.connection.dataset}")
    for origin in run.origins:
        click.echo(f"  origin {origin.origin_date}, as of {origin.as_of_at.isoformat()}")
    click.echo(f"  families {', '.join(use_case.families)}; horizon {use_case.horizon}")
    click.echo(f"  series {run.selection.patterns or run.selection.table or 'all'}")
    click.echo("nothing was written (--dry-run)")
