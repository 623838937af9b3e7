"""dbt's data tests are left out of the builds of tests, unless a test asks for them.

They are most nodes of a build, and say the same of each site. Where they are the subject, a build
runs them: on the golden fortnight, after a kill, after a tune, on planted faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd

from python_jobs.infra.dbt_runner import Dbt
from tests.support.site import Site

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


@contextmanager
def view_changed(site: Site, name: str, statement: str) -> Iterator[None]:
    """Give a view another statement, with `{old}` for its own, and put its own back afterwards."""
    context = site.context()
    node = context.dbt.manifest()["nodes"][f"model.shelfcast.{name}"]
    path = context.dbt.target_path / "compiled/shelfcast" / node["original_file_path"]
    replaced, own = f"create or replace view {{{name}}} as ", path.read_text()
    context.warehouse.query(replaced + statement.replace("{old}", f"({own})"))
    try:
        yield
    finally:
        context.warehouse.query(replaced + own)


def found(site: Site, test: str) -> pd.DataFrame:
    """The rows that a data test fails with, from what dbt compiled of it."""
    context = site.context()
    (path,) = (context.dbt.target_path / "compiled/shelfcast").rglob(f"{test}.sql")
    return site.read(path.read_text())
