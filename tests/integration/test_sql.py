"""`shelfcast sql` reads; whoever wants to write says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from python_jobs.data.statements import _kind
from python_jobs.runs.tables import ensure_tables
from tests.support import golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.site import Site


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    golden.sku_settings(site)
    ensure_tables(site.context())
    return site


@pytest.mark.parametrize(
    "statement",
    [
        "drop table {run_log}",
        "delete from {run_log} where true",
        "select 1; drop table {run_log}",
        "create or replace table {run_log} as select 1 as a",
    ],
)
def test_a_statement_that_is_no_query_is_refused_and_changes_nothing(site: Site, statement):
    before = site.warehouse.columns(site.warehouse.table("run_log"))
    result = shelfcast(site, "sql", statement)
    assert result.exit_code == 2
    assert "`shelfcast sql` only reads. With --write it is run" in error_of(result)
    assert site.warehouse.columns(site.warehouse.table("run_log")) == before


def test_a_statement_is_run_where_the_caller_says_so(site: Site):
    done(site, "sql", "--write", "delete from {run_log} where true")
    table = f"{site.dataset}_logs.scratch"
    done(site, "sql", "--write", f"create table {table} as select 1 as a")
    assert done(site, "sql", f"select a from {table}").stdout == "a\n1\n"


def test_a_query_is_what_bigquery_calls_one(site: Site):
    """The emulator tells a dry run's kind as BigQuery does, or says nothing."""
    assert _kind(site.warehouse, "select 1 from {run_log}") in ("SELECT", None)
    assert _kind(site.warehouse, "delete from {run_log} where true") != "SELECT"
    result = done(site, "sql", "with a as (select 1 as b) select b, '=1+1' as c from a;")
    assert result.stdout == "b,c\n1,'=1+1\n"
