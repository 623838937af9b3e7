"""A stored model as stock Prophet's own, with the history that it was fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from python_jobs.families.base import FamilySettings
from python_jobs.families.frames import require_columns
from python_jobs.families.prophet.arrays import FloatArray
from python_jobs.families.prophet.model import ProphetModel
from python_jobs.families.prophet.stan import load_prophet

if TYPE_CHECKING:
    from prophet import Prophet

SAMPLES = 1000
"""Simulated futures behind stock Prophet's own intervals: its default."""

SAME = 1e-6
"""Relative; above it a number of the history is not the one that the model was fitted with."""


def to_stock(model: ProphetModel, panel: pd.DataFrame, interval: float) -> Prophet:
    """Make a fitted stock Prophet with a stored model's parameters and its history.

    Args:
        model: of one series.
        panel: the rows that it was trained on: ds, y and the model's features, in units per
            period. Rows with a null y_lag1 are left out, as in the fit, where the model reads it.
        interval: nominal coverage of Prophet's own intervals, a fraction.

    Returns:
        A Prophet in model space (log1p units, where the model has that transform); its columns
        are those of the model, prefixed with x_ where Prophet reserves the name.

    Raises:
        ValueError: a column is missing, or the panel is not the one of the fit: rows, first or
            last ds, the scale of y, or the mean or deviation of a regressor differ (named, with
            both values).
    """
    require_columns(panel, ["ds", "y", *model.features], "panel")
    rows = _training_rows(model, panel)
    _refuse_differences(_differing_rows(model, rows))
    prophet = _unfitted(model, interval)
    if model.options.growth == "logistic":
        rows["cap"] = model.options.cap_ratio * model.y_scale
    prophet.preprocess(rows.rename(columns=stock_columns(model)))
    _refuse_differences(_differing_scales(model, prophet, rows))
    _set_parameters(model, prophet)
    return prophet


def stock_columns(model: ProphetModel) -> dict[str, str]:
    """Name the exported model's column of each of its regressors."""
    prophet = load_prophet()()
    columns = {}
    for name in model.regressors:
        try:
            prophet.validate_column_name(name)
            columns[name] = name
        except ValueError:
            columns[name] = f"x_{name}"
    return columns


def dump_stock(prophet: Prophet) -> str:
    """Write a fitted Prophet as `prophet.serialize.model_from_json` reads it."""
    from prophet.serialize import model_to_json

    return str(model_to_json(prophet))


def not_expressed(model: ProphetModel, settings: FamilySettings) -> list[str]:
    """List what a stock Prophet does not do and a forecast of this model does, a sentence each."""
    differences = [*_of_the_forecast(model, settings), *_of_the_fit(model)]
    return [sentence for is_so, sentence in differences if is_so]


def _of_the_forecast(model: ProphetModel, settings: FamilySettings) -> list[tuple[bool, str]]:
    options, has_lag = model.options, "y_lag1" in model.regressors
    return [
        (
            options.transform == "log1p",
            "log1p: y, y_lag1 and every forecast are log(1 + units); expm1 leads back.",
        ),
        (
            has_lag,
            "recursion: y_lag1 is a plain regressor of one step, in the units of y; for the next "
            "one, give it the forecast of the step before.",
        ),
        (
            settings.is_nonnegative,
            f"floor: a forecast is not held at zero{', in no step of the recursion' * has_lag}.",
        ),
        (
            model.autocorrelation != 0,
            f"memory: {model.last_residual * model.y_scale:.4g} (y less the fit on "
            f"{model.train_end}) times {model.autocorrelation:.4g}^h is added to the forecast of "
            "period h after that, and paths have that autocorrelation.",
        ),
    ]


def _of_the_fit(model: ProphetModel) -> list[tuple[bool, str]]:
    """Differences of the priors, the intervals and the columns."""
    options, columns = model.options, stock_columns(model)
    renamed = [f"{new} for {name}" for name, new in columns.items() if new != name]
    constant = [name for name in model.features if name not in model.regressors]
    return [
        (
            options.pooled_priors and options.is_batched,
            "priors: where training found the portfolio's, they decided the coefficients; a refit "
            "by Prophet knows its own prior scales only.",
        ),
        (
            True,
            f"interval: Shelfcast's bounds come from {options.n_paths} seeded paths through the "
            "whole horizon; Prophet draws its own for each step, differently each time.",
        ),
        (
            True,
            "calibration: the factors of `interval_calibration` are not in Prophet's bounds.",
        ),
        (bool(renamed), f"names that Prophet keeps for itself: {', '.join(renamed)}."),
        (
            bool(constant),
            f"hardly varied in training, so without effect and left out: {', '.join(constant)}.",
        ),
    ]


