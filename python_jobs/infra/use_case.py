"""The settings of a use case as pydantic models: which keys there are and which values they take.

The defaults stand in dbt_project.yml; python_jobs/infra/settings.py reads and merges them.
"""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from python_jobs.families.base import FamilySettings
from python_jobs.infra.features import Features, TrainingGrain

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WhenMissing = Literal[
    "refuse_series", "carry_last", "carry_regular_price", "climatology", "none", "stop_run"
]


class Frozen(BaseModel):
    """Settings that refuse an unknown key and do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Schedule(Frozen):
    """When the scheduled run starts, in the use case's time zone."""

    weekday: Weekday | Literal["daily"]
    time: str

    @field_validator("time")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        time.fromisoformat(value)
        return value


class Regressor(Frozen):
    """A future-known column: where its future comes from, what a hole means, which way it works."""

    future: Literal["plan", "weather", "calendar", "given"]
    when_missing: WhenMissing
    names: tuple[str, ...]
    sign: Literal["any", "positive", "negative"]


class SalesSource(Frozen):
    """How the sales table maps onto the use case's key, date and quantity."""

    table: str
    grain: Literal["", "day", "week"]
    date_means: Literal["period_start", "period_end"]
    label_offset_days: int
    columns: dict[str, str]
    known_at: str
    negative_quantity: Literal["reject", "return", "keep"]
    duplicates: Literal["reject", "keep"]
    warn_after_days: int
    error_after_days: int


class PromotionsSource(Frozen):
    """How the promotion plan's table maps onto key, window, price and regressors."""

    table: str
    columns: dict[str, str]
    known_at: str
    no_row_means: Literal["none", "unknown"]
    inbox: str


