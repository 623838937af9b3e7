"""The model files of a use case's own features, rendered from the package's templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.support.site import ROOT

TEMPLATES = ROOT / "python_jobs" / "use_cases" / "templates"
NAMES = (
    "staging/stg_USE_CASE_attributes.sql",
    "staging/stg_USE_CASE_regressors.sql",
    "features/USE_CASE_panel_features.sql",
    "features/USE_CASE_context.sql",
    "features/_USE_CASE_features.yml",
)


def add_models(project: Path, name: str, settings: dict[str, Any], written: str = "") -> None:
    """Write what the settings ask for.

    Args:
        project: a copy of the dbt project that has the use case's other models.
        name: of the use case.
        settings: of the use case.
        written: SQL of the hand-written <name>_features; empty where there is none.
    """
    context = context_of(name, settings)
    for template in NAMES:
        text = _environment().get_template(template).render(context)
        if text.strip():
            folder, file = template.split("/")
            path = project / "models" / folder / name / file.replace("USE_CASE", name)
            path.write_text(text)
    if written:
        (project / "models" / "features" / name / f"{name}_features.sql").write_text(written)


def context_of(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What the templates read."""
    features = settings.get("features", {})
    made = [features.get(one) for one in ("lags", "rolling", "date_parts", "attributes")]
    context = {
        "panel_features": any(made),
        "columns": bool(features.get("columns")),
        "attributes": "attributes" in settings["sources"],
        "given_regressors": "regressors" in settings["sources"],
        "context_length": settings.get("context_length", 0),
    }
    return {"use_case": name, "has_own_features": any(context.values()), **context}


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        autoescape=False,
    )