def _training_rows(model: ProphetModel, panel: pd.DataFrame) -> pd.DataFrame:
    """The rows of the fit in model space: ds, y, then the regressors."""
    rows = panel[["ds", "y", *model.regressors]].copy()
    if model.options.y_lag1:
        rows = rows[panel["y_lag1"].notna()]
    for name in {"y", "y_lag1"} & set(rows.columns):
        rows[name] = model.options.to_model_space(_floats(rows[name]))
    for name in model.regressors:
        rows[name] = _floats(rows[name])
    return rows.reset_index(drop=True)


def _unfitted(model: ProphetModel, interval: float) -> Prophet:
    options = model.options
    start, days = pd.Timestamp(model.train_start), model.changepoint_days
    prophet: Prophet = load_prophet()(
        growth=options.growth,
        # Without changepoints Prophet has one at time 0 that never acts, and so has the model.
        changepoints=[start + pd.Timedelta(days=int(day)) for day in days if day > 0],
        yearly_seasonality=False,
        weekly_seasonality=False,
        daily_seasonality=False,
        changepoint_prior_scale=options.changepoint_prior_scale,
        seasonality_prior_scale=options.seasonality_prior_scale,
        seasonality_mode=options.seasonality_mode,
        interval_width=interval,
        uncertainty_samples=SAMPLES,
    )
    for season in model.seasonalities:
        prophet.add_seasonality(season.name, season.period, season.order)
    columns = stock_columns(model)
    for name, mode in zip(model.regressors, model.modes, strict=True):
        prior: dict[str, Any] = {"prior_scale": options.regressor_prior_scale, "mode": mode}
        prophet.add_regressor(columns[name], **prior)
    return prophet


def _set_parameters(model: ProphetModel, prophet: Prophet) -> None:
    """Replace the scales of preprocessing by the fitted ones; they agree up to rounding."""
    prophet.y_scale = model.y_scale
    prophet.changepoints_t = model.changepoint_days / model.train_days
    parts = zip(stock_columns(model).values(), model.mu, model.std, strict=True)
    for column, mu, std in parts:
        prophet.extra_regressors[column] |= {"mu": float(mu), "std": float(std)}
    for name in ("k", "m", "sigma_obs", "delta"):
        prophet.params[name] = np.reshape(getattr(model, name), (1, -1))
    beta = model.beta if len(model.beta) else np.zeros(1)  # Prophet has a dummy term there
    prophet.params["beta"] = beta.reshape(1, -1)


def _differing_rows(model: ProphetModel, rows: pd.DataFrame) -> list[str]:
    ds = pd.to_datetime(rows["ds"])
    found = (len(rows), *((ds.min().date(), ds.max().date()) if len(rows) else (None, None)))
    fitted = (model.n_obs, model.train_start, model.train_end)
    names = ("rows", "first ds", "last ds")
    pairs = zip(names, found, fitted, strict=True)
    return [f"{name} {here}, fitted with {there}" for name, here, there in pairs if here != there]


def _differing_scales(model: ProphetModel, prophet: Prophet, rows: pd.DataFrame) -> list[str]:
    columns = stock_columns(model)
    items = [prophet.extra_regressors[columns[name]] for name in model.regressors]
    assert prophet.y_scale is not None  # it has preprocessed
    pairs = [("scale of y", float(prophet.y_scale), model.y_scale, model.y_scale)]
    for i, (name, item) in enumerate(zip(model.regressors, items, strict=True)):
        std = float(model.std[i])
        # Prophet leaves a constant as it is; a model with a prior of its effect takes it off.
        mean = item["mu"] if rows[name].nunique() > 1 else float(rows[name].iloc[0])
        pairs += [
            (f"mean of {name}", mean, model.mu[i], std),
            (f"deviation of {name}", item["std"], std, std),
        ]
    return [
        f"{name} {here:g}, fitted with {there:g}"
        for name, here, there, unit in pairs
        if abs(here - there) > SAME * unit
    ]


def _refuse_differences(differences: list[str]) -> None:
    if differences:
        raise ValueError(f"the history is not that of the fit: {'; '.join(differences)}")


def _floats(values: pd.Series[float]) -> FloatArray:
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
