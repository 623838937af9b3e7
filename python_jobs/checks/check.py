"""One check: what was looked at, what was found, and how it is printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import click
from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError

from python_jobs.infra.errors import ShelfcastError

MARKS = {True: "ok  ", False: "FAIL", None: "--  "}


class NotChecked(ShelfcastError):
    """A check that does not apply here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: its name.
        is_fine: None where it could not be looked at, or does not apply here.
        found: what was found, and where it is not fine, what to do.
    """

    what: str
    is_fine: bool | None
    found: str


def checked(what: str, look: Callable[[], str]) -> Check:
    """Look at one thing; an error becomes a failed check, so that the next one is looked at.

    Args:
        what: the check's name.
        look: returns what it found; raises NotChecked where it does not apply.
    """
    try:
        return Check(what, True, look())
    except NotChecked as reason:
        return Check(what, None, str(reason))
    except ShelfcastError as error:
        return Check(what, False, str(error))
    except NotFound as error:
        found = f"{message_of(error)}. `terraform apply` makes datasets and buckets."
        return Check(what, False, found)
    except (GoogleAPICallError, RetryError) as error:
        return Check(what, False, message_of(error))


def print_checks(checks: Iterable[Check]) -> list[Check]:
    """Print each check as soon as it is made: `ok`, `FAIL`, or `--` where it does not apply."""
    found = []
    for check in checks:
        click.echo(f"{MARKS[check.is_fine]}  {check.what}: {check.found}")
        found.append(check)
    return found


def message_of(error: Exception) -> str:
    """The first line of Google's message, without the request's address."""
    text = str(getattr(error, "message", None) or error).split("\n", maxsplit=1)[0]
    return re.sub(r"^(GET|POST|DELETE|PUT|PATCH) \S+ ?", "", text).removesuffix(".") or repr(error)
