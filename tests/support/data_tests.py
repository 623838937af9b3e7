"""dbt's data tests are left out of the builds of tests, unless a test asks for them.

They are most nodes of a build, and say the same of each site. Where they are the subject, a build
runs them: on the golden fortnight, after a kill, after a tune, on planted faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from python_jobs.infra.dbt_runner import Dbt

_ASKED: list[bool] = []
"""One entry for each `data_tests()` that is open."""


def leave_out_data_tests() -> None:
    """Let `Dbt` build without data tests from now on, except within `data_tests()`."""
    run = Dbt.run

    def quicker(self: Dbt, command: str, *arguments: str, **rest: Any) -> Any:
        is_quicker = command == "build" and not _ASKED
        left_out = ("--exclude-resource-type", "test") if is_quicker else ()
        return run(self, command, *arguments, *left_out, **rest)

    Dbt.run = quicker  # type: ignore[method-assign]


@contextmanager
def data_tests() -> Iterator[None]:
    """Run dbt's data tests in the builds within."""
    _ASKED.append(True)
    try:
        yield
    finally:
        _ASKED.pop()
