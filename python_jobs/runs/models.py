"""The models of a run: check those that serve, fit new ones, with priors where families pool."""

from __future__ import annotations

from python_jobs.fitting.coefficients import pool_coefficients
from python_jobs.fitting.fit import PriorSource, families_of, is_pooled, prior_source
from python_jobs.fitting.train import TrainReport, train
from python_jobs.infra.errors import RunStopped
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.run import Run, step
from python_jobs.infra.scope import series_in_scope
from python_jobs.infra.warehouse import MissingRelation
from python_jobs.registry.verify import verify
from python_jobs.runs.context import RunContext
from python_jobs.runs.stages import dbt_progress

WHY_NONE = """
select coalesce(reason, 'forecastable, yet without a row to train on') as reason, count(*) as n
from {series}
where {scope}
group by 1
order by n desc
"""


def check_models(context: RunContext, run: Run) -> None:
    """Verify the models that should serve.

    Raises:
        RunStopped: more than max_refused_share of the forecastable series have no usable model.
    """
    try:
        found = verify(context.warehouse, context.store, context.use_case)
    except MissingRelation as error:
        raise RunStopped(
            f"{context.use_case.name}: nothing was ever built or trained here ({error}). "
            "Run `shelfcast train` first."
        ) from error
    if not found.findings:
        return
    limit = context.use_case.max_refused_share
    if found.n_unusable > limit * found.n_forecastable:
        raise RunStopped(
            f"models: {found.n_unusable} of {found.n_forecastable} forecastable series have no "
            f"usable model, more than max_refused_share {limit:.0%}. {found} Run `shelfcast train`."
        )
    warn(Event.MODELS_FAULTY, f"models: {found}", run_id=run.run_id, n_faults=len(found.findings))


def fit_models(context: RunContext, run: Run, priors: PriorSource | None = None) -> TrainReport:
    """Train as of the run's origins.

    Args:
        context: the run's context.
        run: the run.
        priors: where those of pooled families come from; None makes them first where this run can.
    """
    source = priors or prior_source(run)
    if priors is None and source == "run":
        pool_models(context, run)
        make_priors(context, run)
    with step(context.warehouse, run, "train") as counts:
        report = train(
            context.warehouse, context.store, run, context.n_jobs, context.show("train"), source
        )
        counts.n_in, counts.n_out = report.n_series, report.n_trained
        counts.message = f"{report.n_trained} models trained, {report.n_failed} failed"
    return report


def pool_models(context: RunContext, run: Run) -> None:
    """Fit pooled families without priors and log what each series says of each coefficient."""
    with step(context.warehouse, run, "coefficients") as counts:
        counts.n_in, counts.n_out = pool_coefficients(
            context.warehouse, run, context.n_jobs, context.show("coefficients")
        )


def make_priors(context: RunContext, run: Run) -> None:
    """Let dbt make the portfolio's priors of the coefficients that the run has logged."""
    if not any(is_pooled(family) for family in families_of(run.use_case)):
        return
    with step(context.warehouse, run, "priors"):
        context.dbt.build("priors", dbt_progress(context, "dbt priors"))


def why_none(context: RunContext, run: Run) -> str:
    """Say why no model was trained: the series in scope, counted by reason."""
    condition, parameters = series_in_scope(run)
    statement = WHY_NONE.replace("{series}", f"{{{context.use_case.name}_series}}")
    found = context.warehouse.read(statement.replace("{scope}", condition), **parameters)
    reasons = ", ".join(f"{row.n} {row.reason}" for row in found.itertuples())
    return (
        f"{context.use_case.name}: no model was trained as of {run.origins[-1].origin_date}; "
        f"{int(found['n'].sum())} series are in scope{f' ({reasons})' if reasons else ''}. Look at "
        "--series, at --as-of, and at min_observations in the settings."
    )
