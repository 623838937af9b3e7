"""Commands that bring data in and read it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from python_jobs.cli.context import command_context
from python_jobs.cli.options import DATE, TEXT, YEAR, dry_run_option
from python_jobs.cli.terminal import show
from python_jobs.infra import logs
from python_jobs.infra.errors import SettingsError, ShelfcastError
from python_jobs.infra.logs import Event

if TYPE_CHECKING:
    from python_jobs.data.load import Covers, Kind, LoadReport
    from python_jobs.infra.settings import UseCase
    from python_jobs.runs.context import RunContext

YEARS_BEFORE, YEARS_AHEAD = 7, 4
"""The years around this one whose holidays `make-holidays` makes by default."""


def _values_of_parts(given: Sequence[str], use_case: UseCase) -> dict[str, list[str]]:
    """Read each `unit=N1,N2` as a column of the key and its values.

    Raises:
        click.UsageError: a text has another form, or the key has no such column.
    """
    found = {}
    for text in given:
        part, _, names = text.partition("=")
        values = [name.strip() for name in names.split(",") if name.strip()]
        if part not in use_case.key or not values:
            raise click.UsageError(
                f"--covers-only {text!r}: write PART=NAME,NAME with a part of the key "
                f"({', '.join(use_case.key)})."
            )
        found[part] = values
    return found


@click.command()
@click.argument("uri")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["sales", "promotions", "weather", "regressors", "attributes", "scenarios"]),
    required=True,
    help="Which source of the use case the file is.",
)
@click.option("--history", "is_history", is_flag=True, help="Known when its period ended, not now.")
@click.option("--covers-from", type=DATE, help="Promotions: first day that this plan speaks for.")
@click.option("--covers-to", type=DATE, help="Promotions: last day that this plan speaks for.")
@click.option(
    "--covers-only",
    metavar="PART=NAME,…",
    type=TEXT,
    multiple=True,
    help="Promotions: the units or channels that this plan is about, as unit=N1,N2; else all.",
)
@click.option("--again", is_flag=True, help="Load although the same content was loaded before.")
@dry_run_option("Read and check the file, and write nothing.")
@click.pass_context
def load(
    ctx: click.Context,
    /,
    uri: str,
    kind: Kind,
    covers_from: datetime | None,
    covers_to: datetime | None,
    covers_only: tuple[str, ...],
    is_history: bool,
    again: bool,
    dry_run: bool,
) -> None:
    """Append a CSV or Parquet file (local or gs://) to a source table; no row is lost.

    \b
    Example:
      shelfcast load sales.csv --as sales --history
      shelfcast load gs://plans/2026-w47.csv --as promotions
      shelfcast load n1.csv --as promotions --covers-from 2026-11-23 --covers-to 2026-12-20 \\
          --covers-only unit=N1

    What a plan covers it speaks for: there, no row means no promotion, and earlier plans no longer
    count. A plan without rows, which cancels what it covers, needs --covers-from and --covers-to.
    """
    from python_jobs.data.load import load_file
    from python_jobs.runs.tables import ensure_input_tables, ensure_tables

    if (covers_from is None) != (covers_to is None):
        raise click.UsageError("--covers-from and --covers-to go together.")
    if covers_from and covers_to and covers_from > covers_to:
        raise click.UsageError(
            f"--covers-from {covers_from:%Y-%m-%d} is after --covers-to {covers_to:%Y-%m-%d}."
        )
    if covers_only and covers_from is None:
        raise click.UsageError("--covers-only goes with --covers-from and --covers-to.")
    with command_context(ctx) as context:
        ensure_tables(context)
        if not dry_run and (kind == "scenarios" or context.connection.loading == "apart"):
            ensure_input_tables(context)
        report = load_file(
            context.warehouse,
            context.connection,
            context.use_case,
            uri,
            kind,
            is_history=is_history,
            covers=_covers(covers_from, covers_to, covers_only, context.use_case),
            again=again,
            dry_run=dry_run,
        )
    _log_load(context, report, uri, kind, dry_run=dry_run)


def _covers(
    first: datetime | None, last: datetime | None, only: Sequence[str], use_case: UseCase
) -> Covers | None:
    """The coverage of a promotion plan; None without options for it."""
    from python_jobs.data.load import Covers

    if first is None or last is None:
        return None
    return Covers(first.date(), last.date(), _values_of_parts(only, use_case))


def _log_load(
    context: RunContext, report: LoadReport, uri: str, kind: Kind, *, dry_run: bool
) -> None:
    """Log what a load wrote, and warn of a plan's refused rows."""
    from python_jobs.data.inbox import log_refused_rows

    unparsed = ", ".join(f"{count} of {name}" for name, count in report.n_unparsed.items())
    kept = f"; cells that did not parse, kept as text: {unparsed}" if unparsed else ""
    if dry_run:
        click.echo(f"{report.n_rows} rows would go to {report.table}{kept}", err=True)
    elif report.is_new:
        logs.log(Event.ROWS_LOADED, f"{report.n_rows} rows loaded into {report.table}{kept}")
        if kind == "promotions":
            log_refused_rows(context.warehouse, context.use_case, uri)
    else:
        logs.log(
            Event.ALREADY_WRITTEN,
            f"{uri} was loaded into {report.table} before: nothing to do (--again loads it again)",
        )


@click.command("load-inbox")
@dry_run_option("Read and check the files, and write nothing.")
@click.pass_context
def load_inbox(ctx: click.Context, dry_run: bool) -> None:
    """Load the promotion plans that were dropped into the inbox; `run` does so when it starts.

    The settings name the inbox (sources: promotions: inbox:). Exits with 1 where a file is refused.

    \b
    Example:
      gcloud storage cp plan-w48.csv gs://plans/inbox/
      shelfcast load-inbox
    """
    from python_jobs.data.inbox import read_inbox
    from python_jobs.runs.tables import ensure_tables

    with command_context(ctx) as context:
        ensure_tables(context)
        report = read_inbox(
            context.warehouse, context.connection, context.use_case, dry_run=dry_run
        )
    if report is None:
        raise SettingsError(
            f"{context.use_case.name} has no inbox. Name one under vars: use_cases: "
            f"{context.use_case.name}: sources: promotions: inbox:."
        )
    would = "would be loaded: " if dry_run else ""
    click.echo(f"inbox: {would}{report}", err=True)
    if report.refused:
        sys.exit(1)


@click.command("fetch-weather")
@dry_run_option("Say what would be asked for; ask and write nothing.")
@click.pass_context
def fetch_weather(ctx: click.Context, dry_run: bool) -> None:
    """Fetch the weather that is missing: observed days, the last ten again, the forecast.

    Off unless the settings say where from (sources: weather: fetch: service:). Runs and
    training fetch by themselves; there, a failure is a warning.

    \b
    Example:
      shelfcast fetch-weather --dry-run
      shelfcast fetch-weather
    """
    from python_jobs.runs.intake import fetch_missing_weather

    with command_context(ctx) as context:
        report = fetch_missing_weather(context, datetime.now(UTC), dry_run=dry_run)
    if dry_run:
        for request in report.requests:
            click.echo(str(request))
        click.echo(f"{len(report.requests)} requests for {report.table}: nothing asked", err=True)
        return
    logs.log(Event.WEATHER_FETCHED, str(report))
    if report.failures:
        raise ShelfcastError(
            f"{report.failure}. What came is kept; run the command again for the rest."
        )


@click.command("make-holidays")
@click.option(
    "--country", "more", type=TEXT, multiple=True, help="Another country or part: DE, US-CA."
)
@click.option("--from", "first", type=YEAR, help="First year; default: seven years ago.")
@click.option("--to", "last", type=YEAR, help="Last year; default: four years ahead.")
@dry_run_option("Say what would be made, and write nothing.")
def make_holidays(
    more: tuple[str, ...], first: int | None, last: int | None, dry_run: bool
) -> None:
    """Make seeds/holidays.csv with the public holidays of the countries that the settings name.

    Rows whose source is 'holidays' are made again for these countries and years; every other row
    stays, your own above all (docs/your-data.md). The next run loads the seed.

    \b
    Example:
      shelfcast make-holidays
      shelfcast make-holidays --country DE --country US-CA --from 2015
    """
    from python_jobs.data import holiday_seed
    from python_jobs.infra.settings import load_settings, project_dir

    project, year = project_dir(), date.today().year
    use_cases = load_settings(project).use_cases.values()
    calendars = [one.sources.calendar for one in use_cases if one.sources.calendar]
    countries = [*more, *(country for one in calendars for country in one.countries)]
    path = project / holiday_seed.SEED
    years = (first or year - YEARS_BEFORE, last or year + YEARS_AHEAD)
    remade = holiday_seed.remake(holiday_seed.read_seed(path), countries, *years)
    if dry_run:
        click.echo(f"{path}: {remade}")
        click.echo("nothing was written (--dry-run)")
        return
    holiday_seed.write_seed(path, remade.rows)
    logs.log(Event.HOLIDAYS_MADE, f"{path}: {remade}")


@click.command()
@click.argument("statement")
@click.option("--csv", "as_csv", is_flag=True, help="CSV even on a terminal.")
@click.option("--write", is_flag=True, help="Run a statement that is no query: it may change data.")
@click.pass_context
def sql(ctx: click.Context, statement: str, as_csv: bool, write: bool) -> None:
    """Run a query; a model's or a source's name in braces is its table.

    \b
    Example:
      shelfcast sql "select * from {accuracy_by_target_date} where run_kind = 'issued'"
    """
    from python_jobs.data.statements import require_query

    with command_context(ctx) as context:
        if not write:
            require_query(context.warehouse, statement)
        frame = context.warehouse.read(statement)
    show(frame, as_csv=as_csv)


COMMANDS = (load, load_inbox, fetch_weather, make_holidays, sql)
