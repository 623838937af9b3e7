"""The features that the settings name, worked out by hand, on the emulator and on Google's engine.

Weeks from Monday, a horizon of 3. a has a hole, a week sold out and a last week that is missing; b
stands beside it with one row of history. The dimension knows stores by their part of the key.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from python_jobs.runs.tables import ensure_tables
from tests.support import googlesql, rendered
from tests.support.clients import rows
from tests.support.compare import ordered, same
from tests.support.site import Site, day, instant, project_vars

ORIGIN = (
    "date '2026-02-08' as origin_date, timestamp '2026-02-11 19:00:00+00' as as_of_at, "
    "'run' as run_id"
)

# The newest week of the origin is 2026-02-02, of which nothing has arrived.
HISTORY = f"""
select
    x.*, x.y is not null and not x.is_censored as is_observed, {ORIGIN}
from unnest(array<struct<series_id string, ds date, y float64, is_censored bool>>[
    ('a|1', '2026-01-05', 10, false), ('a|1', '2026-01-12', null, false),
    ('a|1', '2026-01-19', 40, false), ('a|1', '2026-01-26', 7, true),
    ('b|1', '2026-01-26', 2.5, false)
]) as x
"""
SERIES = f"""
select x.*, {ORIGIN}
from unnest(array<struct<series_id string, store string, dept int64>>[
    ('a|1', 'a', 1), ('b|1', 'b', 1)
]) as x
"""
# a grew before the origin was known, and once more after it; nobody knows b. What cannot be read is
# told: no store, text for a number, no number, no instant, and a copy of a size.
ATTRIBUTES = """
select x.*
from unnest(array<struct<shop string, square_feet string, updated_at string>>[
    ('a', '100', '2025-06-01'), ('a', '120', '2026-02-11 18:00:00+00'),
    ('a', '999', '2026-02-11 20:00:00+00'), (null, '7', '2025-06-01'),
    ('a', 'large', '2026-01-01'), ('a', null, '2026-01-02'), ('a', '5', 'soon'),
    ('a', '100', '2025-06-01'), ('c', '1', null)
]) as x
"""
# Fuel prices by day: of the first week of a two days are known, one of them corrected in time; the
# week after came too late; of a future week one day is known. Then what is rejected, each once. In
# the last rows all stores have a price, whose instant is missing: known once its day has ended. Of
# the 5th, a's own price counts.
FUEL = """
select x.*
from unnest(array<struct<shop string, day string, price string, updated_at string>>[
    ('a', '2026-01-05', '1.0', '2026-01-06'), ('a', '2026-01-11', '2.0', '2026-01-12'),
    ('a', '2026-01-11', '4.0', '2026-02-11 18:00:00+00'),
    ('a', '2026-01-12', '9.0', '2026-02-11 20:00:00+00'),
    ('a', '2026-02-18', '5.0', '2026-02-01'),
    (null, '2026-01-05', '7.0', '2026-01-06'),
    ('a', null, '7.0', '2026-01-06'), ('a', '29/01/2026', '7.0', '2026-01-06'),
    ('a', '2026-01-05', 'dear', '2026-01-07'), ('a', '2026-01-05', 'nan', '2026-01-08'),
    ('a', '2026-01-05', '', '2026-01-09'), ('a', '2026-01-05', '3.0', 'soon'),
    ('a', '2026-01-05', '8.0', '2026-01-06'),
    ('*', '2026-01-05', '6.0', null), ('*', '2026-02-25', '6.0', null)
]) as x
"""
# Of the key's two parts: all, one each, both of them.
BY_KEY = """
select x.*
from unnest(array<struct<shop string, dept string, day date, price float64>>[
    ('*', '*', '2026-01-05', 1), ('a', '*', '2026-01-05', 2), ('*', '1', '2026-01-05', 3),
    ('*', '*', '2026-01-12', 1),
    ('*', '*', '2026-01-19', 1), ('*', '1', '2026-01-19', 3), ('b', '01', '2026-01-19', 5)
]) as x
"""
TABLES = {
    "sku_weekly_attributes.rows": ATTRIBUTES,
    "sku_weekly_regressors.rows": FUEL,
    "by_step_regressors.rows": BY_KEY,
    "by_key_regressors.rows": BY_KEY,
}
FUEL_COLUMNS = {"date": "day", "fuel_price": "price"}
OF_ALL = {"columns": {"store": "'*'", **FUEL_COLUMNS, "date": "if(shop = dept, day, null)"}}
OF_BOTH = {"columns": {"store": "shop", "dept": "dept", **FUEL_COLUMNS}}


def use_case(training_grain: str, fuel: dict[str, Any] | None = None) -> dict[str, Any]:
    """A use case of stores and departments whose features are of every kind."""
    first = project_vars()["use_cases"]["sku_weekly"]
    columns = {"store": "shop", "store_size": SIZE}
    return first | {
        "horizon": 3,
        "key": {"store": "string", "dept": "int64"},
        "training_grain": training_grain,
        "regressors": {"fuel_price": {"future": "given", "when_missing": "carry_last"}},
        "context_length": 3,
        "features": {
            "lags": [1, 2, 3],
            "rolling": [
                {"statistic": "mean", "window": 3, "lag": 1},
                {"statistic": "std", "window": 4, "lag": 2},
                {"statistic": "min", "window": 2, "lag": 3},
                {"statistic": "max", "window": 52, "lag": 1},
            ],
            "date_parts": ["week_of_year", "month", "day_of_week"],
            "attributes": ["store_size"],
        },
        "sources": {
            "attributes": {"columns": columns, "known_at": "updated_at"},
            "regressors": fuel
            or {"columns": {"store": "shop", **FUEL_COLUMNS}, "known_at": "updated_at"},
            **SALES,
        },
    }


SALES = {
    "sales": {
        "table": "sales",
        "columns": {"store": "store", "dept": "dept", "date": "week", "quantity": "units"},
    }
}
SIZE = "coalesce(cast(safe_cast(square_feet as float64) / 10 as string), square_feet)"
NAMES = (
    "y_lag2, y_lag3, y_roll_mean_3_lag1, y_roll_std_4_lag2, y_roll_min_2_lag3, y_roll_max_52_lag1"
)
STD = 450**0.5  # of 10 and 40, the sample's

# lag 2, lag 3, mean of 3 from lag 1, std of 4 from lag 2, min of 2 from lag 3, max of all before
ROWS: dict[tuple[str, str, int], tuple[float | None, ...]] = {
    # The first row of a series has nothing before it.
    ("a|1", "2026-01-05", 1): (None, None, None, None, None, None),
    ("a|1", "2026-01-12", 1): (None, None, 10.0, None, None, 10.0),
    # The week of the 12th is missing: lag 2 is still that of the 5th, by date.
    ("a|1", "2026-01-19", 1): (10.0, None, 10.0, None, None, 10.0),
    ("a|1", "2026-01-26", 1): (None, 10.0, 25.0, None, 10.0, 40.0),
    # What was sold out is not known: the week of the 26th is in no feature.
    ("a|1", "2026-02-09", 1): (None, 40.0, 40.0, STD, 40.0, 40.0),
    # Two steps ahead, lag 1 is not known; y of the week of 26 January is sold out.
    ("a|1", "2026-02-16", 2): (None, None, None, None, 40.0, None),
    # Three steps ahead only lag 3 is.
    ("a|1", "2026-02-23", 3): (None, None, None, None, None, None),
    ("b|1", "2026-01-26", 1): (None, None, None, None, None, None),
    ("b|1", "2026-02-09", 1): (2.5, None, 2.5, None, None, 2.5),
    ("b|1", "2026-02-16", 2): (None, 2.5, None, None, 2.5, None),
    ("b|1", "2026-02-23", 3): (None, None, None, None, 2.5, None),
}
# A training row of a later step, as it would have been forecast then.
BY_STEP: dict[tuple[str, str, int], tuple[float | None, ...]] = {
    ("a|1", "2026-01-05", 2): (None, None, None, None, None, None),
    ("a|1", "2026-01-05", 3): (None, None, None, None, None, None),
    ("a|1", "2026-01-12", 2): (None, None, None, None, None, None),
    ("a|1", "2026-01-12", 3): (None, None, None, None, None, None),
    ("a|1", "2026-01-19", 2): (10.0, None, None, None, None, None),
    ("a|1", "2026-01-19", 3): (None, None, None, None, None, None),
    ("a|1", "2026-01-26", 2): (None, 10.0, None, None, 10.0, None),
    ("a|1", "2026-01-26", 3): (None, 10.0, None, None, 10.0, None),
    ("b|1", "2026-01-26", 2): (None, None, None, None, None, None),
    ("b|1", "2026-01-26", 3): (None, None, None, None, None, None),
}
FIFTH, ORIGIN_DATE = day("2026-01-05"), day("2026-02-08")
ATTRIBUTE = {"a|1": 12.0, "b|1": None}
DATE_PARTS = {
    "2026-01-05": (2.0, 1.0, 1.0),
    "2026-01-12": (3.0, 1.0, 1.0),
    "2026-01-19": (4.0, 1.0, 1.0),
    "2026-01-26": (5.0, 1.0, 1.0),
    "2026-02-09": (7.0, 2.0, 1.0),
    "2026-02-16": (8.0, 2.0, 1.0),
    "2026-02-23": (9.0, 2.0, 1.0),
}


def expected(*parts: dict[tuple[str, str, int], tuple[float | None, ...]]) -> list[tuple]:
    return [
        (series, day(ds), step, *values, *DATE_PARTS[ds], ATTRIBUTE[series])
        for part in parts
        for (series, ds, step), values in part.items()
    ]


KNOWN = """(
    select x.*
    from unnest(array<struct<id int64, known string, ranges string>>[
        (1, '{"y_lag2": 1.5, "month": 13}', '{"y_lag2": [2, 9], "month": [1, 12]}'),
        (2, '{"y_lag2": 2, "month": null}', '{"y_lag2": [2, 9], "month": [1, 12]}'),
        (3, '{"y_lag2": 2}', null)
    ]) as x
)"""
PARTS = ("day_of_week", "day_of_month", "day_of_year", "week_of_year", "month", "quarter", "year")
OTHERS = "week_of_year, month, day_of_week, store_size"
SELECT = f"select series_id, ds, horizon_step, {NAMES}, {OTHERS}"
DAYS = "unnest(generate_date_array('2024-12-29', '2025-01-05')) as ds"
CASES: dict[str, tuple[str, list[tuple]]] = {
    # Drift is a feature's as it is a regressor's; one that is null says nothing.
    "outside": (
        f"select id, {{{{ regressors_outside('by_step', 'known', 'ranges') }}}} from {KNOWN}",
        [(1, "y_lag2 month"), (2, ""), (3, None)],
    ),
    "by_period": (f"{SELECT} from ({{{{ panel_features('sku_weekly') }}}})", expected(ROWS)),
    "by_horizon_step": (
        f"{SELECT} from ({{{{ panel_features('by_step') }}}})",
        expected(ROWS, BY_STEP),
    ),
    "given_regressors": (
        "with series as (select * from {{ ref('sku_weekly_series') }}) "
        "{{ given_regressors('sku_weekly') }}",
        [
            ("a|1", day("2026-02-08"), day("2026-01-05"), 2.5),
            ("a|1", day("2026-02-08"), day("2026-02-16"), 5.0),
            ("b|1", day("2026-02-08"), day("2026-01-05"), 6.0),
        ],
    ),
    # A part that is mapped to '*', or not at all, stands for all of its values; here both parts do.
    "given_regressors_of_all": (
        "with series as (select * from {{ ref('by_step_series') }}) "
        "{{ given_regressors('by_step') }}",
        [
            (series, ORIGIN_DATE, day(ds), 1.0)
            for series in ("a|1", "b|1")
            for ds in ("2026-01-05", "2026-01-12", "2026-01-19")
        ],
    ),
    # Of the rows that speak of a series, the one that names most; of two that name one part, the
    # one that names the store.
    "given_regressors_of_a_key": (
        "with series as (select * from {{ ref('by_key_series') }}) "
        "{{ given_regressors('by_key') }}",
        [
            ("a|1", ORIGIN_DATE, day("2026-01-05"), 2.0),
            ("b|1", ORIGIN_DATE, day("2026-01-05"), 3.0),
            ("a|1", ORIGIN_DATE, day("2026-01-12"), 1.0),
            ("b|1", ORIGIN_DATE, day("2026-01-12"), 1.0),
            ("a|1", ORIGIN_DATE, day("2026-01-19"), 3.0),
            ("b|1", ORIGIN_DATE, day("2026-01-19"), 5.0),
        ],
    ),
    "staged_regressors": (
        """
        select store, key_cell, regressor_date, fuel_price, known_at, superseded_at,
            rejected_because
        from ({{ stage_regressors('sku_weekly') }})""",
        [
            *(
                (shop, shop, day(of), price, instant(known), instant(until), None)
                for shop, of, price, known, until in (
                    ("a", "2026-01-05", 1.0, "2026-01-06", "9999-12-31"),
                    ("a", "2026-01-11", 2.0, "2026-01-12", "2026-02-11 18:00"),
                    ("a", "2026-01-11", 4.0, "2026-02-11 18:00", "9999-12-31"),
                    ("a", "2026-01-12", 9.0, "2026-02-11 20:00", "9999-12-31"),
                    ("a", "2026-02-18", 5.0, "2026-02-01", "9999-12-31"),
                    # Midnight in Moscow.
                    ("*", "2026-01-05", 6.0, "2026-01-05 21:00", "9999-12-31"),
                    ("*", "2026-02-25", 6.0, "2026-02-25 21:00", "9999-12-31"),
                )
            ),
            (None, None, day("2026-01-05"), 7.0, instant("2026-01-06"), None, "null_key"),
            ("a", "a", None, 7.0, instant("2026-01-06"), None, "bad_date"),
            ("a", "a", None, 7.0, instant("2026-01-06"), None, "bad_date"),
            ("a", "a", FIFTH, None, instant("2026-01-07"), None, "bad_fuel_price"),
            ("a", "a", FIFTH, math.nan, instant("2026-01-08"), None, "bad_fuel_price"),
            ("a", "a", FIFTH, None, instant("2026-01-09"), None, "no_value"),
            ("a", "a", FIFTH, 3.0, instant("2026-01-05 21:00"), None, "bad_known_at"),
            ("a", "a", FIFTH, 8.0, instant("2026-01-06"), None, "duplicate"),
        ],
    ),
    "staged_attributes": (
        """
        select store, store_size, known_at, superseded_at, rejected_because
        from ({{ stage_attributes('sku_weekly') }})""",
        [
            ("a", 10.0, instant("2025-06-01"), instant("2026-02-11 18:00"), None),
            ("a", 12.0, instant("2026-02-11 18:00"), instant("2026-02-11 20:00"), None),
            ("a", 99.9, instant("2026-02-11 20:00"), instant("9999-12-31"), None),
            ("c", 0.1, instant("1970-01-01"), instant("9999-12-31"), None),
            (None, 0.7, instant("2025-06-01"), None, "null_key"),
            ("a", None, instant("2026-01-01"), None, "bad_store_size"),
            ("a", None, instant("2026-01-02"), None, "no_value"),
            ("a", 0.5, instant("1970-01-01"), None, "bad_known_at"),
            ("a", 10.0, instant("2025-06-01"), None, "duplicate"),
        ],
    ),
    "context": (
        "select series_id, ds, y from ({{ panel_context('sku_weekly') }})",
        [
            ("a|1", day("2026-01-19"), 40.0),
            ("a|1", day("2026-01-26"), None),
            ("a|1", day("2026-02-02"), None),
            ("b|1", day("2026-01-19"), None),
            ("b|1", day("2026-01-26"), 2.5),
            ("b|1", day("2026-02-02"), None),
        ],
    ),
    "date_parts": (
        "select ds"
        + "".join(f", {{{{ date_part('{part}', 'ds') }}}} as {part}" for part in PARTS)
        + f" from {DAYS} where extract(day from ds) in (29, 31, 5)",
        [
            (day("2024-12-29"), 7.0, 29.0, 364.0, 52.0, 12.0, 4.0, 2024.0),
            (day("2024-12-31"), 2.0, 31.0, 366.0, 1.0, 12.0, 4.0, 2024.0),
            (day("2025-01-05"), 7.0, 5.0, 5.0, 1.0, 1.0, 1.0, 2025.0),
        ],
    ),
}


@pytest.fixture(scope="module")
def queries(make_site: Callable[[], Site]) -> dict[str, str]:
    site = make_site()
    site.use_cases = {"sku_weekly": use_case("period"), "by_step": use_case("horizon_step", OF_ALL)}
    site.use_cases["by_key"] = use_case("period", OF_BOTH)
    refs = {
        f"{name}_{relation}": text
        for name in site.use_cases
        for relation, text in (("history", HISTORY), ("series", SERIES))
    }
    staged = "{{ stage_attributes('sku_weekly') }}"
    refs |= {f"stg_{name}_attributes": staged for name in site.use_cases}
    for name in site.use_cases:
        refs[f"stg_{name}_regressors"] = f"{{{{ stage_regressors('{name}') }}}}"
    rendered.macro_project(site, {name: sql for name, (sql, _) in CASES.items()}, refs)
    names = [f"{name}_{kind}" for name in site.use_cases for kind in ("attributes", "regressors")]
    named = [{"name": name, "tables": [{"name": "rows"}]} for name in names]
    (site.project / "models" / "dimension.yml").write_text(yaml.safe_dump({"sources": named}))
    ensure_tables(site.context("sku_weekly"))
    return rendered.render(site, TABLES)


@pytest.mark.parametrize("name", CASES)
def test_both_engines_give_the_features_worked_out_by_hand(bigquery_client, queries, name):
    _, by_hand = CASES[name]
    _, googles = googlesql.execute(queries[name])
    emulators = rows(bigquery_client, queries[name])
    assert same(ordered(googles), ordered(by_hand)), f"Google: {ordered(googles)}"
    assert same(ordered(emulators), ordered(by_hand)), f"the emulator: {ordered(emulators)}"
