"""The command line: `shelfcast --help`.

Data goes to stdout, progress and messages to stderr; on Cloud Run messages go to stdout, as JSON.
Exit codes: 0 done, 1 failed, 2 bad usage or settings.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import click

from python_jobs.checks.overdue import overdue_runs
from python_jobs.cli.terminal import print_csv, print_table, progress_bars
from python_jobs.data.inbox import read_inbox, tell_refused
from python_jobs.data.load import Covers, Kind, load_file
from python_jobs.fitting import pool
from python_jobs.fitting.export import Wanted, export_prophet, only
from python_jobs.infra import logs
from python_jobs.infra.errors import SettingsError, ShelfcastError, first_few
from python_jobs.infra.logs import Event
from python_jobs.infra.run import Run, Selection, shard_of_task
from python_jobs.infra.schedule import origin_at, validation_origins
from python_jobs.infra.settings import UseCase, load_settings, project_dir
from python_jobs.prediction.gate import check_gate
from python_jobs.registry.verify import verify
from python_jobs.registry.versions import History, Versions, history_of
from python_jobs.runs import backtest as backtests
from python_jobs.runs import check_future as check_future_run
from python_jobs.runs import context as run_context
from python_jobs.runs import issue
from python_jobs.runs import replay as replay_run
from python_jobs.runs import retrain as retraining
from python_jobs.runs import tune as tune_run
from python_jobs.runs.as_of import warehouse_as_of
from python_jobs.runs.context import (
    Progress,
    RunContext,
    RunOptions,
    environment_selection,
    no_progress,
)
from python_jobs.runs.intake import fetch_missing_weather
from python_jobs.runs.issue import open_weekly, predict_models, weekly_after, weekly_before
from python_jobs.runs.monitor import monitor as run_monitor
from python_jobs.runs.monitor import open_monitor
from python_jobs.runs.replay import replayed_origins
from python_jobs.runs.stages import ensure_input_tables, ensure_tables
from python_jobs.runs.train import train_models, train_step
from python_jobs.runs.what_if import what_if as run_what_if

DATE = click.DateTime(["%Y-%m-%d"])
REGRESSORS_TOLD = {
    "regressors_left_out": "without an effect of its own:",
    "regressors_contradicting": "of another sign than the settings expect:",
}
"""What `models show` says of a version's regressors, by column."""
YEARS_BEFORE, YEARS_AHEAD = 7, 4
"""The years around this one of which `make-holidays` makes the holidays, unless told."""
INSTANT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


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


class Shelfcast(click.Group):
    """A group whose commands fail with one clear line instead of a traceback."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take `--target` from behind the command too: `shelfcast train --target prod`."""
        return super().parse_args(ctx, target_first(args))

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; turn Shelfcast's errors into a message and an exit code.

        Where machines read the log, any other error is one line of it too, with its traceback.
        """
        try:
            return super().invoke(ctx)
        except ShelfcastError as error:
            logs.fail(str(error))
            ctx.exit(2 if isinstance(error, SettingsError) else 1)
        except click.UsageError as error:
            if not logs.is_json():
                raise
            where = (error.ctx or ctx).command_path
            logs.fail(f"{error.format_message()} See `{where} --help`.")
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if not logs.is_json():
                raise
            logs.fail(f"{type(error).__name__}: {error}", error)
            ctx.exit(1)


@click.group(cls=Shelfcast, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--target", envvar="SHELFCAST_TARGET", default="local", help="Target of profiles.yml."
)
@click.option("--use-case", envvar="SHELFCAST_USE_CASE", help="Needed where several are set.")
@click.option("--jobs", "n_jobs", default=-1, help="Processes for local models; -1: one a core.")
@click.pass_context
def main(ctx: click.Context, target: str, use_case: str | None, n_jobs: int) -> None:
    """Retail forecasts on BigQuery, on Google Cloud or on a laptop.

    \b
    Example, on a laptop:
      shelfcast local start
      shelfcast load sales.csv --as sales
      shelfcast train
      shelfcast weekly
      shelfcast sql "select * from {accuracy_by_week} where run_kind = 'issued'"
    """
    logs.set_up()
    os.environ["SHELFCAST_TARGET"] = target
    ctx.obj = {"use_case": use_case, "n_jobs": n_jobs}


def open_context(ctx: click.Context, progress: Progress = no_progress) -> RunContext:
    """Open the workplace of a command; on the local target, at the emulators that run."""
    from python_jobs.local import environment

    environment.connect(project_dir())
    return run_context.open_context(
        ctx.obj["use_case"], n_jobs=ctx.obj["n_jobs"], progress=progress
    )


@contextmanager
def command_context(ctx: click.Context) -> Iterator[RunContext]:
    """The workplace of a command, with progress bars while it works."""
    with progress_bars() as progress:
        yield open_context(ctx, progress)


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that runs for a selection of series."""

    @click.option("--series", default="", help="Only these: globs over series_id ('N1|retail|*').")
    @click.option("--series-table", default="", help="Only those in project.dataset.table.")
    @click.option("--run-id", help="Go on with this run, after a crash or in another container.")
    @click.option("--take-over", is_flag=True, help="Take the lease of a run that crashed.")
    @click.option(
        "--cluster", envvar="SHELFCAST_CLUSTER", help="Fit and predict on dask://host:port."
    )
    @click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
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


