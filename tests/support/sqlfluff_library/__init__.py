"""What sqlfluff cannot know of dbt: the macros that return values instead of text.

sqlfluff renders the models with plain Jinja, in which a macro can return nothing but text. These
functions take the place of the macros of the same names; the settings are the project's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from python_jobs.infra.settings import load_settings

_SETTINGS = load_settings(Path(__file__).resolve().parents[3], environment={})

execute = False


def use_cases() -> list[str]:
    return list(_SETTINGS.use_cases)


def built_use_cases(
    prefix: str, suffix: str, or_all: bool = True, with_source: str | None = None
) -> list[str]:
    return [
        name
        for name in use_cases()
        if with_source is None or with_source in use_case_settings(name)["sources"]
    ]


def key_columns() -> dict[str, str]:
    return {
        part: type_
        for use_case in _SETTINGS.use_cases.values()
        for part, type_ in use_case.key.items()
    }


def use_case_settings(use_case: str) -> dict[str, Any]:
    settings = _SETTINGS.use_cases[use_case].model_dump(mode="json")
    settings["sources"] = {name: value for name, value in settings["sources"].items() if value}
    return settings


def regressors_from(use_case: str, future: str) -> list[str]:
    regressors = use_case_settings(use_case)["regressors"]
    return [
        name
        for name, rule in regressors.items()
        if rule["future"] == future and name != "log_price_ratio"
    ]


def regressors_in_sales(use_case: str) -> list[str]:
    settings = use_case_settings(use_case)
    return [
        name for name in settings["regressors"] if name in settings["sources"]["sales"]["columns"]
    ]


def covered_parts(use_case: str) -> list[str]:
    settings = use_case_settings(use_case)
    columns = settings["sources"].get("promotions", {}).get("columns", {})
    return [part for part in settings["key"] if f"covers_{part}" in columns]


def supposed_values(use_case: str) -> list[str]:
    regressors = use_case_settings(use_case)["regressors"]
    return ["price" if name == "log_price_ratio" else name for name in regressors]


def scenario_columns(use_case: str) -> dict[str, str]:
    return {"scenario": "string", "date": "date", "loaded_at": "timestamp"}


def period_days(use_case: str) -> int:
    return _SETTINGS.use_cases[use_case].period_days


def period_shift(use_case: str) -> int:
    return 5


def baseline_names() -> list[str]:
    return ["naive", "seasonal_naive", "mean_4", "mean_8"]


def origin_bounds(
    use_case: str | None, column: str, before: int | None = 0, after: int | None = 0
) -> str:
    return f"{column} >= date '2026-01-01'"


def metric_names() -> list[str]:
    project = Path(__file__).resolve().parents[3] / "dbt_project.yml"
    return list(yaml.safe_load(project.read_text())["vars"]["metrics"])


def metric_value(name: str) -> str:
    return f"sum({name}_term)"


def touched_targets(scored: object, built: list[str]) -> list[str]:
    return ["2026-01-05"]


def longest_horizon_days() -> int:
    return 28


def error_part_values(*arguments: str) -> dict[str, str]:
    return {"error": "yhat - y", "abs_error": "abs(yhat - y)"}


def error_part_names() -> list[str]:
    return list(error_part_values())
