"""The outcome of a retraining for one series: its comparison, the verdict and their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from python_jobs.selection.deciding import (
    CHALLENGER,
    CHAMPION,
    Comparison,
    Verdict,
)
from python_jobs.selection.retrain_record import Options

METRICS = ("wape", "smape", "rmse", "bias")


@dataclass(frozen=True)
class Outcome:
    """The verdict on one series, with its models.

    Attributes:
        verdict: who serves.
        comparison: the rows it rests on; None where nothing was compared.
        chance: how often the rule would promote by chance.
        hyperparameters: of the champion's and the challenger's fit; None where there is none.
    """

    verdict: Verdict
    comparison: Comparison | None
    chance: float | None
    hyperparameters: dict[str, dict[str, Any] | None]

    def of(self, part: str, recipe: Options) -> dict[str, Any]:
        """Metrics of champion or challenger."""
        index = CHAMPION if part == "champion" else CHALLENGER
        metrics = metrics_of(self.comparison, index) if self.comparison is not None else {}
        return {
            "recipe": recipe,
            "hyperparameters": {**(self.hyperparameters[part] or {}), **recipe},
            **metrics,
        }


DAYS = ("origin_date", "target_date")

NO_ROWS = pd.DataFrame(
    {name: pd.Series(dtype=float) for name in ("y", "champion", "challenger", "baseline")}
    | {name: pd.Series(dtype="datetime64[ns]") for name in ("origin_date", "target_date")}
)


def comparison_of(rows: pd.DataFrame) -> Comparison:
    """One series' rows as arrays."""
    days = {name: rows[name].to_numpy("datetime64[D]").astype(int) for name in DAYS}
    return Comparison(
        rows["y"].to_numpy(float),
        rows[["champion", "challenger", "baseline"]].to_numpy(float),
        days["origin_date"],
        days["target_date"],
    )


def metrics_of(comparison: Comparison, index: int) -> dict[str, Any]:
    """The metrics of one candidate that are published."""
    values = comparison.scores.metrics(index)
    return {name: values[name] for name in METRICS}
