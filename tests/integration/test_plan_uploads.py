"""Three uploads of a promotion plan: the plan, a cancellation with an extension, the next weeks.

The first speaks for all units, the second for N1 alone, the third again for all. Weeks are W1 (from
5 January) to W6 (from 9 February). What is known of each series and week is worked out by hand:
the share of the week under promotion, 0 where the plan says that there is none, null where no plan
speaks for the week.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pandas as pd
import pytest

from python_jobs.data.load import load_file
from python_jobs.local.demo_data import DemoSettings, generate
from python_jobs.runs.tables import ensure_tables
from tests.support import golden
from tests.support.data_tests import data_tests
from tests.support.site import Site, day, instant

N1_A, N1_B, N2_A = "N1|retail|A", "N1|retail|B", "N2|retail|A"
WEEKS = [day("2026-01-05") + timedelta(weeks=n) for n in range(6)]
PLAN, CANCELLED, EXTENDED = (instant(f"2026-01-{at:02} 07:00") for at in (2, 9, 20))

# unit, channel, sku_id, start, end, kind, covers_from, covers_to, covers_unit, known
ROWS = [
    ("N1", "retail", "A", "2026-01-05", "2026-01-11", "price", *("01-05", "02-01", "*"), PLAN),
    ("N1", "retail", "B", "2026-01-14", "2026-01-16", "price", *("01-05", "02-01", "*"), PLAN),
    ("*", "*", "A", "2026-01-19", "2026-01-25", "flyer", *("01-05", "02-01", "*"), PLAN),
    ("N2", "*", "A", "2026-01-26", "2026-02-01", "price", *("01-05", "02-01", "*"), PLAN),
    # N1 says it anew: nothing for B; the flyer of A is longer, and a price comes on top of it.
    (
        "N1",
        "retail",
        "A",
        "2026-01-19",
        "2026-01-28",
        "flyer",
        *("01-12", "02-01", "N1"),
        CANCELLED,
    ),
    (
        "N1",
        "retail",
        "A",
        "2026-01-21",
        "2026-01-22",
        "price",
        *("01-12", "02-01", "N1"),
        CANCELLED,
    ),
    # All: A of N1 goes on, that of N2 is off, and comes back for one day of W5 and all of W6.
    ("N1", "retail", "A", "2026-01-26", "2026-02-08", "flyer", *("01-26", "02-15", "*"), EXTENDED),
    ("N2", "retail", "A", "2026-02-08", "2026-02-08", "price", *("01-26", "02-15", "*"), EXTENDED),
    ("N2", "retail", "A", "2026-02-09", "2026-02-20", "price", *("01-26", "02-15", "*"), EXTENDED),
    ("*", "retail", "B", "2026-02-10", "2026-02-12", "price", *("01-26", "02-15", "*"), EXTENDED),
]

KNOWN = {
    PLAN: {
        N1_A: [1, 0, 1, 0, None, None],
        N1_B: [0, 3 / 7, 0, 0, None, None],
        N2_A: [0, 0, 1, 1, None, None],
    },
    CANCELLED: {
        N1_A: [1, 0, 1, 3 / 7, None, None],
        N1_B: [0, 0, 0, 0, None, None],
        N2_A: [0, 0, 1, 1, None, None],
    },
    EXTENDED: {
        N1_A: [1, 0, 1, 1, 1, 0],
        N1_B: [0, 0, 0, 0, 0, 3 / 7],
        N2_A: [0, 0, 1, 0, 1 / 7, 1],
    },
}

AS_KNOWN = """
with weeks as (
    select keys.series_id, keys.unit, keys.channel, week
    from {sku_weekly_keys} as keys
    cross join unnest(generate_date_array(@first, @last, interval 7 day)) as week
),

spoken_for as (
    select plan_cell, date_trunc(plan_date, isoweek) as week
    from {sku_weekly_plan_coverage}
    where known_at <= @at and superseded_at > @at
    group by plan_cell, week
    having count(*) = 7
),

promoted as (
    select series_id, date_trunc(plan_date, isoweek) as week, sum(promo_share) / 7 as share
    from {sku_weekly_plan_days}
    where known_at <= @at and superseded_at > @at
    group by series_id, week
)

