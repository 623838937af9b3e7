"""A training panel as arrays, every series checked: what cannot be fitted gets its reason here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from python_jobs.families.base import FamilySettings
from python_jobs.families.frames import series_starts
from python_jobs.families.prophet.arrays import BoolArray, DayArray, FloatArray, IntArray
from python_jobs.families.prophet.model import WEEKLY, YEARLY, ProphetOptions, Season
from python_jobs.families.prophet.stan import SeriesRefusedError

EPOCH = np.datetime64("1970-01-01", "D")
WEEKLY_ORDER = 3


@dataclass(frozen=True)
class Panel:
    """A training panel as arrays; the rows of one series lie together.

    Attributes:
        series_id: shape (n_series,).
        first: first row of each series, and the number of rows at the end, shape (n_series + 1,).
        day: days since 1970-01-01, shape (n_rows,).
        y: model space, shape (n_rows,).
        x: the features, y_lag1 in model space, shape (n_rows, n_features).
        n_left_out: rows of each that had no lag, shape (n_series,).
    """

    series_id: list[str]
    first: IntArray
    day: IntArray
    y: FloatArray
    x: FloatArray
    n_left_out: IntArray

    def rows(self, series: int) -> slice:
        """The rows of one series."""
        return slice(int(self.first[series]), int(self.first[series + 1]))


@dataclass(frozen=True)
class Recipe:
    """How to fit: a family's name, its settings, and the options in force."""

    family: str
    settings: FamilySettings
    options: ProphetOptions
    features: list[str]

    @property
    def multiplicative_features(self) -> BoolArray:
        """Features multiply the trend as the seasons do; y_lag1 is always added."""
        by = self.options.seasonality_mode == "multiplicative"
        return np.array([by and name != "y_lag1" for name in self.features], dtype=bool)

    def hardly_varies(self, n_deviating: IntArray) -> BoolArray:
        """Features of which so few rows differ from the most common value that a coefficient would
        be that of single rows; y_lag1 never does. Shape (…, n_features), as n_deviating."""
        is_regressor = np.array([name != "y_lag1" for name in self.features], dtype=bool)
        return np.asarray((n_deviating < self.options.min_varying_periods) & is_regressor)

    def reasons(self, n_deviating: IntArray, n_rows: int, kept: Collection[str]) -> dict[str, str]:
        """Why a series' model does without a feature, or has the portfolio's effect of it.

        Args:
            n_deviating: rows in which each feature differs from its most common value, shape
                (n_features,).
            n_rows: of the series.
            kept: the features that have a coefficient.
        """
        found = {}
        hardly = self.hardly_varies(n_deviating)
        for i, name in enumerate(self.features):
            n = int(n_deviating[i])
            if n and not hardly[i]:
                continue
            reason = f"hardly varies ({n} of {n_rows} rows)" if n else "never varies"
            found[name] = reason + (": the portfolio's effect is used" if name in kept else "")
        return found

    @property
    def seasons(self) -> list[Season]:
        """The seasons that a series may have."""
        seasons = []
        if self.options.yearly is not False:
            name, period = YEARLY
            seasons.append(Season(name=name, period=period, order=self.options.yearly_order))  # type: ignore[arg-type]
        if self.settings.grain == "day" and self.options.weekly is not False:
            name, period = WEEKLY
            seasons.append(Season(name=name, period=period, order=WEEKLY_ORDER))  # type: ignore[arg-type]
        return seasons


def read_panel(panel: pd.DataFrame, recipe: Recipe) -> tuple[Panel, dict[str, str]]:
    """Check a panel, leave out the rows without a lag, and bring y to model space.

    Args:
        panel: as `Family.fit` takes it, columns already checked.
        recipe: features, transform and the least number of rows.

    Returns:
        The series that can be fitted, and why the others cannot, by series_id: a date is null or
        repeated, too few rows remain, or a value is not finite or has no logarithm.

    Raises:
        ValueError: the rows of a series do not lie together or are not sorted by ds.
    """
    options, features = recipe.options, recipe.features
    first = np.append(series_starts(panel, "panel"), len(panel)).astype(np.int64)
    names = [str(name) for name in panel["series_id"].to_numpy(dtype=object)[first[:-1]]]
    owner = np.repeat(np.arange(len(names)), np.diff(first))
    ds = panel["ds"].to_numpy(dtype="datetime64[ns]").astype("datetime64[D]")
    _check_order(ds, owner, names)
    y = _floats(panel["y"])
    x = np.column_stack([_floats(panel[name]) for name in features] or [np.empty((len(y), 0))])
    is_used = np.ones(len(y), dtype=bool)
    if options.y_lag1:
        lag = features.index("y_lag1")
        is_used = ~np.isnan(x[:, lag])
        x[:, lag] = options.to_model_space(x[:, lag])
    y = options.to_model_space(y)
    is_bad_row = is_used & ~(np.isfinite(y) & np.isfinite(x).all(axis=1))
    is_bad_row |= np.isnat(ds)
    is_bad_row[1:] |= (ds[1:] == ds[:-1]) & (owner[1:] == owner[:-1])
    n_used = np.bincount(owner[is_used], minlength=len(names))
    is_bad = np.bincount(owner[is_bad_row], minlength=len(names)) > 0
    is_bad |= n_used < options.min_observations
    failures = {
        names[series]: _reason(panel.iloc[first[series] : first[series + 1]], features, options)
        for series in np.flatnonzero(is_bad).tolist()
    }
    kept = np.flatnonzero(~is_bad)
    rows = is_used & ~is_bad[owner]
    arrays = Panel(
        series_id=[names[series] for series in kept.tolist()],
        first=np.concatenate([[0], np.cumsum(n_used[kept])]).astype(np.int64),
        day=(ds[rows] - EPOCH).astype(np.int64),
        y=y[rows],
        x=x[rows],
        n_left_out=(np.diff(first) - n_used)[kept].astype(np.int64),
    )
    return arrays, failures


def _floats(values: pd.Series[float]) -> FloatArray:
    return np.array(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _check_order(ds: DayArray, owner: IntArray, names: list[str]) -> None:
    is_back = (ds[1:] < ds[:-1]) & (owner[1:] == owner[:-1])
    if is_back.any():
        row = int(np.flatnonzero(is_back)[0]) + 1
        raise ValueError(
            f"panel: series {names[owner[row]]} is not sorted by ds (first: {ds[row]})"
        )


def _reason(rows: pd.DataFrame, features: list[str], options: ProphetOptions) -> str:
    """Say what is wrong with one series, in the order in which someone would look."""
    try:
        _check_series(rows, features, options)
    except SeriesRefusedError as refused:
        return str(refused)
    raise AssertionError("unreachable")


def _check_series(rows: pd.DataFrame, features: list[str], options: ProphetOptions) -> None:
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
