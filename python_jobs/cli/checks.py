"""Commands that check a deployment and what it runs on; they write nothing."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from python_jobs.cli.context import command_context, context_of_any, open_context
from python_jobs.cli.options import as_of_option, describe, run_options
from python_jobs.cli.terminal import show
from python_jobs.infra import logs
from python_jobs.infra.errors import SettingsError, ShelfcastError
from python_jobs.infra.logs import Event

if TYPE_CHECKING:
    from python_jobs.runs.context import RunContext, RunOptions


@click.command("check-future")
@run_options
@as_of_option
@click.pass_context
def check_future(
    ctx: click.Context, /, as_of_at: datetime | None, options: RunOptions, dry_run: bool
) -> None:
    """List the future periods that lack a plan or the weather, before a run needs them.

    The setting when_missing of each regressor says what a hole does. Exits with 1 where the run
    would stop.

    \b
    Example:
      shelfcast check-future
      shelfcast sql "select * from {sku_weekly_missing_regressors} order by series_id, target_date"
    """
    from python_jobs.infra.schedule import origin_at
    from python_jobs.prediction.gate import check_gate
    from python_jobs.runs import check_future as checking

    now = as_of_at or datetime.now(UTC)
    with command_context(ctx) as context:
        if dry_run:
            origin = origin_at(context.use_case, now)
            describe(context, context.new_run("check", [origin], options))
            return
        run, missing = checking.check_future(context, options, now=now)
        show(missing, f"Missing regressors after {run.origins[-1].origin_date}")
        check_gate(context.warehouse, run)


MOST_HOURS = 24 * 366


def _is_finite(_ctx: click.Context, _parameter: click.Parameter, value: float) -> float:
    """Refuse hours that a clock cannot be moved by; click lets nan through any range."""
    if not value <= MOST_HOURS:
        raise click.BadParameter(f"{value} is no number of hours from 0 to {MOST_HOURS}.")
    return value


@click.command("check-runs")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    callback=_is_finite,
    default=4.0,
    help="Hours after its start before a forecast counts as overdue; default: 4.",
)
@click.pass_context
def check_runs(ctx: click.Context, grace: float) -> None:
    """Say which scheduled forecasts and monitorings are overdue, of every use case; reads only.

    Each is one line of severity ERROR and event run_overdue, from which alerts are made. Exits with
    0 where it could look, overdue or not, and with 1 where it could not.

    \b
    Example:
      shelfcast check-runs
      shelfcast check-runs --grace 6
    """
    from python_jobs.infra.settings import load_settings, project_dir

    chosen = ctx.obj["use_case"]
    names = [chosen] if chosen else list(load_settings(project_dir()).use_cases)
    failures = []
    for name in names:
        ctx.obj["use_case"] = name
        try:
            _show_overdue(open_context(ctx), timedelta(hours=grace))
        except SettingsError:
            raise
        except ShelfcastError as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise ShelfcastError(f"the runs could not be looked at: {' '.join(failures)}")


def _show_overdue(context: RunContext, grace: timedelta) -> None:
    from python_jobs.checks.overdue import overdue_runs

    found = overdue_runs(context, datetime.now(UTC), grace)
    for one in found:
        logs.log(
            Event.RUN_OVERDUE,
            one.message,
            level=logging.ERROR,
            use_case=one.use_case,
            run_kind=one.run_kind,
            due_at=one.due_at.astimezone(UTC).isoformat(),
        )
    if not found:
        name = context.use_case.name
        logs.log(Event.RUNS_ON_TIME, f"{name}: no run is overdue.", use_case=name)


@click.command()
@click.option("--go-live", is_flag=True, help="What must hold before the schedules are enabled.")
@click.option("--prod", is_flag=True, help="Try on a real project what no emulator shows: cents.")
@click.option("--settings", "settings_alone", is_flag=True, help="The settings alone; no cloud.")
@click.pass_context
def doctor(ctx: click.Context, go_live: bool, prod: bool, settings_alone: bool) -> None:
    """Say what is missing and how to fix it; exit 1 if anything is.

    \b
    Example:
      shelfcast doctor
      shelfcast doctor --settings
      shelfcast --target prod doctor --prod
      shelfcast --target prod doctor --go-live
    """
    from python_jobs.checks.check import print_checks
    from python_jobs.checks.doctor import examine

    if go_live + prod + settings_alone > 1:
        raise SettingsError("doctor: --go-live, --prod or --settings, one at a time.")
    if settings_alone:
        from python_jobs.checks import settings_check

        click.echo(settings_check.examine())
        return
    named = ctx.obj["use_case"]
    if prod:
        from python_jobs.checks import first_contact

        found = print_checks(first_contact.examine(context_of_any(ctx)))
        click.echo(first_contact.summary(found))
    elif go_live:
        from python_jobs.checks import go_live as going_live

        found = print_checks(going_live.examine(going_live.contexts_of(context_of_any(ctx), named)))
        click.echo(going_live.verdict(found))
    else:
        found = print_checks(examine(lambda: open_context(ctx)))
    if any(check.is_fine is False for check in found):
        sys.exit(1)


COMMANDS = (check_future, check_runs, doctor)
