"""Commands that make pages of the marts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from python_jobs.cli.context import command_context
from python_jobs.cli.options import TEXT, series_option
from python_jobs.infra import logs
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.logs import Event


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    default=Path("report.html"),
    help="The file; default: report.html.",
)
@click.option(
    "--horizon-step",
    type=click.IntRange(1, 1000),
    help="Step of the charts by period; default: that of the alerts.",
)
@series_option
@click.pass_context
def report(ctx: click.Context, out: Path, horizon_step: int | None, series: str) -> None:
    """Write how good the forecasts are as one HTML file that needs no network.

    It shows what the page marts hold: `shelfcast monitor` or `shelfcast run` has built them.

    \b
    Example:
      shelfcast report --out report.html
      shelfcast report --out n1.html --series 'N1|*'
    """
    from python_jobs.infra.run import Selection
    from python_jobs.report.marts import read_marts
    from python_jobs.report.page import make_page

    with command_context(ctx) as context:
        step = horizon_step or context.use_case.alerts.horizon_step
        marts = read_marts(context.warehouse, context.use_case, step, Selection(series))
        page = make_page(marts, context.use_case, step, datetime.now(UTC))
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--out {out}: {error.strerror}.") from error
    size = len(page.encode()) / 1e6
    logs.log(Event.REPORT_WRITTEN, f"{out}: {size:.1f} MB. Open it in a browser.")


@click.command("looker-links")
@click.option(
    "--template", type=TEXT, default="", help="Id of a Looker Studio report to copy; empty: blank."
)
@click.pass_context
def looker_links(ctx: click.Context, template: str) -> None:
    """Print one URL a page: each opens a new Looker Studio report over that page's mart.

    A mart holds all use cases. docs/looker.md says what to put on each page.

    \b
    Example:
      shelfcast looker-links
      shelfcast looker-links --template 0B_U5RNpwhcE6SF85TENURnc4UjA
    """
    from python_jobs.report.looker import links

    with command_context(ctx) as context:
        for page, url in links(context.warehouse, template).items():
            click.echo(f"{page}\t{url}")


COMMANDS = (report, looker_links)
