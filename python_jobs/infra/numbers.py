"""Numbers of the settings, as strict as SQL reads them: `"4"`, `4.0` and `true` are no `4`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Whole = Annotated[int, Field(strict=True, ge=-(10**12), le=10**12)]
"""A whole number that a sum of many does not overflow."""

Days = Annotated[int, Field(strict=True, ge=0, le=100_000)]
"""A number of days or periods that a date can be moved by."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e12, le=1e12)]
