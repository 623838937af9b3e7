"""Fit many series at once: from a panel to stored models, by the batched solver or by Stan."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd

from python_jobs.families.base import FittedModel
from python_jobs.families.prophet.arrays import BoolArray, IntArray
from python_jobs.families.prophet.design import Histories, Scaled, scale
from python_jobs.families.prophet.model import FamilyName, ProphetModel, ProphetOptions, Season
from python_jobs.families.prophet.panel import EPOCH, Panel, Recipe
from python_jobs.families.prophet.solve import Mode, solve
from python_jobs.families.prophet.stan import SeriesRefusedError, fit_series, store

BATCH = 256
"""Series solved together: enough to outweigh Python, few enough for the processor's cache."""

TWO_YEARS, TWO_WEEKS, WEEK = 730, 14, 7


def fit_panel(
    panel: Panel, recipe: Recipe
) -> tuple[dict[str, FittedModel[ProphetModel]], dict[str, str]]:
    """Fit every series of a panel that was checked before.

    Returns:
        Models and failures by series_id; each series is in one of them.
    """
    models: dict[str, FittedModel[ProphetModel]] = {}
    failures: dict[str, str] = {}
    n_rows = np.diff(panel.first)
    top = np.maximum.reduceat(panel.y, panel.first[:-1]) if len(n_rows) else np.empty(0)
    low = np.minimum.reduceat(panel.y, panel.first[:-1]) if len(n_rows) else np.empty(0)
    is_batched = recipe.options.solver == "batch" and recipe.options.growth != "logistic"
    is_constant = (top == low) & (recipe.options.growth != "logistic")
    by_stan = np.flatnonzero(~is_constant) if not is_batched else np.empty(0, dtype=np.int64)
    left: list[int] = by_stan.tolist()
    for series in np.flatnonzero(is_constant).tolist():
        models[panel.series_id[series]] = _fitted(panel, series, _constant(panel, series, recipe))
    if is_batched:
        order = np.flatnonzero(~is_constant)
        order = order[np.argsort(n_rows[order], kind="stable")]
        for start in range(0, len(order), BATCH):
            left += _fit_batch(panel, order[start : start + BATCH], recipe, models)
    for series in left:
        try:
            model = _fit_with_stan(panel, series, recipe)
            models[panel.series_id[series]] = _fitted(panel, series, model)
        except SeriesRefusedError as error:
            failures[panel.series_id[series]] = str(error)
    return models, failures


def _fit_batch(
    panel: Panel,
    chosen: IntArray,
    recipe: Recipe,
    models: dict[str, FittedModel[ProphetModel]],
) -> list[int]:
    """Solve some series together; returns those that did not converge."""
    histories = _padded(panel, chosen)
    seasons = recipe.seasons
    has_season = _has_season(histories, recipe, seasons)
    scaled = scale(histories, recipe.options, seasons, has_season, recipe.multiplicative_features)
    mode = solve(scaled.problem)
    left = []
    for place, series in enumerate(chosen.tolist()):
        if not mode.is_converged[place]:
            left.append(series)
            continue
        model = _stored(histories, scaled, mode, place, recipe, seasons)
        fitted = _fitted(panel, series, model)
        fitted.metrics["objective"] = float(mode.objective[place])
        models[panel.series_id[series]] = fitted
    return left


def _padded(panel: Panel, chosen: IntArray) -> Histories:
    n_rows = np.diff(panel.first)[chosen]
    offset = np.arange(int(n_rows.max()))
    is_row = offset < n_rows[:, None]
    at = panel.first[:-1][chosen][:, None] + np.minimum(offset, n_rows[:, None] - 1)
    return Histories(
        series_id=[panel.series_id[series] for series in chosen.tolist()],
        n_rows=n_rows,
        day=panel.day[at],
        y=panel.y[at] * is_row,
        x=panel.x[at] * is_row[:, :, None],
        is_row=is_row,
    )


def _has_season(histories: Histories, recipe: Recipe, seasons: list[Season]) -> BoolArray:
    """Which series are long and dense enough for each season, by Prophet's rules."""
    n_series = len(histories.series_id)
    span = histories.day[np.arange(n_series), histories.n_rows - 1] - histories.day[:, 0]
    has = np.ones((n_series, len(seasons)), dtype=bool)
    for place, season in enumerate(seasons):
        if season.name == "yearly" and recipe.options.yearly == "auto":
            has[:, place] = span >= TWO_YEARS
        if season.name == "weekly" and recipe.options.weekly == "auto":
            gaps = np.diff(histories.day, axis=1)
            gaps = np.where(gaps > 0, gaps, WEEK)
            has[:, place] = (span >= TWO_WEEKS) & (gaps.min(axis=1) < WEEK)
    return has


