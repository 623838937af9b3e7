"""The settings of a use case as pydantic models: which keys there are and which values they take.

The defaults stand in dbt_project.yml; python_jobs/infra/settings.py reads and merges them.
"""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from python_jobs.families.base import FamilySettings
from python_jobs.infra.features import Features, TrainingGrain
from python_jobs.infra.numbers import Days, Number, Whole

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
        if time.fromisoformat(value).tzinfo is not None:
            raise ValueError("a time of the use case's own time zone has no offset")
        return value


class Regressor(Frozen):
    """A future-known column: where its future comes from, what a hole means, which way it works."""

    future: Literal["plan", "weather", "calendar", "given"]
    when_missing: WhenMissing
    names: tuple[str, ...]
    sign: Literal["any", "positive", "negative"]


LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PART = r"[\w-][\w$*-]*"


def _table_name(name: str) -> str:
    if name and not re.fullmatch(rf"{_PART}(\.{_PART}\.{_PART})?", name):
        raise ValueError("a table is named alone, or as project.dataset.table")
    return name


def _web_address(url: str) -> str:
    """An address that the customer's key may be sent to: over TLS, or to this machine."""
    if not url:
        return url
    parts = urlsplit(url)
    is_sound = re.fullmatch(r"https?://[^\s?#\\]+", url) and parts.hostname and parts.port != 0
    if not is_sound or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
        raise ValueError("an address begins with https:// and has no query")
    if "@" in parts.netloc:
        raise ValueError("an address holds no user and no password")
    return url


def _is_written_as_a_day(given: object) -> object:
    if not isinstance(given, str | date):
        raise ValueError("a day is written as 2022-01-01")
    return given


