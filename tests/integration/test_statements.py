"""`doctor --prod` lets BigQuery judge every statement that dbt compiles; none is run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from python_jobs.checks import statements
from python_jobs.checks.check import NotChecked
from python_jobs.checks.contact import Contact, DidNotHold
from tests.support import golden
from tests.support.site import Site


@pytest.fixture(scope="module")
def contact(make_site: Callable[[], Site], issued_fortnight: Site) -> Contact:
    return Contact(golden.copy(issued_fortnight, make_site()).context())


def test_all_statements_of_a_deployment_are_judged(contact: Contact) -> None:
    known = statements.compiled_statements(contact)
    names = {name for name, _ in known}
    assert {"forecasts", "sku_weekly_training_panel", "report_overview"} <= names
    assert len(names) > 100, "models and data tests"
    assert statements.every_compiled_statement(contact).startswith(f"{len(known)} statements are")


def test_a_statement_that_is_refused_is_named(
    contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = contact.context.warehouse.relation("forecasts")
    given = [
        ("good", f"select yhat from {table}"),
        ("bad", f"select no_such_column from {table}"),
        ("early", f"select 1 from {table.replace('forecasts`', 'not_built`')}"),
    ]
    monkeypatch.setattr(statements, "compiled_statements", lambda _: given)
    with pytest.raises(
        DidNotHold,
        match=r"1 statements are refused, 1 accepted, 1 wait for tables .*\(bad: .*no_such_column",
    ):
        statements.every_compiled_statement(contact)


def test_before_the_first_run_there_is_nothing_to_judge(
    contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = contact.context.warehouse.relation("forecasts").replace("forecasts`", "not_built`")
    monkeypatch.setattr(
        statements, "compiled_statements", lambda _: [("early", f"select 1 from {table}")]
    )
    with pytest.raises(NotChecked, match="1 statements wait for tables"):
        statements.every_compiled_statement(contact)
