"""Prophet, one model a series, with y_lag1 carried through the horizon in closed form."""

from __future__ import annotations

from typing import Any

import pandas as pd

from python_jobs.families.base import FamilySettings, Fitted, FittedModel, Scope, Tuned
from python_jobs.families.frames import require_columns
from python_jobs.families.prophet.fit import fit_panel
from python_jobs.families.prophet.forecast import KEY, forecast
from python_jobs.families.prophet.model import (
    ProphetModel,
    ProphetOptions,
    dump_model,
    load_model,
    parse_options,
)
from python_jobs.families.prophet.panel import Recipe, read_panel
from python_jobs.families.prophet.pooling import Priors
from python_jobs.families.prophet.recipes import default_candidates

SERIES_PER_CHUNK = 1000
"""Of the batched solver: below this, starting a process costs more than it saves."""


class ProphetFamily:
    """Prophet with y of the period before as an additive regressor.

    Raises:
        ValueError: an option is unknown or impossible, or a regressor is called y_lag1.
    """

    name: str = "prophet"
    scope: Scope = "local"
    uses_features: bool = False

    def __init__(self, settings: FamilySettings) -> None:
        self.settings = settings
        options = dict(settings.options)
        given = options.pop("candidates", None)
        self.options = parse_options(self.name, options)
        self.own_candidates = None if given is None else self._checked(given)
        if "y_lag1" in settings.regressors:
            raise ValueError(f"{self.name}: y_lag1 is not a regressor; set the option y_lag1")
        if self.options.weekly is True and settings.grain != "day":
            raise ValueError(f"{self.name}: option weekly needs daily data")
        if self.options.n_paths <= settings.horizon:
            raise ValueError(
                f"{self.name}: option n_paths ({self.options.n_paths}) must exceed the horizon "
                f"({settings.horizon})"
            )

    def _checked(self, given: object) -> list[dict[str, Any]]:
        if not (isinstance(given, list) and given and all(isinstance(one, dict) for one in given)):
            raise ValueError(f"{self.name}: option candidates is a list of recipes, got {given!r}")
        for recipe in given:
            self._options_with(recipe)
        return given

    @property
    def series_per_chunk(self) -> int | None:
        """How many series a worker should get at a time; None leaves it to the pool."""
        return SERIES_PER_CHUNK if self.options.solver == "batch" else None

    @property
    def is_pooled(self) -> bool:
        """Whether a fit reads priors: the batch solver does, unless the settings say no."""
        return self.options.pooled_priors and self.options.is_batched

    def candidates(self) -> list[dict[str, Any]]:
        """The recipes that `shelfcast tune` tries: those of the settings, else a range of forms."""
        if self.own_candidates is not None:
            return self.own_candidates
        return default_candidates(self.name, self.options)

    def features(self, options: ProphetOptions) -> list[str]:
        """Columns that a new model reads: the regressors, then y_lag1 where it is used."""
        return [*self.settings.regressors, *(["y_lag1"] if options.y_lag1 else [])]

    def fit(
        self,
        panel: pd.DataFrame,
        start: dict[str, ProphetModel] | None = None,
        tuned: Tuned | None = None,
    ) -> Fitted[ProphetModel]:
        """Fit every series; arguments and errors as `Family.fit`.

        `start` is not read: a fit depends on its rows alone, so that an earlier model cannot
        change a later one. Rows with a null y_lag1 are left out where a recipe has the lag, and
        counted in the metric `n_left_out`.

        Raises:
            ValueError: also where a recipe's options are unknown or impossible.
        """
        chosen = self._options_of(tuned)
        features = max(map(self.features, chosen.values()), key=len)
        require_columns(panel, ["series_id", "ds", "y", *features], "panel")
        models: dict[str, FittedModel[ProphetModel]] = {}
        failures: dict[str, str] = {}
        tables = []
        for segment, rows in _by_segment(panel, tuned):
            options = chosen[segment]
            recipe = Recipe(self.name, self.settings, options, self.features(options))
            arrays, refused = read_panel(rows, recipe)
            fit = fit_panel(arrays, recipe, self._priors(options, tuned))
            models |= fit.models
            failures |= refused | fit.failures
            tables.append(fit.coefficients.table())
        order = [str(name) for name in panel["series_id"].unique()]
        return Fitted(
            {name: models[name] for name in order if name in models},
            {name: failures[name] for name in order if name in failures},
            pd.concat(tables, ignore_index=True) if self.is_pooled and tables else None,
        )

    def _options_of(self, tuned: Tuned | None) -> dict[str, ProphetOptions]:
        """By segment, the options in force; those of a series without one under an empty name."""
        recipes = tuned.recipes if tuned else {}
        return {"": self.options} | {
            segment: self._options_with(recipe) for segment, recipe in recipes.items()
        }

    def _options_with(self, recipe: dict[str, Any]) -> ProphetOptions:
        return parse_options(self.name, self.options.model_dump() | recipe)

    def _priors(self, options: ProphetOptions, tuned: Tuned | None) -> Priors:
        if tuned is None or tuned.priors is None or not options.pooled_priors:
            return {}
        own = tuned.priors[tuned.priors["recipe"] == options.label]
        values = zip(own["centre"].astype(float), own["spread"].astype(float), strict=True)
        return dict(zip(own["coefficient"], values, strict=True))

    def predict(self, models: dict[str, ProphetModel], future: pd.DataFrame) -> pd.DataFrame:
        """Forecast a future panel; arguments and result as `Family.predict`.

        Every row is evaluated from stored parameters, all models at once; the lag then rolls
        through the horizon, and so do the paths behind the intervals. Where yhat is null, so is
        interval_source.

        Raises:
            ValueError: a column is missing, a model_version is not in `models`, or a horizon_step
                is outside the horizon or repeated.
        """
        require_columns(future, [*KEY, "target_date"], "future")
        versions = future["model_version"].unique()
        unknown = [str(version) for version in versions if version not in models]
        if unknown:
            raise ValueError(
                f"future: {len(unknown)} model version(s) have no model (first: {unknown[0]})"
            )
        features = {name for version in versions for name in models[version].features}
        require_columns(future, sorted(features), "future")
        return forecast(models, future, self.settings, self.options.n_paths)

    def effects(self, model: ProphetModel) -> dict[str, float]:
        """The effect of one unit of each regressor; see `ProphetModel.effects`."""
        return model.effects

    def dumps(self, model: ProphetModel) -> bytes:
        """Write a model's parameters as one line of JSON, without history."""
        return dump_model(model)

    def loads(self, data: bytes) -> ProphetModel:
        """Read what `dumps` wrote; ValueError says what is wrong with anything else."""
        return load_model(data, self.name)


def _by_segment(panel: pd.DataFrame, tuned: Tuned | None) -> list[tuple[str, pd.DataFrame]]:
    """The rows of a panel by segment, an empty name for series without one."""
    if tuned is None or not tuned.segments:
        return [("", panel)]
    segments = panel["series_id"].map(tuned.segments).fillna("")
    return [(str(name), panel[segments == name]) for name in segments.unique()]


class ProphetNoLagFamily(ProphetFamily):
    """Prophet without y_lag1: no step depends on another.

    Raises:
        ValueError: also where the option y_lag1 asks for the lag.
    """

    name = "prophet_no_lag"

    def __init__(self, settings: FamilySettings) -> None:
        super().__init__(settings)
        recipes = [self.options, *map(self._options_with, self.own_candidates or [])]
        if any(options.y_lag1 for options in recipes):
            raise ValueError("prophet_no_lag: option y_lag1 is true; that is the family prophet")