TableName = Annotated[str, AfterValidator(_table_name)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
FirstDay = Annotated[
    date,
    BeforeValidator(_is_written_as_a_day),
    Field(ge=date(1940, 1, 1), le=date(2200, 1, 1)),
]


class SalesSource(Frozen):
    """How the sales table maps onto the use case's key, date and quantity."""

    table: TableName
    grain: Literal["", "day", "week"]
    date_means: Literal["period_start", "period_end"]
    label_offset_days: Annotated[Whole, Field(ge=-366, le=366)]
    columns: dict[str, str]
    known_at: str
    negative_quantity: Literal["reject", "return", "keep"]
    duplicates: Literal["reject", "keep"]
    warn_after_days: Days
    error_after_days: Days


class PromotionsSource(Frozen):
    """How the promotion plan's table maps onto key, window, price and regressors."""

    table: TableName
    columns: dict[str, str]
    known_at: str
    no_row_means: Literal["none", "unknown"]
    inbox: str


class WeatherFetch(Frozen):
    """The source of fetched weather; each key is explained beside its default."""

    service: Literal["none", "open_meteo"]
    archive_url: WebAddress
    forecast_url: WebAddress
    requests_a_minute: Annotated[Number, Field(ge=0.1)]
    timeout_s: Annotated[Number, Field(gt=0, le=3600)]
    retries: Annotated[Whole, Field(ge=0, le=100)]
    backoff_s: Annotated[Number, Field(ge=0, le=3600)]
    history_from: FirstDay
    forecast_days: Annotated[Days, Field(ge=1, le=16)]
    variables: dict[str, str]
    cache_uri: str

    @property
    def is_on(self) -> bool:
        """Whether anything is fetched at all."""
        return self.service != "none"


class WeatherSource(Frozen):
    """How the weather table maps onto location, date and regressors."""

    table: TableName
    columns: dict[str, str]
    known_at: str
    location_of_series: str
    fetch: WeatherFetch


class RegressorsSource(Frozen):
    """How a table of regressors by date maps onto some of the key's columns, a date and them."""

    table: TableName
    columns: dict[str, str]
    known_at: str


class AttributesSource(Frozen):
    """How a dimension maps onto some of the key's columns and the attributes."""

    table: TableName
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

    wape: Annotated[Number, Field(ge=0)]
    periods: Annotated[Days, Field(ge=1)]
    horizon_step: Annotated[Days, Field(ge=1)]
    min_scored: Annotated[Whole, Field(ge=1)]
    min_arrived: Annotated[Number, Field(ge=0, le=1)]
    tracking_signal: Annotated[Number, Field(ge=0)]
    tracking_periods: Annotated[Days, Field(ge=2)]
    on_breach: Literal["warn", "fail"]


class Retraining(Frozen):
    """Which series are trained again; each key is explained beside its default."""

    periods: Annotated[Days, Field(ge=1)]
    min_scored: Annotated[Whole, Field(ge=1)]
    wape: Annotated[Number, Field(ge=0)]
    bias: Annotated[Number, Field(ge=0)]
    coverage_below: Annotated[Number, Field(ge=0, le=1)]
    age_periods: Annotated[Days, Field(ge=1)]
    beaten_by: Annotated[Number, Field(ge=0)]
    drift_share: Annotated[Number, Field(ge=0, le=1)]
    cool_down_periods: Annotated[Days, Field(ge=0)]
    origins: Annotated[Whole, Field(ge=3, le=1000)]
    min_periods: Annotated[Days, Field(ge=1)]
    margin: Annotated[Number, Field(ge=0, lt=1)]
    baseline: Baseline
    max_series: Annotated[Whole, Field(ge=1)]
    simulations: Annotated[Whole, Field(ge=1, le=100_000)]


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone is named '{name[:80]}'") from error
    if name.startswith(("posix/", "right/")) or name in ("localtime", "posixrules", "Factory"):
        raise ValueError(f"'{name}' is a time zone of this machine alone; name a city's")
    return name


class UseCase(Frozen):
    """One forecasting problem; each key is explained beside its default in dbt_project.yml."""

    name: str
    grain: Literal["day", "week"]
    week_starts_on: Weekday
    time_zone: Annotated[str, AfterValidator(_known_time_zone)]
    horizon: Annotated[Days, Field(ge=1, le=1000)]
    season: Annotated[Days, Field(ge=1, le=10_000)]
    key: dict[str, Literal["string", "int64", "date"]]
    measure: Literal["quantity", "price"]
    aggregate: Literal["sum", "mean", "min", "max", "last"]
    gaps_mean: Literal["unknown", "zero"]
    min_observations: Annotated[Whole, Field(ge=1)]
    inactive_after: Annotated[Days, Field(ge=1)]
    max_periods_stale: Annotated[Days, Field(ge=0)]
    when_stale: Literal["fallback", "warn", "stop_run"]
    max_refused_share: Annotated[Number, Field(ge=0, le=1)]
    refit: Literal["every_run", "on_retrain"]
    schedule: Schedule
    issue_window_days: Annotated[Days, Field(ge=1, le=7)]
    families: tuple[str, ...] = Field(min_length=1)
    family_options: dict[str, dict[str, Any]]
    interval: Annotated[Number, Field(gt=0, lt=1)]
    min_calibration_residuals: Annotated[Whole, Field(ge=1)]
    seed: Whole
    min_pooled_series: Annotated[Whole, Field(ge=2)]
    recipe_per: Literal["portfolio", "demand_class", "series"]
    min_segment_rows: Annotated[Whole, Field(ge=1)]
    per_series_objects_up_to: Annotated[Whole, Field(ge=0)]
    value_added_over: Baseline
    lookback_periods: Annotated[Days, Field(ge=1)]
    alerts: Alerts
    retraining: Retraining
    include: str
    include_table: TableName
    regressors: dict[str, Regressor]
    features: Features
    training_grain: TrainingGrain
    context_length: Annotated[Days, Field(ge=0, le=10_000)]
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

    bigquery_tib: Annotated[Number, Field(ge=0)]
    vcpu_second: Annotated[Number, Field(ge=0)]
    gib_second: Annotated[Number, Field(ge=0)]


class JobSize(Frozen):
    """The resources of a task of the jobs, which set the price of its seconds."""

    vcpu: Annotated[Number, Field(gt=0)]
    memory_gib: Annotated[Number, Field(gt=0)]
