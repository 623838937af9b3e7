"""dbt's data tests and the pages of people are left out of the builds of tests, unless asked for.

They are most nodes of a build, and say the same of each site. Where they are the subject, a build
makes them: on the golden fortnight, after a kill, after a tune, on planted faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pandas as pd
from dbt.graph.selector import NodeSelector

from python_jobs.infra.dbt_runner import Dbt
from tests.support.site import Site

PAGES = frozenset(
    {
        *("report_overview", "report_worst_series", "report_series_periods", "report_runs"),
        *("report_value_added", "report_intervals", "report_alerts", "report_retraining"),
        *("accuracy_by_segment", "accuracy_by_segment_target_date", "accuracy_by_horizon_step"),
        *("accuracy_by_window", "run_costs", "distributor_model_performance_metrics"),
    }
)
"""Marts that only the report, people and other pages read."""

_ASKED: list[bool] = []
"""One entry for each `data_tests()` that is open."""

_PAGES_ASKED: list[bool] = []
"""One entry for each `pages()` that is open."""

_WITHOUT_PAGES: list[bool] = []
"""One entry for each build at work that leaves pages out."""


def leave_out_data_tests() -> None:
    """Let `Dbt` build stages without data tests and pages from now on, except in `data_tests()`."""
    run, select = Dbt.run, NodeSelector.get_selected

    def quicker(self: Dbt, command: str, *arguments: str, **rest: Any) -> Any:
        if command != "build" or _ASKED:
            return run(self, command, *arguments, **rest)
        with (
            nullcontext()
            if _PAGES_ASKED or "--selector" not in arguments
            else _within(_WITHOUT_PAGES)
        ):
            return run(self, command, *arguments, "--exclude-resource-type", "test", **rest)

    def selected(self: NodeSelector, *arguments: Any, **rest: Any) -> Any:
        found = select(self, *arguments, **rest)
        return (
            {one for one in found if one.split(".")[-1] not in PAGES} if _WITHOUT_PAGES else found
        )

    Dbt.run = quicker  # type: ignore[method-assign]
    NodeSelector.get_selected = selected  # type: ignore[method-assign]


@contextmanager
def _within(entries: list[bool]) -> Iterator[None]:
    entries.append(True)
    try:
        yield
    finally:
        entries.pop()


def data_tests() -> AbstractContextManager[None]:
    """Run dbt's data tests in the builds within, and make the pages of people."""
    return _within(_ASKED)


def pages() -> AbstractContextManager[None]:
    """Make the pages of people in the builds within."""
    return _within(_PAGES_ASKED)


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
