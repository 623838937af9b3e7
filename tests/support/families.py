"""Families simple enough that their forecasts are worked out by hand.

Importing this module registers them, in this process and in every child that imports it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from python_jobs import families
from python_jobs.families.base import GLOBAL_SERIES, FamilySettings, Fitted, FittedModel


@dataclass
class LevelFamily:
    """Local: the mean of y, half as much again in a week that is all promotion; +- 10 %."""

    settings: FamilySettings
    name: str = "level"
    scope: str = "local"

    def fit(self, panel: pd.DataFrame, start: Any = None, tuned: Any = None) -> Fitted[float]:
        models = {
            str(series_id): FittedModel(
                float(rows["y"].mean()), rows["ds"].min(), rows["ds"].max(), len(rows)
            )
            for series_id, rows in panel.groupby("series_id")
        }
        return Fitted(models)

    def predict(self, models: dict[str, float], future: pd.DataFrame) -> pd.DataFrame:
        level = future["model_version"].map(models).astype(float)
        yhat = level * (1 + 0.5 * future["promo_share"])
        return pd.DataFrame(
            {
                "yhat": yhat,
                "yhat_lower": 0.9 * yhat,
                "yhat_upper": 1.1 * yhat,
                "interval_source": "ten_percent",
                "reason": None,
            },
            index=future.index,
        )

    def dumps(self, model: float) -> bytes:
        return json.dumps({"level": model}).encode()

    def loads(self, data: bytes) -> float:
        return float(json.loads(data)["level"])


@dataclass
class BandFamily(LevelFamily):
    """Local: the mean of y, promotion or not; +- 2, times the interval's factor."""

    name: str = "band"

    def predict(self, models: dict[str, float], future: pd.DataFrame) -> pd.DataFrame:
        yhat = future["model_version"].map(models).astype(float)
        half = 2.0 * future["interval_factor"].fillna(1.0)
        return pd.DataFrame(
            {
                "yhat": yhat,
                "yhat_lower": yhat - half,
                "yhat_upper": yhat + half,
                "interval_source": "two",
                "half_width": 2.0,
                "transform": "none",
                "reason": None,
            },
            index=future.index,
        )


@dataclass
class RidgeFamily:
    """Global: y on promo_share, y_lag1 and the features, penalised.

    The lag of later steps is the forecast; a feature that is null counts as 0.
    """

    settings: FamilySettings
    name: str = "ridge"
    scope: str = "global"

    def fit(self, panel: pd.DataFrame, start: Any = None, tuned: Any = None) -> Fitted[list[float]]:
        rows = panel.dropna(subset=["y_lag1"])
        x = self._design(rows, rows["y_lag1"])
        beta = ridge_coefficients(x, rows["y"].to_numpy())
        fitted = FittedModel(beta.tolist(), rows["ds"].min(), rows["ds"].max(), len(rows))
        return Fitted({GLOBAL_SERIES: fitted})

    def _design(self, rows: pd.DataFrame, lag: pd.Series) -> np.ndarray:
        features = rows[list(self.settings.features)].astype(float).fillna(0.0)
        return np.column_stack([np.ones(len(rows)), rows["promo_share"], lag, features])

    def predict(self, models: dict[str, list[float]], future: pd.DataFrame) -> pd.DataFrame:
        answers = future.assign(yhat=np.nan, lag=future["y_lag1"])
        for step in range(1, self.settings.horizon + 1):
            now = answers["horizon_step"] == step
            beta = np.array(answers.loc[now, "model_version"].map(models).tolist())
            design = self._design(answers.loc[now], answers.loc[now, "lag"])
            answers.loc[now, "yhat"] = (design * beta).sum(axis=1)
            answers["lag"] = answers.groupby(["series_id", "origin_date"])["yhat"].shift(1)
        return pd.DataFrame(
            {
                "yhat": answers["yhat"],
                "yhat_lower": None,
                "yhat_upper": None,
                "interval_source": None,
                "reason": None,
            },
            index=future.index,
        )

    def dumps(self, model: list[float]) -> bytes:
        return json.dumps(model).encode()

    def loads(self, data: bytes) -> list[float]:
        return [float(value) for value in json.loads(data)]


@dataclass
class DirectFamily:
    """Global and direct: per horizon step, y on the features alone, penalised; a null counts as 0.

    A model is {horizon step: coefficients, the constant first}.
    """

    settings: FamilySettings
    name: str = "direct"
    scope: str = "global"
    is_direct: bool = True

    def fit(
        self, panel: pd.DataFrame, start: Any = None, tuned: Any = None
    ) -> Fitted[dict[str, list[float]]]:
        model = {
            str(step): ridge_coefficients(self._design(rows), rows["y"].to_numpy()).tolist()
            for step, rows in panel.groupby("horizon_step")
        }
        fitted = FittedModel(model, panel["ds"].min(), panel["ds"].max(), len(panel))
        return Fitted({GLOBAL_SERIES: fitted})

    def _design(self, rows: pd.DataFrame) -> np.ndarray:
        features = rows[list(self.settings.features)].astype(float).fillna(0.0)
        return np.column_stack([np.ones(len(rows)), features])

    def predict(self, models: dict[str, Any], future: pd.DataFrame) -> pd.DataFrame:
        betas = [
            models[version][str(step)]
            for version, step in zip(future["model_version"], future["horizon_step"], strict=True)
        ]
        columns = ["yhat_lower", "yhat_upper", "interval_source", "reason"]
        yhat = (self._design(future) * np.array(betas)).sum(axis=1)
        return pd.DataFrame({"yhat": yhat, **dict.fromkeys(columns)}, index=future.index)

    def dumps(self, model: Any) -> bytes:
        return json.dumps(model).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


