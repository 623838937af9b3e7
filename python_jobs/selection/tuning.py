"""Choose the recipes of tunable families by backtest: fit, pool, fit again, score, choose, write.

Candidates are fitted as of past origins and scored on the actuals that the tune's own origin knows;
nothing after it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from python_jobs.families.base import Fitted, TunableFamily, Tuned
from python_jobs.fitting.coefficients import write_coefficients
from python_jobs.fitting.fit import (
    WHOLE,
    PriorSource,
    families_of,
    fit,
    is_pooled,
    read_panel,
    read_priors,
    tunable,
)
from python_jobs.fitting.pool import OnProgress
from python_jobs.infra.errors import RunStopped
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.run import Run, of_model
from python_jobs.infra.schedule import Origin
from python_jobs.infra.scope import is_whole_portfolio
from python_jobs.infra.settings import UseCase
from python_jobs.infra.warehouse import Warehouse
from python_jobs.prediction.predict import assign_fitted, forecast, log_rows, read_future
from python_jobs.selection.choosing import Choices, choose, score
from python_jobs.selection.tune_record import recipe_rows, to_json
from python_jobs.selection.tune_series import MAX_SERIES, sample_series, too_short

VERSION = "tune"
"""The version of the models that live only while their candidate is scored."""

ACTUALS = """
select series_id, ds as target_date, y
from {history}
where origin_date = @origin_date and is_observed and series_id in unnest(@series)
"""

ROW = ["series_id", "origin_date", "target_date", "horizon_step"]


class NothingToScore(RunStopped):
    """History is too short for the validation origins, or no candidate forecast a scored row."""


@dataclass
class TuneReport:
    """Counts and choices of a tune.

    Attributes:
        n_scored: rows that all candidates of the champion (or the first tunable family) forecast.
        n_chosen: recipes that were chosen, over all families.
        chosen: by family and segment, the options.
    """

    n_scored: int = 0
    n_chosen: int = 0
    chosen: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [
            f"{family}: " + ", ".join(f"{one} {to_json(options)}" for one, options in those.items())
            for family, those in self.chosen.items()
        ]
        return f"{self.n_chosen} recipes chosen on {self.n_scored} rows; {'; '.join(parts)}"


def tunable_families(use_case: UseCase) -> list[TunableFamily[Any]]:
    """The use case's families that have recipes to choose from.

    Raises:
        RunStopped: none has.
    """
    able = [tunable(family) for family in families_of(use_case)]
    found = [family for family in able if family is not None and len(family.candidates()) > 1]
    if not found:
        raise RunStopped(
            f"{use_case.name}: nothing to tune. None of its families "
            f"({', '.join(use_case.families)}) has more than one recipe to choose from."
        )
    return found


@dataclass
class Tuning:
    """One tune of one use case, after dbt has built the panels of its origins.

    Attributes:
        warehouse: holds the panels; gets coefficients, forecasts, scores and choices.
        run: of kind tune; its last origin is the tune's own, the others are for validation.
        families: with candidates.
        n_jobs: processes for a local family.
        on_progress: called with fits done and their number.
        max_series: more than these are sampled.
        priors: of pooled families: this run's own, after `pool`, or those in force at each origin.
        is_of_each: each series chooses for itself, whatever the settings say.
    """

    warehouse: Warehouse
    run: Run
    families: list[TunableFamily[Any]]
    n_jobs: int
    on_progress: OnProgress
    max_series: int = MAX_SERIES
    priors: PriorSource = "run"
    is_of_each: bool = False

    @property
    def current(self) -> Origin:
        """The tune's own origin."""
        return self.run.origins[-1]

    @cached_property
    def series(self) -> pd.DataFrame:
        """The series to tune on: series_id, segment (demand class at the current origin).

        Raises:
            RunStopped: more were selected than are chosen for one by one.
        """
        return sample_series(self.warehouse, self.run, self.max_series)

    @property
    def is_per_series(self) -> bool:
        """Whether series get recipes of their own; a sample cannot say what the rest should get."""
        is_sampled = len(self.series) < int(self.series["n_series"].max())
        return (self.is_of_each or self.run.use_case.recipe_per == "series") and not is_sampled

    @cached_property
    def panels(self) -> list[tuple[Origin, pd.DataFrame]]:
        """The training panel of each validation origin at which some series can be forecast.

        Raises:
            RunStopped: there is none (with the history that it would take).
        """
        names = self.series["series_id"].tolist()
        read = [
            (origin, read_panel(self.warehouse, self.run, origin, names))
            for origin in self.run.origins[:-1]
        ]
        kept = [(origin, panel) for origin, panel in read if len(panel)]
        if not kept:
            raise NothingToScore(too_short(self.warehouse, self.run))
        if len(kept) < len(read):
            warn(
                Event.TUNED,
                f"tune: only {len(kept)} of {len(read)} validation origins have a series that can "
                "be forecast; the others are left out.",
                run_id=self.run.run_id,
            )
        return kept

    @cached_property
    def future(self) -> pd.DataFrame:
        """The future panel of the validation origins, as known then."""
        names = self.series["series_id"].tolist()
        rows = read_future(self.warehouse, self.run, names, ignore_decisions=True)
        origins = [pd.Timestamp(origin.origin_date) for origin, _ in self.panels]
        rows = rows[rows["origin_date"].isin(origins)].reset_index(drop=True)
        return rows.assign(interval_factor=float("nan"), segment=None)

    @cached_property
    def actuals(self) -> pd.DataFrame:
        """Actuals as of the tune's own origin: series_id, target_date, y."""
        statement = ACTUALS.replace("{history}", f"{{{self.run.use_case.name}_history}}")
        return self.warehouse.read(
            statement,
            origin_date=self.current.origin_date,
            series=self.series["series_id"].tolist(),
        )

    def pool(self) -> int:
        """Fit every candidate of the pooled families without priors and log the coefficients.

        Returns:
            Fits that gave coefficients.
        """
        n_fitted = 0
        for family in self.families:
            if is_pooled(family):
                with of_model(family.name):
                    n_fitted += self._pool(family)
        return n_fitted

    def _pool(self, family: TunableFamily[Any]) -> int:
        n_fitted = 0
        for origin, panel in self.panels:
            tables = []
            for number, options in enumerate(family.candidates()):
                fitted = self._fit(family, panel, options, None)
                n_fitted += len(fitted.models)
                if fitted.coefficients is not None:
                    tables.append(_tagged(fitted.coefficients, number))
            rows = pd.concat(tables, ignore_index=True) if tables else None
            write_coefficients(self.warehouse, self.run, origin, family, rows)
        return n_fitted

    def choose(self) -> TuneReport:
        """Fit every candidate with the priors of this run, score, choose, and write it all down.

        Raises:
            RunStopped: no candidate of a family forecast a row whose actual is known.
        """
        report = TuneReport()
        for family in self.families:
            with of_model(family.name):
                choices, tried = self.compare(family)
                self._write(family, choices, tried)
            report.n_scored = report.n_scored or choices.scores[WHOLE].n_scored
            report.n_chosen += len(choices.by_segment) + len(choices.by_series)
            report.chosen[family.name] = {
                segment: family.candidates()[number]
                for segment, number in choices.by_segment.items()
            }
        return report

    def compare(self, family: TunableFamily[Any]) -> tuple[Choices, list[pd.DataFrame]]:
        """Fit, score and choose for one family; nothing is written.

        Returns:
            The choices, and each candidate's rows of the future panel.

        Raises:
            NothingToScore: no candidate forecast a row whose actual is known.
        """
        tried = [self._forecasts(family, number) for number in range(len(family.candidates()))]
        y, yhat, keys = self._scored_rows(tried)
        return self._choices(family, y, yhat, keys), tried

    def _fit(
        self,
        family: TunableFamily[Any],
        panel: pd.DataFrame,
        options: dict[str, Any],
        priors: pd.DataFrame | None,
    ) -> Fitted[Any]:
        segments = dict.fromkeys(map(str, panel["series_id"].unique()), WHOLE)
        tuned = Tuned({WHOLE: options}, segments, priors)
        return fit(family, panel, self.n_jobs, self.on_progress, tuned)

    def _forecasts(self, family: TunableFamily[Any], number: int) -> pd.DataFrame:
        """One candidate's rows of the future panel, at every validation origin."""
        parts = []
        for origin, panel in self.panels:
            options = family.candidates()[number]
            fitted = self._fit(family, panel, options, self._priors(family, origin, number))
            day = pd.Timestamp(origin.origin_date)
            rows = self.future[self.future["origin_date"] == day].reset_index(drop=True)
            assigned = assign_fitted(family, fitted, VERSION, rows)
            parts.append(forecast(family, assigned, self.n_jobs, self.on_progress))
        return pd.concat(parts, ignore_index=True)

    def _priors(
        self, family: TunableFamily[Any], origin: Origin, number: int
    ) -> pd.DataFrame | None:
        if not is_pooled(family):
            return None
        rows = read_priors(self.warehouse, self.run, origin, family.name, self.priors)
        own = _untagged(rows, number) if self.priors == "run" else rows
        return own[["recipe", "coefficient", "centre", "spread", "n_series"]] if len(own) else None

    def _scored_rows(
        self, tried: list[pd.DataFrame]
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], pd.DataFrame]:
        """Rows that go to a model and whose actual is known: y, yhat by candidate, series_id."""
        wide = tried[0].loc[tried[0]["route"] == "model", ROW]
        for number, rows in enumerate(tried):
            wide = wide.merge(
                rows[[*ROW, "yhat"]].rename(columns={"yhat": f"yhat_{number}"}),
                on=ROW,
                how="left",
                validate="one_to_one",
            )
        wide = wide.merge(self.actuals, on=["series_id", "target_date"], validate="many_to_one")
        wide = wide.merge(self.series[["series_id", "segment"]], on="series_id")
        columns = [f"yhat_{number}" for number in range(len(tried))]
        yhat = wide[columns].astype(float).to_numpy()
        return wide["y"].astype(float).to_numpy(), yhat, wide[["series_id", "segment"]]

    def _choices(
        self,
        family: TunableFamily[Any],
        y: np.ndarray[Any, Any],
        yhat: np.ndarray[Any, Any],
        keys: pd.DataFrame,
    ) -> Choices:
        whole = score(y, yhat)
        if not whole.n_scored:
            raise NothingToScore(
                f"tune: no candidate of {family.name} forecast a row whose actual is known "
                f"({len(y)} rows were there to score). Look at `shelfcast train` and its failures."
            )
        segments = sorted(self.series["segment"].unique())
        if self.run.use_case.recipe_per == "portfolio":
            segments = []
        choices = Choices({WHOLE: whole}, {WHOLE: choose(whole.wape) or 0})
        for segment in segments:
            is_in = (keys["segment"] == segment).to_numpy()
            choices.add_segment(
                segment, score(y[is_in], yhat[is_in]), self.run.use_case.min_segment_rows
            )
        is_whole = is_whole_portfolio(self.run)
        rows_of = keys.groupby("series_id").indices if self.is_per_series else {}
        for row in self.series.itertuples():
            if self.is_per_series:
                rows = rows_of.get(row.series_id, np.array([], dtype=int))
                choices.add_series(row.series_id, row.segment, score(y[rows], yhat[rows]))
            elif not is_whole:
                choices.by_series[row.series_id] = choices.of(row.series_id, row.segment)
        return choices

    def _write(
        self, family: TunableFamily[Any], choices: Choices, tried: list[pd.DataFrame]
    ) -> None:
        """Forecasts first: the choice is in force once it is in the log."""
        number = {
            row.series_id: choices.of(row.series_id, row.segment)
            for row in self.series.itertuples()
        }
        parts = [
            rows[rows["series_id"].map(number) == candidate] for candidate, rows in enumerate(tried)
        ]
        rows = pd.concat(parts).sort_values(ROW).reset_index(drop=True)
        self.warehouse.append(
            "forecast_log",
            log_rows(self.run, family.name, rows.assign(model_version=None)),
            self.run.job_id("forecast_log", family.name, self.run.shard.index),
        )
        self.warehouse.append(
            "model_log",
            pd.DataFrame(recipe_rows(self.run, family, choices, self.series)),
            self.run.job_id("model_log", family.name, "tune", self.run.shard.index),
        )


def _tagged(coefficients: pd.DataFrame, number: int) -> pd.DataFrame:
    """Prefix recipe names so that coefficients of two candidates never mix."""
    return coefficients.assign(recipe=f"candidate {number}: " + coefficients["recipe"])


def _untagged(priors: pd.DataFrame, number: int) -> pd.DataFrame:
    tag = f"candidate {number}: "
    own = priors[priors["recipe"].str.startswith(tag)]
    return own.assign(recipe=own["recipe"].str.removeprefix(tag))
