"""The models of a run: check those that serve, fit new ones, with priors where families pool."""

from __future__ import annotations

from python_jobs.fitting.coefficients import pool_coefficients
from python_jobs.fitting.fit import (
    PriorSource,
    families_of,
    has_pooled_family,
    makes_priors,
    prior_source,
)
from python_jobs.fitting.train import TrainReport, train
from python_jobs.infra.errors import RunStopped
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.run import Run, step
from python_jobs.infra.scope import is_whole_portfolio, series_in_scope
from python_jobs.infra.warehouse import MissingRelation
from python_jobs.registry.verify import verify
from python_jobs.runs.active import record_activation
from python_jobs.runs.context import RunContext
from python_jobs.runs.stages import building, dbt_progress
from python_jobs.runs.steps import Step
from python_jobs.runs.tasks import read_done

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


def pool_models(context: RunContext, run: Run) -> None:
    """Fit pooled families without priors and log what each series says of each coefficient."""
    with step(context.warehouse, run, "coefficients") as counts:
        counts.n_in, counts.n_out = pool_coefficients(
            context.warehouse, run, context.n_jobs, context.show("coefficients")
        )


def make_priors(context: RunContext, run: Run) -> None:
    """Let dbt make the portfolio's priors of the coefficients that the run has logged."""
    if not has_pooled_family(run.use_case):
        return
    with step(context.warehouse, run, "priors"), building(context, run):
        record_activation(context.warehouse, run, "begun")
        context.dbt.build("priors", dbt_progress(context, "dbt priors"))


def fit_families(context: RunContext, run: Run, *, must_train: bool = False) -> TrainReport:
    """Train as of the run's origins: local families on this task's shard, global ones in the first.

    Args:
        context: the run's context.
        run: the run.
        must_train: stop where series could be trained and none was.

    Raises:
        RunStopped: no model was trained, and must_train.
    """
    source = _priors_of(context, run)
    with step(context.warehouse, run, "train") as counts:
        report = train(
            context.warehouse, context.store, run, context.n_jobs, context.show("train"), source
        )
        counts.n_in, counts.n_out = report.n_series, report.n_trained
        counts.message = f"{report.n_trained} models trained, {report.n_failed} failed"
        could_train = report.n_series > 0 or run.shard.count == 1
        if must_train and could_train and not report.n_trained:
            raise RunStopped(why_none(context, run))
    return report


def _priors_of(context: RunContext, run: Run) -> PriorSource:
    """The run's own priors, where it has made the portfolio's; else see `prior_source`."""
    could_be_own = has_pooled_family(run.use_case) and is_whole_portfolio(run)
    if could_be_own and read_done(context.warehouse, run).by_any(PRIORS.name):
        return "run"
    return prior_source(run)


def has_global_family(run: Run) -> bool:
    """Whether one of the use case's families is one model for all series."""
    return any(family.scope == "global" for family in families_of(run.use_case))


COEFFICIENTS = Step(
    "coefficients", pool_models, "pooled", is_sharded=True, is_due=makes_priors, reads_panels=True
)
PRIORS = Step("priors", make_priors, "made the priors", is_due=makes_priors, needs="coefficients")
FIT = Step(
    "train",
    fit_families,
    "trained",
    is_sharded=True,
    is_awaited=has_global_family,
    reads_panels=True,
)
FITTING = (COEFFICIENTS, PRIORS, FIT)
"""How models are made: pooled families twice, with the portfolio's priors in between."""


def fit_models(context: RunContext, run: Run) -> TrainReport:
    """Do the steps of FITTING that are due; see `fit_families`."""
    reports = {one.name: one.do(context, run) for one in FITTING if one.is_due(run)}
    report: TrainReport = reports[FIT.name]
    return report


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
