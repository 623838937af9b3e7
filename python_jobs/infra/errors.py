"""The errors that a user is meant to read: what is wrong, where, how many, and what to do."""

from __future__ import annotations

from collections.abc import Sequence


class ShelfcastError(Exception):
    """A run cannot go on; the message is for the person who started it."""


class SettingsError(ShelfcastError):
    """The settings, the environment or the arguments are wrong."""


class ConnectionFailed(ShelfcastError):
    """The warehouse or the model store cannot be reached, or refuses the credentials."""


class DbtFailed(ShelfcastError):
    """A dbt command failed; the message names the nodes."""


class RunStopped(ShelfcastError):
    """A check before prediction says that this run must not go on."""


class LeaseHeld(ShelfcastError):
    """Another run of the same use case is under way."""


class Terminated(BaseException):
    """The process was told to end (SIGTERM).

    No error: nothing that goes on after an error goes on after it, and whoever holds something
    gives it back on the way out.
    """


def first_few(names: Sequence[str], shown: int = 3) -> str:
    """Name the first few of many, for an error message."""
    more = f", and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