@main.command()
@run_options
@click.option(
    "--step",
    type=click.Choice(["all", "before", "predict", "after"]),
    default="all",
    help="One of the three steps, where each is a container of its own (with one --run-id).",
)
@click.pass_context
def weekly(ctx: click.Context, /, step: str, options: RunOptions, dry_run: bool) -> None:
    """Issue this week's forecasts: check the models, dbt before, predict, dbt after.

    \b
    Example:
      shelfcast weekly
      shelfcast weekly --series 'N1|retail|*,N2|*'
    """
    steps: dict[str, Callable[[RunContext, RunOptions], object]] = {
        "all": issue.weekly,
        "before": weekly_before,
        "predict": predict_models,
        "after": weekly_after,
    }
    with command_context(ctx) as context:
        if dry_run:
            _describe(context, open_weekly(context, options))
        else:
            steps[step](context, options)


@main.command()
@run_options
@click.option("--as-of", type=INSTANT, help="Train as of then, in the use case's time zone.")
@click.option(
    "--step",
    type=click.Choice(["all", "before", "coefficients", "priors", "fit"]),
    default="all",
    help="One of four steps, where each is a container (or many) of its own, with one --run-id.",
)
@click.pass_context
def train(
    ctx: click.Context,
    /,
    as_of: datetime | None,
    step: Literal["all", "before", "coefficients", "priors", "fit"],
    options: RunOptions,
    dry_run: bool,
) -> None:
    """Fit every forecastable series and put the models in service.

    \b
    Example:
      shelfcast train
      shelfcast train --as-of 2026-09-23T22:00 --series 'N1|*'

    \b
    Example, pooled priors from shards (coefficients and fit are N tasks each):
      shelfcast train --step before --run-id R1
      shelfcast train --step coefficients --run-id R1
      shelfcast train --step priors --run-id R1
      shelfcast train --step fit --run-id R1
    """
    with command_context(ctx) as context:
        instant = as_of.replace(tzinfo=context.use_case.zone) if as_of else None
        if dry_run:
            origin = origin_at(context.use_case, instant or datetime.now(UTC))
            _describe(context, context.new_run("train", [origin], options))
        elif step == "all":
            train_models(context, options, as_of_at=instant)
        else:
            train_step(context, options, step, as_of_at=instant)


