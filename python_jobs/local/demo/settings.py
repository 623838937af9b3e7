"""Settings of the demo and the calendar that follows from them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ObjectArray = npt.NDArray[np.object_]

MOSCOW_OFFSET = timedelta(hours=3)
"""Europe/Moscow is UTC+3 all year since 2014, before any date the demo can hold."""

MIN_SERIES = 14
MIN_WEEKS = 40
MIN_WEEKS_AHEAD = 5


@dataclass(frozen=True)
class DemoSettings:
    """Settings of the demo distributor; the same settings give the same bytes.

    Attributes:
        today: the day on which the demo is read; the newest week ends the Sunday before it.
        n_units: distribution units, each with its own weather.
        n_channels: sales channels of each unit.
        n_skus: SKUs that every unit and channel may sell.
        weeks: weeks of sales history, the first one starts on a Monday.
        seed: seed of everything drawn.
        plan_weeks: weeks before the end in which the first promotion plan was uploaded.
        first_plan_weeks_ahead: weeks after its own that the first upload covers.
        plan_weeks_ahead: weeks after its own that each later, weekly upload covers.
        weather_days_before: days of observed weather before the first week of sales.
        forecast_weeks: weeks before the end in which the first weather forecast was issued.
        forecast_days_ahead: days in one weather forecast, the day of issue included.
        gap_share: fraction of series-weeks with no row at all.
        sold_out_share: fraction of series-weeks that were sold out.
        correction_share: fraction of series-weeks whose units were corrected later.
    """

    today: date
    n_units: int = 7
    n_channels: int = 3
    n_skus: int = 25
    weeks: int = 156
    seed: int = 7
    plan_weeks: int = 36
    first_plan_weeks_ahead: int = 8
    plan_weeks_ahead: int = 10
    weather_days_before: int = 371
    forecast_weeks: int = 14
    forecast_days_ahead: int = 16
    gap_share: float = 0.005
    sold_out_share: float = 0.005
    correction_share: float = 0.005

    def __post_init__(self) -> None:
        """Refuse a demo too small to hold every kind of series, or a plan older than it."""
        if self.n_series < MIN_SERIES:
            raise ValueError(
                f"demo: {self.n_series} series; at least {MIN_SERIES} are needed to hold one of "
                "each kind. Raise n_units, n_channels or n_skus."
            )
        if self.weeks < MIN_WEEKS:
            raise ValueError(f"demo: weeks is {self.weeks}; use at least {MIN_WEEKS}.")
        if not 0 < self.plan_weeks < self.weeks or not 0 <= self.forecast_weeks < self.weeks:
            raise ValueError(
                f"demo: plan_weeks ({self.plan_weeks}) and forecast_weeks ({self.forecast_weeks}) "
                f"must be below weeks ({self.weeks}), and plan_weeks above 0."
            )
        if min(self.plan_weeks_ahead, self.first_plan_weeks_ahead) < MIN_WEEKS_AHEAD:
            raise ValueError(
                f"demo: plan_weeks_ahead ({self.plan_weeks_ahead}) and first_plan_weeks_ahead "
                f"({self.first_plan_weeks_ahead}) must be at least {MIN_WEEKS_AHEAD}."
            )

    @property
    def n_series(self) -> int:
        """Number of unit x channel x SKU combinations."""
        return self.n_units * self.n_channels * self.n_skus

    @property
    def n_weeks_simulated(self) -> int:
        """History, the week under way and every later week that a plan or forecast covers."""
        forecast_weeks_ahead = -(-self.forecast_days_ahead // 7)
        return self.weeks + 1 + max(self.plan_weeks_ahead, forecast_weeks_ahead)

    @property
    def n_days_simulated(self) -> int:
        """Days of the simulated weeks."""
        return self.n_weeks_simulated * 7

    @property
    def current_monday(self) -> date:
        """First day of the week under way, the week that holds `today`."""
        return self.today - timedelta(days=self.today.weekday())

    @property
    def first_monday(self) -> date:
        """First day of the first week of sales; day 0 and week 0 of every array."""
        return self.current_monday - timedelta(weeks=self.weeks)

    @property
    def origin_date(self) -> date:
        """Last day of the newest complete week, a Sunday before `today`."""
        return self.current_monday - timedelta(days=1)

    @property
    def now(self) -> datetime:
        """Noon in Moscow on `today`; nothing in the files was known later."""
        return datetime(self.today.year, self.today.month, self.today.day, 9, tzinfo=UTC)

    def rng(self, stream: str) -> np.random.Generator:
        """Return the generator of one named part, so that parts do not disturb each other."""
        return np.random.default_rng([self.seed, zlib.crc32(stream.encode())])

    def day(self, offset: int) -> date:
        """Return the date `offset` days after the first Monday."""
        return self.first_monday + timedelta(days=offset)

    def instant(self, offset: int, hour: int) -> datetime:
        """Return day `offset` at `hour` o'clock in Moscow, in UTC."""
        day = self.day(offset)
        return datetime(day.year, day.month, day.day, hour, tzinfo=UTC) - MOSCOW_OFFSET


def format_instant(instant: datetime) -> str:
    """Write an instant as `YYYY-MM-DD HH:MM:SS+00:00`."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S+00:00")
