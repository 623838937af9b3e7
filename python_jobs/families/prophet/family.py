"""Prophet, one model a series, with y_lag1 carried through the horizon in closed form."""

from __future__ import annotations

import pandas as pd

from python_jobs.families.base import FamilySettings, Fitted, Scope, Tuned
from python_jobs.families.frames import require_columns
from python_jobs.families.prophet.fit import fit_panel
from python_jobs.families.prophet.forecast import KEY, forecast
from python_jobs.families.prophet.model import (
    ProphetModel,
    dump_model,
    load_model,
    parse_options,
)
from python_jobs.families.prophet.panel import Recipe, read_panel

SERIES_PER_CHUNK = 1000
"""Of the batched solver: below this, starting a process costs more than it saves."""


class ProphetFamily:
    """Prophet with y of the period before as an additive regressor.

    Raises:
        ValueError: an option is unknown or impossible, or a regressor is called y_lag1.
    """

    name: str = "prophet"
    scope: Scope = "local"

    def __init__(self, settings: FamilySettings) -> None:
        self.settings = settings
        self.options = parse_options(self.name, settings.options)
        if "y_lag1" in settings.regressors:
            raise ValueError(f"{self.name}: y_lag1 is not a regressor; set the option y_lag1")
        if self.options.weekly is True and settings.grain != "day":
            raise ValueError(f"{self.name}: option weekly needs daily data")
        if self.options.n_paths <= settings.horizon:
            raise ValueError(
                f"{self.name}: option n_paths ({self.options.n_paths}) must exceed the horizon "
                f"({settings.horizon})"
            )

    @property
    def series_per_chunk(self) -> int | None:
        """How many series a worker should get at a time; None leaves it to the pool."""
        return SERIES_PER_CHUNK if self.options.solver == "batch" else None

    @property
    def features(self) -> list[str]:
        """Columns that a new model reads: the regressors, then y_lag1 where it is used."""
        return [*self.settings.regressors, *(["y_lag1"] if self.options.y_lag1 else [])]

    def fit(
        self,
        panel: pd.DataFrame,
        start: dict[str, ProphetModel] | None = None,
        tuned: Tuned | None = None,
    ) -> Fitted[ProphetModel]:
        """Fit every series; arguments and errors as `Family.fit`.

        `start` is not read: a fit depends on its rows alone, so that last week's model cannot
        change this week's. Rows with a null y_lag1 are left out and counted in the metric
        `n_left_out`.
        """
        require_columns(panel, ["series_id", "ds", "y", *self.features], "panel")
        recipe = Recipe(self.name, self.settings, self.options, self.features)
        arrays, failures = read_panel(panel, recipe)
        models, failed = fit_panel(arrays, recipe)
        order = [str(name) for name in panel["series_id"].unique()]
        failures |= failed
        return Fitted(
            {name: models[name] for name in order if name in models},
            {name: failures[name] for name in order if name in failures},
        )

    def predict(self, models: dict[str, ProphetModel], future: pd.DataFrame) -> pd.DataFrame:
        """Forecast a future panel; arguments and result as `Family.predict`.

        Prophet is asked once a model, for all its origins and steps; the lag then rolls through
        the horizon for all series at once, and so do the paths behind the intervals. Where yhat
        is null, so is interval_source.

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

    def dumps(self, model: ProphetModel) -> bytes:
        """Write a model's parameters as one line of JSON, without history."""
        return dump_model(model)

    def loads(self, data: bytes) -> ProphetModel:
        """Read what `dumps` wrote; ValueError says what is wrong with anything else."""
        return load_model(data, self.name)


class ProphetNoLagFamily(ProphetFamily):
    """Prophet without y_lag1: no step depends on another.

    Raises:
        ValueError: also where the option y_lag1 asks for the lag.
    """

    name = "prophet_no_lag"

    def __init__(self, settings: FamilySettings) -> None:
        super().__init__(settings)
        if self.options.y_lag1:
            raise ValueError("prophet_no_lag: option y_lag1 is true; that is the family prophet")
