"""The data tests over a whole run: green on the golden fortnight, red on each planted violation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from python_jobs.infra.errors import DbtFailed
from tests.support import golden
from tests.support.data_tests import found, view_changed
from tests.support.played import Played
from tests.support.site import Site

MODEL = "forecasts_use_no_model_trained_past_its_origin"
SERIES = "every_series_of_a_run_is_accounted_for"
ROWS = "accepted_and_rejected_rows_are_what_came_in"
TABLE = "holds_its_contract_forecasts_"
VIEW = "holds_its_contract_champion_forecasts_"


@pytest.fixture(scope="module")
def site(played: Played) -> Site:
    """With the tests compiled, and green."""
    played.site.context().dbt.run("test", "--select", MODEL, SERIES, ROWS, TABLE, VIEW)
    return played.site


@contextmanager
def table_changed(site: Site, name: str, statement: str) -> Iterator[None]:
    """Run a statement on a table, and put the table back afterwards."""
    warehouse = site.context().warehouse
    kept = f"{site.dataset}_raw.kept_{name.replace('.', '_')}"
    warehouse.query(f"create or replace table {kept} as select * from {{{name}}}")
    try:
        warehouse.query(statement)
        yield
    finally:
        warehouse.query(f"delete from {{{name}}} where true")
        warehouse.query(f"insert into {{{name}}} select * from {kept}")


def defects(site: Site, test: str) -> list[tuple[str, str, str]]:
    rows = found(site, test).sort_values(["series_id", "origin_date", "target_date"])
    origins = rows["origin_date"].dt.strftime("%Y-%m-%d")
    return list(dict.fromkeys(zip(rows["series_id"], origins, rows["defect"], strict=True)))


def test_dbt_names_each_test_that_finds_something(site: Site) -> None:
    with (
        table_changed(
            site, "model_log", "update {model_log} set train_end = '2027-01-01' where true"
        ),
        table_changed(site, "forecast_log", "delete from {forecast_log} where series_id like '%C'"),
        view_changed(site, "rejected_sales", "select * from {old} union all select * from {old}"),
        view_changed(site, "stg_sku_weekly_sales", "select * from {old} where y != 3"),
        pytest.raises(DbtFailed) as failed,
    ):
        site.context().dbt.run("test", "--select", MODEL, SERIES, ROWS)
    for name in (MODEL, SERIES, ROWS):
        assert name in str(failed.value)


MODEL_VIOLATIONS = {
    "trained_past_origin": "update {model_log} set train_end = date '2026-02-16' where true",
    "trained_on_what_was_known_later": """
        update {model_log} set as_of_at = timestamp '2026-02-20 00:00:00+00' where true
    """,
    "not_in_the_log": "delete from {model_log} where true",
}


@pytest.mark.parametrize("defect", MODEL_VIOLATIONS)
def test_a_model_that_may_not_have_been_used_is_found(site: Site, defect: str) -> None:
    origins = [golden.ORIGIN_1]
    if defect == "not_in_the_log":
        origins.append(golden.ORIGIN_2)
    with table_changed(site, "model_log", MODEL_VIOLATIONS[defect]):
        assert defects(site, MODEL) == [
            (series, origin, defect) for series in (golden.A, golden.B) for origin in origins
        ]


SERIES_VIOLATIONS = {
    "lost": ("delete from {forecast_log} where {chosen}", golden.B),
    "never_went_in": ("update {forecast_log} set series_id = 'N1|retail|E' where {chosen}", "E"),
    "unknown_outcome": ("update {forecast_log} set outcome = 'skipped' where {chosen}", golden.B),
    "no_reason": ("update {forecast_log} set reason = null where {chosen}", golden.C),
    "no_number": ("update {forecast_log} set yhat = null where {chosen}", golden.B),
}


@pytest.mark.parametrize("defect", SERIES_VIOLATIONS)
def test_a_series_that_does_not_come_out_as_it_should_is_found(site: Site, defect: str) -> None:
    statement, series = SERIES_VIOLATIONS[defect]
    chosen = golden.C if series == golden.C else golden.B
    where = f"series_id = '{chosen}' and origin_date = date '{golden.ORIGIN_2}'"
    with table_changed(site, "forecast_log", statement.replace("{chosen}", where)):
        expected = [(series, golden.ORIGIN_2, defect)]
        if defect == "never_went_in":
            expected = [
                (golden.B, golden.ORIGIN_2, "lost"),
                ("N1|retail|E", golden.ORIGIN_2, defect),
            ]
        assert defects(site, SERIES) == expected


def test_a_run_that_wrote_nothing_has_lost_every_series(site: Site) -> None:
    with table_changed(site, "forecast_log", "delete from {forecast_log} where true"):
        lost = defects(site, SERIES)
    assert lost == [
        (series, origin, "lost")
        for series in (golden.A, golden.B, golden.C, golden.D)
        for origin in (golden.ORIGIN_1, golden.ORIGIN_2)
    ]


def test_a_run_of_some_series_only_may_leave_others_out(site: Site) -> None:
    with (
        table_changed(site, "forecast_log", "delete from {forecast_log} where series_id like '%C'"),
        table_changed(site, "run_log", "update {run_log} set is_partial = true where true"),
    ):
        assert found(site, SERIES).empty


def test_a_row_that_is_neither_accepted_nor_rejected_is_found(site: Site) -> None:
    """21 rows came in: 19 golden ones and two of W9; three of them sold 3."""
    with view_changed(site, "stg_sku_weekly_sales", "select * from {old} where y != 3"):
        rows = found(site, ROWS)
    columns = ["use_case", "n_came_in", "n_accepted", "n_rejected"]
    assert rows[columns].to_numpy().tolist() == [["sku_weekly", 21, 18, 0]]


def test_a_row_that_is_rejected_without_being_told_is_found(site: Site) -> None:
    sales = f"{site.dataset}_raw.sales"
    with table_changed(
        site,
        "sku_weekly_sales.rows",
        f"update {sales} set units_sold = -1 where sku_id = 'D'",
    ):
        assert found(site, ROWS).empty
        with view_changed(site, "rejected_sales", "select * from {old} where false"):
            assert found(site, ROWS)["n_accepted"].tolist() == [20]


ROW = f"series_id = '{golden.A}' and origin_date = date '{golden.ORIGIN_1}' and horizon_step = 1"
CONTRACT_VIOLATIONS = {
    "duplicate": ("insert into {forecasts} select * from {forecasts} where %s", (2, 0)),
    "null": ("update {forecasts} set run_id = null where %s", (1, 1)),
}


@pytest.mark.parametrize("violation", CONTRACT_VIOLATIONS)
@pytest.mark.parametrize("test", [TABLE, VIEW])
def test_a_row_that_breaks_a_contract_is_found(site: Site, test: str, violation: str) -> None:
    """In the table, and in the view that reads it."""
    statement, expected = CONTRACT_VIOLATIONS[violation]
    with table_changed(site, "forecasts", statement % ROW):
        rows = found(site, test)
    assert rows["series_id"].tolist() == [golden.A]
    assert rows[["n_rows", "n_rows_with_null"]].to_numpy().tolist() == [list(expected)]