def _web_address(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s?#]+", url):
        raise ValueError("an address begins with https:// and has no query")
    return url


class WeatherFetch(Frozen):
    """The source of fetched weather; each key is explained beside its default."""

    service: Literal["none", "open_meteo"]
    archive_url: Annotated[str, AfterValidator(_web_address)]
    forecast_url: Annotated[str, AfterValidator(_web_address)]
    requests_a_minute: float = Field(gt=0)
    timeout_s: float = Field(gt=0)
    retries: int = Field(ge=0)
    backoff_s: float = Field(ge=0)
    history_from: date
    forecast_days: int = Field(ge=1, le=16)
    variables: dict[str, str]
    cache_uri: str

    @property
    def is_on(self) -> bool:
        """Whether anything is fetched at all."""
        return self.service != "none"


class WeatherSource(Frozen):
    """How the weather table maps onto location, date and regressors."""

    table: str
    columns: dict[str, str]
    known_at: str
    location_of_series: str
    fetch: WeatherFetch


class RegressorsSource(Frozen):
    """How a table of regressors by date maps onto some of the key's columns, a date and them."""

    table: str
    columns: dict[str, str]
    known_at: str


class AttributesSource(Frozen):
    """How a dimension maps onto some of the key's columns and the attributes."""

    table: str
    columns: dict[str, str]
    known_at: str


class CalendarSource(Frozen):
    """Which countries' holidays count."""

    countries: tuple[str, ...]


class Sources(Frozen):
    """The tables that a use case reads."""

    sales: SalesSource
    promotions: PromotionsSource | None = None
    weather: WeatherSource | None = None
    attributes: AttributesSource | None = None
    regressors: RegressorsSource | None = None
    calendar: CalendarSource | None = None


Baseline = Literal["naive", "seasonal_naive", "mean_4", "mean_8"]


class Alerts(Frozen):
    """When an alert is logged; each key is explained beside its default in dbt_project.yml."""

    wape: float = Field(ge=0)
    periods: int = Field(ge=1)
    horizon_step: int = Field(ge=1)
    min_scored: int = Field(ge=1)
    min_arrived: float = Field(ge=0, le=1)
    tracking_signal: float = Field(ge=0)
    tracking_periods: int = Field(ge=2)
    on_breach: Literal["warn", "fail"]


class Retraining(Frozen):
    """Which series are trained again; each key is explained beside its default."""

    periods: int = Field(ge=1)
    min_scored: int = Field(ge=1)
    wape: float = Field(ge=0)
    bias: float = Field(ge=0)
    coverage_below: float = Field(ge=0, le=1)
    age_periods: int = Field(ge=1)
    beaten_by: float = Field(ge=0)
    drift_share: float = Field(ge=0, le=1)
    cool_down_periods: int = Field(ge=0)
    origins: int = Field(ge=3)
    min_periods: int = Field(ge=1)
    margin: float = Field(ge=0, lt=1)
    baseline: Baseline
    max_series: int = Field(ge=1)
    simulations: int = Field(ge=1)


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no time zone is named '{name}'") from error
    return name


class UseCase(Frozen):
    """One forecasting problem; each key is explained beside its default in dbt_project.yml."""

    name: str
    grain: Literal["day", "week"]
    week_starts_on: Weekday
    time_zone: Annotated[str, AfterValidator(_known_time_zone)]
    horizon: int = Field(ge=1)
    season: int = Field(ge=1)
    key: dict[str, Literal["string", "int64", "date"]]
    measure: Literal["quantity", "price"]
    aggregate: Literal["sum", "mean", "min", "max", "last"]
    gaps_mean: Literal["unknown", "zero"]
    min_observations: int = Field(ge=1)
    inactive_after: int = Field(ge=1)
    max_periods_stale: int = Field(ge=0)
    when_stale: Literal["fallback", "warn", "stop_run"]
    max_refused_share: float = Field(ge=0, le=1)
    refit: Literal["every_run", "on_retrain"]
    schedule: Schedule
    issue_window_days: int = Field(ge=1, le=7)
    families: tuple[str, ...] = Field(min_length=1)
    family_options: dict[str, dict[str, Any]]
    interval: float = Field(gt=0, lt=1)
    min_calibration_residuals: int = Field(ge=1)
    seed: int
    min_pooled_series: int = Field(ge=2)
    recipe_per: Literal["portfolio", "demand_class", "series"]
    min_segment_rows: int = Field(ge=1)
    per_series_objects_up_to: int = Field(ge=0)
    value_added_over: Baseline
    lookback_periods: int = Field(ge=1)
    alerts: Alerts
    retraining: Retraining
    include: str
    include_table: str
    regressors: dict[str, Regressor]
    features: Features
    training_grain: TrainingGrain
    context_length: int = Field(ge=0)
    sources: Sources

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which days and the schedule are meant."""
        return ZoneInfo(self.time_zone)

    @property
    def period_days(self) -> int:
        """Days in a period."""
        return 7 if self.grain == "week" else 1

    def periods(self, n: int) -> timedelta:
        """The time that n periods last."""
        return timedelta(days=n * self.period_days)

    @property
    def panel_columns(self) -> tuple[str, ...]:
        """The columns of the panels that a model may learn from, beside y_lag1."""
        return (*self.regressors, *self.features.names)

    @property
    def champion(self) -> str:
        """The family whose forecast is served."""
        return self.families[0]

    def family_settings(self, family: str) -> FamilySettings:
        """The part of these settings that the named family reads."""
        return FamilySettings(
            grain=self.grain,
            horizon=self.horizon,
            season=self.season,
            regressors=tuple(self.regressors),
            features=self.features.names,
            context_length=self.context_length,
            is_nonnegative=self.measure == "quantity",
            interval=self.interval,
            seed=self.seed,
            options=self.family_options.get(family, {}),
        )


class Prices(Frozen):
    """Google's list prices in US dollars; each is explained in dbt_project.yml."""

    bigquery_tib: float = Field(ge=0, strict=True, allow_inf_nan=False)
    vcpu_second: float = Field(ge=0, strict=True, allow_inf_nan=False)
    gib_second: float = Field(ge=0, strict=True, allow_inf_nan=False)


class JobSize(Frozen):
    """The resources of a task of the jobs, which set the price of its seconds."""

    vcpu: float = Field(gt=0, strict=True, allow_inf_nan=False)
    memory_gib: float = Field(gt=0, strict=True, allow_inf_nan=False)