def _stored(
    histories: Histories,
    scaled: Scaled,
    mode: Mode,
    place: int,
    recipe: Recipe,
    seasons: list[Season],
) -> ProphetModel:
    """Take one series' parameters out of the batch, without the terms that it does not have."""
    season_of_term = np.repeat(np.arange(len(seasons)), [2 * s.order for s in seasons])
    keeps = np.concatenate([scaled.has_season[place][season_of_term], scaled.varies[place]])
    changes = scaled.changepoint_day[place] >= 0
    varies = scaled.varies[place]
    start = EPOCH + scaled.start[place]
    return ProphetModel(
        family=cast(FamilyName, recipe.family),
        options=recipe.options,
        features=tuple(recipe.features),
        train_start=start.item(),
        train_end=(start + scaled.span[place]).item(),
        n_obs=int(histories.n_rows[place]),
        y_scale=float(scaled.y_scale[place]),
        k=float(mode.k[place]),
        m=float(mode.m[place]),
        sigma_obs=float(mode.sigma[place]),
        changepoint_days=scaled.changepoint_day[place][changes],
        delta=mode.delta[place][changes],
        seasonalities=tuple(
            s for s, has in zip(seasons, scaled.has_season[place], strict=True) if has
        ),
        regressors=tuple(name for name, has in zip(recipe.features, varies, strict=True) if has),
        mu=scaled.mean[place][varies],
        std=scaled.sd[place][varies],
        beta=mode.beta[place][keeps],
    )


def _constant(panel: Panel, series: int, recipe: Recipe) -> ProphetModel:
    """A series that never changed goes on as it was, without noise, as in `Prophet.fit`."""
    rows = panel.rows(series)
    level = float(panel.y[rows][0])
    y_scale = abs(level) or 1.0
    start, end = EPOCH + panel.day[rows][0], EPOCH + panel.day[rows][-1]
    return ProphetModel(
        family=cast(FamilyName, recipe.family),
        options=recipe.options,
        features=tuple(recipe.features),
        train_start=start.item(),
        train_end=end.item(),
        n_obs=rows.stop - rows.start,
        y_scale=y_scale,
        k=0.0,
        m=level / y_scale,
        sigma_obs=1e-9,
        changepoint_days=np.zeros(1, dtype=np.int64),
        delta=np.zeros(1),
        seasonalities=(),
        regressors=(),
        mu=np.empty(0),
        std=np.empty(0),
        beta=np.empty(0),
    )


def _fit_with_stan(panel: Panel, series: int, recipe: Recipe) -> ProphetModel:
    rows = panel.rows(series)
    frame = pd.DataFrame(panel.x[rows], columns=recipe.features)
    varying = [name for name in recipe.features if frame[name].nunique() > 1]
    frame = frame[varying]
    frame.insert(0, "ds", pd.to_datetime(EPOCH + panel.day[rows]))
    frame.insert(1, "y", panel.y[rows])
    prophet = fit_series(frame, recipe.options, recipe.settings.grain)
    return store(prophet, recipe.family, recipe.options, recipe.features)


def _fitted(panel: Panel, series: int, model: ProphetModel) -> FittedModel[ProphetModel]:
    return FittedModel(
        model=model,
        train_start=pd.Timestamp(model.train_start),
        train_end=pd.Timestamp(model.train_end),
        n_obs=model.n_obs,
        hyperparameters=_hyperparameters(model),
        metrics={
            "noise_sd": model.sigma_obs * model.y_scale,
            "lag_effect": model.lag_effect,
            "n_left_out": float(panel.n_left_out[series]),
        },
    )


def _hyperparameters(model: ProphetModel) -> dict[str, Any]:
    """List what was set, and what was decided from the series before the fit."""
    kept = set(model.regressors)
    return {
        **_options_of(model.options),
        "seasonalities": {season.name: season.order for season in model.seasonalities},
        "n_changepoints": len(model.delta),
        "constant_features": [name for name in model.features if name not in kept],
    }


def _options_of(options: ProphetOptions) -> dict[str, Any]:
    return options.model_dump()