def ridge_coefficients(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ridge with a penalty of 0.1 on every coefficient, the constant's too."""
    return np.linalg.solve(x.T @ x + 0.1 * np.eye(x.shape[1]), x.T @ y)


@dataclass
class WindowFamily:
    """Local, tuned and pooled: the mean of the last `window` y (4), known with standard error 1.

    A prior of its recipe draws the mean towards the centre: (y + centre / spread^2) / (1 + 1 /
    spread^2). Options: window, fails_on (how the names of series end that cannot be fitted),
    candidates.
    """

    settings: FamilySettings
    name: str = "window"
    scope: str = "local"
    is_pooled: bool = True

    def candidates(self) -> list[dict[str, Any]]:
        return self.settings.options.get("candidates", [{}, {"window": 1}])

    def fit(self, panel: pd.DataFrame, start: Any = None, tuned: Any = None) -> Fitted[float]:
        models, failures, said = {}, {}, []
        for series_id, rows in panel.groupby("series_id"):
            options = {**self.settings.options, **self._recipe(str(series_id), tuned)}
            if str(series_id).endswith(options.get("fails_on", "none of them")):
                failures[str(series_id)] = "was told to fail"
                continue
            recipe = f"window {options.get('window', 4)}"
            level = float(rows["y"].iloc[-options.get("window", 4) :].mean())
            said.append((series_id, recipe, "level", level, 1.0))
            level = self._shrunk(level, recipe, tuned)
            ends = rows["ds"].min(), rows["ds"].max()
            models[str(series_id)] = FittedModel(level, *ends, len(rows), metrics={"level": level})
        columns = ["series_id", "recipe", "coefficient", "estimate", "std_error"]
        return Fitted(models, failures, pd.DataFrame(said, columns=columns))

    def _recipe(self, series_id: str, tuned: Any) -> dict[str, Any]:
        if tuned is None or series_id not in tuned.segments:
            return {}
        return tuned.recipes[tuned.segments[series_id]]

    def _shrunk(self, level: float, recipe: str, tuned: Any) -> float:
        if tuned is None or tuned.priors is None:
            return level
        prior = tuned.priors[tuned.priors["recipe"] == recipe]
        if prior.empty:
            return level
        precision = 1 / prior["spread"].iloc[0] ** 2
        return float((level + precision * prior["centre"].iloc[0]) / (1 + precision))

    def predict(self, models: dict[str, float], future: pd.DataFrame) -> pd.DataFrame:
        yhat = future["model_version"].map(models).astype(float)
        columns = ["yhat_lower", "yhat_upper", "interval_source", "reason"]
        return pd.DataFrame({"yhat": yhat, **dict.fromkeys(columns)}, index=future.index)

    def dumps(self, model: float) -> bytes:
        return json.dumps(model).encode()

    def loads(self, data: bytes) -> float:
        return float(json.loads(data))


@dataclass
class ContextFamily:
    """Local: the mean of the last two y of the window that the origin knows; a null is left out.

    What it was fitted on is in its metrics: the mean of that window, and how long it is.
    """

    settings: FamilySettings
    name: str = "context"
    scope: str = "local"
    reads_context: bool = True

    def fit(self, panel: pd.DataFrame, start: Any = None, tuned: Any = None) -> Fitted[float]:
        models = {}
        by = panel["series_id"] if self.scope == "local" else panel["series_id"].map(lambda _: "")
        for name, rows in panel.groupby(by):
            windows = rows.drop_duplicates("series_id")["y_context"]
            level = float(np.nanmean(np.concatenate(windows.tolist())))
            metrics = {"level": level, "length": float(max(map(len, windows)))}
            ends = rows["ds"].min(), rows["ds"].max()
            models[str(name)] = FittedModel(level, *ends, len(rows), metrics=metrics)
        return Fitted(models)

    def predict(self, models: dict[str, float], future: pd.DataFrame) -> pd.DataFrame:
        yhat = [float(np.nanmean(window[-2:])) for window in future["y_context"]]
        columns = ["yhat_lower", "yhat_upper", "interval_source", "reason"]
        return pd.DataFrame({"yhat": yhat, **dict.fromkeys(columns)}, index=future.index)

    def dumps(self, model: float) -> bytes:
        return json.dumps(model).encode()

    def loads(self, data: bytes) -> float:
        return float(json.loads(data))


@dataclass
class ContextOfAllFamily(ContextFamily):
    """Global: as ContextFamily; one model, fitted on the windows of all series."""

    name: str = "context_of_all"
    scope: str = "global"


families.register("level", LevelFamily)
families.register("context", ContextFamily)
families.register("context_of_all", ContextOfAllFamily)
families.register("band", BandFamily)
families.register("window", WindowFamily)
families.register("ridge", RidgeFamily)
families.register("direct", DirectFamily)
