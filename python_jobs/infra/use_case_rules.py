"""Rules between settings of a use case: a regressor has its source, a source its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from python_jobs.families import make_family
from python_jobs.infra.features import attribute_faults, feature_faults
from python_jobs.infra.use_case import Regressor, Sources, UseCase, WeatherSource

SOURCE_OF = {
    "plan": "promotions",
    "weather": "weather",
    "calendar": "calendar",
    "given": "regressors",
}
"""By a regressor's `future`, the source that holds it."""


LONGEST_NAME = 100


def inconsistencies(where: str, use_case: UseCase) -> list[str]:
    """Faults between keys: what a regressor needs and no source gives, columns that are missing."""
    faults = [*_name_faults(where, use_case), *_family_faults(where, use_case)]
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
    if sources.regressors:
        needed.append(("regressors", sources.regressors.columns, ["date"]))
    for source, columns, names in needed:
        faults += [
            f"{where}.sources.{source}.columns: '{name}' is missing"
            for name in names
            if name not in columns
        ]
    for name, regressor in use_case.regressors.items():
        faults += _regressor_faults(where, name, regressor, sources)
    faults += feature_faults(where, use_case.features, {*use_case.key, *use_case.regressors})
    mapped = sources.attributes.columns if sources.attributes else None
    faults += attribute_faults(where, use_case.features, mapped, use_case.key)
    if sources.weather and sources.weather.fetch.is_on:
        faults += _fetch_faults(f"{where}.sources.weather", use_case, sources.weather)
    return faults


def _name_faults(where: str, use_case: UseCase) -> list[str]:
    """Names that stand in SQL and in the paths of objects, and are no plain words."""
    names = {where: [use_case.name], f"{where}.key": use_case.key}
    names[f"{where}.regressors"] = use_case.regressors
    return [
        f"{at}: '{name[:80]}' is no name (letters, digits and _, at most {LONGEST_NAME})"
        for at, given in names.items()
        for name in given
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or len(name) > LONGEST_NAME
    ]


def _family_faults(where: str, use_case: UseCase) -> list[str]:
    """Families that are unknown or named twice, and options that a family does not take."""
    named = Counter(use_case.families)
    faults = [f"{where}.families: {name} is there twice" for name, n in named.items() if n > 1]
    faults += [
        f"{where}.family_options.{name[:80]}: families has no '{name[:80]}'"
        for name in use_case.family_options
        if name not in named
    ]
    for name in named:
        try:
            make_family(name, use_case.family_settings(name))
        except ImportError:
            continue  # of a family that this machine does not run; `shelfcast doctor` says so
        except ValueError as error:
            faults.append(f"{where}.families: {error}")
    return faults


def key_faults(use_cases: Mapping[str, UseCase]) -> list[str]:
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


def _fetch_faults(where: str, use_case: UseCase, weather: WeatherSource) -> list[str]:
    """Check that the mapping names a column for each fetched variable."""
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
    keys = {f"columns.{name}": column for name, column in mapped.items()}
    faults += [
        f"{where}.{key}: '{column}' must be a plain column name, because what is fetched is "
        "written to it"
        for key, column in {**keys, "known_at": weather.known_at}.items()
        if not re.fullmatch(r"[A-Za-z_]\w*", column)
    ]
    return faults


def _regressor_faults(where: str, name: str, regressor: Regressor, sources: Sources) -> list[str]:
    source = SOURCE_OF[regressor.future]
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
