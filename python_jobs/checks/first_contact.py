"""`shelfcast doctor --prod`: minutes and cents that try on a real project what no emulator shows.

Every probe works in tables of its own, `<dataset>_staging.first_contact_<ulid>_…`, which expire
within a day and are removed at the end, whatever happened. No production table is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial

from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPICallError
from google.cloud import bigquery

from python_jobs.checks.check import Check, NotChecked, checked, message_of
from python_jobs.checks.contact import DAY, MUST_NOT_WRITE, NUMBER, Contact, DidNotHold
from python_jobs.checks.statements import every_compiled_statement
from python_jobs.infra.errors import ShelfcastError, first_few
from python_jobs.infra.identity import part_of
from python_jobs.infra.store import AlreadyThere, BucketStore
from python_jobs.runs.context import RunContext

MOST_PARTITIONS = 4_000
"""That one job may write (BigQuery's quotas)."""
DAYS_OF_PRUNING = 30
DAYS_KEPT = 7


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
            yield checked(what, partial(probe, contact))
        yield checked("clean-up", contact.clean)
    finally:
        with suppress(ShelfcastError):
            contact.clean()


def summary(found: Sequence[Check]) -> str:
    """The last line: how much held."""
    counts = {kind: sum(one.is_fine is kind for one in found) for kind in (True, False, None)}
    counted = f"{counts[True]} held, {counts[False]} did not, {counts[None]} could not be checked."
    failed = [one.what for one in found if one.is_fine is False]
    return f"{counted} Failed: {', '.join(failed)}." if failed else counted


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
    """Read loaded rows back through the Storage Read API, as every job does."""
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
        return f"refused: {message_of(error)}"
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
    """The partitions of the project's own tables, and how long their number lasts."""
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
    ("every compiled statement", every_compiled_statement),
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
