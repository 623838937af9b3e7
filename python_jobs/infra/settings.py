"""The settings: use cases from `vars:` in dbt_project.yml, connections from the environment.

SQL and Python read the same keys. The defaults stand once, under `use_case_defaults`,
`source_defaults` and `regressor_defaults`; a key that is not there is refused by name. A
deployment's own settings are a file named by SHELFCAST_SETTINGS: its top-level keys replace those
of `vars:`, for dbt too.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import os
import re
from collections.abc import Mapping
from datetime import date, time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from python_jobs.families.base import FamilySettings
from python_jobs.infra.errors import SettingsError

INLINE = "SHELFCAST_SETTINGS"
"""Where settings stand that are no file's."""
MAPPINGS = (
    "use_cases",
    "use_case_defaults",
    "source_defaults",
    "regressor_defaults",
    "alert_defaults",
    "retraining_defaults",
    "fetch_defaults",
    "prices",
    "job_size",
)
"""The keys of `vars:` that are read here."""
REQUIRED = "required"
LOADING = "SHELFCAST_LOADING"
Weekday = Literal[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "daily"
]
WhenMissing = Literal[
    "refuse_series", "carry_last", "carry_regular_price", "climatology", "none", "stop_run"
]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


SectionT = TypeVar("SectionT", bound=_Frozen)


class Schedule(_Frozen):
    """When the weekly run starts, in the use case's time zone."""

    weekday: Weekday
    time: str

    @field_validator("time")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        time.fromisoformat(value)
        return value


class Regressor(_Frozen):
    """A future-known column: where its future comes from, what a hole means, which way it works."""

    future: Literal["plan", "weather", "calendar"]
    when_missing: WhenMissing
    names: tuple[str, ...]
    sign: Literal["any", "positive", "negative"]


class SalesSource(_Frozen):
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


class PromotionsSource(_Frozen):
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


class WeatherFetch(_Frozen):
    """Where weather is fetched from; each key is explained beside its default."""

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


class WeatherSource(_Frozen):
    """How the weather table maps onto location, date and regressors."""

    table: str
    columns: dict[str, str]
    known_at: str
    location_of_series: str
    fetch: WeatherFetch


class CalendarSource(_Frozen):
    """Which countries' holidays count."""

    countries: tuple[str, ...]


class Sources(_Frozen):
    """The tables that a use case reads."""

    sales: SalesSource
    promotions: PromotionsSource | None = None
    weather: WeatherSource | None = None
    calendar: CalendarSource | None = None


Baseline = Literal["naive", "seasonal_naive", "mean_4", "mean_8"]


class Alerts(_Frozen):
    """When somebody is told; each key is explained beside its default in dbt_project.yml."""

    wape: float = Field(ge=0)
    weeks: int = Field(ge=1)
    horizon_step: int = Field(ge=1)
    min_scored: int = Field(ge=1)
    min_arrived: float = Field(ge=0, le=1)
    tracking_signal: float = Field(ge=0)
    tracking_weeks: int = Field(ge=2)
    on_breach: Literal["warn", "fail"]


class Retraining(_Frozen):
    """Which series are trained again; each key is explained beside its default."""

    weeks: int = Field(ge=1)
    min_scored: int = Field(ge=1)
    wape: float = Field(ge=0)
    bias: float = Field(ge=0)
    coverage_below: float = Field(ge=0, le=1)
    age_weeks: int = Field(ge=1)
    beaten_by: float = Field(ge=0)
    drift_share: float = Field(ge=0, le=1)
    cool_down_weeks: int = Field(ge=0)
    origins: int = Field(ge=3)
    min_weeks: int = Field(ge=1)
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


