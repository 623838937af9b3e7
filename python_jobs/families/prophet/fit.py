"""Fit many series at once: from a panel to stored models, by the batched solver or by Stan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import pandas as pd

from python_jobs.families.base import FittedModel
from python_jobs.families.prophet.arrays import BoolArray, FloatArray, IntArray
from python_jobs.families.prophet.design import (
    Histories,
    Scaled,
    n_deviating,
    scale,
    season_of_term,
)
from python_jobs.families.prophet.model import FamilyName, ProphetModel, ProphetOptions, Season
from python_jobs.families.prophet.panel import EPOCH, Panel, Recipe
from python_jobs.families.prophet.pooling import (
    Coefficients,
    Priors,
    coefficient_names,
    own_units,
    with_priors,
)
from python_jobs.families.prophet.score import evaluate, stack
from python_jobs.families.prophet.solve import Mode, solve
from python_jobs.families.prophet.stan import SeriesRefusedError, fit_series, store

BATCH = 256
"""Series solved together: enough to outweigh Python, few enough for the processor's cache."""

MAX_AUTOCORRELATION = 0.99

NO_CHANGE = np.zeros(1, dtype=np.int64)
"""Prophet's own way to have no changepoint: one at time 0, whose delta is 0."""

PERIOD_DAYS = {"day": 1, "week": 7}

TWO_YEARS, TWO_WEEKS, WEEK = 730, 14, 7


