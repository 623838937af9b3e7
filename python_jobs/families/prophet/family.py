"""Prophet, one model a series, with y_lag1 carried through the horizon in closed form."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from python_jobs.families.base import FamilySettings, Fitted, FittedModel, Scope, Tuned
from python_jobs.families.frames import require_columns, series_starts
from python_jobs.families.prophet.forecast import KEY, forecast
from python_jobs.families.prophet.model import (
    ProphetModel,
    ProphetOptions,
    dump_model,
    load_model,
    parse_options,
)
from python_jobs.families.prophet.stan import SeriesRefusedError, fit_series, store


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
        change this week's (it would save about a tenth of the time). Rows with a null y_lag1 are
        left out and counted in the metric `n_left_out`.
        """
        require_columns(panel, ["series_id", "ds", "y", *self.features], "panel")
        edges = [*series_starts(panel, "panel").tolist(), len(panel)]
        models: dict[str, FittedModel[ProphetModel]] = {}
        failures: dict[str, str] = {}
        for first, after in pairwise(edges):
            rows = panel.iloc[first:after]
            series_id = str(rows["series_id"].iloc[0])
            _check_order(rows["ds"], series_id)
            try:
                models[series_id] = self._fit_series(rows)
            except SeriesRefusedError as error:
                failures[series_id] = str(error)
        return Fitted(models, failures)

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

    def _fit_series(self, rows: pd.DataFrame) -> FittedModel[ProphetModel]:
        usable = _usable_rows(rows, self.features, self.options)
        varying = [name for name in self.features if usable[name].nunique() > 1]
        prophet = fit_series(usable[["ds", "y", *varying]], self.options, self.settings.grain)
        model = store(prophet, self.name, self.options, self.features)
        return FittedModel(
            model=model,
            train_start=pd.Timestamp(model.train_start),
            train_end=pd.Timestamp(model.train_end),
            n_obs=model.n_obs,
            hyperparameters=_hyperparameters(model),
            metrics={
                "noise_sd": model.sigma_obs * model.y_scale,
                "lag_effect": model.lag_effect,
                "n_left_out": float(len(rows) - len(usable)),
            },
        )


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


def _check_order(ds: pd.Series[pd.Timestamp], series_id: str) -> None:
    is_back = ds.diff() < pd.Timedelta(0)
    if is_back.any():
        raise ValueError(
            f"panel: series {series_id} is not sorted by ds (first: {ds[is_back].iloc[0]:%Y-%m-%d})"
        )


def _usable_rows(rows: pd.DataFrame, features: list[str], options: ProphetOptions) -> pd.DataFrame:
    """Check one series, leave out the rows without a lag, and bring y to model space.

    Returns:
        ds, y and the features (float), y and y_lag1 in model space.

    Raises:
        SeriesRefusedError: a date is null or repeated, too few rows remain, or a value is not
            finite or has no logarithm.
    """
    _check_dates(rows["ds"])
    usable = rows[["ds", "y", *features]].astype(dict.fromkeys(["y", *features], float))
    if options.y_lag1:
        usable = usable[usable["y_lag1"].notna()]
    if len(usable) < options.min_observations:
        raise SeriesRefusedError(
            f"{len(usable)} usable row(s), at least {options.min_observations} are needed"
        )
    for name in ("y", *features):
        _check_values(usable, name, options)
    for name in ("y", "y_lag1") if options.y_lag1 else ("y",):
        usable[name] = options.to_model_space(usable[name].to_numpy())
    return usable


def _check_dates(ds: pd.Series[pd.Timestamp]) -> None:
    if ds.isna().any():
        raise SeriesRefusedError(f"ds is null in {int(ds.isna().sum())} row(s)")
    repeated = ds[ds.duplicated()]
    if len(repeated):
        raise SeriesRefusedError(f"ds {repeated.iloc[0]:%Y-%m-%d} appears more than once")


def _check_values(usable: pd.DataFrame, name: str, options: ProphetOptions) -> None:
    values = usable[name].to_numpy()
    if name in ("y", "y_lag1"):
        values = options.to_model_space(values)
    is_bad = ~np.isfinite(values)
    if is_bad.any():
        value, ds = usable[name][is_bad].iloc[0], usable["ds"][is_bad].iloc[0]
        raise SeriesRefusedError(
            f"{name} is {value:g} on {ds:%Y-%m-%d}, which Prophet cannot use with transform "
            f"{options.transform} ({int(is_bad.sum())} row(s))"
        )


def _hyperparameters(model: ProphetModel) -> dict[str, Any]:
    """List what was set, and what was decided from the series before the fit."""
    kept = {regressor.name for regressor in model.regressors}
    return {
        **model.options.model_dump(),
        "seasonalities": {season.name: season.order for season in model.seasonalities},
        "n_changepoints": len(model.delta),
        "constant_features": [name for name in model.features if name not in kept],
    }
