"""The forms of a Prophet model among which `shelfcast tune` chooses."""

from __future__ import annotations

from typing import Any

from python_jobs.families.prophet.model import ProphetOptions

STIFF: dict[str, Any] = {
    "growth": "linear",
    "changepoint_prior_scale": 0.01,
    "yearly_order": 3,
}
"""A trend that bends where many periods ask for it, and a year of three waves."""

FORMS: list[dict[str, Any]] = [
    {"growth": "flat", "yearly": False},
    {"growth": "flat", "yearly_order": 3},
    STIFF,
]
"""Trend and year, from the stiffest to the most supple."""

TRANSFORMS = ("none", "log1p")

WITHOUT: dict[str, Any] = {"y_lag1": False, "ar1": False}
MEMORIES: list[dict[str, Any]] = [WITHOUT, WITHOUT | {"ar1": True}]
"""What is left of the last period: nothing, or its residual."""


def default_candidates(family: str, options: ProphetOptions) -> list[dict[str, Any]]:
    """The recipes for a family whose settings name none.

    Each transform with each form and memory, then the last y as a regressor, then a season and
    regressors that multiply. The settings' own comes last, with either transform, so that a simpler
    one which is as good is taken.

    Args:
        family: prophet_no_lag has no candidate with a lag.
        options: as the settings give them.
    """
    found = [
        {"transform": transform, **form, **memory}
        for transform in TRANSFORMS
        for form in FORMS
        for memory in MEMORIES
    ]
    if family == "prophet":
        found += [{"transform": one, **STIFF, "y_lag1": True, "ar1": False} for one in TRANSFORMS]
    multiplicative = {"transform": "none", "seasonality_mode": "multiplicative"}
    found += [{**multiplicative, **STIFF, **WITHOUT}]
    found += [{"transform": one} for one in TRANSFORMS]
    own = options.model_dump()
    return [*(one for one in found if not one.items() <= own.items()), {}]
