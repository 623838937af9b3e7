"""`shelfcast doctor --prod` on the emulators: each probe has a known answer here, some of them bad.

What BigQuery does and the emulator does not: count bytes, refuse a query over its limit, refuse
more than 4,000 partitions, refuse nulls, refuse an account.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from google.api_core.exceptions import Forbidden

from python_jobs.checks import contact as contacts
from python_jobs.checks import first_contact
from python_jobs.checks.check import Check, checked
from python_jobs.checks.contact import Contact
from python_jobs.infra.dbt_runner import check_answers
from python_jobs.infra.errors import ConnectionFailed
from python_jobs.local.ports import Endpoints, free_ports
from python_jobs.runs.context import RunContext
from tests.support.clients import bigquery_client
from tests.support.commands import shelfcast
from tests.support.site import ROOT, Site

HOLDS_HERE = {
    "where": None,
    "a load job id sent twice": True,
    "Storage Read API": True,
    "pruning by literal dates": None,
    "limit of bytes billed": False,
    "partitions of one job": None,
    "partitions by month": True,
    "partitions of our tables": True,
    "not-null constraints": False,
    "generation preconditions": True,
    "grants that must be refused": None,
    "every compiled statement": None,
    "clean-up": True,
}
PARTS = ("raw", "staging", "forecasts", "metrics")
MONITOR = "shelfcast-monitor@my-project.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site().in_bucket()
    client = site.warehouse.client
    for part in PARTS:
        client.create_dataset(f"{client.project}.{site.dataset}_{part}")
    return site


@pytest.fixture
def contact(site: Site) -> Iterator[Contact]:
    contact = Contact(site.context())
    yield contact
    contact.clean()


def left_of(site: Site) -> list[str]:
    """What probes left behind, in the warehouse and in the store."""
    context = site.context()
    client = context.warehouse.client
    tables = [
        table.table_id
        for part in PARTS
        for table in client.list_tables(f"{client.project}.{site.dataset}_{part}")
    ]
    return [name for name in tables if "first_contact" in name] + [
        stored.name for stored in context.store.list("") if "first_contact" in stored.name
    ]


def tried(what: str, contact: Contact) -> Check:
    return checked(what, partial(dict(first_contact.PROBES)[what], contact))


def test_each_probe_says_what_is_known_of_the_emulators(site: Site):
    result = shelfcast(site, "doctor", "--prod")
    assert result.exit_code == 1
    *lines, last = result.stdout.splitlines()
    marks = {"ok": True, "FAIL": False, "--": None}
    told = {}
    for line in lines:
        mark, what, _ = re.fullmatch(r"(ok|FAIL|--) +([^:]+): (.+)", line).groups()
        told[what] = marks[mark]
    assert told == HOLDS_HERE
    assert "an emulator at http://127.0.0.1" in lines[0]
    assert "this shows little" in lines[0]
    assert last == (
        "6 held, 2 did not, 5 could not be checked. Failed: limit of bytes billed, "
        "not-null constraints."
    )
    assert left_of(site) == []


def test_one_thing_at_a_time(site: Site):
    assert shelfcast(site, "doctor", "--prod", "--go-live").exit_code == 2


def test_scratch_tables_expire_within_a_day(
    contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator drops the expiry of a table; this is what it is sent."""
    sent, create = [], contact.client.create_table
    monkeypatch.setattr(
        contact.client, "create_table", lambda table: create(sent.append(table) or table)
    )
    contact.create("x", contacts.DAY, partitions="MONTH")
    table = sent[0].to_api_repr()
    assert 86_000 < int(table["expirationTime"]) / 1000 - time.time() < 86_401
    assert table["timePartitioning"] == {"type": "MONTH", "field": "day"}


def test_what_was_begun_is_cleaned_up_when_somebody_stops_it(site: Site):
    checks = first_contact.examine(site.context())
    for _ in range(3):
        next(checks)
    assert left_of(site) != []
    checks.close()
    assert left_of(site) == []


def test_what_cannot_be_cleaned_up_is_named(contact: Contact, monkeypatch: pytest.MonkeyPatch):
    table = contact.create("x", contacts.DAY)

    def refuse(*_: object, **__: object) -> None:
        raise Forbidden("no right to delete")

    with monkeypatch.context() as patch:
        patch.setattr(contact.client, "delete_table", refuse)
        found = checked("clean-up", contact.clean)
    assert found.is_fine is False
    assert f"left behind: {table} (no right to delete), which expires within a day" in found.found