class UseCase(_Frozen):
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
    refit: Literal["weekly", "on_retrain"]
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
    lookback_weeks: int = Field(ge=1)
    alerts: Alerts
    retraining: Retraining
    include: str
    include_table: str
    regressors: dict[str, Regressor]
    sources: Sources

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which days and the schedule are meant."""
        return ZoneInfo(self.time_zone)

    @property
    def period_days(self) -> int:
        """Days in a period."""
        return 7 if self.grain == "week" else 1

    @property
    def champion(self) -> str:
        """The family whose forecast is served."""
        return self.families[0]

    def family_settings(self, family: str) -> FamilySettings:
        """What the named family may see of these settings."""
        return FamilySettings(
            grain=self.grain,
            horizon=self.horizon,
            season=self.season,
            regressors=tuple(self.regressors),
            is_nonnegative=self.measure == "quantity",
            interval=self.interval,
            seed=self.seed,
            options=self.family_options.get(family, {}),
        )


class Prices(_Frozen):
    """Google's list prices in US dollars; each is explained in dbt_project.yml."""

    bigquery_tib: float = Field(ge=0, strict=True, allow_inf_nan=False)
    vcpu_second: float = Field(ge=0, strict=True, allow_inf_nan=False)
    gib_second: float = Field(ge=0, strict=True, allow_inf_nan=False)


class JobSize(_Frozen):
    """What a task of the jobs is given, which its seconds are paid for."""

    vcpu: float = Field(gt=0, strict=True, allow_inf_nan=False)
    memory_gib: float = Field(gt=0, strict=True, allow_inf_nan=False)


MOST_BYTES_BILLED = 10**12
"""That one query on BigQuery may bill unless told; profiles.yml has the same default for dbt."""


class Connection(_Frozen):
    """Where the warehouse and the model store are, from the environment; read only here."""

    target: str
    dataset: str
    project: str | None
    location: str | None
    keyfile: str | None
    bigquery_endpoint: str | None
    bigquery_grpc_endpoint: str | None
    models_uri: str | None
    weather_key: SecretStr | None = None
    loading: Literal["with_run", "apart"] = "with_run"
    maximum_bytes_billed: int | None = None


def connection(environment: Mapping[str, str] = os.environ) -> Connection:
    """Read the connection from environment variables (README, "Environment").

    Raises:
        SettingsError: SHELFCAST_LOADING is neither with_run nor apart, the target is prod and
            SHELFCAST_PROJECT is not set, or SHELFCAST_MAXIMUM_BYTES_BILLED is no whole number
            above 0.
    """
    target, loading = environment.get("SHELFCAST_TARGET", "local"), environment.get(LOADING)
    if loading not in (None, "", "with_run", "apart"):
        raise SettingsError(
            f"{LOADING} is '{loading}'. with_run (the default): weekly runs and training load the "
            "inbox and fetch the weather themselves; apart: jobs of their own do."
        )
    if target == "prod" and not environment.get("SHELFCAST_PROJECT"):
        raise SettingsError(
            "SHELFCAST_PROJECT is not set, and target prod needs it. Name the Google Cloud project "
            "that the datasets are in: export SHELFCAST_PROJECT=my-project."
        )
    return Connection(
        target=target,
        dataset=environment.get("SHELFCAST_DATASET", "shelfcast"),
        project=environment.get("SHELFCAST_PROJECT") or None,
        location=environment.get("SHELFCAST_LOCATION") or None,
        keyfile=environment.get("SHELFCAST_KEYFILE") or None,
        bigquery_endpoint=environment.get("SHELFCAST_BIGQUERY_ENDPOINT") or None,
        bigquery_grpc_endpoint=environment.get("SHELFCAST_BIGQUERY_GRPC_ENDPOINT") or None,
        models_uri=environment.get("SHELFCAST_MODELS_URI") or None,
        weather_key=SecretStr(key) if (key := environment.get("SHELFCAST_WEATHER_KEY")) else None,
        loading="apart" if loading == "apart" else "with_run",
        maximum_bytes_billed=_maximum_bytes_billed(environment),
    )


