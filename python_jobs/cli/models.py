"""Commands on the models that serve: `shelfcast models`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from python_jobs.cli.context import command_context
from python_jobs.cli.options import TEXT, dry_run_option, one_series_option
from python_jobs.cli.terminal import print_table, show

if TYPE_CHECKING:
    from python_jobs.registry.versions import History, Versions
    from python_jobs.runs.context import RunContext

REGRESSORS_TOLD = {
    "regressors_left_out": "without an effect of its own:",
    "regressors_contradicting": "of another sign than the settings expect:",
}
"""What `models show` says of a version's regressors, by column."""


@click.group()
def models() -> None:
    """The models that serve."""


@models.command("list")
@click.option("--series", type=TEXT, default="*", help="Globs over series_id.")
@click.pass_context
def list_models(ctx: click.Context, series: str) -> None:
    """List model versions and what became of them.

    \b
    Example:
      shelfcast models list --series 'N1|retail|*'
    """
    from python_jobs.infra.run import Selection

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
    show(frame)


@models.command("verify")
@click.pass_context
def verify_models(ctx: click.Context) -> None:
    """Compare the forecastable series with the objects in the store; exit 1 on any fault.

    \b
    Example:
      shelfcast models verify
    """
    from python_jobs.registry.verify import verify

    with command_context(ctx) as context:
        found = verify(context.warehouse, context.store, context.use_case)
    for finding in found.findings:
        click.echo(f"{finding.kind}\t{finding.what}\t{finding.detail}")
    click.echo(str(found), err=True)
    if found.findings:
        sys.exit(1)


@models.command("show")
@one_series_option
@click.pass_context
def show_models(ctx: click.Context, series: str) -> None:
    """Show a series' model versions: what each was fitted with and worth, and what became of it.

    \b
    Example:
      shelfcast models show --series 'N1|retail|A17'
    """
    from python_jobs.registry.versions import history_of

    with command_context(ctx) as context:
        found = history_of(context.warehouse, context.use_case, series)
    if sys.stdout.isatty():
        _print_history(found)
    else:
        show(found.versions)


def _print_history(found: History) -> None:
    lengthy = ["series_id", "metrics", "hyperparameters", "numbers", *REGRESSORS_TOLD]
    brief = found.versions.drop(columns=lengthy)
    print_table(brief, "What became of each version, the newest last")
    for row in found.versions.drop_duplicates(["model_name", "model_version"]).itertuples():
        click.echo(f"{row.model_name} {row.model_version}")
        click.echo(f"  fitted with {row.hyperparameters}\n  worth {row.metrics}")
        for column, what in REGRESSORS_TOLD.items():
            if isinstance(text := getattr(row, column), str):
                click.echo(f"  {what} {text}")
    if not found.decisions.empty:
        formats = {name: ".1%" for name in found.decisions if str(name).endswith("wape")}
        print_table(found.decisions, "Retrainings, the newest last", formats)


@models.command("promote")
@one_series_option
@click.option(
    "--model-version", type=TEXT, required=True, help="As `shelfcast models show` lists it."
)
@dry_run_option("Check, and say what would be done.")
@click.pass_context
def promote_model(ctx: click.Context, /, series: str, model_version: str, dry_run: bool) -> None:
    """Let a stored version of a series' model serve, with its recipe from now on.

    \b
    Example:
      shelfcast models promote --series 'N1|retail|A17' --model-version 20261115-R1-challenger
    """
    with command_context(ctx) as context:
        message = _versions(context, dry_run).promote(series, model_version)
    if dry_run:
        click.echo(message)


@models.command("rollback")
@one_series_option
@dry_run_option("Check, and say what would be done.")
@click.pass_context
def roll_back_model(ctx: click.Context, /, series: str, dry_run: bool) -> None:
    """Let the version serve again that served before the one that does now.

    \b
    Example:
      shelfcast models rollback --series 'N1|retail|A17'
    """
    with command_context(ctx) as context:
        message = _versions(context, dry_run).roll_back(series)
    if dry_run:
        click.echo(message)


def _versions(context: RunContext, dry_run: bool) -> Versions:
    from python_jobs.registry.versions import Versions

    return Versions(context.warehouse, context.store, context.use_case, dry_run=dry_run)


@models.command("export")
@one_series_option
@click.option("--format", "_", type=click.Choice(["prophet"]), required=True, help="What to write.")
@click.option(
    "--model-name", type=TEXT, help="The model's family; default: the use case's champion."
)
@click.option(
    "--model-version", type=TEXT, help="The model's version; default: the one that serves."
)
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
    from python_jobs.fitting.export import Wanted, export_prophet, only
    from python_jobs.runs.as_of import warehouse_as_of
    from python_jobs.runs.context import RunOptions

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


COMMANDS = (models,)
