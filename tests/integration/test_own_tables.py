"""A user's own sales table, brought by settings alone; what becomes of its rows, by hand.

Five tables, each unlike the demo's in its columns, its dates and what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from tests.support import golden
from tests.support.data_tests import data_tests
from tests.support.site import Site, day, instant

ACTUALS = "select series_id, ds, y, price, is_gap_filled from {sku_weekly_actuals} order by 1, 2"
VERSIONS = """
select distinct cast(known_at as string), cast(superseded_at as string) from {sku_weekly_actuals}
"""
ALWAYS = [("1970-01-01 00:00:00+00", "9999-12-31 00:00:00+00")]
BUILD = (
    "--select",
    "+sku_weekly_actuals",
    "rejected_sales",
    "--exclude-resource-type",
    "unit_test",
)
NO_OTHER_SOURCE: dict[str, Any] = {"families": ["level"], "regressors": {}}


@pytest.fixture(scope="module")
def make_own(make_site: Callable[[], Site]) -> Callable[..., Site]:
    """Make a deployment with a sales table and settings of its own; build up to the actuals."""

    def make(table: str, rows: pd.DataFrame, settings: dict[str, Any], **sales: Any) -> Site:
        site = make_site()
        dataset, _, name = f"{site.dataset}_{table}".rpartition(".")
        own = {"table": f"shelfcast-local.{dataset}.{name}", **sales}
        site.use_cases["sku_weekly"] |= NO_OTHER_SOURCE | settings | {"sources": {"sales": own}}
        context = site.context()
        context.warehouse.client.create_dataset(f"shelfcast-local.{dataset}", exists_ok=True)
        site.write(name, rows, own["table"])
        with data_tests():
            context.dbt.run("build", *BUILD)
        return site

    return make


@pytest.fixture(scope="module")
def receipts(make_own: Callable[..., Site]) -> Site:
    """Receipts by day, weeks from Sunday, goods taken back: S1 sells 7 and 8 in packs.

    Sunday 1 June 2025 12 + 6 of article 7 at 2.00 and 1.50, Saturday 6 of them come back; nothing
    in the week of 8 June, where 8 sells; 3 more come back on Sunday 15 June.
    """
    rows = [
        (1, 7, "01.06.2025", 2, 6, 24.0),
        (1, 7, "01.06.2025", 1, 6, 9.0),
        (1, 7, "07.06.2025", -1, 6, -12.0),
        (1, 8, "11.06.2025", 5, 1, 10.0),
        (1, 7, "15.06.2025", -3, 1, -6.0),
    ]
    columns = {
        "unit": "concat('S', cast(shop as string))",
        "channel": "'retail'",
        "sku_id": "article",
        "date": "safe.parse_date('%d.%m.%Y', sold_on)",
        "quantity": "packs * pack_size",
        "price": "amount / nullif(packs * pack_size, 0)",
    }
    return make_own(
        "till.receipts",
        pd.DataFrame(rows, columns=["shop", "article", "sold_on", "packs", "pack_size", "amount"]),
        {"week_starts_on": "sunday"},
        grain="day",
        columns=columns,
        negative_quantity="return",
    )


def test_days_add_up_to_weeks_and_returns_count_against_them(receipts: Site) -> None:
    assert golden.table(receipts, ACTUALS) == [
        ("S1|retail|7", "2025-06-01", 12.0, 1.875, False),
        ("S1|retail|7", "2025-06-08", None, None, True),
        ("S1|retail|7", "2025-06-15", 0.0, 2.0, False),
        ("S1|retail|8", "2025-06-08", 5.0, 2.0, False),
        ("S1|retail|8", "2025-06-15", None, None, True),
    ]
    assert golden.table(receipts, "select count(*) from {rejected_sales}") == [(0,)]


def test_a_table_that_does_not_say_when_it_knew_is_read_as_it_stands(receipts: Site) -> None:
    assert golden.table(receipts, VERSIONS) == ALWAYS


@pytest.fixture(scope="module")
def export(make_own: Callable[..., Site]) -> Site:
    """An export in text, labelled by the Saturday of weeks that end on Sunday, with every fault."""
    rows = [
        ("A", "2025-06-07", "10", "first"),
        ("A", "2025-06-07", "10", "the same again, in other words"),
        ("A", "2025-06-07", "4", ""),
        ("A", "2025-06-14", "6", ""),
        ("A", "2025-06-14", "-2", ""),
        (None, "2025-06-14", "3", ""),
        ("A", "soon", "3", ""),
        ("A", "2025-02-30", "3", ""),
        ("A", None, "3", ""),
        ("A", "2999-01-05", "3", ""),
        ("A", "2025-06-21", "a lot", ""),
        ("A", "2025-06-21", None, ""),
        ("A", "2025-06-21", "nan", ""),
        ("B", "2025-06-21", "7", ""),
    ]
    return make_own(
        "export.weekly",
        pd.DataFrame(rows, columns=["item", "week_to", "sold", "note"]),
        {"week_starts_on": "monday"},
        date_means="period_end",
        label_offset_days=1,
        columns={
            "unit": "'N1'",
            "channel": "'all'",
            "sku_id": "item",
            "date": "week_to",
            "quantity": "sold",
        },
    )


def test_a_week_labelled_by_the_day_before_its_end_starts_on_its_monday(export: Site) -> None:
    assert golden.table(export, ACTUALS) == [
        ("N1|all|A", "2025-06-02", 14.0, None, False),
        ("N1|all|A", "2025-06-09", 6.0, None, False),
        ("N1|all|A", "2025-06-16", None, None, True),
        ("N1|all|B", "2025-06-16", 7.0, None, False),
    ]


def test_each_row_that_is_not_accepted_is_counted_under_its_reason(export: Site) -> None:
    rejected = golden.table(
        export,
        "select rejected_because, count(*) from {rejected_sales} group by 1 order by 1",
    )
    assert rejected == [
        ("bad_date", 3),
        ("bad_quantity", 3),
        ("duplicate", 1),
        ("future_date", 1),
        ("negative_quantity", 1),
        ("null_key", 1),
    ]


def test_a_rejected_row_can_be_read_as_it_came(export: Site) -> None:
    rows = golden.table(
        export,
        """
        select series_id, json_value(source_row, '$.week_to'), json_value(source_row, '$.sold')
        from {rejected_sales} where rejected_because in ('bad_date', 'null_key') order by 1, 2
        """,
    )
    assert rows == [
        (None, "2025-06-14", "3"),
        ("N1|all|A", None, "3"),
        ("N1|all|A", "2025-02-30", "3"),
        ("N1|all|A", "soon", "3"),
    ]


@pytest.fixture(scope="module")
def ledger(make_own: Callable[..., Site]) -> Site:
    """A ledger whose negative bookings are what they are, in weeks from Thursday 5 June 2025."""
    rows = [
        ("A", day("2025-06-05"), 3.0),
        ("A", day("2025-06-11"), -5.0),
        ("A", day("2025-06-26"), 4.0),
    ]
    return make_own(
        "raw.ledger",
        pd.DataFrame(rows, columns=["account", "booked", "amount"]),
        {"week_starts_on": "thursday", "gaps_mean": "zero"},
        negative_quantity="keep",
        columns={
            "unit": "'N1'",
            "channel": "'all'",
            "sku_id": "account",
            "date": "booked",
            "quantity": "amount",
        },
    )


def test_negative_quantities_that_are_kept_stay_negative(ledger: Site) -> None:
    assert golden.table(ledger, ACTUALS) == [
        ("N1|all|A", "2025-06-05", -2.0, None, False),
        ("N1|all|A", "2025-06-12", 0.0, None, True),
        ("N1|all|A", "2025-06-19", 0.0, None, True),
        ("N1|all|A", "2025-06-26", 4.0, None, False),
    ]


@pytest.fixture(scope="module")
def stream(make_own: Callable[..., Site]) -> Site:
    """Days of one week as they arrived, the first of them corrected on the third morning."""
    rows = [
        ("A", day("2025-06-02"), 5.0, instant("2025-06-03 06:00")),
        ("A", day("2025-06-03"), 6.0, instant("2025-06-04 06:00")),
        ("A", day("2025-06-02"), 7.0, instant("2025-06-05 06:00")),
    ]
    return make_own(
        "raw.stream",
        pd.DataFrame(rows, columns=["item", "sold_on", "sold", "arrived_at"]),
        {},
        grain="day",
        known_at="arrived_at",
        columns={
            "unit": "'N1'",
            "channel": "'all'",
            "sku_id": "item",
            "date": "sold_on",
            "quantity": "sold",
        },
    )


def test_a_week_has_a_version_for_each_instant_at_which_one_of_its_days_changed(
    stream: Site,
) -> None:
    rows = golden.table(
        stream,
        """
        select ds, y, cast(known_at as string), cast(superseded_at as string)
        from {sku_weekly_actuals} order by known_at
        """,
    )
    tuesday, wednesday, thursday = (f"2025-06-0{n} 06:00:00+00" for n in (3, 4, 5))
    assert rows == [
        ("2025-06-02", 5.0, tuesday, wednesday),
        ("2025-06-02", 11.0, wednesday, thursday),
        ("2025-06-02", 13.0, thursday, ALWAYS[0][1]),
    ]


@pytest.fixture(scope="module")
def quotes(make_own: Callable[..., Site]) -> Site:
    """Prices at instants, averaged by day of the use case's time zone, three hours ahead."""
    rows = [
        ("A", instant("2025-06-02 10:00"), 2.0),
        ("A", instant("2025-06-02 22:30"), 4.0),
        ("A", instant("2025-06-03 12:00"), 6.0),
        ("A", instant("2025-06-05 09:00"), 1.0),
    ]
    return make_own(
        "raw.quotes",
        pd.DataFrame(rows, columns=["item", "quoted_at", "quote"]),
        {"grain": "day", "season": 7, "measure": "price", "aggregate": "mean"},
        columns={
            "unit": "'N1'",
            "channel": "'all'",
            "sku_id": "item",
            "date": "date(quoted_at, 'Europe/Moscow')",
            "quantity": "quote",
        },
    )


def test_instants_fall_into_the_days_that_the_expression_says(quotes: Site) -> None:
    assert golden.table(quotes, ACTUALS) == [
        ("N1|all|A", "2025-06-02", 2.0, None, False),
        ("N1|all|A", "2025-06-03", 5.0, None, False),
        ("N1|all|A", "2025-06-04", None, None, True),
        ("N1|all|A", "2025-06-05", 1.0, None, False),
    ]
