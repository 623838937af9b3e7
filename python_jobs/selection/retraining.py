"""Retrain some series: choose a challenger's recipe, compare it with the champion's, fit, decide.

Nothing is logged here and nothing promoted: `retrain_record` does both, by what is decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import orjson
import pandas as pd

from python_jobs.families.base import Family, Fitted, Tuned
from python_jobs.fitting.fit import (
    Learned,
    OriginFit,
    PriorSource,
    fit,
    is_pooled,
    read_learned,
    read_panel,
    read_priors,
    rows_for,
    tunable,
)
from python_jobs.fitting.pool import OnProgress
from python_jobs.fitting.train import is_for_people, model_version, store_fit
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.run import Run, Selection
from python_jobs.infra.schedule import Origin
from python_jobs.infra.scope import series_in_scope
from python_jobs.infra.series import series_seed
from python_jobs.infra.store import ModelStore
from python_jobs.infra.warehouse import Warehouse
from python_jobs.prediction.predict import assign_fitted, forecast, read_future
from python_jobs.registry.promotion import serving_versions
from python_jobs.selection.deciding import (
    CHALLENGER,
    CHAMPION,
    Comparison,
    Rule,
    Verdict,
    chance_of_promotion,
    decide,
)
from python_jobs.selection.outcomes import NO_ROWS, Outcome, comparison_of, metrics_of
from python_jobs.selection.retrain_record import Options, Record
from python_jobs.selection.retrain_series import Chosen, RetrainOrigins
from python_jobs.selection.tune_record import to_json
from python_jobs.selection.tuning import ACTUALS, ROW, NothingToScore, Tuning

BASELINE = """
select series_id, origin_date, target_date, horizon_step, yhat as baseline
from {baselines}
where run_id = @run_id and model_name = @baseline and {scope}
"""

TUNED_AS_OF = """
select distinct run_id, tuned_as_of_at
from {recipes}
where use_case = @use_case and model_name = @model_name and origin_date = @origin_date
"""


@dataclass
class Retraining:
    """One retraining, after dbt has built the panels of its origins.

    Attributes:
        warehouse: holds panels, recipes and priors.
        store: gets the models.
        run: of kind retrain, its selection the chosen series by name.
        origins: as `run.origins`, each in its part.
        family: the champion, local.
        chosen: the series.
        n_jobs: processes.
        on_progress: called with series done and their number.
    """

    warehouse: Warehouse
    store: ModelStore
    run: Run
    origins: RetrainOrigins
    family: Family[Any]
    chosen: Chosen
    n_jobs: int
    on_progress: OnProgress

    @property
    def rule(self) -> Rule:
        """The settings' rule of promotion."""
        settings = self.run.use_case.retraining
        return Rule(settings.margin, settings.min_periods, settings.origins, settings.baseline)

    @cached_property
    def learned(self) -> Learned:
        """The recipes and priors in force now, as training would take them."""
        if tunable(self.family) is None:
            return Learned(Tuned())
        source: PriorSource = "in_force" if is_pooled(self.family) else "none"
        return read_learned(
            self.warehouse, self.run, self.origins.current, self.family.name, source
        )

    @cached_property
    def champions(self) -> dict[str, Options]:
        """The recipe in force, by series_id."""
        recipes, segments = self.learned.tuned.recipes, self.learned.tuned.segments
        return {
            name: recipes[segments[name]] if name in segments else {}
            for name in self.chosen.classes
        }

    def decide(self) -> Record:
        """Compare where origins say so, fit as of now, and store the models; log nothing."""
        challengers, tried = self._challengers() if self.origins.comparison else ({}, {})
        differing = {
            name: options
            for name, options in challengers.items()
            if options != self.champions[name]
        }
        compared = self._comparisons(differing) if self.origins.comparison else {}
        champion, challenger = self._fit_now(self.champions), self._fit_now(differing)
        outcomes = {
            name: self._outcome(name, compared.get(name), champion.fitted, challenger.fitted)
            for name in self.chosen.classes
        }
        models = self._stored(champion, "champion", outcomes)
        models += self._stored(challenger, "challenger", outcomes)
        return self._record(outcomes, differing, tried, models)

    # Choosing the challenger's recipe

    def _challengers(self) -> tuple[dict[str, Options], dict[str, list[dict[str, Any]]]]:
        """Tune a challenger recipe for each series on origins before the comparison."""
        family = tunable(self.family)
        if family is None or not self.origins.tuning:
            return {}, {}
        origins = [*self.origins.tuning, self.origins.comparison[0]]
        tuning = Tuning(
            self.warehouse,
            replace(self.run, origins=origins),
            [family],
            self.n_jobs,
            self.on_progress,
            max_series=len(self.chosen.classes),
            priors="in_force",
            is_of_each=True,
        )
        try:
            choices, _ = tuning.compare(family)
        except NothingToScore as error:
            warn(Event.TUNED, f"retrain: no challenger. {error}", run_id=self.run.run_id)
            return {}, {}
        options = family.candidates()
        tried = {
            name: [
                {"recipe": recipe, "wape": wape}
                for recipe, wape in zip(options, scores.wape, strict=True)
            ]
            for name, scores in choices.series_scores.items()
        }
        return {name: options[number] for name, number in choices.by_series.items()}, tried

    # Comparing

    def _comparisons(self, challengers: dict[str, Options]) -> dict[str, Comparison]:
        """Fit both recipes as of the comparison origins and score them on later actuals."""
        future = read_future(self.warehouse, self.run, ignore_decisions=True)
        future = future[future["route"] == "model"].assign(interval_factor=np.nan, segment=None)
        parts = []
        for origin in self.origins.comparison:
            is_now = future["origin_date"] == pd.Timestamp(origin.origin_date)
            rows = future[is_now].reset_index(drop=True)
            panel = read_panel(self.warehouse, self.run, origin)
            parts.append(
                rows[ROW].assign(
                    champion=self._forecast(origin, panel, rows, self.champions),
                    challenger=self._forecast(origin, panel, rows, challengers),
                )
            )
        rows = pd.concat(parts, ignore_index=True)
        rows = rows.merge(self._baseline(), how="left", on=ROW, validate="one_to_one")
        rows = rows.merge(
            self._actuals(), on=["series_id", "target_date"], validate="many_to_one"
        ).dropna(subset=["y"])
        return {str(name): comparison_of(those) for name, those in rows.groupby("series_id")}

    def _forecast(
        self, origin: Origin, panel: pd.DataFrame, rows: pd.DataFrame, recipes: dict[str, Options]
    ) -> pd.Series[float]:
        """Forecasts of recipes fitted as of an origin; null where a recipe gives none."""
        asked = rows[rows["series_id"].isin(list(recipes))]
        panel = panel[panel["series_id"].isin(list(recipes))].reset_index(drop=True)
        if asked.empty or panel.empty:
            return pd.Series(np.nan, index=rows.index)
        tuned = by_recipe(recipes, self._priors(origin))
        fitted = fit(self.family, panel, self.n_jobs, self.on_progress, tuned)
        assigned = assign_fitted(self.family, fitted, "compared", asked.reset_index(drop=True))
        forecasts = forecast(self.family, assigned, self.n_jobs, lambda done, total: None)
        yhat = pd.Series(forecasts["yhat"].astype(float).to_numpy(), index=asked.index)
        return yhat.reindex(rows.index)

    def _priors(self, origin: Origin) -> pd.DataFrame | None:
        """Priors that training as of an origin would have used."""
        if not is_pooled(self.family):
            return None
        rows = read_priors(self.warehouse, self.run, origin, self.family.name, "in_force")
        return rows[["recipe", "coefficient", "centre", "spread", "n_series"]]

    def _baseline(self) -> pd.DataFrame:
        condition, parameters = series_in_scope(self.run)
        statement = BASELINE.replace("{baselines}", f"{{{self.run.use_case.name}_baselines}}")
        return self.warehouse.read(
            statement.replace("{scope}", condition),
            run_id=self.run.run_id,
            baseline=self.rule.baseline,
            **parameters,
        )

    def _actuals(self) -> pd.DataFrame:
        """Actuals known now: series_id, target_date, y."""
        statement = ACTUALS.replace("{history}", f"{{{self.run.use_case.name}_history}}")
        return self.warehouse.read(
            statement,
            origin_date=self.origins.current.origin_date,
            series=list(self.chosen.classes),
        )

    # Fitting as of now

    def _fit_now(self, recipes: dict[str, Options]) -> OriginFit:
        """Fit series with their recipes on the whole history."""
        origin = self.origins.current
        names = list(recipes)
        if not names:
            return OriginFit(origin, self.family, Fitted({}), pd.DataFrame(), None)
        panel = rows_for(self.family, read_panel(self.warehouse, self.run, origin, names))
        learned = self._learned_of(recipes) if tunable(self.family) is not None else None
        tuned = learned.tuned if learned else None
        fitted = fit(self.family, panel, self.n_jobs, self.on_progress, tuned)
        return OriginFit(origin, self.family, fitted, panel, learned)

    def _learned_of(self, recipes: dict[str, Options]) -> Learned:
        """Provenance of a fit with these recipes; a challenger's recipe is from this run."""
        if recipes is self.champions:
            return self.learned
        tuned = by_recipe(recipes, self.learned.tuned.priors)
        tunes = dict.fromkeys(tuned.recipes, self.run.run_id)
        return replace(self.learned, tuned=tuned, classes=self.chosen.classes, tunes=tunes)

    def version(self, part: str) -> str:
        """The version of the champion's or the challenger's models."""
        return f"{model_version(self.run, self.origins.current)}-{part}"

    def _stored(
        self, one: OriginFit, part: str, outcomes: Mapping[str, Outcome]
    ) -> list[dict[str, Any]]:
        if not one.fitted.models and not one.fitted.failures:
            return []
        rows, _ = store_fit(self.store, self.run, one, part, self.version(part))
        for row in rows:
            outcome = outcomes[row["series_id"]]
            if row["status"] == "trained" and outcome.comparison is not None:
                index = CHAMPION if part == "champion" else CHALLENGER
                validation = metrics_of(outcome.comparison, index)
                row["metrics"] = to_json(orjson.loads(row["metrics"]) | {"validation": validation})
        return rows

    # Deciding

    def _outcome(
        self,
        name: str,
        comparison: Comparison | None,
        champion: Fitted[Any],
        challenger: Fitted[Any],
    ) -> Outcome:
        hyperparameters = {
            part: fitted.models[name].hyperparameters if name in fitted.models else None
            for part, fitted in (("champion", champion), ("challenger", challenger))
        }
        if not self.origins.comparison:
            verdict = Verdict("refitted", "fitted again with the recipe in force")
            return Outcome(verdict, None, None, hyperparameters)
        if comparison is None:
            comparison = comparison_of(NO_ROWS)
        verdict = decide(comparison, self.rule)
        if verdict.is_promotion and name not in challenger.models:
            why = challenger.failures.get(name, "it gave no model")
            verdict = Verdict("kept", f"the challenger could not be fitted as of now: {why}")
        seed = series_seed(name, self.origins.current.origin_date, self.run.use_case.seed)
        simulations = self.run.use_case.retraining.simulations
        chance = chance_of_promotion(comparison, self.rule, seed, simulations)
        return Outcome(verdict, comparison, chance, hyperparameters)

    def _record(
        self,
        outcomes: dict[str, Outcome],
        challengers: dict[str, Options],
        tried: dict[str, list[dict[str, Any]]],
        models: list[dict[str, Any]],
    ) -> Record:
        known = [one.chance for one in outcomes.values() if one.chance is not None]
        chance = float(np.mean(known)) if known else None
        seen, served = self._champion_saw(), self._served_before()
        series = {
            name: self._entry(name, outcome, challengers.get(name))
            for name, outcome in outcomes.items()
        }
        for name, one in series.items():
            one["numbers"] |= {
                "run_chance_promotion_rate": chance,
                "champion_saw_these_periods": name in seen,
                "tried": tried.get(name, []),
                "served_before": served.get(name),
            }
        whole = replace(self.run, selection=Selection())
        has_copies = is_for_people(self.warehouse, whole, self.origins.current)
        return Record(datetime.now(UTC).isoformat(), series, models, has_copies, chance)

    def _entry(self, name: str, outcome: Outcome, challenger: Options | None) -> dict[str, Any]:
        """The stored record of one series."""
        versions = {
            part: self.version(part) if outcome.hyperparameters[part] is not None else None
            for part in ("champion", "challenger")
        }
        summary = {"decision": outcome.verdict.decision, "why": outcome.verdict.why}
        is_promoted = outcome.verdict.is_promotion
        return {
            **summary,
            "segment": self.chosen.classes[name],
            "recipe": challenger if is_promoted else None,
            "winner": versions["challenger" if is_promoted else "champion"],
            "loser": versions["champion" if is_promoted else "challenger"],
            "numbers": {
                **summary,
                **asdict(self.chosen.why[name]),
                "champion": outcome.of("champion", self.champions[name]),
                "challenger": None if challenger is None else outcome.of("challenger", challenger),
                **self._numbers_of_comparison(outcome),
                **{f"{part}_version": version for part, version in versions.items()},
            },
        }

    def _numbers_of_comparison(self, outcome: Outcome) -> dict[str, Any]:
        comparison = outcome.comparison
        if comparison is None:
            return {"baseline": None}
        scores = comparison.scores
        return {
            "baseline": {"name": self.rule.baseline, "wape": scores.wape[-1]},
            "n_scored": scores.n_scored,
            "n_removed": scores.n_removed,
            "n_periods": comparison.n_periods,
            "n_origins": comparison.n_origins,
            "origins": [f"{origin.origin_date}" for origin in self.origins.comparison],
            "margin": self.rule.margin,
            "chance_promotion_rate": outcome.chance,
        }

    def _champion_saw(self) -> set[str]:
        """Series whose recipe in force was chosen after the first comparison origin."""
        if not self.origins.comparison or not self.learned.tunes:
            return set()
        rows = self.warehouse.read(
            TUNED_AS_OF,
            use_case=self.run.use_case.name,
            model_name=self.family.name,
            origin_date=self.origins.current.origin_date,
        )
        first = self.origins.comparison[0].as_of_at
        late = set(rows.loc[rows["tuned_as_of_at"] > first, "run_id"])
        segments = self.learned.tuned.segments
        return {
            name
            for name in self.chosen.classes
            if name in segments and self.learned.tunes[segments[name]] in late
        }

    def _served_before(self) -> dict[str, str]:
        return serving_versions(
            self.warehouse,
            self.run.use_case,
            self.family.name,
            list(self.chosen.classes),
            self.origins.current.as_of_at,
        )


def by_recipe(recipes: Mapping[str, Options], priors: pd.DataFrame | None) -> Tuned:
    """Group series by recipe; each recipe is a segment."""
    segments = {name: to_json(options) for name, options in recipes.items()}
    return Tuned({segments[name]: dict(one) for name, one in recipes.items()}, segments, priors)
