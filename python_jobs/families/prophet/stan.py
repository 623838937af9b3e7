"""Every call into the prophet package: fit one series with Stan, rebuild a model, evaluate it."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd

from python_jobs.families.prophet.model import (
    FamilyName,
    ProphetModel,
    ProphetOptions,
    Regressor,
    Season,
    Switch,
)
from python_jobs.families.prophet.paths import FloatArray

if TYPE_CHECKING:
    from prophet import Prophet

FOLDERS = re.compile(r"(?<![\w.])/(?:[^/\s]+/)+")
"""Folders of this machine, which Stan's messages name and nobody else should keep."""

TWO_YEARS = pd.Timedelta(days=730)


class SeriesRefusedError(ValueError):
    """One series cannot be fitted or forecast; the message is the reason, in one sentence."""


@dataclass(frozen=True)
class Terms:
    """A forecast taken apart, model space, one value a row.

    Attributes:
        base: the forecast with y_lag1 at its training mean, where its term is zero.
        trend_gain: change of the forecast per unit of trend.
    """

    base: FloatArray
    trend_gain: FloatArray


def fit_series(
    rows: pd.DataFrame, options: ProphetOptions, grain: Literal["day", "week"]
) -> Prophet:
    """Find the posterior mode of one series with Stan's L-BFGS.

    Left alone, Prophet turns to Newton below 100 rows, which takes eight times as long.

    Args:
        rows: ds, y, then the columns that get a coefficient (y_lag1 among them); y and y_lag1 in
            model space, at least two rows, all finite.
        options: of the family.
        grain: length of a period.

    Raises:
        SeriesRefusedError: Prophet or Stan raised; the reason has the exception's class and text.
    """
    with _refusal("fit"), tempfile.TemporaryDirectory(prefix="shelfcast-stan-") as folder:
        prophet = _new_prophet(options, *_seasons(rows["ds"], options, grain))
        regressors = [name for name in rows.columns if name not in ("ds", "y")]
        for name in regressors:
            prophet.add_regressor(_column(name), **_prior(name, options))
        assert prophet.stan_backend is not None
        prophet.stan_backend.set_options(newton_fallback=False)
        # Stan's files go where they are removed after a failed fit too.
        named = rows.rename(columns={name: _column(name) for name in regressors})
        prophet.fit(named, algorithm="LBFGS", output_dir=folder)
    return prophet


def store(
    prophet: Prophet, family: str, options: ProphetOptions, features: list[str]
) -> ProphetModel:
    """Keep a fitted Prophet's parameters, without its history.

    Raises:
        SeriesRefusedError: a parameter is not finite.
    """
    fitted: Any = prophet  # whose attributes are None before a fit
    with _refusal("store"):
        params = {name: np.ravel(values).tolist() for name, values in fitted.params.items()}
        return ProphetModel(
            family=cast(FamilyName, family),
            options=options,
            features=features,
            train_start=fitted.start.date(),
            train_end=(fitted.start + fitted.t_scale).date(),
            n_obs=len(fitted.history),
            y_scale=fitted.y_scale,
            k=params["k"][0],
            m=params["m"][0],
            sigma_obs=params["sigma_obs"][0],
            changepoint_days=_whole_days(fitted.changepoints_t * fitted.t_scale.days),
            delta=params["delta"],
            seasonalities=_stored_seasons(prophet),
            regressors=_stored_regressors(prophet),
            beta=params["beta"],
        )


def rebuild(model: ProphetModel) -> Prophet:
    """Make a Prophet that predicts as the fitted one did, from its parameters.

    Its history is one date, for Prophet asks for the last one only.
    """
    prophet = _new_prophet(model.options)
    prophet.start = pd.Timestamp(model.train_start)
    prophet.t_scale = pd.Timedelta(days=model.train_days)
    prophet.y_min, prophet.y_scale = 0.0, model.y_scale
    prophet.changepoints_t = np.array(model.changepoint_days) / model.train_days
    for name in ("k", "m", "sigma_obs", "delta", "beta"):
        prophet.params[name] = np.reshape(getattr(model, name), (1, -1))
    for season in model.seasonalities:
        prophet.add_seasonality(season.name, season.period, season.order)
    for item in model.regressors:
        name = _column(item.name)
        prophet.extra_regressors[name] = _rebuilt_regressor(item)
    prophet.component_modes = _component_modes(model)
    prophet.history = pd.DataFrame({"ds": [pd.Timestamp(model.train_end)]})
    return prophet