@main.command()
@run_options
@click.option("--origins", "n_origins", default=3, type=click.IntRange(1), help="Past origins.")
@click.option("--every", default=4, type=click.IntRange(1), help="Take every n-th of them only.")
@click.option("--as-of", type=INSTANT, help="Tune as of then, in the use case's time zone.")
@click.pass_context
def tune(
    ctx: click.Context,
    /,
    n_origins: int,
    every: int,
    as_of: datetime | None,
    options: RunOptions,
    dry_run: bool,
) -> None:
    """Choose each family's recipe by what it is worth on past weeks that it was not fitted on.

    Whatever trains from then on uses the chosen recipes. `recipe_scores` has every candidate's
    scores; with --series the choice is for these series alone.

    \b
    Example:
      shelfcast tune
      shelfcast tune --origins 6 --every 2 --series 'N1|*'
      shelfcast sql "select * from {recipe_scores} where n_tunes_since = 0"
    """
    with command_context(ctx) as context:
        instant = as_of.replace(tzinfo=context.use_case.zone) if as_of else datetime.now(UTC)
        if dry_run:
            current = origin_at(context.use_case, instant)
            origins = validation_origins(context.use_case, current, n_origins, every)
            _describe(context, context.new_run("tune", [*origins, current], options))
        else:
            tune_run.tune(context, options, n_origins=n_origins, every=every, as_of_at=instant)


@main.command()
@run_options
@click.pass_context
def predict(ctx: click.Context, /, options: RunOptions, dry_run: bool) -> None:
    """Do the second step of `weekly`, for the run that is open; open one if none is.

    \b
    Example, one container a step:
      shelfcast weekly --step before --run-id R1
      shelfcast predict --run-id R1
      shelfcast weekly --step after --run-id R1
    """
    with command_context(ctx) as context:
        if dry_run:
            _describe(context, open_weekly(context, options))
        else:
            predict_models(context, options)


@main.command("what-if")
@click.option("--scenario", required=True, help="Its name in the table of scenarios.")
@click.option("--series", default="", help="Only these: globs over series_id ('N1|retail|*').")
@click.option("--dry-run", is_flag=True, help="Answer, and write nothing.")
@click.pass_context
def what_if(ctx: click.Context, scenario: str, series: str, dry_run: bool) -> None:
    """Forecast the weeks ahead as a scenario supposes them, beside what was issued.

    `scenario_forecasts` has the answer from then on; what was issued stays what it is.

    \b
    Example:
      shelfcast load spring.csv --as scenarios
      shelfcast what-if --scenario spring_promo
      shelfcast sql "select * from {scenario_forecasts} where scenario = 'spring_promo'"
    """
    options = RunOptions(selection=Selection(series) if series else None)
    with command_context(ctx) as context:
        found = run_what_if(context, scenario, options, dry_run=dry_run)
    if sys.stdout.isatty():
        formats = {"as_issued": ".0f", "supposed": ".0f", "uplift": "+.0f", "uplift_share": "+.1%"}
        print_table(found.by_week, f"{scenario}: what was issued, and what would be", formats)
    else:
        print_csv(found.by_week)


@main.command("check-future")
@run_options
@click.option("--as-of", type=INSTANT, help="Check as of then, in the use case's time zone.")
@click.pass_context
def check_future(
    ctx: click.Context, /, as_of: datetime | None, options: RunOptions, dry_run: bool
) -> None:
    """List the weeks ahead that lack a plan or the weather, before the run that needs them.

    What a hole means is each regressor's when_missing; exits with 1 where the run would stop.

    \b
    Example:
      shelfcast check-future
      shelfcast sql "select * from {sku_weekly_missing_regressors} order by series_id, target_date"
    """
    with command_context(ctx) as context:
        instant = as_of.replace(tzinfo=context.use_case.zone) if as_of else datetime.now(UTC)
        if dry_run:
            origin = origin_at(context.use_case, instant)
            _describe(context, context.new_run("check", [origin], options))
            return
        run, missing = check_future_run.check_future(context, options, now=instant)
        if sys.stdout.isatty():
            print_table(
                missing, f"What no source told of the weeks after {run.origins[-1].origin_date}"
            )
        else:
            print_csv(missing)
        check_gate(context.warehouse, run)


