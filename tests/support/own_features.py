"""A use case with features of its own: rendered files, and the one that is written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support import second_use_case


def add_models(project: Path, name: str, settings: dict[str, Any], written: str = "") -> None:
    """Write the model files that the settings ask for.

    Args:
        project: a copy of the dbt project.
        name: of the use case.
        settings: of the use case.
        written: SQL of the hand-written <name>_features; empty where there is none.
    """
    second_use_case.add_models(project, settings, name)
    if written:
        (project / "models" / "features" / name / f"{name}_features.sql").write_text(written)
