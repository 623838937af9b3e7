"""The tables and objects that the probes of `doctor --prod` make, and remove again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

import pandas as pd
from google.api_core.exceptions import Forbidden, GoogleAPICallError, RetryError
from google.cloud import bigquery
from ulid import ULID

from python_jobs.checks.check import NotChecked, message_of
from python_jobs.infra.errors import ShelfcastError, first_few
from python_jobs.infra.identity import account_of, part_of
from python_jobs.infra.store import ModelStore
from python_jobs.runs.context import RunContext

MOST_BYTES = 50 * 2**20
"""What a query of a probe may bill; BigQuery bills 10 MB at least, of a terabyte at about 6 USD."""

EXPIRES_AFTER = timedelta(days=1)

MUST_NOT_WRITE = {
    "predict": ("raw",),
    "monitor": ("raw", "forecasts"),
    "train": ("raw", "metrics", "marts"),
    "load": ("staging", "features", "forecasts", "metrics", "marts"),
}
"""The datasets that each account of deploy/terraform/grants.tf has no right to write."""

DAY = bigquery.SchemaField("day", "DATE")
NUMBER = bigquery.SchemaField("number", "INTEGER")


class DidNotHold(ShelfcastError):
    """The project does not do what Shelfcast rests on."""


def _new_mark() -> str:
    return f"first_contact_{ULID()}".lower()


@dataclass
class Contact:
    """The clients and scratch tables that the probes use.

    Attributes:
        context: the deployment.
        account: whose rights are tried; None: whoever BigQuery says that we are.
        mark: begins the name of everything that a probe makes.
    """

    context: RunContext
    account: str | None = None
    mark: str = field(default_factory=_new_mark)
    _tables: list[str] = field(default_factory=list)
    _objects: list[str] = field(default_factory=list)

    @property
    def client(self) -> bigquery.Client:
        """BigQuery."""
        return self.context.warehouse.client

    @property
    def store(self) -> ModelStore:
        """The model store."""
        return self.context.store

    @cached_property
    def who(self) -> str:
        """The account whose rights are tried."""
        return self.account or account_of(self.context.warehouse)

    def dataset(self, part: str) -> str:
        """`project.dataset` of a part: staging, raw, …."""
        return f"{self.client.project}.{self.context.connection.dataset}_{part}"

    def create(
        self,
        name: str,
        *columns: bigquery.SchemaField,
        partitions: str | None = None,
        part: str = "staging",
    ) -> str:
        """Make a table that expires in a day, partitioned by `day` where `partitions` says how."""
        table = bigquery.Table(f"{self.dataset(part)}.{self.mark}_{name}", columns)
        table.expires = datetime.now(UTC) + EXPIRES_AFTER
        if partitions:
            table.time_partitioning = bigquery.TimePartitioning(type_=partitions, field=DAY.name)
        self._tables.append(f"{table.project}.{table.dataset_id}.{table.table_id}")
        try:
            self.client.create_table(table)
        except Forbidden as error:
            if part in MUST_NOT_WRITE.get(part_of(self.who) or "", ()):
                raise NotChecked(f"{self.who} may not write {part}, as it should not.") from error
            raise
        return self._tables[-1]

    def load(self, table: str, name: str, **columns: list[object]) -> bool:
        """Load rows as the jobs do; False where BigQuery says that this job has run already."""
        frame = pd.DataFrame(columns)
        return self.context.warehouse.append_to(table, frame, f"{self.mark}-{name}")

    def ask(self, statement: str, most_bytes: int = MOST_BYTES) -> list[tuple[object, ...]]:
        """Run a query that may bill so much, and no more."""
        config = bigquery.QueryJobConfig(maximum_bytes_billed=most_bytes, use_query_cache=False)
        rows = self.client.query(statement, job_config=config, job_retry=None).result()
        return [row.values() for row in rows]

    def bytes_of(self, statement: str) -> int:
        """The bytes that a query would read; it is not run."""
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        return int(self.client.query(statement, job_config=config).total_bytes_processed or 0)

    def put_new(self, name: str, data: bytes) -> int:
        """Create an object in the store, if there is none of that name."""
        self._objects.append(name)
        return self.store.put(name, data, generation=0)

    def clean(self) -> str:
        """Remove what the probes made; what cannot be removed is named.

        Raises:
            DidNotHold: something is left.
        """
        left = []
        for table in self._tables:
            try:
                self.client.delete_table(table, not_found_ok=True)
            except (GoogleAPICallError, RetryError) as error:
                if not isinstance(error, Forbidden) or self._is_there(table):
                    left.append(f"{table} ({message_of(error)}), which expires within a day")
        for name in self._objects:
            with suppress(ShelfcastError):
                self.store.delete(name)
            with suppress(ShelfcastError):
                if self.store.stat(name) is not None:
                    left.append(f"{self.store.uri}/{name}: delete it by hand")
        if left:
            raise DidNotHold(f"left behind: {first_few(left)}.")
        return f"{len(self._tables)} tables and {len(self._objects)} objects of {self.mark} removed"

    def _is_there(self, table: str) -> bool:
        try:
            self.client.get_table(table)
        except (GoogleAPICallError, RetryError):
            return False
        return True