@main.command()
@run_options
@click.option("--from", "first", type=DATE, required=True, help="First day of the schedule.")
@click.option("--to", "last", type=DATE, required=True, help="Last day of the schedule.")
@click.option("--every", default=1, help="Take every n-th origin only.")
@click.option("--as-issued", is_flag=True, help="Publish them as if issued then.")
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    first: datetime,
    last: datetime,
    every: int,
    as_issued: bool,
    options: RunOptions,
    dry_run: bool,
) -> None:
    """Forecast again as of past weeks, with what was known then, in one pass.

    \b
    Example:
      shelfcast replay --from 2026-09-23 --to 2026-11-11
    """
    with command_context(ctx) as context:
        days = (first.date(), last.date())
        if dry_run:
            origins = replayed_origins(context, *days, every)
            _describe(context, context.new_run("replay", origins, options))
        else:
            replay_run.replay(context, *days, options, every=every, is_as_issued=as_issued)


@main.command()
@run_options
@click.option("--origins", "n_origins", default=12, help="How many origins, counted back.")
@click.option("--every", default=1, help="Take every n-th origin only.")
@click.option("--to", "last", type=DATE, help="Last day that may be scored; default: yesterday.")
@click.pass_context
def backtest(
    ctx: click.Context,
    /,
    n_origins: int,
    every: int,
    last: datetime | None,
    options: RunOptions,
    dry_run: bool,
) -> None:
    """Fit and forecast at past origins as production would have; score it, keep no model.

    \b
    Example:
      shelfcast backtest --origins 12
      shelfcast backtest --origins 6 --every 4 --to 2026-09-27 --series 'N1|*'
    """
    with command_context(ctx) as context:
        to = last.date() if last else None
        if dry_run:
            _describe(
                context, backtests.open_backtest(context, n_origins, options, every=every, last=to)
            )
        else:
            backtests.backtest(context, n_origins, options, every=every, last=to)


@main.command()
@run_options
@click.option("--candidates", is_flag=True, help="Those of them that retraining_candidates names.")
@click.option("--no-tune", is_flag=True, help="Fit again with the recipes in force; no comparison.")
@click.option("--as-of", type=INSTANT, help="Retrain as of then, in the use case's time zone.")
@click.pass_context
def retrain(
    ctx: click.Context,
    /,
    candidates: bool,
    no_tune: bool,
    as_of: datetime | None,
    options: RunOptions,
    dry_run: bool,
) -> None:
    """Retrain some series; the better recipe, on weeks that neither has seen, serves.

    A challenger's recipe is tuned for each series on past weeks, then compared with the one in
    force as of the same later origins. `retraining_log` has every decision with its numbers. The
    environment variable TARGET_COMBINATIONS names series as --series does.

    \b
    Example:
      shelfcast retrain --candidates
      shelfcast retrain --series 'N1|retail|A*' --dry-run
      TARGET_COMBINATIONS='N1|retail|A17,N2|*|B3' shelfcast retrain --no-tune
      shelfcast sql "select * from {retraining_log} order by decided_at desc"
    """
    named = ctx.params["series"] or ctx.params["series_table"]
    combinations = os.environ.get("TARGET_COMBINATIONS", "")
    if combinations and not named:
        options = replace(options, selection=Selection(combinations))
    if not (candidates or named or combinations):
        raise click.UsageError(
            "say which series: --series 'N1|retail|A*', --candidates, or TARGET_COMBINATIONS."
        )
    with command_context(ctx) as context:
        instant = as_of.replace(tzinfo=context.use_case.zone) if as_of else datetime.now(UTC)
        if dry_run:
            run, _ = retraining.open_retrain(context, options, tune=not no_tune, as_of_at=instant)
            names = retraining.would_retrain(context, run, candidates=candidates)
            click.echo(f"{len(names)} series: {first_few(names, 10)}")
            _describe(context, run)
        else:
            retraining.retrain(
                context, options, candidates=candidates, tune=not no_tune, as_of_at=instant
            )