def _maximum_bytes_billed(environment: Mapping[str, str]) -> int | None:
    """The limit of a query; none for the emulator, which bills nothing."""
    given = environment.get("SHELFCAST_MAXIMUM_BYTES_BILLED")
    if not given:
        return None if environment.get("SHELFCAST_BIGQUERY_ENDPOINT") else MOST_BYTES_BILLED
    if not (given.isascii() and given.isdigit() and int(given) > 0):
        raise SettingsError(
            f"SHELFCAST_MAXIMUM_BYTES_BILLED is '{given}', not a whole number of bytes above 0 "
            f"(such as {MOST_BYTES_BILLED})."
        )
    return int(given)


def project_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """The dbt project: SHELFCAST_PROJECT_DIR, else this folder, else where the package lies.

    Raises:
        SettingsError: none of them holds a dbt_project.yml.
    """
    named = environment.get("SHELFCAST_PROJECT_DIR")
    places = [Path(named)] if named else [Path.cwd(), Path(__file__).resolve().parents[2]]
    for place in places:
        if (place / "dbt_project.yml").is_file():
            return place
    raise SettingsError(
        f"no dbt_project.yml in {', '.join(str(place) for place in places)}. "
        "Run from the project's folder, or set SHELFCAST_PROJECT_DIR."
    )


class Settings(_Frozen):
    """Every use case, and what must be handed to dbt so that SQL sees the same.

    Attributes:
        use_cases: by name.
        prices: what a run is costed with.
        job_size: what its seconds are paid for.
        dbt_vars: `--vars` for dbt; empty where dbt_project.yml says everything.
        digest: SHA-256 of all settings, recorded with each run.
    """

    use_cases: dict[str, UseCase]
    prices: Prices
    job_size: JobSize
    dbt_vars: dict[str, Any]
    digest: str

    def use_case(self, name: str | None) -> UseCase:
        """The use case of that name; without a name, the only one.

        Raises:
            SettingsError: none is set, none has that name, or there are several and no name.
        """
        if not self.use_cases:
            raise SettingsError("no use case is set. Add one under vars: use_cases:.")
        known = ", ".join(self.use_cases)
        if name is None and len(self.use_cases) == 1:
            return next(iter(self.use_cases.values()))
        if name is None:
            raise SettingsError(f"several use cases are set ({known}). Name one with --use-case.")
        if name not in self.use_cases:
            raise SettingsError(f"no use case named '{name}' in the settings (known: {known}).")
        return self.use_cases[name]


def load_settings(project: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read and check the settings.

    Args:
        project: folder of dbt_project.yml.
        environment: SHELFCAST_SETTINGS may name a file whose keys replace those of `vars:`, or be
            such settings itself, as a JSON object.

    Raises:
        SettingsError: a file cannot be read, a key is unknown or missing, a value is not allowed;
            all faults at once, each with its place.
    """
    variables = _read_yaml(project / "dbt_project.yml").get("vars", {})
    own = environment.get("SHELFCAST_SETTINGS", "")
    dbt_vars = _own_settings(own) if own else {}
    unknown = [key for key in dbt_vars if key not in variables]
    if unknown:
        where = INLINE if _is_inline(own) else own
        raise SettingsError(f"{where}: {_unknown_key('', unknown[0], list(variables))}")
    variables = {**variables, **dbt_vars}
    faults = _no_mappings({name: variables.get(name) for name in MAPPINGS})
    faults = faults or _no_mappings(
        {f"source_defaults.{name}": given for name, given in variables["source_defaults"].items()}
    )
    if faults:
        raise SettingsError("settings: " + "; ".join(faults))
    use_cases = {
        name: use_case
        for name, given in variables["use_cases"].items()
        if (use_case := _use_case(name, given, variables, faults)) is not None
    }
    faults.extend(_key_faults(use_cases))
    prices = _section("prices", Prices, variables, faults)
    job_size = _section("job_size", JobSize, variables, faults)
    if faults or prices is None or job_size is None:
        raise SettingsError("settings: " + "; ".join(faults))
    return Settings(
        use_cases=use_cases,
        prices=prices,
        job_size=job_size,
        dbt_vars=dbt_vars,
        digest=_digest(variables),
    )


def _section(
    name: str, model: type[SectionT], variables: dict[str, Any], faults: list[str]
) -> SectionT | None:
    """A mapping of `vars:` that has all its keys; the file that replaces it names each again."""
    given = variables[name]
    n_faults = len(faults)
    _merge(name, given, dict.fromkeys(model.model_fields, REQUIRED), faults)
    if len(faults) > n_faults:
        return None
    try:
        return model(**given)
    except ValidationError as error:
        faults.extend(_describe(name, fault) for fault in error.errors())
        return None


def _is_inline(own: str) -> bool:
    return own.lstrip().startswith("{")


def _own_settings(own: str) -> dict[str, Any]:
    if not _is_inline(own):
        return _read_yaml(Path(own))
    try:
        content: dict[str, Any] = orjson.loads(own)
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"{INLINE} is not JSON: {error}.") from error
    return content


SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C, where PyYAML was built with it; it is ten times as quick."""


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text("utf-8"), Loader=SAFE_LOADER)  # noqa: S506 - it is one
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8: byte {error.start}, {error.reason}.") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path} holds no settings (a mapping of keys is expected).")
    return content


