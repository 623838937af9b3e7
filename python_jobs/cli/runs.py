"""Commands that run: forecasts, trainings and what judges them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from python_jobs.cli.context import command_context
from python_jobs.cli.options import (
    DATE,
    EVERY,
    N_ORIGINS,
    TEXT,
    AnyCommand,
    as_of_option,
    describe,
    dry_run_option,
    resume_options,
    run_options,
    series_option,
)
from python_jobs.cli.terminal import show
from python_jobs.infra.errors import first_few

if TYPE_CHECKING:
    from python_jobs.runs.context import RunOptions


def step_option(names: Sequence[str], groups: Sequence[str]) -> Callable[[AnyCommand], AnyCommand]:
    """Declare `--step`: one step of a run, in a container of its own.

    Args:
        names: of the steps, in order.
        groups: other names that are accepted, of before.
    """
    return click.option(
        "--step",
        type=click.Choice(["all", *names, *groups]),
        default="all",
        metavar=f"[all|{'|'.join(names)}]",
        help="One step, where each is a container (or many) of its own, with one --run-id.",
    )


@click.command()
@run_options
@step_option(
    ["before_forecast", "coefficients", "priors", "train", "predict", "after_forecast"],
    ["before", "after"],
)
@click.pass_context
def run(ctx: click.Context, /, step: str, options: RunOptions, dry_run: bool) -> None:
    """Issue the forecasts of the next periods: the scheduled run, weekly or daily.

    It builds the panels, fits the models again (refit: every_run) or checks them, forecasts, and
    builds what people read.

    \b
    Example:
      shelfcast run
      shelfcast run --series 'N1|retail|*,N2|*'

    \b
    Example, a container a step (train and predict may be N tasks each):
      shelfcast run --step before_forecast --run-id R1
      shelfcast run --step train --run-id R1
      shelfcast run --step predict --run-id R1
      shelfcast run --step after_forecast --run-id R1
    """
    from python_jobs.runs import issue

    with command_context(ctx) as context:
        if dry_run:
            describe(context, issue.open_issue(context, options))
        elif step == "all":
            issue.issue(context, options)
        else:
            issue.issue_step(context, options, step)


@click.command(params=run.params, hidden=True)
@click.pass_context
def weekly(ctx: click.Context, /, **given: object) -> None:
    """Do `shelfcast run`, of which this is the old name.

    \b
    Example:
      shelfcast weekly
    """
    from python_jobs.infra.logs import Event, warn

    warn(Event.OLD_NAME, "`shelfcast weekly` is now `shelfcast run`; the old name still works.")
    ctx.invoke(run, **given)


@click.command()
@run_options
@as_of_option
@step_option(["before_forecast", "coefficients", "priors", "train"], ["before", "fit"])
@click.pass_context
def train(
    ctx: click.Context,
    /,
    as_of_at: datetime | None,
    step: str,
    options: RunOptions,
    dry_run: bool,
) -> None:
    """Fit every forecastable series and put the models in service.

    \b
    Example:
      shelfcast train
      shelfcast train --as-of 2026-09-23T22:00 --series 'N1|*'

    \b
    Example, pooled priors from shards (coefficients and train are N tasks each):
      shelfcast train --step before_forecast --run-id R1
      shelfcast train --step coefficients --run-id R1
      shelfcast train --step priors --run-id R1
      shelfcast train --step train --run-id R1
    """
    from python_jobs.infra.schedule import origin_at
    from python_jobs.runs import train as training

    with command_context(ctx) as context:
        if dry_run:
            origin = origin_at(context.use_case, as_of_at or datetime.now(UTC))
            describe(context, context.new_run("train", [origin], options))
        elif step == "all":
            training.train_models(context, options, as_of_at=as_of_at)
        else:
            training.train_step(context, options, step, as_of_at=as_of_at)


@click.command()
@run_options
@click.option("--origins", "n_origins", default=3, type=N_ORIGINS, help="Past origins.")
@click.option("--every", default=4, type=EVERY, help="Take every n-th of them only.")
@as_of_option
@click.pass_context
def tune(
    ctx: click.Context,
    /,
    n_origins: int,
    every: int,
    as_of_at: datetime | None,
    options: RunOptions,
    dry_run: bool,
) -> None:
    """Choose each family's recipe by what it is worth on past periods that it was not fitted on.

    Whatever trains from then on uses the chosen recipes. `recipe_scores` has every candidate's
    scores; with --series the choice is for these series alone.

    \b
    Example:
      shelfcast tune
      shelfcast tune --origins 6 --every 2 --series 'N1|*'
      shelfcast sql "select * from {recipe_scores} where n_tunes_since = 0"
    """
    from python_jobs.infra.schedule import origin_at, validation_origins
    from python_jobs.runs import tune as tuning

    with command_context(ctx) as context:
        if dry_run:
            current = origin_at(context.use_case, as_of_at or datetime.now(UTC))
            origins = validation_origins(context.use_case, current, n_origins, every)
            describe(context, context.new_run("tune", [*origins, current], options))
        else:
            tuning.tune(context, options, n_origins=n_origins, every=every, as_of_at=as_of_at)


@click.command()
@run_options
@click.pass_context
def predict(ctx: click.Context, /, options: RunOptions, dry_run: bool) -> None:
    """Do the step predict of `shelfcast run`, in the open run or in a new one.

    \b
    Example, one container a step, the models fitted in the first:
      shelfcast run --step before --run-id R1
      shelfcast predict --run-id R1
      shelfcast run --step after --run-id R1
    """
    from python_jobs.runs import issue

    with command_context(ctx) as context:
        if dry_run:
            describe(context, issue.open_issue(context, options))
        else:
            issue.issue_step(context, options, "predict")


@click.command("what-if")
@click.option("--scenario", type=TEXT, required=True, help="Its name in the table of scenarios.")
@series_option
@dry_run_option("Answer, and write nothing.")
@click.pass_context
def what_if(ctx: click.Context, scenario: str, series: str, dry_run: bool) -> None:
    """Forecast the next periods under a scenario, beside the issued forecast.

    `scenario_forecasts` has the answer; the issued forecast does not change.

    \b
    Example:
      shelfcast load spring.csv --as scenarios
      shelfcast what-if --scenario spring_promo
      shelfcast sql "select * from {scenario_forecasts} where scenario = 'spring_promo'"
    """
    from python_jobs.infra.run import Selection
    from python_jobs.runs import what_if as scenarios
    from python_jobs.runs.context import RunOptions

    options = RunOptions(selection=Selection(series) if series else None)
    with command_context(ctx) as context:
        found = scenarios.what_if(context, scenario, options, dry_run=dry_run)
    formats = {"as_issued": ".0f", "supposed": ".0f", "uplift": "+.0f", "uplift_share": "+.1%"}
    show(found.by_period, f"{scenario}: what was issued, and what would be", formats)


@click.command()
@run_options
@click.option("--from", "first", type=DATE, required=True, help="First day of the schedule.")
@click.option("--to", "last", type=DATE, required=True, help="Last day of the schedule.")
@click.option("--every", default=1, type=EVERY, help="Take every n-th origin only.")
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
    """Forecast past periods again with what was known then, in one pass.

    \b
    Example:
      shelfcast replay --from 2026-09-23 --to 2026-11-11
    """
    from python_jobs.runs import replay as replaying

    with command_context(ctx) as context:
        days = (first.date(), last.date())
        if dry_run:
            origins = replaying.replayed_origins(context, *days, every)
            describe(context, context.new_run("replay", origins, options))
        else:
            replaying.replay(context, *days, options, every=every, is_as_issued=as_issued)


@click.command()
@run_options
@click.option(
    "--origins", "n_origins", default=12, type=N_ORIGINS, help="How many origins, counted back."
)
@click.option("--every", default=1, type=EVERY, help="Take every n-th origin only.")
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
    """Fit, forecast and score at past origins as production would have; keep no model.

    \b
    Example:
      shelfcast backtest --origins 12
      shelfcast backtest --origins 6 --every 4 --to 2026-09-27 --series 'N1|*'
    """
    from python_jobs.runs import backtest as backtests

    with command_context(ctx) as context:
        to = last.date() if last else None
        if dry_run:
            describe(
                context, backtests.open_backtest(context, n_origins, options, every=every, last=to)
            )
        else:
            backtests.backtest(context, n_origins, options, every=every, last=to)


@click.command()
@run_options
@click.option("--candidates", is_flag=True, help="Those of them that retraining_candidates names.")
@click.option("--no-tune", is_flag=True, help="Fit again with the recipes in force; no comparison.")
@as_of_option
@click.pass_context
def retrain(
    ctx: click.Context,
    /,
    candidates: bool,
    no_tune: bool,
    as_of_at: datetime | None,
    options: RunOptions,
    dry_run: bool,
) -> None:
    """Retrain some series; the recipe that is better on held-out periods serves.

    A challenger's recipe is tuned for each series on past periods, then compared with the one in
    force as of the same later origins. `retraining_log` has every decision with its numbers. The
    environment variable TARGET_COMBINATIONS names series as --series does.

    \b
    Example:
      shelfcast retrain --candidates
      shelfcast retrain --series 'N1|retail|A*' --dry-run
      TARGET_COMBINATIONS='N1|retail|A17,N2|*|B3' shelfcast retrain --no-tune
      shelfcast sql "select * from {retraining_log} order by decided_at desc"
    """
    from python_jobs.infra.run import Selection
    from python_jobs.runs import retrain as retraining

    named = ctx.params["series"] or ctx.params["series_table"]
    combinations = os.environ.get("TARGET_COMBINATIONS", "")
    if combinations and not named:
        options = replace(options, selection=Selection(combinations))
    if not (candidates or named or combinations):
        raise click.UsageError(
            "say which series: --series 'N1|retail|A*', --candidates, or TARGET_COMBINATIONS."
        )
    with command_context(ctx) as context:
        if dry_run:
            run, _ = retraining.open_retrain(context, options, tune=not no_tune, as_of_at=as_of_at)
            names = retraining.would_retrain(context, run, candidates=candidates)
            click.echo(f"{len(names)} series: {first_few(names, 10)}")
            describe(context, run)
        else:
            retraining.retrain(
                context, options, candidates=candidates, tune=not no_tune, as_of_at=as_of_at
            )


@click.command()
@as_of_option
@resume_options
@dry_run_option()
@click.pass_context
def monitor(
    ctx: click.Context,
    /,
    as_of_at: datetime | None,
    run_id: str | None,
    take_over: bool,
    dry_run: bool,
) -> None:
    """Score the issued forecasts and log new alerts: accuracy, bias, missing runs.

    Each new alert is one line of the log. Where the settings say `alerts: {on_breach: fail}`, the
    command then exits with 1.

    \b
    Example:
      shelfcast monitor
      shelfcast sql "select * from {accuracy_alerts} where is_breach"
    """
    from python_jobs.runs import monitor as monitoring
    from python_jobs.runs.context import RunOptions

    options = RunOptions(run_id=run_id, take_over=take_over)
    with command_context(ctx) as context:
        if dry_run:
            describe(context, monitoring.open_monitor(context, options, as_of_at))
            return
        report = monitoring.monitor(context, options, as_of_at=as_of_at)
    if len(report.new) and context.use_case.alerts.on_breach == "fail":
        sys.exit(1)


COMMANDS = (run, weekly, train, tune, predict, what_if, replay, backtest, retrain, monitor)