@main.command()
@click.option("--as-of", type=INSTANT, help="Judge as of then, in the use case's time zone.")
@click.option("--run-id", help="Go on with this run, after a crash.")
@click.option("--take-over", is_flag=True, help="Take the lease of a run that crashed.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.pass_context
def monitor(
    ctx: click.Context,
    /,
    as_of: datetime | None,
    run_id: str | None,
    take_over: bool,
    dry_run: bool,
) -> None:
    """Score what was issued, and tell what somebody should know: alerts, missing runs.

    Each new alert is one line of the log. Where the settings say `alerts: {on_breach: fail}`, the
    command then exits with 1.

    \b
    Example:
      shelfcast monitor
      shelfcast sql "select * from {accuracy_alerts} where is_breach"
    """
    options = RunOptions(run_id=run_id, take_over=take_over)
    with command_context(ctx) as context:
        instant = as_of.replace(tzinfo=context.use_case.zone) if as_of else datetime.now(UTC)
        if dry_run:
            _describe(context, open_monitor(context, options, instant))
            return
        report = run_monitor(context, options, as_of_at=instant)
    if len(report.new) and context.use_case.alerts.on_breach == "fail":
        sys.exit(1)


@main.command("check-runs")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
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
    chosen = ctx.obj["use_case"]
    names = [chosen] if chosen else list(load_settings(project_dir()).use_cases)
    failures = []
    for name in names:
        ctx.obj["use_case"] = name
        try:
            _tell_overdue(open_context(ctx), timedelta(hours=grace))
        except SettingsError:
            raise
        except ShelfcastError as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise ShelfcastError(f"the runs could not be looked at: {' '.join(failures)}")


def _tell_overdue(context: RunContext, grace: timedelta) -> None:
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


def _describe(context: RunContext, run: Run) -> None:
    use_case = context.use_case
    click.echo(f"{use_case.name}: {run.kind} run on dataset {context.connection.dataset}")
    for origin in run.origins:
        click.echo(f"  origin {origin.origin_date}, as of {origin.as_of_at.isoformat()}")
    click.echo(f"  families {', '.join(use_case.families)}; horizon {use_case.horizon}")
    click.echo(f"  series {run.selection.patterns or run.selection.table or 'all'}")
    click.echo("nothing was written (--dry-run)")


def _values_of_parts(given: Sequence[str], use_case: UseCase) -> dict[str, list[str]]:
    """`unit=N1,N2` as a part of the key and its values.

    Raises:
        click.UsageError: it is not of that form, or the key has no such part.
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


@main.command()
@click.argument("uri")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["sales", "promotions", "weather", "scenarios"]),
    required=True,
    help="Which source of the use case the file is.",
)
@click.option("--history", "is_history", is_flag=True, help="Known when its period ended, not now.")
@click.option("--covers-from", type=DATE, help="Promotions: first day that this plan speaks for.")
@click.option("--covers-to", type=DATE, help="Promotions: last day that this plan speaks for.")
@click.option(
    "--covers-only",
    metavar="PART=NAME,…",
    multiple=True,
    help="Promotions: the units or channels that this plan is about, as unit=N1,N2; else all.",
)
@click.option("--again", is_flag=True, help="Load although the same content was loaded before.")
@click.option("--dry-run", is_flag=True, help="Read and check the file, and write nothing.")
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
    if (covers_from is None) != (covers_to is None):
        raise click.UsageError("--covers-from and --covers-to go together.")
    if covers_only and covers_from is None:
        raise click.UsageError("--covers-only goes with --covers-from and --covers-to.")
    with command_context(ctx) as context:
        ensure_tables(context)
        if not dry_run and (kind == "scenarios" or context.connection.loading == "apart"):
            ensure_input_tables(context)
        covers = None
        if covers_from and covers_to:
            only = _values_of_parts(covers_only, context.use_case)
            covers = Covers(covers_from.date(), covers_to.date(), only)
        report = load_file(
            context.warehouse,
            context.connection,
            context.use_case,
            uri,
            kind,
            is_history=is_history,
            covers=covers,
            again=again,
            dry_run=dry_run,
        )
    unparsed = ", ".join(f"{count} of {name}" for name, count in report.n_unparsed.items())
    kept = f"; cells that did not parse, kept as text: {unparsed}" if unparsed else ""
    if dry_run:
        click.echo(f"{report.n_rows} rows would go to {report.table}{kept}", err=True)
    elif report.is_new:
        logs.log(Event.ROWS_LOADED, f"{report.n_rows} rows loaded into {report.table}{kept}")
        if kind == "promotions":
            tell_refused(context.warehouse, context.use_case, uri)
    else:
        logs.log(
            Event.ALREADY_WRITTEN,
            f"{uri} was loaded into {report.table} before: nothing to do (--again loads it again)",
        )


@main.command("load-inbox")
@click.option("--dry-run", is_flag=True, help="Read and check the files, and write nothing.")
@click.pass_context
def load_inbox(ctx: click.Context, dry_run: bool) -> None:
    """Load the promotion plans that were dropped into the inbox; `weekly` does so when it starts.

    The settings name the inbox (sources: promotions: inbox:). Exits with 1 where a file is refused.

    \b
    Example:
      gcloud storage cp plan-w48.csv gs://plans/inbox/
      shelfcast load-inbox
    """
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


@main.command("fetch-weather")
@click.option("--dry-run", is_flag=True, help="Say what would be asked for; ask and write nothing.")
@click.pass_context
def fetch_weather(ctx: click.Context, dry_run: bool) -> None:
    """Fetch the weather that is missing: observed days, the last ten again, the forecast.

    Off unless the settings say where from (sources: weather: fetch: service:). Weekly runs and
    training fetch by themselves; there, a failure is a warning.

    \b
    Example:
      shelfcast fetch-weather --dry-run
      shelfcast fetch-weather
    """
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


@main.command("make-holidays")
@click.option("--country", "more", multiple=True, help="Another country or part: DE, US-CA.")
@click.option("--from", "first", type=int, help="First year; default: seven years ago.")
@click.option("--to", "last", type=int, help="Last year; default: four years ahead.")
@click.option("--dry-run", is_flag=True, help="Say what would be made, and write nothing.")
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


@main.command()
@click.argument("statement")
@click.option("--csv", "as_csv", is_flag=True, help="CSV even on a terminal.")
@click.pass_context
def sql(ctx: click.Context, statement: str, as_csv: bool) -> None:
    """Run a query; a model's or a source's name in braces is its table.

    \b
    Example:
      shelfcast sql "select * from {accuracy_by_week} where run_kind = 'issued'"
    """
    with command_context(ctx) as context:
        frame = context.warehouse.read(statement)
    if as_csv or not sys.stdout.isatty():
        print_csv(frame)
    else:
        print_table(frame)


@main.group()
def models() -> None:
    """The models that serve."""


@models.command("list")
@click.option("--series", default="*", help="Globs over series_id.")
@click.pass_context
def list_models(ctx: click.Context, series: str) -> None:
    """List model versions and what became of them.

    \b
    Example:
      shelfcast models list --series 'N1|retail|*'
    """
    with command_context(ctx) as context:
        frame = context.warehouse.read(
            """
            select
                series_id, model_name, model_version, stage, train_start, train_end, n_obs, object
            from {models}
            where use_case = @use_case and regexp_contains(coalesce(series_id, ''), @pattern)
            order by series_id, model_name, stage_as_of_at
            """,
            use_case=context.use_case.name,
            pattern=Selection(series).regex,
        )
    if sys.stdout.isatty():
        print_table(frame)
    else:
        print_csv(frame)


@models.command("verify")
@click.pass_context
def verify_models(ctx: click.Context) -> None:
    """Compare the forecastable series with the objects in the store; exit 1 on any fault.

    \b
    Example:
      shelfcast models verify
    """
    with command_context(ctx) as context:
        found = verify(context.warehouse, context.store, context.use_case)
    for finding in found.findings:
        click.echo(f"{finding.kind}\t{finding.what}\t{finding.detail}")
    click.echo(str(found), err=True)
    if found.findings:
        sys.exit(1)


@models.command("show")
@click.option("--series", required=True, help="One whole series_id, such as 'N1|retail|A17'.")
@click.pass_context
def show_models(ctx: click.Context, series: str) -> None:
    """Show a series' model versions: what each was fitted with and worth, and what became of it.

    \b
    Example:
      shelfcast models show --series 'N1|retail|A17'
    """
    with command_context(ctx) as context:
        found = history_of(context.warehouse, context.use_case, series)
    if sys.stdout.isatty():
        _print_history(found)
    else:
        print_csv(found.versions)


def _print_history(found: History) -> None:
    lengthy = ["series_id", "metrics", "hyperparameters", "numbers", *REGRESSORS_TOLD]
    brief = found.versions.drop(columns=lengthy)
    print_table(brief, "What became of each version, the newest last")
    for row in found.versions.drop_duplicates(["model_name", "model_version"]).itertuples():
        click.echo(f"{row.model_name} {row.model_version}")
        click.echo(f"  fitted with {row.hyperparameters}\n  worth {row.metrics}")
        for column, what in REGRESSORS_TOLD.items():
            if isinstance(told := getattr(row, column), str):
                click.echo(f"  {what} {told}")
    if not found.decisions.empty:
        formats = {name: ".1%" for name in found.decisions if str(name).endswith("wape")}
        print_table(found.decisions, "Retrainings, the newest last", formats)


@models.command("promote")
@click.option("--series", required=True, help="One whole series_id, such as 'N1|retail|A17'.")
@click.option("--model-version", required=True, help="As `shelfcast models show` lists it.")
@click.option("--dry-run", is_flag=True, help="Check, and say what would be done.")
@click.pass_context
def promote_model(ctx: click.Context, /, series: str, model_version: str, dry_run: bool) -> None:
    """Let a stored version of a series' model serve, with its recipe from now on.

    \b
    Example:
      shelfcast models promote --series 'N1|retail|A17' --model-version 20261115-R1-challenger
    """
    with command_context(ctx) as context:
        told = _versions(context, dry_run).promote(series, model_version)
    if dry_run:
        click.echo(told)


@models.command("rollback")
@click.option("--series", required=True, help="One whole series_id, such as 'N1|retail|A17'.")
@click.option("--dry-run", is_flag=True, help="Check, and say what would be done.")
@click.pass_context
def roll_back_model(ctx: click.Context, /, series: str, dry_run: bool) -> None:
    """Let the version serve again that served before the one that does now.

    \b
    Example:
      shelfcast models rollback --series 'N1|retail|A17'
    """
    with command_context(ctx) as context:
        told = _versions(context, dry_run).roll_back(series)
    if dry_run:
        click.echo(told)


def _versions(context: RunContext, dry_run: bool) -> Versions:
    return Versions(context.warehouse, context.store, context.use_case, dry_run=dry_run)


@models.command("export")
@click.option("--series", required=True, help="One whole series_id, such as 'N1|retail|A17'.")
@click.option("--format", "_", type=click.Choice(["prophet"]), required=True, help="What to write.")
@click.option("--model-name", help="The model's family; default: the use case's champion.")
@click.option("--model-version", help="The model's version; default: the one that serves.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="default: stdout")
@click.pass_context
def export_model(
    ctx: click.Context,
    /,
    series: str,
    _: str,
    model_name: str | None,
    model_version: str | None,
    output: Path | None,
) -> None:
    """Write a stored model so that other software opens it; say what that cannot express.

    The JSON of --format prophet is stock Prophet's own, with the history that the model was trained
    on: prophet.serialize.model_from_json opens it, for predict, plot and plot_components.

    \b
    Example:
      shelfcast models export --series 'N1|retail|A17' --format prophet --output a17.json
    """
    with command_context(ctx) as context:
        use_case = context.use_case
        wanted = Wanted(series, model_name or use_case.champion, model_version)
        relations = [f"{use_case.name}_training_panel", f"{use_case.name}_series"]
        found = export_prophet(
            context.warehouse,
            context.store,
            context.new_run("replay", [], RunOptions(selection=only(series))),
            wanted,
            lambda origin: warehouse_as_of(context, origin, relations),
        )
    if output is None:
        click.echo(found.text)
    else:
        output.write_text(found.text)
    click.echo(f"{series}, version {found.model_version}. Prophet cannot express:", err=True)
    for sentence in found.not_expressed:
        click.echo(f"- {sentence}", err=True)


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    default=Path("report.html"),
    help="The file; default: report.html.",
)
@click.option("--horizon-step", type=int, help="Shown week by week; default: that of the alerts.")
@click.option("--series", default="", help="Only these: globs over series_id ('N1|retail|*').")
@click.pass_context
def report(ctx: click.Context, out: Path, horizon_step: int | None, series: str) -> None:
    """Write how good the forecasts are as one HTML file that needs no network.

    It shows what the page marts hold: `shelfcast monitor` or a weekly run has built them.

    \b
    Example:
      shelfcast report --out report.html
      shelfcast report --out n1.html --series 'N1|*'
    """
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


@main.command("looker-links")
@click.option("--template", default="", help="Id of a Looker Studio report to copy; empty: blank.")
@click.pass_context
def looker_links(ctx: click.Context, template: str) -> None:
    """Print one URL a page: each opens a new Looker Studio report over that page's mart.

    docs/looker.md says what to put on each page.

    \b
    Example:
      shelfcast looker-links
      shelfcast looker-links --template 0B_U5RNpwhcE6SF85TENURnc4UjA
    """
    from python_jobs.report.looker import links

    with command_context(ctx) as context:
        for page, url in links(context.warehouse, context.use_case, template).items():
            click.echo(f"{page}\t{url}")


@main.group()
def local() -> None:
    """The emulators of BigQuery and Cloud Storage on this machine."""


def _state_dir() -> Path:
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


@main.command()
@click.option("--go-live", is_flag=True, help="What must hold before the schedules are enabled.")
@click.option("--prod", is_flag=True, help="Try on a real project what no emulator shows: cents.")
@click.pass_context
def doctor(ctx: click.Context, go_live: bool, prod: bool) -> None:
    """Say what is missing and how to fix it; exit 1 if anything is.

    \b
    Example:
      shelfcast doctor
      shelfcast --target prod doctor --prod
      shelfcast --target prod doctor --go-live
    """
    from python_jobs.checks.doctor import examine, tell

    if go_live and prod:
        raise SettingsError("doctor: --go-live or --prod, one at a time.")
    named = ctx.obj["use_case"]
    if prod:
        from python_jobs.checks import first_contact

        found = tell(first_contact.examine(_any_context(ctx)))
        click.echo(first_contact.summary(found))
    elif go_live:
        from python_jobs.checks import go_live as going_live

        found = tell(going_live.examine(going_live.contexts_of(_any_context(ctx), named)))
        click.echo(going_live.verdict(found))
    else:
        found = tell(examine(lambda: open_context(ctx)))
    if any(check.is_fine is False for check in found):
        sys.exit(1)


def _any_context(ctx: click.Context) -> RunContext:
    """The workplace for a matter of the whole deployment: without --use-case, of its first one."""
    ctx.obj["use_case"] = ctx.obj["use_case"] or next(
        iter(load_settings(project_dir()).use_cases), None
    )
    return open_context(ctx)


@main.command()
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
