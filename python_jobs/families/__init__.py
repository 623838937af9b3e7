"""The model families by name, each imported when it is first made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from python_jobs.families.base import Family, FamilySettings

Factory = Callable[[FamilySettings], Family[Any]]


@dataclass(frozen=True)
class _Lazy:
    """A family's class, by module and name, and the extra that installs what it imports."""

    module: str
    class_name: str
    extra: str = ""

    def __call__(self, settings: FamilySettings) -> Family[Any]:
        return cast(Factory, getattr(import_module(self.module), self.class_name))(settings)


_REGISTRY: dict[str, Factory] = {
    "prophet": _Lazy("python_jobs.families.prophet.family", "ProphetFamily"),
    "prophet_no_lag": _Lazy("python_jobs.families.prophet.family", "ProphetNoLagFamily"),
}


def make_family(name: str, settings: FamilySettings) -> Family[Any]:
    """Make the family that the settings call by this name.

    Raises:
        ValueError: no family has this name (the known ones are listed), or its options are wrong.
        ImportError: a package it needs is not installed; the message says how to install it.
    """
    if name not in _REGISTRY:
        raise ValueError(f"unknown family {name!r}; known: {', '.join(known_families())}")
    factory = _REGISTRY[name]
    try:
        return factory(settings)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("python_jobs"):
            raise
        extra = getattr(factory, "extra", "")
        package = f"shelfcast[{extra}]" if extra else "shelfcast"
        raise ImportError(
            f"family {name!r} needs the package {error.name!r}, which is not installed: "
            f"pip install '{package}'"
        ) from error


def known_families() -> list[str]:
    """The names that `make_family` takes."""
    return sorted(_REGISTRY)


def register(name: str, factory: Factory) -> None:
    """Add a family of a test or a plug-in.

    Raises:
        ValueError: the name is taken.
    """
    if name in _REGISTRY:
        raise ValueError(f"family {name!r} is already registered")
    _REGISTRY[name] = factory
