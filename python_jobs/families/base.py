"""The interface of a model family, and the frames that pass between a job and a family.

A family knows frames, arrays and its own settings; never a client, a clock or a table name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

import pandas as pd

ModelT = TypeVar("ModelT")

GLOBAL_SERIES = ""
"""The series_id under which a global family returns its one model."""

Y_CONTEXT = "y_context"
"""The column of the windows that a family with `reads_context` is given."""

Scope = Literal["local", "global"]


@dataclass(frozen=True)
class FamilySettings:
    """The part of a use case's settings that a family may see.

    Attributes:
        grain: length of a period.
        horizon: number of periods forecast from an origin.
        season: periods in a season (52 for weeks), for families that difference or index by it.
        regressors: names of the future-known columns, in the order of the panel.
        features: names of the feature columns, in the order of the panel, after the regressors.
        context_length: periods of y in a window (y_context); 0: there are no windows.
        is_nonnegative: the measure cannot be below zero; a forecast is floored there inside
            its recursion.
        interval: nominal coverage of yhat_lower..yhat_upper, a fraction in (0, 1).
        seed: seed of every simulation, combined with series_id and origin_date.
        options: the family's own settings, checked by the family.
    """

    grain: Literal["day", "week"]
    horizon: int
    season: int
    regressors: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    context_length: int = 0
    is_nonnegative: bool = True
    interval: float = 0.8
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FittedModel(Generic[ModelT]):
    """One fitted model and what the registry records of it.

    Attributes:
        model: the family's own parameters.
        train_start: first ds used.
        train_end: last ds used; a forecast from an earlier origin is refused.
        n_obs: training rows used.
        hyperparameters: what was set or chosen before the fit, JSON values only.
        metrics: in-sample or validation numbers, JSON values only.
        regressors_left_out: by regressor, why the model does without it, or why its effect is not
            this series' own.
    """

    model: ModelT
    train_start: pd.Timestamp
    train_end: pd.Timestamp
    n_obs: int
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    regressors_left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted(Generic[ModelT]):
    """The result of a fit: each series is in exactly one of the two.

    Attributes:
        models: by series_id; a global family has one, under GLOBAL_SERIES.
        failures: by series_id, the reason in one sentence.
        coefficients: of a family that pools, one row per series_id and coefficient: series_id,
            recipe, coefficient (str), estimate and std_error (float, in the coefficient's own
            units, so that those of one recipe compare between series); None where nothing pools.
    """

    models: dict[str, FittedModel[ModelT]]
    failures: dict[str, str] = field(default_factory=dict)
    coefficients: pd.DataFrame | None = None


@dataclass(frozen=True)
class Tuned:
    """Recipes and priors of earlier runs for a fit; none is younger than the fit's origin.

    Attributes:
        recipes: by segment, the options chosen for it, which replace those of the settings.
        segments: segment by series_id; a series without one has the settings' own options.
        priors: one row per recipe, coefficient: centre, spread (float, in the coefficient's own
            units), n_series; of the normal prior that stands in for the family's own. None, or
            no row for a coefficient: the family's own prior.
    """

    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)
    segments: dict[str, str] = field(default_factory=dict)
    priors: pd.DataFrame | None = None


class Family(Protocol[ModelT]):
    """A way to forecast: fit, predict, and a safe text or binary form of what was fitted.

    `scope` is "local" (a model a series; jobs cut the panel into chunks of series and fit them in a
    process pool) or "global" (one model for the whole panel, fitted in one call). A local family
    that works on many series at once may say how many a worker should get: `series_per_chunk`.

    A family that fits each step of the horizon by itself sets `is_direct = True`: where the use
    case's training grain is the horizon step, it is given a row a step. All others are given the
    rows of step 1. A family that reads no features sets `uses_features = False`; one that does says
    in its own docstring what it makes of a null, because a feature may be null in training and in
    the future (a lag that is not known yet, a window without an observation, a dimension without a
    row).

    A family that reads windows of y sets `reads_context = True` (the setting context_length says
    how long). Its frames then have a column y_context: a one-dimensional float array of
    context_length periods without a hole, the oldest first, the last one the newest period of the
    row's origin; NaN where y was not observed or the series had not begun. In `fit` the origin is
    that of the panel, so that all rows of a series share one array; in `predict` it is the row's
    origin_date.
    """

    name: str
    scope: Scope
    settings: FamilySettings

    def fit(
        self,
        panel: pd.DataFrame,
        start: dict[str, ModelT] | None = None,
        tuned: Tuned | None = None,
    ) -> Fitted[ModelT]:
        """Fit every series of a panel; a series that cannot be fitted is a failure, not an error.

        Args:
            panel: one row per series_id, ds, sorted by both; a direct family's one per series_id,
                ds, horizon_step where the training grain is the horizon step. Columns: series_id
                (str), ds (datetime64, first day of the period), horizon_step (int, where the
                training grain is it), y (float, units per period, never null), y_lag1 (float, y of
                the period before, or of horizon_step periods before; null where that was not
                observed), then the regressors (float, never null), the features (float, may be
                null) and, with `reads_context`, y_context (array, as of the panel's origin).
            start: models to start from, by series_id (fine-tuning, warm starts);
                None starts afresh.
            tuned: recipes and priors in force as of the panel's origin; families that are neither
                tuned nor pooled do not read it.

        Returns:
            A model or a failure for each series_id of the panel.

        Raises:
            ValueError: the panel lacks a column (named), or is not sorted.
        """
        ...

    def predict(self, models: dict[str, ModelT], future: pd.DataFrame) -> pd.DataFrame:
        """Forecast every row of a future panel.

        Args:
            models: by model_version.
            future: one row per series_id, origin_date, horizon_step, sorted by them. Columns:
                model_version (str, the model to use), series_id (str),
                origin_date and target_date (datetime64), horizon_step (int, 1..horizon),
                y_lag1 (float, last observed y, repeated on each row), then the regressors (float),
                the features (float, may be null: one of a lag below horizon_step always is),
                with `reads_context` y_context (array, as of origin_date), and interval_factor
                (float, by how much half_width is multiplied; null: by 1), for families whose
                intervals can be calibrated.

        Returns:
            The rows of `future`, same order and index. Columns: yhat, yhat_lower, yhat_upper
            (float, units per period, lower <= yhat <= upper; null where the family could not
            forecast), interval_source (str), reason (str, null where yhat is a number). A family
            that applies interval_factor returns half_width (float, above 0, half the width of
            the interval before that) on the scale of transform (str: none or log1p); without
            them a row is neither calibrated nor calibrates others.

        Raises:
            ValueError: a column is missing (named) or a model_version is not in `models` (counted).
        """
        ...

    def dumps(self, model: ModelT) -> bytes:
        """Write one model in a safe, self-describing form, never pickle.

        `loads(dumps(model))` predicts exactly as `model` does.
        """
        ...

    def loads(self, data: bytes) -> ModelT:
        """Read what `dumps` wrote.

        Raises:
            ValueError: not a model of this family and format version; the message says why.
        """
        ...


class TunableFamily(Family[ModelT], Protocol[ModelT]):
    """A family whose options are chosen by backtest and whose coefficients are pooled."""

    @property
    def is_pooled(self) -> bool:
        """Whether a fit reads priors, so that training is fit, priors, fit again."""
        ...

    def candidates(self) -> list[dict[str, Any]]:
        """The recipes to choose from: options that replace those of the settings.

        The simplest first; the settings' own, `{}`, among them.
        """
        ...


class ExplainedFamily(Family[ModelT], Protocol[ModelT]):
    """A family that can say which way a regressor moves its forecast."""

    def effects(self, model: ModelT) -> dict[str, float]:
        """By regressor of a model, by what share of the series' level one unit raises the forecast.

        Negative where it lowers it. Of which level, and whether the share is a logarithm's change,
        is the family's; a regressor that the model does without is not there.
        """
        ...
