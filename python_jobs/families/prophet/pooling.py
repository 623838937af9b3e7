"""Pooling over a portfolio: coefficients in comparable units, and priors of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from python_jobs.families.prophet.arrays import FloatArray
from python_jobs.families.prophet.design import Scaled, season_of_term
from python_jobs.families.prophet.model import ProphetOptions, Season
from python_jobs.families.prophet.solve import Mode

COLUMNS = ["series_id", "recipe", "coefficient", "estimate", "std_error"]

Priors = dict[str, tuple[float, float]]
"""Centre and spread of the normal prior of a coefficient, in its own units, by its name."""


def coefficient_names(seasons: list[Season], features: list[str]) -> list[str]:
    """The terms in the order of beta: yearly_sin1, yearly_cos1, …, then the features."""
    waves = [
        f"{season.name}_{wave}{order}"
        for season in seasons
        for order in range(1, season.order + 1)
        for wave in ("sin", "cos")
    ]
    return [*waves, *features]


def own_units(scaled: Scaled, options: ProphetOptions, features: list[str]) -> FloatArray:
    """Factors that make scaled coefficients of one name comparable between series.

    Of a logarithm: change of ln(1 + y) per unit of the term. Otherwise a share, of the largest |y|
    or, where terms multiply, of the trend. y_lag1 is the change of y per unit of the lag.

    Returns:
        Shape (n_series, n_terms).
    """
    n_series, n_terms = scaled.problem.centre.shape
    is_log = options.transform == "log1p" and options.seasonality_mode == "additive"
    units = np.repeat(
        scaled.y_scale[:, None] if is_log else np.ones((n_series, 1)), n_terms, axis=1
    )
    n_waves = n_terms - len(features)
    units[:, n_waves:] /= scaled.sd
    if "y_lag1" in features:
        lag = features.index("y_lag1")
        units[:, n_waves + lag] = scaled.y_scale / scaled.sd[:, lag]
    return units


def with_priors(scaled: Scaled, names: list[str], units: FloatArray, priors: Priors) -> Scaled:
    """Put the portfolio's priors in the place of the family's own, where there are some."""
    centre, spread = scaled.problem.centre.copy(), scaled.problem.spread.copy()
    for term, name in enumerate(names):
        if name in priors:
            centre[:, term] = priors[name][0] / units[:, term]
            spread[:, term] = priors[name][1] / units[:, term]
    return replace(scaled, problem=replace(scaled.problem, centre=centre, spread=spread))


@dataclass
class Coefficients:
    """Estimates of each coefficient from the series of a fit, batch by batch."""

    parts: list[pd.DataFrame] = field(default_factory=list)

    def add(
        self,
        series_id: list[str],
        label: str,
        scaled: Scaled,
        mode: Mode,
        seasons: list[Season],
        names: list[str],
        units: FloatArray,
    ) -> None:
        """Take the terms that a series of a batch has data for, where its fit converged."""
        has_wave = scaled.has_season[:, season_of_term(seasons)]
        has = np.concatenate([has_wave, scaled.varies], axis=1)
        series, term = np.nonzero(has & mode.is_converged[:, None])
        self.parts.append(
            pd.DataFrame(
                {
                    "series_id": np.array(series_id, dtype=object)[series],
                    "recipe": label,
                    "coefficient": np.array(names, dtype=object)[term],
                    "estimate": (mode.beta * units)[series, term],
                    "std_error": (mode.beta_sd * units)[series, term],
                }
            )
        )

    def table(self) -> pd.DataFrame:
        """All of them, columns COLUMNS."""
        if not self.parts:
            return pd.DataFrame(columns=COLUMNS)
        return pd.concat(self.parts, ignore_index=True)