def _digest(variables: dict[str, Any]) -> str:
    packed = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.sha256(packed).hexdigest()


def _use_case(
    name: str, given: object, variables: dict[str, Any], faults: list[str]
) -> UseCase | None:
    where = f"use_cases.{name}"
    merged = _merge(where, given, variables["use_case_defaults"], faults)
    for part, defaults in (
        ("sources", variables["source_defaults"]),
        ("regressors", None),
    ):
        section = merged.get(part)
        if not isinstance(section, dict):
            continue
        merged[part] = {
            key: _merge(
                f"{where}.{part}.{key}",
                value,
                variables["regressor_defaults"] if defaults is None else defaults.get(key, {}),
                faults,
            )
            for key, value in section.items()
            if defaults is None or _is_known(f"{where}.{part}", key, list(defaults), faults)
        }
    for part, defaults in (("alerts", "alert_defaults"), ("retraining", "retraining_defaults")):
        if isinstance(merged.get(part), dict):
            merged[part] = _merge(f"{where}.{part}", merged[part], variables[defaults], faults)
    weather = merged["sources"].get("weather") if isinstance(merged.get("sources"), dict) else None
    if weather and isinstance(weather.get("fetch"), dict):
        place = f"{where}.sources.weather.fetch"
        weather["fetch"] = _merge(place, weather["fetch"], variables["fetch_defaults"], faults)
    if faults:
        return None
    try:
        use_case = UseCase(name=name, **merged)
    except ValidationError as error:
        faults.extend(_describe(where, fault) for fault in error.errors())
        return None
    faults.extend(_inconsistencies(where, use_case))
    return use_case


def _merge(
    where: str, given: object, defaults: dict[str, Any], faults: list[str]
) -> dict[str, Any]:
    if not isinstance(given, dict):
        faults.append(_no_mapping(where, given))
        return dict(defaults)
    for key in given:
        _is_known(where, key, list(defaults), faults)
    missing = [key for key, value in defaults.items() if value == REQUIRED and key not in given]
    faults.extend(f"{where}: '{key}' is missing" for key in missing)
    return {**defaults, **given}


def _is_known(where: str, key: object, known: list[str], faults: list[str]) -> bool:
    if key in known:
        return True
    faults.append(_unknown_key(where, key, known))
    return False


def _no_mappings(given: Mapping[str, object]) -> list[str]:
    """The faults of what should be mappings, by place."""
    return [_no_mapping(place, one) for place, one in given.items() if not isinstance(one, dict)]


def _no_mapping(where: str, given: object) -> str:
    return f"{where}: a mapping of keys is expected (found {given!r})"