def test_an_account_that_may_write_what_it_should_only_read_is_told(site: Site):
    context = site.context()
    checks = {check.what: check for check in first_contact.examine(context, account=MONITOR)}
    grants = checks["grants that must be refused"]
    assert grants.is_fine is False
    assert grants.found.startswith(f"{MONITOR} wrote raw, forecasts, models/ of the bucket, which")
    assert "gcloud projects get-iam-policy" in grants.found
    assert checks["clean-up"].is_fine is True
    assert left_of(site) == []


def test_the_loader_is_not_asked_for_what_it_has_no_right_to(site: Site):
    loader = Contact(site.context(), "shelfcast-load@my-project.iam.gserviceaccount.com")
    found = tried("generation preconditions", loader)
    assert found.is_fine is None
    assert "has no right to the models, as it should not" in found.found


def test_the_datasets_are_those_that_the_grants_leave_out():
    text = (ROOT / "deploy" / "terraform" / "grants.tf").read_text()
    table = text[text.index("dataset_access = {") : text.index("dataset_reasons")]
    access = {
        account: dict(re.findall(r'(\w+) = "(\w)"', row))
        for account, row in re.findall(r"^ +(\w+) +=? ?= \{(.+)\}$", table, re.MULTILINE)
    }
    parts = access["predict"].keys()
    left_out = {
        account: {part for part in parts if access[account].get(part) not in ("W", "A")}
        for account in access
    }
    assert {one: set(parts) for one, parts in contacts.MUST_NOT_WRITE.items()} == left_out


def test_a_bucket_that_is_not_there_is_told(site: Site):
    context = site.context()
    elsewhere = replace(
        context,
        connection=context.connection.model_copy(update={"models_uri": "gs://nobody-made-this"}),
    )
    found = tried("generation preconditions", Contact(elsewhere))
    assert found.is_fine is False
    assert "that of the model store is SHELFCAST_MODELS_URI" in found.found


def test_a_dataset_that_is_not_there_is_told(make_site: Callable[[], Site]):
    found = tried("a load job id sent twice", Contact(make_site().context()))
    assert found.is_fine is False


def test_daily_tables_by_day_are_told(site: Site):
    context = site.context()
    first = context.settings.use_cases["sku_weekly"]
    daily = first.model_copy(update={"name": "daily_sales", "grain": "day"})
    settings = context.settings.model_copy(update={"use_cases": {"daily_sales": daily}})
    found = tried("partitions of our tables", Contact(replace(context, settings=settings)))
    assert found.is_fine is False
    assert "daily_sales has a day for each: a rebuild of more than 10 years" in found.found
    assert "granularity: month" in found.found


FORGETFUL = """
import sys
from emulators.bigquery import __main__ as launcher
from emulators.bigquery import patches
names = ("_load_configuration_from_envelope", "_run_load")
kept = tuple(patch for patch in patches.PATCHES if patch.name not in names)
assert len(kept) == len(patches.PATCHES) - len(names)
patches.PATCHES = kept
launcher.main(sys.argv[1:])
"""


@pytest.fixture
def forgetful(site: Site) -> Iterator[RunContext]:
    """A place whose BigQuery runs a job id as often as it is sent."""
    rest, grpc = free_ports(2)
    endpoint = f"http://127.0.0.1:{rest}"
    arguments = ["start", "--rest-port", str(rest), "--grpc-port", str(grpc), "--ephemeral"]
    with subprocess.Popen([sys.executable, "-c", FORGETFUL, *arguments]) as server:
        try:
            _wait_for(endpoint)
            context = site.context()
            changed = {"bigquery_endpoint": endpoint, "bigquery_grpc_endpoint": None}
            connection = context.connection.model_copy(update=changed)
            forgetful = replace(context, connection=connection)
            client = bigquery_client(Endpoints(endpoint, "", ""))
            client.create_dataset(f"{forgetful.warehouse.client.project}.{site.dataset}_staging")
            yield forgetful
        finally:
            server.kill()


def _wait_for(endpoint: str) -> None:
    for _ in range(300):
        try:
            check_answers(endpoint)
            return
        except ConnectionFailed:
            time.sleep(0.2)
    raise TimeoutError(endpoint)


def test_a_job_id_that_runs_twice_is_told(forgetful: RunContext):
    found = tried("a load job id sent twice", Contact(forgetful))
    assert found.is_fine is False
    assert found.found.startswith("the same load job id was sent twice and left 2 rows, not 1.")
    assert "do not go live" in found.found


def test_an_endpoint_without_the_read_api_is_not_checked(forgetful: RunContext):
    assert tried("Storage Read API", Contact(forgetful)).is_fine is None
