"""Lays a deployment's own settings over those of dbt_project.yml, key by key.

A mapping is laid over a mapping; any other value replaces what was there, and null takes a key
away. `use_cases` names the use cases that there are. One that says its `grain` is whole: it
replaces the project's of that name. One that does not changes it: `sources: {promotions: {inbox:
…}}` alone names the inbox and leaves the rest. deploy/terraform/settings.tf does the same.
"""

from __future__ import annotations

from typing import Any

WHOLE = "grain"
"""The key that a whole use case has and a change of the project's does not name."""


def laid_over(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping with the keys of another laid over it, at every depth.

    Args:
        base: stays as it is.
        own: wins; null where `base` has the key takes it away.
    """
    merged = dict(base)
    for key, given in own.items():
        there = base.get(key)
        if given is None and key in base:
            del merged[key]
        elif isinstance(there, dict) and isinstance(given, dict):
            merged[key] = laid_over(there, given)
        else:
            merged[key] = given
    return merged


def settings_over(variables: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return a deployment's settings, each top-level key complete, as dbt gets them.

    Args:
        variables: `vars:` of dbt_project.yml.
        own: the deployment's; its keys are among those of `variables`.
    """
    return {
        key: _over(key, variables[key], given)
        if isinstance(given, dict) and isinstance(variables[key], dict)
        else given
        for key, given in own.items()
    }


def _over(key: str, base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    if key != "use_cases":
        return laid_over(base, own)
    return {
        name: laid_over(base[name], given)
        if name in base and isinstance(given, dict) and WHOLE not in given
        else given
        for name, given in own.items()
    }
