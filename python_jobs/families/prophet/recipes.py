"""The forms of a Prophet model among which `shelfcast tune` chooses."""

from __future__ import annotations

from typing import Any

from python_jobs.families.prophet.model import ProphetOptions

FORMS: list[dict[str, Any]] = [
    {"growth": "flat", "yearly": False},
    {"growth": "flat", "yearly_order": 3},
    {"growth": "linear", "changepoint_prior_scale": 0.01, "yearly": False},
    {"growth": "linear", "changepoint_prior_scale": 0.01, "yearly_order": 3},
    {"growth": "linear", "yearly_order": 3},
]
"""Trend and year, from the stiffest to the most supple; a yearly season of order 10, Prophet's own,
is the settings' unless they say otherwise."""

TRANSFORMS = ("none", "log1p")

MEMORIES: list[dict[str, Any]] = [{}, {"ar1": True}, {"y_lag1": True}]
"""What is left of the last weeks: nothing, the last residual, or the last y as a regressor."""


def default_candidates(family: str, options: ProphetOptions) -> list[dict[str, Any]]:
    """The recipes for a family whose settings name none.

    The settings' own comes last, so that a simpler one which is as good is taken.

    Args:
        family: prophet_no_lag has no candidate with a lag.
        options: as the settings give them.
    """
    lag = {"y_lag1": False, "ar1": False}
    found = [
        {"transform": transform, **form, **lag, **memory}
        for transform in TRANSFORMS
        for form in FORMS
        for memory in MEMORIES
        if family == "prophet" or "y_lag1" not in memory
    ]
    multiplicative = {"seasonality_mode": "multiplicative", "yearly_order": 3, **lag}
    own = options.model_dump()
    others = [*found, {**multiplicative}, {**multiplicative, "ar1": True}]
    return [*(one for one in others if not one.items() <= own.items()), {}]
