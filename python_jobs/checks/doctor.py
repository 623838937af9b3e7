"""What is missing on this machine or in this deployment, each with how to fix it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from python_jobs.checks.check import Check, NotChecked, checked
from python_jobs.checks.looks import holidays_known, source_rows, verified_models
from python_jobs.data.rejected import rejected_rows, said
from python_jobs.data.sources import table_of
from python_jobs.families import make_family
from python_jobs.infra.errors import ShelfcastError, first_few
from python_jobs.infra.schedule import origin_at
from python_jobs.infra.warehouse import MissingRelation
from python_jobs.runs.context import RunContext

LOG_TABLES = ("run_origins", "forecast_log", "model_log", "model_events", "run_log")


def examine(open_context: Callable[[], RunContext]) -> Iterator[Check]:
    """Look at everything that a run needs, from this machine outwards.

    Args:
        open_context: opens the context; its errors are the first findings.
    """
    yield Check("Python", sys.version_info[:2] == (3, 11), f"{sys.version.split()[0]}, 3.11 needed")
    try:
        context = open_context()
    except ShelfcastError as error:
        yield Check("settings and connection", False, str(error))
        return
    yield Check("settings", True, f"use case {context.use_case.name}")
    broken = False
    for what, look, is_vital in CHECKS:
        if broken:
            yield Check(what, None, "not looked at")
            continue
        check = checked(what, partial(look, context))
        broken = is_vital and check.is_fine is False
        yield check


def _families(context: RunContext) -> str:
    for name in context.use_case.families:
        try:
            make_family(name, context.use_case.family_settings(name))
        except (ImportError, ValueError) as error:
            raise ShelfcastError(str(error)) from error
    return ", ".join(context.use_case.families)


def _project(context: RunContext) -> str:
    manifest = context.dbt.manifest()
    models = sum(node["resource_type"] == "model" for node in manifest["nodes"].values())
    return f"{models} models for dataset {context.connection.dataset}"


def _warehouse(context: RunContext) -> str:
    context.warehouse.read("select 1 as one")
    return f"project {context.warehouse.client.project} answers"


def _log_tables(context: RunContext) -> str:
    missing = [name for name in LOG_TABLES if not context.warehouse.exists(name)]
    if missing:
        raise ShelfcastError(
            f"{first_few(missing)} missing. Any run creates them; so does "
            "`dbt run-operation create_log_tables`."
        )
    return f"{len(LOG_TABLES)} there"


def _store(context: RunContext) -> str:
    count = sum(1 for _ in context.store.list("models/"))
    return f"{context.store.uri} answers, {count} models at public paths"


def _models(context: RunContext) -> str:
    return str(verified_models(context))


def _source(kind: str) -> Callable[[RunContext], str]:
    """Make a check that a source table exists, has rows and is mapped rightly."""

    def look(context: RunContext) -> str:
        n_rows = source_rows(context, kind)
        return f"{n_rows} rows in {table_of(context.warehouse, context.use_case, kind)}"

    return look


def _rejected(context: RunContext) -> str:
    """Count what the sources hold and no forecast is made from; it stops no run."""
    try:
        found = rejected_rows(context.warehouse, context.use_case)
    except MissingRelation as error:
        raise NotChecked("judged by the first run") from error
    if found.empty:
        return "every row is used"
    return f"{said(found)}. `rejected_rows` has all of them"


def _calendar(context: RunContext) -> str:
    return holidays_known(context, [origin_at(context.use_case, datetime.now(UTC))])


CHECKS: list[tuple[str, Callable[[RunContext], str], bool]] = [
    ("model families", _families, False),
    ("dbt project", _project, True),
    ("warehouse", _warehouse, True),
    ("sales", _source("sales"), False),
    ("promotions", _source("promotions"), False),
    ("weather", _source("weather"), False),
    ("regressors", _source("regressors"), False),
    ("attributes", _source("attributes"), False),
    ("rejected rows", _rejected, False),
    ("holidays", _calendar, False),
    ("log tables", _log_tables, False),
    ("model store", _store, False),
    ("models", _models, False),
]
"""What is looked at, in order, and whether a failure makes all that follows pointless."""
