"""Commands that add a use case, compare its files with their templates, and list them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import click

from python_jobs.cli.options import dry_run_option
from python_jobs.infra.errors import ShelfcastError

if TYPE_CHECKING:
    from python_jobs.infra.settings import UseCase
    from python_jobs.infra.warehouse import Warehouse
    from python_jobs.use_cases.new import NewUseCase, Sources

MEANS = click.Choice(["period_start", "period_end"])


@click.group("use-case")
def use_case() -> None:
    """Add a use case, check its files, list what there is."""


def _pairs(
    _ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Read each `role=column`."""
    found = {}
    for text in values:
        role, _, column = text.partition("=")
        if not role or not column:
            raise click.BadParameter(f"{text!r}: write ROLE=COLUMN, such as quantity=units_sold.")
        found[role.strip()] = column.strip()
    return found


def _names(_ctx: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in value.split(",") if one.strip())


@use_case.command()
@click.argument("name")
@click.option(
    "--key", required=True, metavar="PART[:TYPE],…", help="What makes a series; total: all is one."
)
@click.option("--sales", required=True, metavar="SOURCE", help="A file or project.dataset.table.")
@click.option("--promotions", default="", metavar="SOURCE", help="The promotion plan.")
@click.option("--weather", default="", metavar="SOURCE", help="Weather by location and day.")
@click.option("--calendar", default="", callback=_names, help="Countries' holidays: RU,US-CA.")
@click.option("--grain", type=click.Choice(["day", "week"]), help="Default: that of the sales.")
@click.option("--horizon", type=click.IntRange(1), help="Periods ahead; default: 4 weeks, 14 days.")
@click.option("--season", type=click.IntRange(1), help="Periods; default: 52 weeks, 7 days.")
@click.option("--families", default="prophet", callback=_names, help="The first one serves.")
@click.option("--time-zone", default="UTC", help="Of days and of the schedule: Europe/Berlin.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    callback=_pairs,
    metavar="ROLE=COLUMN",
    help="The sales' date, quantity, price, is_sold_out, or a part of the key.",
)
@click.option("--date-means", type=MEANS, help="Of a week's date; default: guessed.")
@dry_run_option("Show what would be written, and write nothing.")
def new(
    name: str,
    key: str,
    sales: str,
    promotions: str,
    weather: str,
    calendar: tuple[str, ...],
    grain: Literal["day", "week"] | None,
    horizon: int | None,
    season: int | None,
    families: tuple[str, ...],
    time_zone: str,
    columns: dict[str, str],
    date_means: str | None,
    dry_run: bool,
) -> None:
    """Add a use case: look at its data, propose its settings, write its files.

    A source is a CSV or Parquet file (local or gs://) or a BigQuery table. Nothing is written
    unless everything is sound.

    \b
    Example:
      shelfcast use-case new store_weekly --key store:int64,dept:int64 --sales sales.csv
      shelfcast use-case new web_daily --key shop,item --grain day --sales my-project.erp.orders \\
          --column date=ordered_at --column quantity=pieces --calendar DE --time-zone Europe/Berlin
    """
    from python_jobs.infra.settings import connection, project_dir
    from python_jobs.use_cases.names import parse_key
    from python_jobs.use_cases.new import Sources, plan
    from python_jobs.use_cases.proposal import Wish

    wish = Wish(
        name, parse_key(key), grain, horizon, season, families, time_zone, columns, date_means
    )
    sources = Sources(sales, promotions, weather, calendar)
    planned = plan(project_dir(), os.environ, connection(), _warehouse, wish, sources)
    _show(planned, sources)
    if dry_run:
        _show_files(planned)
        click.echo("nothing was written (--dry-run)")
        return
    planned.write()
    click.echo(
        f"\nWrote {len(planned.files) - 1} files in models/staging/{name} and models/features/"
        f"{name}, and {len(planned.block)} lines of {planned.settings_path.name}."
    )
    _show_next(planned, sources)