@dataclass
class PanelFit:
    """Models and failures of the series of a panel.

    Attributes:
        models: by series_id.
        failures: by series_id, why there is none; each series is in one of the two.
        coefficients: of the series that were solved together.
    """

    models: dict[str, FittedModel[ProphetModel]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    coefficients: Coefficients = field(default_factory=Coefficients)


def fit_panel(panel: Panel, recipe: Recipe, priors: Priors) -> PanelFit:
    """Fit every series of a panel that was checked before.

    Args:
        panel: the series.
        recipe: how to fit them.
        priors: of the portfolio; Stan does not take them.
    """
    fit = PanelFit()
    n_rows = np.diff(panel.first)
    top = np.maximum.reduceat(panel.y, panel.first[:-1]) if len(n_rows) else np.empty(0)
    low = np.minimum.reduceat(panel.y, panel.first[:-1]) if len(n_rows) else np.empty(0)
    is_batched = recipe.options.is_batched
    is_constant = (top == low) & (recipe.options.growth != "logistic")
    by_stan = np.flatnonzero(~is_constant) if not is_batched else np.empty(0, dtype=np.int64)
    left: list[int] = by_stan.tolist()
    for series in np.flatnonzero(is_constant).tolist():
        model = _constant(panel, series, recipe)
        reasons = dict.fromkeys(recipe.features, "y never varies")
        fit.models[panel.series_id[series]] = _fitted(panel, series, model, reasons)
    if is_batched:
        order = np.flatnonzero(~is_constant)
        order = order[np.argsort(n_rows[order], kind="stable")]
        for start in range(0, len(order), BATCH):
            left += _fit_batch(panel, order[start : start + BATCH], recipe, priors, fit)
    for series in left:
        try:
            model, reasons = _fit_with_stan(panel, series, recipe)
            fit.models[panel.series_id[series]] = _fitted(panel, series, model, reasons)
        except SeriesRefusedError as error:
            fit.failures[panel.series_id[series]] = str(error)
    return fit


def _fit_batch(
    panel: Panel, chosen: IntArray, recipe: Recipe, priors: Priors, fit: PanelFit
) -> list[int]:
    """Solve some series together; returns those that did not converge."""
    histories = _padded(panel, chosen)
    seasons, features = recipe.seasons, recipe.features
    names = coefficient_names(seasons, features)
    is_pooled = np.array([name in priors and name != "y_lag1" for name in features], dtype=bool)
    scaled, units = _scaled(histories, recipe, priors, is_pooled)
    deviating = n_deviating(histories.x, histories.is_row)
    left_out = recipe.hardly_varies(deviating) & ~is_pooled
    feeds_priors = recipe.options.pooled_priors and not priors
    if not feeds_priors:
        scaled = scaled.without(left_out)
    mode = solve(scaled.problem)
    fit.coefficients.add(
        histories.series_id, recipe.options.label, scaled, mode, seasons, names, units
    )
    again = np.flatnonzero(left_out.any(axis=1))
    if feeds_priors and len(again):
        # What little a series has seen counts for the portfolio, but not for its own model.
        scaled = scaled.without(left_out)
        mode.put(again, solve(scaled.problem[again]))
    memory = _autocorrelation(histories.day, histories.is_row, mode.residual, recipe)
    left = []
    for i, series in enumerate(chosen.tolist()):
        if not mode.is_converged[i]:
            left.append(series)
            continue
        model = _stored(histories, scaled, mode, i, recipe, seasons, is_pooled)
        if recipe.options.ar1:
            last = mode.residual[i, histories.n_rows[i] - 1]
            model = _with_memory(model, memory[i], last)
        n_rows = int(histories.n_rows[i])
        reasons = recipe.reasons(deviating[i], n_rows, model.regressors)
        fitted = _fitted(panel, series, model, reasons)
        fitted.metrics["objective"] = float(mode.objective[i])
        fitted.metrics["autocorrelation"] = float(memory[i])
        fit.models[panel.series_id[series]] = fitted
    return left


def _scaled(
    histories: Histories, recipe: Recipe, priors: Priors, is_pooled: BoolArray
) -> tuple[Scaled, FloatArray]:
    """Histories in model units with the portfolio's priors, and the coefficients' units."""
    seasons, features = recipe.seasons, recipe.features
    scaled = scale(
        histories,
        recipe.options,
        seasons,
        _has_season(histories, recipe, seasons, priors),
        recipe.multiplicative_features,
        is_pooled,
    )
    units = own_units(scaled, recipe.options, features)
    return with_priors(scaled, coefficient_names(seasons, features), units, priors), units


def _autocorrelation(
    day: IntArray, is_row: BoolArray, residual: FloatArray, recipe: Recipe
) -> FloatArray:
    """First-order autocorrelation of the residuals: sum of e_t e_(t-1) over sum of e_t^2.

    Only rows one period apart are paired, so that gaps draw it towards zero; within -1..1 by the
    Cauchy-Schwarz inequality.

    Args:
        day: of each row, shape (n_series, n_rows).
        is_row: same shape.
        residual: zero in padding, same shape.
        recipe: whose grain is the period.

    Returns:
        Shape (n_series,).
    """
    is_pair = is_row[:, 1:] & (np.diff(day, axis=1) == PERIOD_DAYS[recipe.settings.grain])
    shared = (residual[:, 1:] * residual[:, :-1] * is_pair).sum(axis=1)
    total = (residual**2).sum(axis=1)
    ratio = np.divide(shared, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(np.clip(ratio, -MAX_AUTOCORRELATION, MAX_AUTOCORRELATION))


def _with_memory(model: ProphetModel, autocorrelation: float, last: float) -> ProphetModel:
    return replace(model, autocorrelation=float(autocorrelation), last_residual=float(last))


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


def _has_season(
    histories: Histories, recipe: Recipe, seasons: list[Season], priors: Priors
) -> BoolArray:
    """Which series are long and dense enough for each season, by Prophet's rules.

    With the portfolio's priors for the year a shorter history is enough.
    """
    n_series = len(histories.series_id)
    span = histories.day[np.arange(n_series), histories.n_rows - 1] - histories.day[:, 0]
    has = np.ones((n_series, len(seasons)), dtype=bool)
    for i, season in enumerate(seasons):
        if season.name == "yearly" and recipe.options.yearly == "auto":
            has[:, i] = (span >= TWO_YEARS) | (f"{season.name}_sin1" in priors)
        if season.name == "weekly" and recipe.options.weekly == "auto":
            gaps = np.diff(histories.day, axis=1)
            gaps = np.where(gaps > 0, gaps, WEEK)
            has[:, i] = (span >= TWO_WEEKS) & (gaps.min(axis=1) < WEEK)
    return has


def _stored(
    histories: Histories,
    scaled: Scaled,
    mode: Mode,
    i: int,
    recipe: Recipe,
    seasons: list[Season],
    is_pooled: BoolArray,
) -> ProphetModel:
    """Take one series' parameters out of the batch, without the terms that it does not have."""
    has_effect = scaled.varies[i] | is_pooled
    keeps = np.concatenate([scaled.has_season[i][season_of_term(seasons)], has_effect])
    changes = scaled.changepoint_day[i] >= 0
    start = EPOCH + scaled.start[i]
    return ProphetModel(
        family=cast(FamilyName, recipe.family),
        options=recipe.options,
        features=tuple(recipe.features),
        train_start=start.item(),
        train_end=(start + scaled.span[i]).item(),
        n_obs=int(histories.n_rows[i]),
        y_scale=float(scaled.y_scale[i]),
        k=float(mode.k[i]),
        m=float(mode.m[i]),
        sigma_obs=float(mode.sigma[i]),
        changepoint_days=scaled.changepoint_day[i][changes] if changes.any() else NO_CHANGE,
        delta=mode.delta[i][changes] if changes.any() else np.zeros(1),
        seasonalities=tuple(s for s, has in zip(seasons, scaled.has_season[i], strict=True) if has),
        regressors=tuple(
            name for name, has in zip(recipe.features, has_effect, strict=True) if has
        ),
        mu=scaled.mean[i][has_effect],
        std=scaled.sd[i][has_effect],
        beta=mode.beta[i][keeps],
    )


def _constant(panel: Panel, series: int, recipe: Recipe) -> ProphetModel:
    """The model of a series that never changed: its level without noise, as in `Prophet.fit`."""
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
        changepoint_days=NO_CHANGE,
        delta=np.zeros(1),
        seasonalities=(),
        regressors=(),
        mu=np.empty(0),
        std=np.empty(0),
        beta=np.empty(0),
    )


def _fit_with_stan(
    panel: Panel, series: int, recipe: Recipe
) -> tuple[ProphetModel, dict[str, str]]:
    """Fit one series; returns its model, and why it does without some features."""
    rows = panel.rows(series)
    x = panel.x[rows]
    (deviating,) = n_deviating(x[None], np.ones((1, len(x)), dtype=bool))
    is_kept = (deviating > 0) & ~recipe.hardly_varies(deviating)
    kept = [name for name, has in zip(recipe.features, is_kept, strict=True) if has]
    frame = pd.DataFrame(x[:, is_kept], columns=kept)
    reasons = recipe.reasons(deviating, len(x), kept)
    frame.insert(0, "ds", pd.to_datetime(EPOCH + panel.day[rows]))
    frame.insert(1, "y", panel.y[rows])
    prophet = fit_series(frame, recipe.options, recipe.settings.grain)
    model = store(prophet, recipe.family, recipe.options, recipe.features)
    if not recipe.options.ar1:
        return model, reasons
    residual = (panel.y[rows] - _fitted_values(model, panel, series, recipe))[None] / model.y_scale
    is_row = np.ones(residual.shape, dtype=bool)
    memory = _autocorrelation(panel.day[rows][None], is_row, residual, recipe)
    return _with_memory(model, memory[0], residual[0, -1]), reasons


def _fitted_values(model: ProphetModel, panel: Panel, series: int, recipe: Recipe) -> FloatArray:
    """Fitted values of the training rows, model space, shape (n_rows,)."""
    rows = panel.rows(series)
    ((_, portfolio),) = stack([model])
    x = panel.x[rows][:, [recipe.features.index(name) for name in model.regressors]]
    terms = evaluate(portfolio, np.zeros(len(x), dtype=np.int64), panel.day[rows], x)
    if "y_lag1" not in model.regressors:
        return terms.base
    return np.asarray(terms.base + terms.lag_gain * x[:, model.regressors.index("y_lag1")])


def _fitted(
    panel: Panel, series: int, model: ProphetModel, reasons: dict[str, str]
) -> FittedModel[ProphetModel]:
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
        regressors_left_out=reasons,
    )


def _hyperparameters(model: ProphetModel) -> dict[str, Any]:
    """List what was set, and what was decided from the series before the fit."""
    return {
        **_options_of(model.options),
        "seasonalities": {season.name: season.order for season in model.seasonalities},
        "n_changepoints": len(model.delta),
    }


def _options_of(options: ProphetOptions) -> dict[str, Any]:
    return options.model_dump()
