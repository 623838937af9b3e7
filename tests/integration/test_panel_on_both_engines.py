"""The whole chain from the sources to the baselines gives the same rows on both engines.

Every model is inlined into one query over literal rows, as dbt renders it, and run on the emulator
and on Google's own executor: the fortnight of test_two_clocks.py, with weather and holidays. Floats
agree within 1e-9.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pytest

from python_jobs.runs.tables import ensure_tables
from tests.integration.test_two_clocks import AS_OF, COVERS, PLAN, SALES
from tests.support import googlesql, rendered
from tests.support.clients import rows
from tests.support.compare import ordered, same
from tests.support.site import ROOT, Site

FOLDERS = ("staging", "features")
LEFT_OUT = ("_scenario_panel", "_observed_weather_panel")
"""Panels of forecasts. (Relations with `built_use_cases` ask what stands in the warehouse.)"""

CHAIN = {
    path.stem: text
    for folder in FOLDERS
    for path in (ROOT / "models" / folder).rglob("*.sql")
    if not path.stem.endswith(LEFT_OUT) and "built_use_cases" not in (text := path.read_text())
}


ENDS = {
    f"sku_weekly_{name}" for name in ("actuals", "series", "training_panel", "baselines", "gate")
}
ENDS |= {"sku_weekly_future_panel"}
"""What jobs read; all else of the chain goes into one of them."""


def literal(value: object) -> str:
    return "null" if value is None else repr(value) if isinstance(value, float) else f"'{value}'"


def table(columns: str, values: Iterable[tuple]) -> str:
    """Rows as SQL; a date or instant is written as text."""
    listed = ",\n".join(f"({', '.join(map(literal, row))})" for row in values)
    return f"select x.* from unnest(array<struct<{columns}>>[{listed}]) as x"


def sales() -> str:
    columns = "sku_id string, week_start date, units_sold float64, price float64, loaded_at string"
    found = [(sku, week, y, price, f"{at}:00+00") for sku, week, y, price, _, at in SALES]
    sold_out = next((sku, week) for sku, week, _, _, is_sold_out, _ in SALES if is_sold_out)
    return f"""
        select
            y.*, 'N1' as unit, 'retail' as channel,
            y.sku_id = '{sold_out[0]}' and y.week_start = '{sold_out[1]}' as is_sold_out
        from ({table(columns, found)}) as y"""


def promotions() -> str:
    columns = """
        unit string, channel string, sku_id string, start_date date, end_date date, price float64,
        discount float64, kind string, covers_unit string, covers_channel string, covers_from date,
        covers_to date, loaded_at string"""
    return table(
        columns,
        [
            (
                *(unit, "retail", sku, start, end, price, discount, None, "*", "*"),
                *(*COVERS[at], f"{at} 07:00:00+00"),
            )
            for unit, sku, start, end, price, discount, at in PLAN
        ],
    )


def weather() -> str:
    """A fortnight observed, a week of forecasts that the second one replaces, and last year's."""
    return """
        select 'N1' as location, day as date, 'observed' as kind,
            cast(extract(day from day) as float64) / 4 as temperature_c,
            cast(date_add(day, interval 1 day) as string) as issued_at
        from unnest(generate_date_array('2026-01-05', '2026-01-25')) as day
        union all
        select 'N1', day, 'observed', -1.5, '2025-06-01'
        from unnest(generate_date_array('2025-01-20', '2025-03-05')) as day
        union all
        select
            'N1', day, 'forecast', 2.25 + n,
            cast(date_add(date '2026-01-26', interval n * 7 day) as string)
        from unnest(generate_date_array('2026-01-26', '2026-02-08')) as day
        cross join unnest([0, 1]) as n"""


ORIGINS = table(
    """use_case string, run_id string, run_kind string, origin_date date, as_of_at timestamp,
    requested_at timestamp""",
    [
        ("sku_weekly", "run", "replay", origin, str(as_of), "2026-02-04 19:00:00+00")
        for origin, as_of in AS_OF.items()
    ],
)
ACTIVATIONS = table(
    "use_case string, run_id string, event string, logged_at timestamp",
    [("sku_weekly", "run", "begun", "2026-02-04 19:00:00+00")],
)
# A baseline serves the first series at the first origin; what another use case decided is its own.
DECISIONS = table(
    "use_case string, series_id string, origin_date date, decision string, baseline string",
    [
        (use_case, f"N1|retail|{SALES[0][0]}", next(iter(AS_OF)), "serve_baseline", baseline)
        for use_case, baseline in (("sku_weekly", "mean_8"), ("another", "naive"))
    ],
)
HOLIDAYS = table(
    "holiday_date date, name string, country string",
    [("2026-01-07", "Christmas", "RU"), ("2026-02-23", "Defenders", "RU")],
)


@pytest.fixture(scope="module")
def queries(make_site: Callable[[], Site]) -> dict[str, str]:
    site = make_site()
    site.use_cases["sku_weekly"]["min_observations"] = 1
    models = {
        name: re.sub(r"\{\{\s*config\(.*?\n\s*\)\s*\}\}", "", text, flags=re.S)
        for name, text in CHAIN.items()
    }
    templates = {f"all_of_{name}": f"select * from {{{{ ref('{name}') }}}}" for name in ENDS}
    given = {"holidays": HOLIDAYS, "series_decisions": DECISIONS}
    rendered.macro_project(site, templates, {**models, **given})
    ensure_tables(site.context())
    return rendered.render(
        site,
        {
            "logs.run_origins": ORIGINS,
            "logs.run_activations": ACTIVATIONS,
            "sku_weekly_sales.rows": sales(),
            "sku_weekly_promotions.rows": promotions(),
            "sku_weekly_weather.rows": weather(),
        },
    )


@pytest.mark.parametrize("model", sorted(ENDS))
def test_both_engines_give_the_same_rows_of(bigquery_client, queries, model):
    sql = queries[f"all_of_{model}"]
    _, googles = googlesql.execute(sql)
    emulators = rows(bigquery_client, sql)
    assert len(googles) > 1
    assert same(ordered(googles), ordered(emulators)), (
        f"Google: {ordered(googles)}\nthe emulator: {ordered(emulators)}"
    )
