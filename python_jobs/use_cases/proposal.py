"""The user's request, and the settings proposed for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from python_jobs.use_cases.facts import Facts

Grain = Literal["day", "week"]


@dataclass(frozen=True)
class Wish:
    """The user's request.

    Attributes:
        name: of the use case.
        key: type by part, in the order of series_id; an empty type is found in the data.
        grain: of the forecast; None: that of the sales rows.
        horizon: periods; None: a usual one.
        season: periods; None: a usual one.
        families: the first one serves.
        time_zone: of days and of the schedule.
        columns: columns of the sales by role or part of the key, where they are not to be guessed.
        date_means: whether a week's date is its first or last day; None: guessed.
    """

    name: str
    key: Mapping[str, str]
    grain: Grain | None = None
    horizon: int | None = None
    season: int | None = None
    families: Sequence[str] = ("prophet",)
    time_zone: str = "UTC"
    columns: Mapping[str, str] = field(default_factory=dict)
    date_means: str | None = None


@dataclass
class Proposal:
    """Settings of a use case and why they are so.

    Attributes:
        settings: as they stand under `vars: use_cases: <name>:`.
        reasons: why, by setting (`sources.sales.date_means`).
        found: what the rows say, a line each.
        to_decide: what only a person knows, a sentence each.
        grain: of the forecast.
        facts: of the sales.
    """

    settings: dict[str, Any]
    reasons: dict[str, str]
    found: list[str]
    to_decide: list[str]
    grain: Grain
    facts: Facts

    def say(self, setting: str, why: str) -> None:
        """Give the reason of a setting."""
        self.reasons[setting] = why

    @property
    def is_price(self) -> bool:
        """Whether a price is forecast: its mean counts, not its sum."""
        return self.settings.get("measure") == "price"
