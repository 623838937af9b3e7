"""Fixtures that test folders share. The local stack starts when a test first asks for it."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from dbt_common.tests import enable_test_caching
from google.cloud import bigquery, storage
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from python_jobs.local import stack
from python_jobs.local.ports import Endpoints
from tests.support import clients, golden, kinds
from tests.support.data_tests import leave_out_data_tests, pages
from tests.support.dbt_callers import name_callers_quickly
from tests.support.dbt_memory import remembering
from tests.support.parsed_once import parsed_once
from tests.support.site import Site

# A machine under load is slow, not wrong; CI tries the same examples each time.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

# Each site has dbt parse the same project; what its texts parse to is kept (a cache of dbt itself).
enable_test_caching()
name_callers_quickly()

# Each site has dbt build its project; the data tests among it run where they are asked for.
leave_out_data_tests()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by what it needs; keep a file, and the golden fortnight, on one worker.

    What takes longest starts first, so that no worker is left alone with it at the end.
    """
    golden = {item.path for item in items if kinds.fixtures_of(item) & kinds.PLAYED}
    groups = {item.path: kinds.group_of(item, golden) for item in items}
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[item.path]))
        if marker := kinds.marker_of(item):
            item.add_marker(marker)
    items.sort(key=lambda item: kinds.order_of(groups[item.path]))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop where the groups were lost: files would be torn apart, each half with its own site."""
    is_worker = hasattr(session.config, "workerinput")
    if is_worker and getattr(session.config.option, "loadgroup", False):
        torn = [item.nodeid for item in session.items if "@" not in item.nodeid]
        if torn:
            raise pytest.UsageError(
                f"{len(torn)} tests have no group (first: {torn[0]}): this pytest-xdist cannot "
                "group the tests of this pytest. Install requirements-dev.lock."
            )


@pytest.fixture(scope="session")
def local_stack() -> Iterator[Endpoints]:
    """One BigQuery in memory and one Cloud Storage for the whole session."""
    with stack.ephemeral() as endpoints:
        yield endpoints


@pytest.fixture(scope="session")
def bigquery_client(local_stack: Endpoints) -> bigquery.Client:
    return clients.bigquery_client(local_stack)


@pytest.fixture(scope="session")
def read_client(local_stack: Endpoints) -> BigQueryReadClient:
    return clients.read_client(local_stack)


@pytest.fixture(scope="session")
def storage_client(local_stack: Endpoints) -> storage.Client:
    return clients.storage_client(local_stack)


@pytest.fixture
def dataset(bigquery_client: bigquery.Client) -> Iterator[str]:
    """A dataset of the test's own, as `dataset` in SQL."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    bigquery_client.create_dataset(name)
    yield name
    bigquery_client.delete_dataset(name, delete_contents=True, not_found_ok=True)


@pytest.fixture
def bucket(storage_client: storage.Client) -> storage.Bucket:
    """A bucket of the test's own."""
    return storage_client.create_bucket(f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session", autouse=True)
def _quiet_environment() -> Iterator[None]:
    """Sites set environment variables; none of them outlives the session."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session", autouse=True)
def _parsed_once() -> Iterator[None]:
    with remembering(), parsed_once():
        yield


@pytest.fixture(scope="session")
def trained_fortnight(local_stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The golden models of the first Wednesday; tests change copies of it (`golden.copy`)."""
    site = golden.make(Site(tmp_path_factory.mktemp("trained"), local_stack))
    golden.train(site, "sku_weekly")
    return site


@pytest.fixture(scope="session")
def issued_fortnight(trained_fortnight: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Both golden Wednesdays, issued; tests change copies of it (`golden.copy`)."""
    folder = tmp_path_factory.mktemp("issued")
    site = golden.copy(trained_fortnight, Site(folder, trained_fortnight.endpoints))
    with pages():
        golden.issue(site, "sku_weekly")
    return site


@pytest.fixture(scope="module")
def make_site(
    local_stack: Endpoints, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Site]:
    """Make deployments that nothing shares but the emulators."""

    def make() -> Site:
        folder: Path = tmp_path_factory.mktemp("site")
        return Site(folder, local_stack)

    return make
