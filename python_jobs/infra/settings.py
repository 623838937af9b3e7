"""Reads the settings: `vars:` of dbt_project.yml, with a deployment's own laid over them.

SQL and Python read the same keys. The defaults stand once, under `use_case_defaults`,
`source_defaults` and `regressor_defaults`; a key that is not there is refused by name. A
deployment's own settings are a file named by SHELFCAST_SETTINGS, laid over `vars:` key by key
(`overlay`), for dbt too.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError

from python_jobs.infra.connection import Connection, connection
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.overlay import settings_over
from python_jobs.infra.settings_text import read_json, read_yaml
from python_jobs.infra.use_case import (
    Alerts,
    Frozen,
    JobSize,
    Prices,
    PromotionsSource,
    Regressor,
    Retraining,
    SalesSource,
    Schedule,
    UseCase,
    WeatherFetch,
    WeatherSource,
)
from python_jobs.infra.use_case_rules import inconsistencies, key_faults

__all__ = [
    "Alerts",
    "Connection",
    "PromotionsSource",
    "Regressor",
    "Retraining",
    "SalesSource",
    "Schedule",
    "Settings",
    "UseCase",
    "WeatherFetch",
    "WeatherSource",
    "code_version",
    "connection",
    "load_settings",
    "project_dir",
]

INLINE = "SHELFCAST_SETTINGS"
"""Environment variable with the settings' file, or with the settings themselves as JSON."""
MAPPINGS = (
    "use_cases",
    "use_case_defaults",
    "day_defaults",
    "source_defaults",
    "regressor_defaults",
    "alert_defaults",
    "retraining_defaults",
    "fetch_defaults",
    "feature_defaults",
    "rolling_defaults",
    "prices",
    "job_size",
)
"""The keys of `vars:` that are read here."""
REQUIRED = "required"
DEFAULTS_OF = {
    "alerts": "alert_defaults",
    "retraining": "retraining_defaults",
    "features": "feature_defaults",
}
"""By section of a use case, the key of `vars:` with its defaults."""
RENAMED = {
    "weeks": "periods",
    "tracking_weeks": "tracking_periods",
    "lookback_weeks": "lookback_periods",
    "age_weeks": "age_periods",
    "cool_down_weeks": "cool_down_periods",
    "min_weeks": "min_periods",
}
"""Keys by the names that they had when every period was a week."""
SectionT = TypeVar("SectionT", bound=Frozen)


def project_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """The dbt project: SHELFCAST_PROJECT_DIR, else this folder, else where the package lies.

    Raises:
        SettingsError: none of them holds a dbt_project.yml.
    """
    named = environment.get("SHELFCAST_PROJECT_DIR")
    folders = [Path(named)] if named else [Path.cwd(), Path(__file__).resolve().parents[2]]
    for folder in folders:
        if (folder / "dbt_project.yml").is_file():
            return folder
    raise SettingsError(
        f"no dbt_project.yml in {', '.join(str(folder) for folder in folders)}. "
        "Run from the project's folder, or set SHELFCAST_PROJECT_DIR."
    )


class Settings(Frozen):
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
        environment: SHELFCAST_SETTINGS may name a file that is laid over `vars:`, or be such
            settings itself, as a JSON object.

    Raises:
        SettingsError: a file cannot be read, a key is unknown or missing, a value is not allowed;
            all faults at once, each with its path.
    """
    variables = read_yaml(project / "dbt_project.yml").get("vars", {})
    own = environment.get("SHELFCAST_SETTINGS", "")
    given = _own_settings(own) if own else {}
    unknown = [key for key in given if key not in variables]
    if unknown:
        where = INLINE if _is_inline(own) else own
        raise SettingsError(f"{where}: {_unknown_key('', unknown[0], list(variables))}")
    faults = _of_another_kind(variables, given)
    dbt_vars = settings_over(variables, given)
    variables = {**variables, **dbt_vars}
    faults += _no_mappings({name: variables.get(name) for name in MAPPINGS})
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
    faults.extend(key_faults(use_cases))
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
    """A mapping of `vars:` that has all its keys."""
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
    return read_json(INLINE, own) if _is_inline(own) else read_yaml(Path(own))


def _digest(variables: dict[str, Any]) -> str:
    packed = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.sha256(packed).hexdigest()


def _use_case(
    name: str, given: object, variables: dict[str, Any], faults: list[str]
) -> UseCase | None:
    where = f"use_cases.{name}"
    merged = _merged(where, given, variables, faults)
    if faults:
        return None
    if merged["refit"] == "weekly":
        warn(Event.OLD_NAME, f"{where}: `refit: weekly` is now `refit: every_run`.")
        merged["refit"] = "every_run"
    try:
        use_case = UseCase(name=name, **merged)
    except ValidationError as error:
        faults.extend(_describe(where, fault) for fault in error.errors())
        return None
    faults.extend(inconsistencies(where, use_case))
    return use_case


def _merged(
    where: str, given: object, variables: dict[str, Any], faults: list[str]
) -> dict[str, Any]:
    """A use case's settings with the defaults of each section."""
    of_grain = _grain_defaults(given, variables)
    nested = {name: of_grain.pop(name, {}) for name in ("alerts", "retraining")}
    merged = _merge(where, given, {**variables["use_case_defaults"], **of_grain}, faults)
    for part, defaults in (("sources", variables["source_defaults"]), ("regressors", None)):
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
    for part in ("alerts", "retraining", "features"):
        if isinstance(merged.get(part), dict):
            known = {**variables[DEFAULTS_OF[part]], **nested.get(part, {})}
            merged[part] = _merge(f"{where}.{part}", merged[part], known, faults)
    weather = merged["sources"].get("weather") if isinstance(merged.get("sources"), dict) else None
    if weather and isinstance(weather.get("fetch"), dict):
        at = f"{where}.sources.weather.fetch"
        weather["fetch"] = _merge(at, weather["fetch"], variables["fetch_defaults"], faults)
    return merged


def _grain_defaults(given: object, variables: dict[str, Any]) -> dict[str, Any]:
    """Defaults of the use case's grain, which stand in for the general ones."""
    is_daily = isinstance(given, dict) and given.get("grain") == "day"
    return dict(variables["day_defaults"]) if is_daily else {}


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
    """One fault for each value that should be a mapping, with its path."""
    return [_no_mapping(path, one) for path, one in given.items() if not isinstance(one, dict)]


def _of_another_kind(own: Mapping[str, object], given: Mapping[str, object]) -> list[str]:
    """Keys that SQL alone reads and whose value is a mapping in one file and none in the other."""
    return [
        _no_mapping(key, value)
        for key, value in given.items()
        if key not in MAPPINGS and isinstance(own[key], dict) and not isinstance(value, dict)
    ]


def _no_mapping(where: str, given: object) -> str:
    return f"{where}: a mapping of keys is expected (found {repr(given)[:200]})"


def _unknown_key(where: str, key: object, known: list[str]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
    if RENAMED.get(str(key)) in known:
        hint = f"it is called '{RENAMED[str(key)]}' now"
    return f"{where + ': ' if where else ''}unknown key '{key}' ({hint})"


def _describe(where: str, fault: Mapping[str, Any]) -> str:
    path = ".".join([where, *(str(part) for part in fault["loc"])])
    return f"{path}: {fault['msg']} (found {repr(fault['input'])[:200]})"


@functools.cache
def code_version() -> str:
    """The version of Shelfcast that runs, for the logs."""
    return version("shelfcast")