def evaluate(model: ProphetModel, rows: pd.DataFrame) -> Terms:
    """Ask Prophet once for all origins and steps of a model, with y_lag1 at its training mean.

    Args:
        model: the model of every row.
        rows: target_date and the model's features, finite; y_lag1 is not read.

    Returns:
        Terms in the order of the rows.

    Raises:
        SeriesRefusedError: Prophet raised; the reason has the exception's class and text.
    """
    # Prophet answers sorted by date, whatever the order of the question.
    order = np.argsort(rows["target_date"].to_numpy(), kind="stable")
    asked = rows.iloc[order]
    values: dict[str, Any] = {"ds": asked["target_date"].to_numpy()}
    for item in model.regressors:
        is_lag = item.name == "y_lag1"
        values[_column(item.name)] = item.mu if is_lag else asked[item.name].to_numpy()
    with _refusal("predict"):
        answer = rebuild(model).predict(pd.DataFrame(values))
    base, gain = np.empty(len(rows)), np.empty(len(rows))
    base[order] = answer["yhat"].to_numpy()
    gain[order] = 1 + answer["multiplicative_terms"].to_numpy()
    return Terms(base, gain)


@lru_cache(maxsize=1)
def load_prophet() -> type[Prophet]:
    """Import prophet without its messages: it logs each fit, and that plotly is missing."""
    logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)
    import cmdstanpy
    from prophet import Prophet

    logging.getLogger("prophet").setLevel(logging.CRITICAL)
    cmdstanpy.disable_logging()
    return Prophet


@contextmanager
def _refusal(verb: str) -> Iterator[None]:
    """Turn whatever Prophet and Stan raise into one reason; they document no exceptions."""
    try:
        yield
    except Exception as error:
        text = FOLDERS.sub("", " ".join(str(error).split()))[:300]
        raise SeriesRefusedError(
            f"Prophet could not {verb}: {type(error).__name__}: {text}"
        ) from error


def _new_prophet(options: ProphetOptions, yearly: int = 0, weekly: Switch = False) -> Prophet:
    return load_prophet()(
        growth=options.growth,
        yearly_seasonality=yearly or False,
        weekly_seasonality=weekly,
        daily_seasonality=False,
        changepoint_prior_scale=options.changepoint_prior_scale,
        seasonality_prior_scale=options.seasonality_prior_scale,
        seasonality_mode=options.seasonality_mode,
        uncertainty_samples=0,
    )


def _seasons(
    ds: pd.Series[pd.Timestamp], options: ProphetOptions, grain: Literal["day", "week"]
) -> tuple[int, Switch]:
    """Decide the order of the yearly season, and leave the weekly one of daily data to Prophet."""
    is_long = bool(ds.max() - ds.min() >= TWO_YEARS)
    has_year = is_long if options.yearly == "auto" else options.yearly
    return options.yearly_order if has_year else 0, options.weekly if grain == "day" else False


def _prior(name: str, options: ProphetOptions) -> dict[str, Any]:
    mode = "additive" if name == "y_lag1" else options.seasonality_mode
    return {"prior_scale": options.regressor_prior_scale, "mode": mode}


def _column(name: str) -> str:
    """Prefix a regressor's name, so that none meets one of Prophet's own, such as `holidays`."""
    return f"x_{name}"


def _whole_days(days: FloatArray) -> list[int]:
    whole: list[int] = np.rint(days).astype(int).tolist()
    return whole


def _stored_seasons(prophet: Prophet) -> list[Season]:
    return [
        Season(name=name, period=float(season["period"]), order=season["fourier_order"])  # type: ignore[arg-type]
        for name, season in prophet.seasonalities.items()
    ]


def _stored_regressors(prophet: Prophet) -> list[Regressor]:
    kept = ("mu", "std", "mode", "prior_scale")
    return [
        Regressor(name=name.removeprefix("x_"), **{key: item[key] for key in kept})
        for name, item in prophet.extra_regressors.items()
    ]


def _rebuilt_regressor(item: Regressor) -> dict[str, Any]:
    unused = {"standardize": "auto", "predictor_spec": None, "predictor": None}
    return item.model_dump(exclude={"name"}) | unused


def _component_modes(model: ProphetModel) -> dict[Any, list[str]]:
    """List the terms of each mode; Prophet scales the additive ones by y_scale."""
    mode = model.options.seasonality_mode
    modes = {
        name: [f"{name}_terms", f"extra_regressors_{name}"]
        for name in ("additive", "multiplicative")
    }
    modes[mode] += [season.name for season in model.seasonalities]
    for item in model.regressors:
        modes[item.mode].append(_column(item.name))
    return modes