def _unknown_key(where: str, key: object, known: list[str]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
    return f"{where + ': ' if where else ''}unknown key '{key}' ({hint})"


def _describe(where: str, fault: Mapping[str, Any]) -> str:
    place = ".".join([where, *(str(part) for part in fault["loc"])])
    return f"{place}: {fault['msg']} (found {fault['input']!r})"


def _key_faults(use_cases: Mapping[str, UseCase]) -> list[str]:
    """Key columns of one name and two types: a mart of all use cases shows them as one column."""
    first: dict[str, tuple[str, str]] = {}
    faults = []
    for name, use_case in use_cases.items():
        for part, type_ in use_case.key.items():
            other, known = first.setdefault(part, (name, type_))
            if known != type_:
                faults.append(
                    f"use_cases.{name}.key.{part}: {type_}, but {known} in {other}; the marts "
                    "show both in one column. Rename one."
                )
    return faults


def _inconsistencies(where: str, use_case: UseCase) -> list[str]:
    """Faults between keys: what a regressor needs and no source gives, columns that are missing."""
    faults = []
    if use_case.alerts.horizon_step > use_case.horizon:
        faults.append(
            f"{where}.alerts.horizon_step: {use_case.alerts.horizon_step} is beyond the horizon "
            f"({use_case.horizon})"
        )
    sources = use_case.sources
    needed: list[tuple[str, dict[str, str], list[str]]] = [
        ("sales", sources.sales.columns, [*use_case.key, "date", "quantity"])
    ]
    if sources.promotions:
        columns = sources.promotions.columns
        needed.append(("promotions", columns, [*use_case.key, "start_date", "end_date"]))
    if sources.weather:
        needed.append(("weather", sources.weather.columns, ["location", "date"]))
    for source, columns, names in needed:
        faults += [
            f"{where}.sources.{source}.columns: '{name}' is missing"
            for name in names
            if name not in columns
        ]
    for name, regressor in use_case.regressors.items():
        faults += _regressor_faults(where, name, regressor, sources)
    if sources.weather and sources.weather.fetch.is_on:
        faults += _fetch_faults(f"{where}.sources.weather", use_case, sources.weather)
    return faults


def _fetch_faults(where: str, use_case: UseCase, weather: WeatherSource) -> list[str]:
    """What is fetched is written to the table: the mapping must say to which columns."""
    fetch = weather.fetch
    wanted = [name for name, one in use_case.regressors.items() if one.future == "weather"]
    faults = [
        f"{where}.fetch.variables: '{name}' is missing, and the regressor of that name needs it"
        for name in wanted
        if name not in fetch.variables
    ]
    if not fetch.variables:
        faults.append(f"{where}.fetch.variables: names no variable to fetch")
    mapped = {name: weather.columns.get(name, "") for name in ("location", "date", "kind")}
    mapped |= {name: weather.columns.get(name, "") for name in fetch.variables}
    places = {f"columns.{name}": column for name, column in mapped.items()}
    faults += [
        f"{where}.{place}: '{column}' must be a plain column name, because what is fetched is "
        "written to it"
        for place, column in {**places, "known_at": weather.known_at}.items()
        if not re.fullmatch(r"[A-Za-z_]\w*", column)
    ]
    return faults


def _regressor_faults(where: str, name: str, regressor: Regressor, sources: Sources) -> list[str]:
    source = {"plan": "promotions", "weather": "weather", "calendar": "calendar"}[regressor.future]
    configured = getattr(sources, source)
    if configured is None:
        return [
            f"{where}.regressors.{name}: future is '{regressor.future}' "
            f"but sources has no '{source}'"
        ]
    columns = getattr(configured, "columns", None)
    if columns is not None and name != "log_price_ratio" and name not in columns:
        return [
            f"{where}.sources.{source}.columns: '{name}' is missing, "
            "and the regressor of that name needs it"
        ]
    return []


@functools.cache
def code_version() -> str:
    """The version of Shelfcast that runs, for the logs."""
    return version("shelfcast")