def _warehouse(project: str) -> Warehouse:
    """Connect to a project's BigQuery; on the local target, to the emulator that runs."""
    from python_jobs.infra.settings import connection, project_dir
    from python_jobs.infra.warehouse import Warehouse
    from python_jobs.local import environment

    environment.connect(project_dir())
    return Warehouse(connection(), {}, project)


def _show(planned: NewUseCase, sources: Sources) -> None:
    """Print what was found, the settings with their reasons, and what is left to decide."""
    click.echo(f"Found in {sources.sales}")
    for line in planned.proposal.found:
        click.echo(f"  {line}")
    click.echo(f"\nSettings ({planned.settings_path})")
    for line in planned.block:
        click.echo(f"  {line}")
    if planned.proposal.to_decide:
        click.echo("\nLeft for you to decide")
        for number, line in enumerate(planned.proposal.to_decide, start=1):
            click.echo(click.wrap_text(f"{number}. {line}", 100, "  ", "     "))


def _show_files(planned: NewUseCase) -> None:
    click.echo("\nFiles")
    for path in planned.files:
        if path != planned.settings_path:
            click.echo(f"  {path.relative_to(planned.project)}")


def _show_next(planned: NewUseCase, sources: Sources) -> None:
    """Print the commands that lead to the first forecasts."""
    from python_jobs.use_cases.next_steps import next_commands, remarks

    click.echo("\nNext (change the settings first where a decision was wrong)")
    for command in next_commands(planned, sources, os.environ):
        click.echo(f"  {command}")
    for remark in remarks(planned, datetime.now(UTC)):
        click.echo(click.wrap_text(remark, 100))


@use_case.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--write", is_flag=True, help="Write the files that are missing or stale.")
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], write: bool) -> None:
    """Compare a use case's files with their templates; of all use cases without a name.

    Names each file that is missing, stale (its template or the settings changed) or edited by
    hand. An edited file is kept. Exits with 1 where a file is missing or stale.

    \b
    Example:
      shelfcast use-case check
      shelfcast use-case check store_weekly --write
    """
    from python_jobs.infra.settings import project_dir
    from python_jobs.use_cases import files

    project, n_faults = project_dir(), 0
    for one in _chosen(ctx, names):
        found = files.states(project, one)
        click.echo(f"{one.name}: {files.summary(found)}")
        for state in found:
            if state.state != "current":
                click.echo(f"  {state.state:<16}  {state.path}")
        if write:
            click.echo(f"  wrote {len(files.refresh(project, one))} files")
        n_faults += sum(state.is_fault for state in found)
    if n_faults and not write:
        raise ShelfcastError(
            f"{n_faults} files are missing or stale: `shelfcast use-case check --write`."
        )


def _chosen(ctx: click.Context, names: tuple[str, ...]) -> list[UseCase]:
    from python_jobs.infra.settings import load_settings, project_dir

    settings = load_settings(project_dir())
    wanted = names or ((ctx.obj["use_case"],) if ctx.obj["use_case"] else ())
    return [settings.use_case(name) for name in wanted] or list(settings.use_cases.values())


@use_case.command("list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """List the use cases: grain, key, horizon, families, and whether their files are in order.

    \b
    Example:
      shelfcast use-case list
    """
    import pandas as pd

    from python_jobs.cli.terminal import show
    from python_jobs.infra.settings import load_settings, project_dir
    from python_jobs.use_cases import files

    project = project_dir()
    rows = [
        {
            "use_case": one.name,
            "grain": one.grain,
            "key": ", ".join(one.key) or "total",
            "horizon": one.horizon,
            "families": ", ".join(one.families),
            "files": files.summary(files.states(project, one)),
        }
        for one in _chosen(ctx, ())
    ]
    show(pd.DataFrame(rows))
    for folder in files.without_settings(project, load_settings(project).use_cases):
        click.echo(f"{folder}: its use case has no settings", err=True)


COMMANDS = (use_case,)
