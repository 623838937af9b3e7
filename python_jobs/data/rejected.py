"""Count the rows of a use case's sources that its staging models reject, with their reasons."""

from __future__ import annotations

import pandas as pd

from python_jobs.data.sources import KINDS
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.settings import UseCase
from python_jobs.infra.warehouse import Warehouse

REJECTED = """
select '{kind}' as source_name, rejected_because as reason, count(*) as n, min(source_row) as first
from {staged}
where rejected_because is not null
group by rejected_because
"""


def rejected_rows(warehouse: Warehouse, use_case: UseCase) -> pd.DataFrame:
    """Count rejected rows of every source of a use case.

    Returns:
        One row per source_name and reason: source_name, reason, n, first (the row as JSON); the
        most frequent reasons first.

    Raises:
        MissingRelation: the use case was never built.
    """
    statements = [
        REJECTED.replace("{kind}", kind).replace("{staged}", f"{{stg_{use_case.name}_{kind}}}")
        for kind in KINDS
        if getattr(use_case.sources, kind) is not None
    ]
    order = "order by n desc, source_name, reason"
    return warehouse.read("union all".join(statements) + order)


def said(found: pd.DataFrame) -> str:
    """`3 rows of regressors are not used: 2 bad_date, 1 null_key (first: {…})`, by source."""
    parts = []
    for source, rows in found.groupby("source_name", sort=False):
        reasons = ", ".join(f"{row.n} {row.reason}" for row in rows.itertuples())
        n_rows, first = int(rows["n"].sum()), rows["first"].iloc[0]
        parts.append(f"{n_rows} rows of {source} are not used: {reasons} (first: {first})")
    return "; ".join(parts)


def warn_of_rejected_rows(warehouse: Warehouse, use_case: UseCase, run_id: str) -> None:
    """Warn in one line of what a run cannot use; silent where it uses every row."""
    found = rejected_rows(warehouse, use_case)
    if found.empty:
        return
    warn(
        Event.ROWS_REJECTED,
        f"{use_case.name}: {said(found)}. All of them: "
        '`shelfcast sql "select source_name, rejected_because, source_row from {rejected_rows}"`.',
        run_id=run_id,
        n_rows=int(found["n"].sum()),
    )
