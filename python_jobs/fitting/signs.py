"""Models whose effect of a regressor has another sign than the settings expect.

A price that raises sales is a sign that prices, promotions or the model are wrong. The model serves
all the same: only a person can decide which of them it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from python_jobs.families.base import ExplainedFamily, Family, Fitted
from python_jobs.infra.errors import first_few
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.run import Run
from python_jobs.infra.settings import Regressor

MIN_EFFECT = 0.01
"""Share of the series' level that the regressor's whole range must move; less has no sign."""

SIGNS = {"positive": 1, "negative": -1}


def contradictions(
    family: Family[Any],
    fitted: Fitted[Any],
    ranges: Mapping[str, str],
    regressors: Mapping[str, Regressor],
) -> dict[str, dict[str, float]]:
    """Compare the sign of each model's effects with that of the settings.

    Args:
        family: one that says what a regressor does; others contradict nothing.
        fitted: its models.
        ranges: by series_id, what `regressor_ranges` found, JSON.
        regressors: those of the settings.

    Returns:
        By series_id of a model that contradicts them: by regressor, what one unit of it adds to
        the forecast, as a share of the series' level.
    """
    expected = {name: SIGNS[one.sign] for name, one in regressors.items() if one.sign in SIGNS}
    if not expected or not hasattr(family, "effects"):
        return {}
    effects_of = cast(ExplainedFamily[Any], family).effects
    found = {}
    for series_id, one in fitted.models.items():
        seen = orjson.loads(ranges.get(series_id, "{}"))
        wrong = {
            name: effect
            for name, effect in effects_of(one.model).items()
            if expected.get(name, 0) * effect * _width(seen.get(name)) < -MIN_EFFECT
        }
        if wrong:
            found[series_id] = wrong
    return found


def json_or_null(values: Mapping[str, object] | None) -> str | None:
    """Write as JSON; None where empty."""
    return orjson.dumps(values).decode() if values else None


def _width(bounds: list[float] | None) -> float:
    """How far a regressor moved in training; one unit where it never did."""
    return (bounds[1] - bounds[0] if bounds else 0.0) or 1.0


@dataclass
class Contradicted:
    """The models of a training whose regressors work the wrong way.

    Attributes:
        series: series_id of each such model, by family, then regressor.
    """

    series: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the rows of a fit, as model_log holds them."""
        for row in rows:
            for name in orjson.loads(row.get("regressors_contradicting") or "{}"):
                of_family = self.series.setdefault(row["model_name"], {})
                of_family.setdefault(name, []).append(row["series_id"] or "the whole portfolio")

    def log(self, run: Run) -> None:
        """Say once how many there are, the first few, and what to do."""
        if not self.series:
            return
        regressors = run.use_case.regressors
        phrases = [
            f"{name} should {_verb(regressors[name])} sales and does the contrary in "
            f"{len(models)} models of {family} ({first_few(sorted(set(models)))})"
            for family, by_name in self.series.items()
            for name, models in by_name.items()
        ]
        warn(
            Event.SIGN_CONTRADICTED,
            f"train: {'; '.join(phrases)}. They serve. Look at the prices and promotions of these "
            "series, or take `sign` out of the settings: {models} names all of them under "
            "regressors_contradicting.",
            run_id=run.run_id,
            n_models=sum(len(one) for by_name in self.series.values() for one in by_name.values()),
        )


def _verb(regressor: Regressor) -> str:
    return "raise" if regressor.sign == "positive" else "lower"
