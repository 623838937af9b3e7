"""Whether the settings alone are sound: no connection, no warehouse, no dbt."""

from __future__ import annotations

import os
from collections.abc import Mapping

from python_jobs.families import make_family
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings import load_settings, project_dir


def examine(environment: Mapping[str, str] = os.environ) -> str:
    """Read the settings and make each family of each use case.

    Args:
        environment: SHELFCAST_SETTINGS and SHELFCAST_PROJECT_DIR are read.

    Returns:
        The use cases, by name, and the hash that runs record.

    Raises:
        SettingsError: a setting is refused, all faults at once; or there is no use case.
    """
    settings = load_settings(project_dir(environment), environment)
    faults = []
    for name, use_case in settings.use_cases.items():
        for family in use_case.families:
            try:
                make_family(family, use_case.family_settings(family))
            except (ImportError, ValueError) as error:
                faults.append(f"use_cases.{name}.families: {error}")
    if faults:
        raise SettingsError("settings: " + "; ".join(faults))
    if not settings.use_cases:
        raise SettingsError("no use case is set. Add one under vars: use_cases:.")
    return f"settings of {', '.join(settings.use_cases)} are sound ({settings.digest[:12]})"
