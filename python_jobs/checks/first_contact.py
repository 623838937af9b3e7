"""`shelfcast doctor --prod`: minutes and cents that try on a real project what no emulator shows.

Every probe works in tables of its own, `<dataset>_staging.first_contact_<ulid>_…`, which expire
within a day and are removed at the end, whatever happened. No production table is touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import pandas as pd
from google.api_core.exceptions import (
    BadRequest,
    Forbidden,
    GoogleAPICallError,
    NotFound,
    RetryError,
)
from google.cloud import bigquery
from ulid import ULID

from python_jobs.checks.doctor import Check
from python_jobs.infra.errors import ShelfcastError, first_few
from python_jobs.infra.identity import account_of, part_of
from python_jobs.infra.store import AlreadyThere, BucketStore, ModelStore
from python_jobs.runs.context import RunContext

MOST_BYTES = 50 * 2**20
"""What a query of a probe may bill; BigQuery bills 10 MB at least, of a terabyte at about 6 USD."""

EXPIRES_AFTER = timedelta(days=1)
MOST_PARTITIONS = 4_000
"""That one job may write (BigQuery's quotas)."""
DAYS_OF_PRUNING = 30
DAYS_KEPT = 7

MUST_NOT_WRITE = {
    "predict": ("raw",),
    "monitor": ("raw", "forecasts"),
    "train": ("raw", "metrics"),
    "load": ("staging", "features", "forecasts", "metrics", "marts"),
}
"""The datasets that each account of deploy/terraform/grants.tf has no right to write."""

DAY = bigquery.SchemaField("day", "DATE")
NUMBER = bigquery.SchemaField("number", "INTEGER")


class DidNotHold(ShelfcastError):
    """The project does not do what Shelfcast rests on."""


class NotChecked(ShelfcastError):
    """A probe that says nothing here."""


def _new_mark() -> str:
    return f"first_contact_{ULID()}".lower()


@dataclass
class Contact:
    """What the probes work with.

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
                    left.append(f"{table} ({_said(error)}), which expires within a day")
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


def examine(context: RunContext, *, account: str | None = None) -> Iterator[Check]:
    """Try every probe, and clean up.

    Args:
        context: the deployment; on an emulator the probes run too, and show little.
        account: whose rights are tried, where it is not to be asked of BigQuery.
    """
    contact = Contact(context, account)
    yield where(context)
    try:
        for what, probe in PROBES:
            yield tried(what, probe, contact)
        yield tried("clean-up", Contact.clean, contact)
    finally:
        with suppress(ShelfcastError):
            contact.clean()


def summary(found: Sequence[Check]) -> str:
    """The last line: how much held."""
    counts = {kind: sum(one.is_fine is kind for one in found) for kind in (True, False, None)}
    told = f"{counts[True]} held, {counts[False]} did not, {counts[None]} could not be checked."
    failed = [one.what for one in found if one.is_fine is False]
    return f"{told} What did not: {', '.join(failed)}." if failed else told


def where(context: RunContext) -> Check:
    """Say which project is met, or that it is none."""
    endpoint = context.connection.bigquery_endpoint
    if endpoint is not None:
        return Check(
            "where",
            None,
            f"an emulator at {endpoint}: this shows little. On the first day of a project: "
            "`shelfcast --target prod doctor --prod`",
        )
    connection, client = context.connection, context.warehouse.client
    return Check(
        "where",
        True,
        f"project {client.project}, datasets {connection.dataset}_…, location {client.location}",
    )


def tried(what: str, probe: Callable[[Contact], str], contact: Contact) -> Check:
    """Run one probe; whatever it meets becomes a finding, and the next one is tried."""
    try:
        return Check(what, True, probe(contact))
    except NotChecked as reason:
        return Check(what, None, f"not checked: {reason}")
    except ShelfcastError as error:
        return Check(what, False, str(error))
    except NotFound as error:
        return Check(what, False, f"{_said(error)}. `terraform apply` makes datasets and buckets.")
    except (GoogleAPICallError, RetryError) as error:
        return Check(what, False, _said(error))


def one_load_a_job_id(contact: Contact) -> str:
    """The same load job sent twice writes its rows once: retries rest on it."""
    table = contact.create("load", NUMBER)
    first = contact.load(table, "load", number=[1])
    second = contact.load(table, "load", number=[1])
    ((n_rows,),) = contact.ask(f"select count(*) as n from `{table}`")
    if (first, second, n_rows) != (True, False, 1):
        raise DidNotHold(
            f"the same load job id was sent twice and left {n_rows} rows, not 1. A job that is "
            "retried would double its rows: do not go live; report it."
        )
    return "sent twice, the second was refused (409) and 1 row is there"


def rows_through_the_read_api(contact: Contact) -> str:
    """What was loaded is read back through the Storage Read API, as every job does."""
    reader = contact.context.warehouse.read_client
    if reader is None:
        raise NotChecked("no Storage Read API is configured for this endpoint.")
    table = contact.create("read", NUMBER)
    contact.load(table, "read", number=[1, 2, 3])
    rows = contact.client.list_rows(contact.client.get_table(table))
    total = sum(rows.to_arrow(bqstorage_client=reader)["number"].to_pylist())
    if total != 6:
        raise DidNotHold(f"3 numbers of sum 6 were loaded, and their sum is read as {total}.")
    return "3 rows were loaded and read back"


def literal_dates_prune(contact: Contact) -> str:
    """Dates as `origin_bounds()` writes them keep a query to its partitions."""
    table = contact.create("pruning", DAY, NUMBER, partitions="DAY")
    days = _days(DAYS_OF_PRUNING)
    contact.load(table, "pruning", day=days, number=[1] * len(days))
    last = days[-1]
    bounds = f"day >= date_sub(date '{last}', interval {DAYS_KEPT - 1} day)"
    everything = contact.bytes_of(f"select number, day from `{table}`")
    bounded = contact.bytes_of(f"select number, day from `{table}` where {bounds}")
    joined = contact.bytes_of(
        f"select number, day from `{table}` where day in (select max(day) from `{table}`)"
    )
    if everything == 0:
        raise NotChecked("a dry run says 0 bytes for a table of 30 rows: nothing is counted here.")
    if not 0 < bounded < everything:
        raise DidNotHold(
            f"{DAYS_KEPT} days of {DAYS_OF_PRUNING} would read {bounded} bytes, everything "
            f"{everything}: literal dates do not prune, and each run reads all of history. Look at "
            "the costs before going live (docs/costs.md)."
        )
    return (
        f"{DAYS_KEPT} days of {DAYS_OF_PRUNING} read {bounded} of {everything} bytes; dates from a "
        f"subquery would read {joined}"
    )


def the_limit_of_bytes_refuses(contact: Contact) -> str:
    """A query over maximum_bytes_billed is refused before it runs."""
    table = contact.create("limit", NUMBER)
    contact.load(table, "limit", number=[1])
    try:
        contact.ask(f"select number from `{table}`", most_bytes=1)
    except GoogleAPICallError as error:
        if "bytes billed" not in str(error):
            raise
        return f"refused: {_said(error)}"
    raise DidNotHold(
        "a query that may bill 1 byte ran: SHELFCAST_MAXIMUM_BYTES_BILLED protects from nothing "
        "here. Set a budget and a custom quota for BigQuery."
    )


def days_beyond_a_jobs_limit(contact: Contact) -> str:
    """One load of more days than a job may write is refused as a whole."""
    table = contact.create("days", DAY, NUMBER, partitions="DAY")
    try:
        _load_days(contact, table, "days")
    except ShelfcastError as error:
        return f"{MOST_PARTITIONS + 1} partitions in one load were refused: {error}"
    raise NotChecked(
        f"one load wrote {MOST_PARTITIONS + 1} partitions. The documented limit of "
        f"{MOST_PARTITIONS} was not met; that harms nothing."
    )


def months_hold_ten_years(contact: Contact) -> str:
    """The same days are within the limit where the table is partitioned by month."""
    table = contact.create("months", DAY, NUMBER, partitions="MONTH")
    _load_days(contact, table, "months")
    ((n_rows,),) = contact.ask(f"select count(*) as n from `{table}`")
    if n_rows != MOST_PARTITIONS + 1:
        raise DidNotHold(f"{MOST_PARTITIONS + 1} days were loaded, {n_rows} are there.")
    return f"{MOST_PARTITIONS + 1} days in one load of a table by month: {n_rows} rows are there"


def our_partitions_last(contact: Contact) -> str:
    """What the project's own tables are partitioned by, and for how long that does."""
    nodes = contact.context.dbt.manifest()["nodes"].values()
    by_day = [
        node["name"]
        for node in nodes
        if node["resource_type"] == "model"
        and (partition := node["config"].get("partition_by"))
        and partition.get("granularity", "day") == "day"
    ]
    daily = [one.name for one in contact.context.settings.use_cases.values() if one.grain == "day"]
    if not by_day:
        return "no table is partitioned by day"
    if daily:
        raise DidNotHold(
            f"{len(by_day)} tables are partitioned by day ({first_few(by_day)}), and "
            f"{first_few(daily)} has a day for each: a rebuild of more than "
            f"{MOST_PARTITIONS // 366} years in one statement is refused. Partition them by month "
            "(granularity: month under partition_by) before there are as many."
        )
    return (
        f"{len(by_day)} tables are partitioned by day; weekly use cases fill 53 a year, so that a "
        f"rebuild in one statement is within {MOST_PARTITIONS} for {MOST_PARTITIONS // 53} years"
    )


def nulls_are_refused(contact: Contact) -> str:
    """A column that must not be null takes none, by SQL and by load."""
    table = contact.create("not_null", bigquery.SchemaField("number", "INTEGER", mode="REQUIRED"))
    taken = []
    try:
        contact.ask(f"insert into `{table}` (number) values (null)")
        taken.append("insert")
    except BadRequest:
        pass
    try:
        contact.load(table, "not_null", number=[None])
        taken.append("load")
    except ShelfcastError:
        pass
    if taken:
        raise DidNotHold(
            f"a null went into a column that must not be null, by {' and by '.join(taken)}. Only "
            "dbt's tests keep nulls out here."
        )
    return "a null was refused, by an insert and by a load"


def one_writer_a_generation(contact: Contact) -> str:
    """An object that must be new is created once: leases rest on it."""
    if part_of(contact.who) == "load":
        raise NotChecked(f"{contact.who} has no right to the models, as it should not.")
    name = f"leases/{contact.mark}"
    generation = contact.put_new(name, b"first")
    try:
        contact.store.put(name, b"second", generation=0)
    except AlreadyThere:
        pass
    else:
        raise DidNotHold(
            f"{contact.store.uri}/{name} was created twice: two runs could hold one lease. Do not "
            "go live; report it."
        )
    with suppress(AlreadyThere):
        contact.store.delete(name, generation=generation - 1)
        raise DidNotHold(
            f"{contact.store.uri}/{name} was deleted as another generation than it is."
        )
    if contact.store.get(name) != b"first":
        raise DidNotHold(f"{contact.store.uri}/{name} holds what was refused.")
    kind = "412" if isinstance(contact.store, BucketStore) else "a folder's own check"
    return f"created once; the second was refused ({kind}), a delete of another generation too"


def grants_end_where_they_should(contact: Contact) -> str:
    """The account cannot write what its job only reads."""
    part = part_of(contact.who)
    datasets = MUST_NOT_WRITE[part] if part else ("raw",)
    written = [dataset for dataset in datasets if _may_write(contact, dataset)]
    if part is None:
        may = "this account may" if written else "this account may not write there either"
        raise NotChecked(
            f"{may} ({contact.who}, none of the deployment's accounts). Run it as each: "
            "`gcloud run jobs execute predict-weekly --args=doctor,--prod` by whoever may override "
            "it, or with `gcloud auth application-default login --impersonate-service-account=…`."
        )
    if part == "monitor" and _may_write_models(contact):
        written.append("models/ of the bucket")
    if written:
        raise DidNotHold(
            f"{contact.who} wrote {', '.join(written)}, which it should only read. Somebody "
            "granted it more than deploy/terraform/grants.tf does, perhaps on the project: look "
            "with `gcloud projects get-iam-policy`."
        )
    return f"{contact.who} was refused in {', '.join(datasets)}"


PROBES: list[tuple[str, Callable[[Contact], str]]] = [
    ("a load job id sent twice", one_load_a_job_id),
    ("Storage Read API", rows_through_the_read_api),
    ("pruning by literal dates", literal_dates_prune),
    ("limit of bytes billed", the_limit_of_bytes_refuses),
    ("partitions of one job", days_beyond_a_jobs_limit),
    ("partitions by month", months_hold_ten_years),
    ("partitions of our tables", our_partitions_last),
    ("not-null constraints", nulls_are_refused),
    ("generation preconditions", one_writer_a_generation),
    ("grants that must be refused", grants_end_where_they_should),
]
"""What is tried, in order."""


def _load_days(contact: Contact, table: str, name: str) -> None:
    days = _days(MOST_PARTITIONS + 1)
    contact.load(table, name, day=days, number=[1] * len(days))


def _days(n_days: int) -> list[object]:
    """The last days, today the last: a sandbox drops partitions older than sixty days."""
    today: date = datetime.now(UTC).date()
    return [today - timedelta(days=back) for back in range(n_days - 1, -1, -1)]


def _may_write(contact: Contact, dataset: str) -> bool:
    try:
        contact.create("grant", NUMBER, part=dataset)
    except (Forbidden, NotChecked):
        return False
    return True


def _may_write_models(contact: Contact) -> bool:
    try:
        contact.put_new(f"models/{contact.mark}", b"")
    except ShelfcastError as error:
        if isinstance(error.__cause__, Forbidden):
            return False
        raise
    return True


def _said(error: Exception) -> str:
    """The first sentence of Google's own words, without the job's address."""
    text = str(getattr(error, "message", None) or error).split("\n", maxsplit=1)[0]
    return re.sub(r"^(GET|POST|DELETE|PUT|PATCH) \S+ ?", "", text).removesuffix(".") or repr(error)