select
    weeks.series_id, weeks.week,
    if(spoken_for.week is null, promoted.share, coalesce(promoted.share, 0)) as share
from weeks
left join spoken_for
    on weeks.week = spoken_for.week
        and concat(weeks.unit, '|', weeks.channel) = spoken_for.plan_cell
left join promoted
    on weeks.series_id = promoted.series_id and weeks.week = promoted.week
order by weeks.series_id, weeks.week
"""


def plan() -> pd.DataFrame:
    columns = ["unit", "channel", "sku_id", "start_date", "end_date", "kind"]
    columns += ["covers_from", "covers_to", "covers_unit", "loaded_at"]
    frame = pd.DataFrame(ROWS, columns=columns)
    for name in ("start_date", "end_date"):
        frame[name] = [day(text) for text in frame[name]]
    for name in ("covers_from", "covers_to"):
        frame[name] = [day(f"2026-{text}") for text in frame[name]]
    return frame.assign(price=2.0, discount=0.1)


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    golden.sku_settings(site)
    sales = [
        (*series.split("|"), week, 10.0, 2.0, False)
        for series in (N1_A, N1_B, N2_A)
        for week in WEEKS
    ]
    columns = ["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"]
    site.write("sales", pd.DataFrame(sales, columns=columns))
    site.write("promotions", plan())
    with data_tests():
        site.context().dbt.run(
            "build",
            *("--select", "+sku_weekly_plan_days", "rejected_promotions", "rejected_sales"),
            *("--exclude-resource-type", "unit_test"),
        )
    return site


@pytest.mark.parametrize("at", KNOWN)
def test_what_the_plan_said_is_what_was_known_of_it(site: Site, at: pd.Timestamp) -> None:
    rows = site.read(AS_KNOWN, at=at, first=WEEKS[0], last=WEEKS[-1])
    told = {
        series: [None if pd.isna(share) else round(share, 12) for share in those["share"]]
        for series, those in rows.groupby("series_id")
    }
    assert told == {
        series: [None if share is None else round(share, 12) for share in shares]
        for series, shares in KNOWN[at].items()
    }


def test_no_row_of_a_sound_plan_is_rejected(site: Site) -> None:
    assert golden.table(site, "select source_row from {rejected_promotions}") == []


SMALL = DemoSettings(today=date(2026, 11, 18), n_units=3, n_channels=3, n_skus=8, weeks=80)


@pytest.fixture(scope="module")
def demo(make_site: Callable[[], Site], tmp_path_factory: pytest.TempPathFactory):
    """The demo's plan with its ten broken rows, through the command that loads it."""
    site = make_site()
    data = generate(tmp_path_factory.mktemp("demo"), SMALL)
    context = site.context()
    ensure_tables(context)
    for kind, path in (("sales", data.sales), ("promotions", data.promotions)):
        load_file(context.warehouse, context.connection, context.use_case, str(path), kind)
    with data_tests():
        context.dbt.run(
            "build",
            *("--select", "+rejected_promotions", "rejected_sales"),
            *("--exclude-resource-type", "unit_test"),
        )
    return site, data


def test_ten_kinds_of_broken_rows_are_refused_each_with_its_reason(demo):
    site, data = demo
    rejected = site.read(
        "select rejected_because, json_value(source_row, '$.loaded_at') as loaded_at "
        "from {rejected_promotions} order by rejected_because"
    )
    kinds = sorted(fact["kind"] for fact in data.facts.dirty_promotions)
    assert len(set(kinds)) == 10
    assert rejected["rejected_because"].tolist() == kinds


def test_no_row_of_the_demo_s_plan_is_lost(demo):
    site, data = demo
    counts = site.read(
        "select count(*) as n, countif(rejected_because is null) as n_accepted "
        "from {stg_sku_weekly_promotions}"
    ).iloc[0]
    assert counts["n"] == data.facts.n_rows["promotions"]
    assert counts["n_accepted"] == counts["n"] - len(data.facts.dirty_promotions)
