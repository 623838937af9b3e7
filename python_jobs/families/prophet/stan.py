"""Every call into the prophet package: fit one series with Stan, rebuild a model from its store."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd

from python_jobs.families.prophet.model import (
    FamilyName,
    ProphetModel,
    ProphetOptions,
    Season,
    Switch,
)

if TYPE_CHECKING:
    from prophet import Prophet

FOLDERS = re.compile(r"(?<![\w.])/(?:[^/\s]+/)+")
"""Folders of this machine, which Stan's messages name and nobody else should keep."""

TWO_YEARS = pd.Timedelta(days=730)


class SeriesRefusedError(ValueError):
    """One series cannot be fitted or forecast; the message is the reason, in one sentence."""


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
        if options.growth == "logistic":
            named["cap"] = options.cap_ratio * float(rows["y"].abs().max())
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
    seasons = tuple(
        Season(name=name, period=float(season["period"]), order=season["fourier_order"])  # type: ignore[arg-type]
        for name, season in prophet.seasonalities.items()
    )
    items = fitted.extra_regressors
    with _refusal("store"):
        params = {name: np.ravel(values).astype(float) for name, values in fitted.params.items()}
        n_terms = sum(2 * season.order for season in seasons) + len(items)
        return ProphetModel(
            family=cast(FamilyName, family),
            options=options,
            features=tuple(features),
            train_start=fitted.start.date(),
            train_end=(fitted.start + fitted.t_scale).date(),
            n_obs=len(fitted.history),
            y_scale=float(fitted.y_scale),
            k=float(params["k"][0]),
            m=float(params["m"][0]),
            sigma_obs=float(params["sigma_obs"][0]),
            changepoint_days=np.rint(fitted.changepoints_t * fitted.t_scale.days).astype(np.int64),
            delta=params["delta"],
            seasonalities=seasons,
            regressors=tuple(name.removeprefix("x_") for name in items),
            mu=np.array([float(item["mu"]) for item in items.values()]),
            std=np.array([float(item["std"]) for item in items.values()]),
            beta=params["beta"][:n_terms],
        )


def rebuild(model: ProphetModel) -> Prophet:
    """Make a Prophet that predicts as the fitted one did, from its parameters.

    Its history is one date, for Prophet asks for the last one only.
    """
    prophet = _new_prophet(model.options)
    prophet.start = pd.Timestamp(model.train_start)
    prophet.t_scale = pd.Timedelta(days=model.train_days)
    prophet.y_min, prophet.y_scale = 0.0, model.y_scale
    prophet.changepoints_t = model.changepoint_days / model.train_days
    for name in ("k", "m", "sigma_obs", "delta"):
        prophet.params[name] = np.reshape(getattr(model, name), (1, -1))
    beta = model.beta if len(model.beta) else np.zeros(1)  # Prophet has a dummy term there
    prophet.params["beta"] = beta.reshape(1, -1)
    for season in model.seasonalities:
        prophet.add_seasonality(season.name, season.period, season.order)
    parts = zip(model.regressors, model.mu, model.std, model.modes, strict=True)
    for name, mu, std, mode in parts:
        prophet.extra_regressors[_column(name)] = {
            "prior_scale": model.options.regressor_prior_scale,
            "standardize": "auto",
            "mu": float(mu),
            "std": float(std),
            "mode": mode,
            "predictor_spec": None,
            "predictor": None,
        }
    prophet.component_modes = _component_modes(model)
    prophet.history = pd.DataFrame({"ds": [pd.Timestamp(model.train_end)]})
    return prophet


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


def _component_modes(model: ProphetModel) -> dict[Any, list[str]]:
    """List the terms of each mode; Prophet scales the additive ones by y_scale."""
    mode = model.options.seasonality_mode
    modes = {
        name: [f"{name}_terms", f"extra_regressors_{name}"]
        for name in ("additive", "multiplicative")
    }
    modes[mode] += [season.name for season in model.seasonalities]
    for name, joined in zip(model.regressors, model.modes, strict=True):
        modes[joined].append(_column(name))
    return modes
