"""A use case's own features, as the settings name them: what each is called and what is refused.

The SQL is in macros/features; docs/features.md lists the vocabulary.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from python_jobs.infra.numbers import Days

DatePart = Literal[
    "day_of_week", "day_of_month", "day_of_year", "week_of_year", "month", "quarter", "year"
]
TrainingGrain = Literal["period", "horizon_step"]
Periods = Annotated[Days, Field(ge=1, le=10_000)]

RESERVED = frozenset(
    {
        *("run_id", "use_case", "series_id", "origin_date", "as_of_at", "ds", "target_date"),
        *("horizon_step", "y", "y_lag1", "price", "reference_price", "route", "reason"),
        *("promo_source", "weather_source", "share_forecast", "unsourced_regressors"),
        *("missing_regressors", "stops_run", "is_gap_filled", "is_censored", "is_observed"),
        *("left_out_reason", "model_name", "model_version", "model_key", "train_end", "segment"),
        *("interval_factor", "interval_source", "half_width", "transform", "outcome", "yhat"),
        *("yhat_lower", "yhat_upper", "scenario", "is_supposed", "is_fallback"),
        *("issued_run_id", "yhat_as_issued", "regressors_as_known", "location", "known_at"),
    }
)
"""Columns of the panels and of what is made from them; no regressor and no feature is named so."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rolling(_Frozen):
    """A statistic of y over `window` periods, the last of them `lag` periods before the row's."""

    statistic: Literal["mean", "std", "min", "max"]
    window: Periods
    lag: Periods

    @property
    def name(self) -> str:
        """The feature's column, such as y_roll_mean_4_lag1."""
        return f"y_roll_{self.statistic}_{self.window}_lag{self.lag}"


class Features(_Frozen):
    """The features of a use case; each key is explained beside its default in dbt_project.yml."""

    lags: tuple[Periods, ...]
    rolling: tuple[Rolling, ...]
    date_parts: tuple[DatePart, ...]
    attributes: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def made(self) -> tuple[str, ...]:
        """The columns of <use_case>_panel_features, in the order of the panels.

        Lag 1 is not among them: every panel has y_lag1.
        """
        lags = [f"y_lag{lag}" for lag in self.lags if lag != 1]
        return (*lags, *(one.name for one in self.rolling), *self.date_parts, *self.attributes)

    @property
    def names(self) -> tuple[str, ...]:
        """Every feature, in the order of the panels; the hand-written ones are the last."""
        return (*self.made, *self.columns)


def feature_faults(where: str, features: Features, taken: Collection[str]) -> list[str]:
    """Faults of the features, beside their types.

    Args:
        where: path of the use case's settings.
        features: those of the use case.
        taken: names of its regressors and of its key's columns.

    Returns:
        One sentence a fault, with its path.
    """
    at = f"{where}.features"
    faults = [f"{at}: {name} is there twice" for name in _twice(features.names)]
    faults += [f"{at}.lags: {lag} is there twice" for lag in _twice(features.lags) if lag == 1]
    faults += [
        f"{at}.rolling: the std of 1 period is never known; give it a window of 2 or more"
        for one in features.rolling
        if one.statistic == "std" and one.window == 1
    ]
    for name in (*features.attributes, *features.columns):
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
            faults.append(f"{at}: '{name}' is no column name (lower case letters, digits and _)")
    faults += [
        f"{at}: '{name}' is a column of the panels already; call it something else"
        for name in features.names
        if name in RESERVED or name in taken
    ]
    return faults


def attribute_faults(
    where: str, features: Features, columns: Collection[str] | None, key: Collection[str]
) -> list[str]:
    """Faults between the attribute features and the source `attributes`.

    Args:
        where: path of the use case's settings.
        features: those of the use case.
        columns: names that the source `attributes` maps; None where there is no such source.
        key: names of the key's columns.

    Returns:
        One sentence a fault, with its path.
    """
    if not features.attributes:
        return []
    if columns is None:
        return [f"{where}.features.attributes: sources has no 'attributes' to take them from"]
    at = f"{where}.sources.attributes.columns"
    faults = [
        f"{at}: '{name}' is missing, and the feature of that name needs it"
        for name in features.attributes
        if name not in columns
    ]
    if not set(key) & set(columns):
        faults.append(f"{at}: names none of the key's columns ({', '.join(key)})")
    return faults


def _twice(values: Iterable[object]) -> list[object]:
    return [value for value, n in Counter(values).items() if n > 1]
