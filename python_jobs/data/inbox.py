"""The inbox of promotion plans: a file dropped there is an upload.

A file is one upload. Replaced under the same name it is another one; loaded once, it stays where it
lies and is not read again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pandas as pd
from ulid import ULID

from python_jobs.data.load import LoadReport, load_file, refused_promotions
from python_jobs.infra.errors import ShelfcastError
from python_jobs.infra.foreign import unforeseen
from python_jobs.infra.logs import Event, log, warn
from python_jobs.infra.settings import Connection, UseCase
from python_jobs.infra.store import Stored, open_store
from python_jobs.infra.warehouse import Warehouse

SUFFIXES = (".csv", ".csv.gz", ".parquet")

LOADED = """
select uri, generation
from {upload_log}
where use_case = @use_case and outcome = 'loaded'
"""


@dataclass
class InboxReport:
    """Files of an inbox: loaded, known and refused.

    Attributes:
        loaded: uploads that were new, by their URI.
        refused: why a file could not be loaded, by its URI.
        n_known: files that were loaded before.
    """

    loaded: dict[str, LoadReport] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    n_known: int = 0

    def __str__(self) -> str:
        n_rows = sum(report.n_rows for report in self.loaded.values())
        return (
            f"{len(self.loaded)} new uploads ({n_rows} rows), {len(self.refused)} refused, "
            f"{self.n_known} loaded before"
        )


def read_inbox(
    warehouse: Warehouse, connection: Connection, use_case: UseCase, *, dry_run: bool = False
) -> InboxReport | None:
    """Load every file of the inbox that was not loaded yet, oldest first.

    A file that cannot be loaded is logged and recorded in upload_log, at each run until it is
    replaced or removed; the others go on.

    Args:
        warehouse: holds upload_log and the plan's table.
        connection: whose credentials read the inbox.
        use_case: whose settings name it.
        dry_run: check the files, and write nothing.

    Returns:
        What was found; None where the settings name no inbox.

    Raises:
        ShelfcastError: the inbox itself cannot be read.
    """
    plan = use_case.sources.promotions
    if plan is None or not plan.inbox:
        return None
    root = plan.inbox.rstrip("/")
    store = open_store(root, connection.project, connection.keyfile)
    try:
        there = sorted(store.list(""), key=lambda file: (file.generation, file.name))
    except ShelfcastError as error:
        raise ShelfcastError(
            f"the inbox {root} cannot be read: {error} It is named under vars: use_cases: "
            f"{use_case.name}: sources: promotions: inbox:."
        ) from error
    before = warehouse.read(LOADED, use_case=use_case.name)
    known = set(zip(before["uri"], before["generation"], strict=True))
    report = InboxReport()
    for file in there:
        uri = f"{root}/{file.name}"
        if file.name.endswith("/"):
            continue
        if (uri, file.generation) in known:
            report.n_known += 1
        else:
            _take(warehouse, connection, use_case, uri, file, report, dry_run=dry_run)
    return report


def _take(
    warehouse: Warehouse,
    connection: Connection,
    use_case: UseCase,
    uri: str,
    file: Stored,
    report: InboxReport,
    *,
    dry_run: bool,
) -> None:
    upload = f"{uri}#{file.generation}"
    try:
        if not uri.endswith(SUFFIXES):
            raise ShelfcastError(f"{uri} is neither CSV nor Parquet ({', '.join(SUFFIXES)}).")
        loaded = load_file(
            warehouse, connection, use_case, uri, "promotions", upload=upload, dry_run=dry_run
        )
    except Exception as error:  # noqa: BLE001 - somebody else's file, whatever is wrong with it
        reason = str(error) if isinstance(error, ShelfcastError) else f"{uri}: {unforeseen(error)}."
        report.refused[uri] = reason
        warn(Event.UPLOAD_REFUSED, f"inbox: {reason} The run goes on without it.", uri=uri)
        if not dry_run:
            _record(warehouse, use_case, uri, file, None, reason)
        return
    report.loaded[uri] = loaded
    if dry_run:
        return
    _record(warehouse, use_case, uri, file, loaded, None)
    log(Event.ROWS_LOADED, f"inbox: {loaded.n_rows} rows of {uri} loaded", uri=uri)
    log_refused_rows(warehouse, use_case, uri)


def log_refused_rows(warehouse: Warehouse, use_case: UseCase, uri: str) -> None:
    """Warn in one line of an upload's rejected rows."""
    refused = refused_promotions(warehouse, use_case, uri)
    if refused is None or refused.empty:
        return
    reasons = ", ".join(f"{row.n} {row.reason}" for row in refused.itertuples())
    warn(
        Event.ROWS_REJECTED,
        f"{uri}: {int(refused['n'].sum())} rows are not used: {reasons} "
        f"(first: {refused['first'].iloc[0]}). All of them: "
        '`shelfcast sql "select rejected_because, source_row from {rejected_promotions}"`. '
        "Correct them and upload the plan again.",
        uri=uri,
        n_rows=int(refused["n"].sum()),
    )


def _record(
    warehouse: Warehouse,
    use_case: UseCase,
    uri: str,
    file: Stored,
    loaded: LoadReport | None,
    reason: str | None,
) -> None:
    row = {
        "use_case": use_case.name,
        "uri": uri,
        "generation": file.generation,
        "outcome": "refused" if loaded is None else "loaded",
        "reason": reason,
        "n_rows": None if loaded is None else loaded.n_rows,
        "logged_at": datetime.now(UTC),
    }
    frame = pd.DataFrame([row]).astype({"n_rows": "Int64"})
    warehouse.append("upload_log", frame, f"upload-{ULID()}")
