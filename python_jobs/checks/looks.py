"""Checks that `doctor` and `doctor --go-live` share."""

from __future__ import annotations

from collections.abc import Sequence

from python_jobs.checks.check import NotChecked
from python_jobs.data.holiday_calendar import check_calendar
from python_jobs.data.sources import examine_source, require_rows
from python_jobs.infra.errors import ShelfcastError
from python_jobs.infra.schedule import Origin
from python_jobs.infra.warehouse import MissingRelation
from python_jobs.registry.verify import Verification, verify
from python_jobs.runs.context import RunContext

NOT_USED = "not used by this use case"


def verified_models(context: RunContext) -> Verification:
    """Compare the forecastable series with the stored models.

    Raises:
        ShelfcastError: nothing was trained, or a series lacks its model.
    """
    try:
        found = verify(context.warehouse, context.store, context.use_case)
    except MissingRelation as error:
        raise ShelfcastError("nothing was trained yet. Run `shelfcast train`.") from error
    if found.findings:
        raise ShelfcastError(f"{found} Run `shelfcast train`.")
    return found


def source_rows(context: RunContext, kind: str) -> int:
    """Count the rows of a source table, once its columns are mapped rightly.

    Raises:
        NotChecked: the use case has no such source.
        ShelfcastError: the table is missing, empty or mapped wrongly.
    """
    n_rows = examine_source(context.warehouse, context.use_case, kind)
    if n_rows is None:
        raise NotChecked(NOT_USED)
    require_rows(context.warehouse, context.use_case, kind, n_rows)
    return n_rows


def holidays_known(context: RunContext, origins: Sequence[Origin]) -> str:
    """Check that the calendar reaches the horizon of the origins.

    Raises:
        NotChecked: the use case has no calendar.
        ShelfcastError: a year is missing.
    """
    found = check_calendar(context.project, context.use_case, list(origins))
    if found is None:
        raise NotChecked(NOT_USED)
    return found
