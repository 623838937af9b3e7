"""Saves dbt's search for its caller, which costs a fifth of a second a command in this process."""

from __future__ import annotations

import inspect

from dbt_common import behavior_flags


def name_callers_quickly() -> None:
    """Let dbt find the module that calls it without reading the source of the whole stack.

    It does so for each of an adapter's behaviour flags, fourteen times a command. The stacks of
    pytest are deep and its processes full of modules; a run's own process spends 0.01 s.
    """
    behavior_flags.BehaviorFlagRendered._default_source = staticmethod(_first_caller)


def _first_caller() -> str:
    """The name of the first module on the stack that is not dbt's module of behaviour flags."""
    frame = inspect.currentframe()
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name not in (__name__, "dbt_common.behavior_flags"):
            return str(name)
        frame = frame.f_back
    return "Unknown"
