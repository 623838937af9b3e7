"""Fit and forecast at each origin of a run as production would have, and keep no model.

The frames, the gate and the rows are those of training and prediction; what differs is that a model
lives in this process only. model_log says what each was fitted on (status `backtest`), so that a
data test can prove that none had seen its targets; no event puts one in service.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from python_jobs.families.base import Family, Fitted
from python_jobs.fitting.fit import OriginFit, PriorSource, families_of, fit_origins
from python_jobs.fitting.pool import OnProgress
from python_jobs.fitting.train import log_failures, model_rows, model_version
from python_jobs.infra.run import Run, of_model
from python_jobs.infra.schedule import Origin
from python_jobs.infra.warehouse import Warehouse
from python_jobs.prediction.predict import (
    PredictReport,
    assign_fitted,
    count_outcomes,
    forecast,
    log_outcomes,
    log_rows,
    read_future,
    with_factors,
)

STATUS = {"trained": "backtest", "failed": "backtest_failed"}
"""Status in model_log of a backtest fit, by the status of the same fit in training."""


@dataclass(eq=False)
class InHand:
    """A family and the models of it that serve now.

    Attributes:
        family: the family.
        version: of the models.
        fitted: the newest fit; none before the first.
    """

    family: Family[Any]
    version: str = ""
    fitted: Fitted[Any] = field(default_factory=lambda: Fitted({}))

    def take(self, version: str, fitted: Fitted[Any]) -> None:
        """Replace the serving models by a new fit, even if the fit is empty."""
        self.version, self.fitted = version, fitted


def backtest(
    warehouse: Warehouse,
    run: Run,
    n_jobs: int,
    on_progress: OnProgress,
    priors: PriorSource = "none",
) -> PredictReport:
    """Fit and forecast every family at every origin and append the rows to forecast_log.

    `refit: every_run` fits as of each origin; `on_retrain` as of the first origin at which a model
    can be fitted, and that model serves the later ones.

    Args:
        warehouse: holds the panels and the gate for the run's origins.
        run: use case, origins (oldest first), selection and shard.
        n_jobs: processes for a local family.
        on_progress: called with series done and their number, over all families and origins.
        priors: where the priors of pooled families come from.
    """
    future = read_future(warehouse, run)
    in_hand = {family.name: InHand(family) for family in families_of(run.use_case)}
    rows_of = {name: with_factors(warehouse, run, name, future) for name in in_hand}
    report, progress = PredictReport(), _Progress(on_progress, future, len(in_hand))
    for origin in run.origins:
        is_now = future["origin_date"] == pd.Timestamp(origin.origin_date)
        if not is_now.any():
            continue
        due = is_due(run, list(in_hand.values()))
        if due:
            only = replace(run, origins=[origin])
            for new in fit_origins(warehouse, only, n_jobs, progress.within, priors, due):
                in_hand[new.family.name].take(model_version(run, origin), new.fitted)
                _log(warehouse, run, new)
        for one in in_hand.values():
            rows = rows_of[one.family.name][is_now].reset_index(drop=True)
            with of_model(one.family.name):
                found = _forecast(warehouse, run, origin, one, rows, n_jobs)
            if one.family.name == run.use_case.champion:
                report += found
            progress.ended(rows)
    return report


def is_due(run: Run, in_hand: list[InHand]) -> list[Family[Any]]:
    """Families to fit as of the next origin: all if refitted each run, else those with no model."""
    is_every_run = run.use_case.refit == "every_run"
    return [one.family for one in in_hand if is_every_run or not one.fitted.models]


def _log(warehouse: Warehouse, run: Run, one: OriginFit) -> None:
    log_failures(run, one.family.name, one.fitted)
    version = model_version(run, one.origin)
    rows = [{**row, "status": STATUS[row["status"]]} for row in model_rows(run, one, version)]
    parts = (one.family.name, one.origin.origin_date, run.shard.index)
    warehouse.append("model_log", pd.DataFrame(rows), run.job_id("model_log", *parts))


def _forecast(
    warehouse: Warehouse, run: Run, origin: Origin, one: InHand, future: pd.DataFrame, n_jobs: int
) -> PredictReport:
    name = one.family.name
    assigned = assign_fitted(one.family, one.fitted, one.version, future)
    rows = forecast(one.family, assigned, n_jobs, lambda done, total: None)
    parts = (name, origin.origin_date, run.shard.index)
    warehouse.append("forecast_log", log_rows(run, name, rows), run.job_id("forecast_log", *parts))
    log_outcomes(run, name, rows)
    return count_outcomes(rows)


class _Progress:
    """Series done, over all origins and families."""

    def __init__(self, on_progress: OnProgress, future: pd.DataFrame, n_families: int) -> None:
        self.on_progress = on_progress
        self.done = 0
        self.total = n_families * len(future[["series_id", "origin_date"]].drop_duplicates())

    def within(self, done: int, _total: int) -> None:
        """Report progress within one family and origin."""
        self.on_progress(self.done + done, self.total)

    def ended(self, rows: pd.DataFrame) -> None:
        """Count a finished family and origin."""
        self.done += int(rows["series_id"].nunique())
        self.on_progress(self.done, self.total)
