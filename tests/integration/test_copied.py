"""A copy of the golden fortnight is the fortnight, and a deployment of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import golden
from tests.support.compare import ordered
from tests.support.site import Site


@pytest.fixture(scope="module")
def copy(make_site: Callable[[], Site], issued_fortnight: Site) -> Site:
    return golden.copy(issued_fortnight, make_site())


def relations(site: Site) -> dict[str, str]:
    """The tables and views that a site holds, by dataset and name, with their columns' types."""
    client = site.context().warehouse.client
    mine = (one for one in client.list_datasets() if one.dataset_id.startswith(site.dataset))
    tables = (client.get_table(item.reference) for one in mine for item in client.list_tables(one))
    return {
        f"{table.dataset_id.removeprefix(site.dataset)}.{table.table_id}": "; ".join(
            [table.table_type, table.description or "", *(f"{c.name} {c}" for c in table.schema)]
        )
        for table in tables
    }


def rows(site: Site, relation: str) -> list[tuple]:
    return ordered(golden.table(site, f"select * from `{site.dataset}{relation}`"))


def test_a_copy_holds_each_relation_of_the_original_row_by_row(
    issued_fortnight: Site, copy: Site
) -> None:
    held = relations(issued_fortnight)
    assert relations(copy) == held
    assert len(held) > 60
    original = {relation: rows(issued_fortnight, relation) for relation in held}
    assert {relation: rows(copy, relation) for relation in held} == original
    assert golden.table(copy, golden.PLANNERS_READ) == golden.PLANNERS_ROWS


def test_a_copy_has_the_models_of_the_original(issued_fortnight: Site, copy: Site) -> None:
    stores = [site.context().store for site in (issued_fortnight, copy)]
    first, second = ({one.name: s.get(one.name) for one in s.list("")} for s in stores)
    assert second
    assert second.items() <= first.items()
    assert all(name.startswith("leases/") for name in first.keys() - second.keys())


def test_what_changes_in_a_copy_leaves_the_original_alone(
    issued_fortnight: Site, copy: Site
) -> None:
    """A view of the copy reads the copy's tables: nothing was forecast once its log is empty."""
    seen = "select count(*) from {run_forecasts}"
    before = golden.table(issued_fortnight, seen)
    assert golden.table(copy, seen) == before != [(0,)]
    copy.context().warehouse.query("delete from {forecast_log} where true")
    assert golden.table(copy, seen) == [(0,)]
    assert golden.table(issued_fortnight, seen) == before
