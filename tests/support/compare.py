"""Compare rows of two engines: nulls equal nulls, floats within a tolerance, order as given."""

import math
from typing import Any

TOLERANCE = 1e-9


def same(one: Any, other: Any) -> bool:
    """Compare two values; a null equals only a null, and an integer is not a float."""
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def ordered(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Order rows alike for both engines, with floats rounded so that their last bits do not."""
    return sorted(rows, key=lambda row: repr([_rounded(value) for value in row]))


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) and math.isfinite(value) else value
