"""Macros, as dbt renders them, give the same rows on the emulator and on Google's own executor.

Each case is a query with macros and the rows that it must give, worked out by hand. Floats agree
within 1e-9 (tests/support/compare.py); a null equals only a null.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable

import pytest

from python_jobs.infra.schedule import Origin
from python_jobs.runs.context import RunOptions
from python_jobs.runs.tables import ensure_tables
from tests.support import googlesql, rendered
from tests.support.begun import begin
from tests.support.clients import rows
from tests.support.compare import ordered, same
from tests.support.site import ROOT, Site, day, instant, project_vars

# A Sunday, a Monday, a leap day, both sides of a year, and none.
DATES = """(
    select d from unnest([
        date '2026-01-04', date '2026-01-05', date '2024-02-29', date '2025-12-31',
        date '2026-01-01', cast(null as date)
    ]) as d
)"""
# Series a: over, under and right. b: a forecast without an actual, the other way round, all
# zero. c: one row, nothing sold. No interval on two of them.
ERRORS = """(
    select x.*
    from unnest(array<struct<
        s string, y float64, yhat float64, yhat_lower float64, yhat_upper float64
    >>[
        ('a', 10, 12, 9, 15), ('a', 20, 15, 16, 18), ('a', 5, 5, null, null),
        ('b', null, 3, 1, 5), ('b', 4, null, null, null), ('b', 0, 0, 0, 1), ('b', 2, -2, -3, 3),
        ('c', 0, 3, null, null)
    ]) as x
)"""
PARTS = f"""(
    select s, {{{{ error_parts(
        'y', 'yhat', 'yhat_lower', 'yhat_upper', '0.5', "if(s = 'a', 5, 0)",
        "if(s = 'a', 10.0, null)"
    ) }}}}, if(yhat is null, null, y) as y
    from {ERRORS}
)"""

# What forecast_errors holds: a week of two series, b without a seasonal naive; and a backtest.
FORECAST_ERRORS = """
select
    'sku_weekly' as use_case, x.run_kind, x.series_id, x.model_name, x.y, x.yhat, x.is_champion,
    x.is_baseline, x.is_scored, x.is_comparable, 1 as horizon_step,
    date '2026-01-05' as target_date, x.lower_end as yhat_lower, x.upper_end as yhat_upper,
    {{ error_parts('x.y', 'x.yhat', 'x.lower_end', 'x.upper_end', '0.8', '2', 'x.lower_end') }}
from unnest(array<struct<
    run_kind string, series_id string, model_name string, y float64, yhat float64,
    lower_end float64, upper_end float64, is_champion bool, is_baseline bool, is_scored bool,
    is_comparable bool
>>[
    ('issued', 'a', 'prophet', 10, 12, 9, 15, true, false, true, true),
    ('issued', 'a', 'naive', 10, 6, null, null, false, true, true, true),
    ('issued', 'b', 'prophet', 20, 21, 22, 25, true, false, true, false),
    ('issued', 'b', 'naive', 20, null, null, null, false, true, false, false),
    ('backtest', 'a', 'prophet', 10, 15, 9, 15, true, false, true, true)
]) as x
"""
# What people would call promotions and drift: what was known, and what a model was trained on.
KNOWN = """(
    select x.*
    from unnest(array<struct<id int64, known string, ranges string>>[
        (1, '{"promo_share": 1.0, "temperature_c": 5}', '{"temperature_c": [-10, 4.5]}'),
        (2, '{"promo_share": 0.0, "temperature_c": 5}', '{"temperature_c": [-10, 5]}'),
        (3, '{"promo_share": null, "temperature_c": null}', '{"temperature_c": [-10, 5]}'),
        (4, null, '{"temperature_c": [-10, 5]}'), (5, '{"temperature_c": -11}', null)
    ]) as x
)"""
ACTUALS = """
select x.series_id, x.ds, x.y, x.is_gap_filled, x.is_censored,
    if(x.holds, timestamp '9999-12-31 00:00:00+00', timestamp '2026-01-20 00:00:00+00')
        as superseded_at
from unnest(array<struct<
    series_id string, ds date, y float64, is_gap_filled bool, is_censored bool, holds bool
>>[
    ('a', '2026-01-05', 9, false, false, false), ('a', '2026-01-05', 10, false, false, true),
    ('b', '2026-01-12', null, true, false, true), ('c', '2026-01-19', 3, false, true, true),
    ('d', '2026-01-26', 4, false, false, true)
]) as x
"""
# As they were scored: a has been corrected, b is the gap that it was, c is sold out by now, d has
# arrived, e is gone, and f never was there. A baseline says nothing by itself.
SCORED = """(
    select 'sku_weekly' as use_case, x.*
    from unnest(array<struct<
        series_id string, target_date date, y float64, unscored_reason string, is_baseline bool
    >>[
        ('a', '2026-01-05', 9, null, false), ('b', '2026-01-12', null, 'gap', false),
        ('c', '2026-01-19', 3, null, false), ('d', '2026-01-26', null, 'not_arrived', false),
        ('e', '2026-02-02', 7, 'no_forecast', false),
        ('f', '2026-02-09', null, 'not_arrived', false), ('g', '2026-02-16', 1, null, true)
    ]) as x
)"""
SETTLED = """
select 'sku_weekly' as use_case, 'issued' as run_kind, 'last_1_week' as period,
    date '2026-01-05' as target_date
"""
SEGMENTS = """
select 'sku_weekly' as use_case, 'a' as series_id, 'unit' as segment_type, 'N1' as segment
"""
ORIGINS = """
select x.*
from unnest(array<struct<use_case string, origin_date date, as_of_at timestamp>>[
    ('sku_weekly', '2026-01-04', '2026-01-07 19:00:00+00'),
    ('sku_weekly', '2026-01-11', '2026-01-14 19:00:00+00')
]) as x
"""
HOLIDAYS = """
select x.*
from unnest(array<struct<holiday_date date, holiday_name string, country string>>[
    ('2026-01-01', 'New Year', 'RU'), ('2026-01-02', 'New Year', 'RU'),
    ('2026-01-02', 'Another', 'RU'), ('2026-01-07', 'Christmas', 'RU'),
    ('2026-01-07', 'Elsewhere', 'DE'), ('2026-01-21', 'Women\\'s Day', 'RU'),
    ('2026-01-21', 'Женский день', 'RU')
]) as x
"""
RUN_ORIGINS = """
select x.*
from unnest(array<struct<
    use_case string, run_id string, run_kind string, origin_date date, as_of_at timestamp,
    requested_at timestamp
>>[
    ('sku_weekly', 'old', 'issued', '2026-01-04', '2026-01-07 19:00:00', '2026-01-07'),
    ('sku_weekly', 'new', 'issued', '2026-01-11', '2026-01-14 19:00:00', '2026-01-14'),
    ('sku_weekly', 'new', 'issued', '2026-01-11', '2026-01-14 19:00:00', '2026-01-14'),
    ('daily', 'only', 'replay', '2026-01-10', '2026-01-11 03:00:00', '2026-01-01'),
    ('daily', 'broken', 'replay', '2026-01-11', '2026-01-12 03:00:00', '2026-01-12')
]) as x
"""
RUN_ACTIVATIONS = """
select x.*
from unnest(array<struct<use_case string, run_id string, event string, logged_at timestamp>>[
    ('daily', 'only', 'begun', '2026-01-11 03:00:00'),
    ('daily', 'only', 'ended', '2026-01-11 03:10:00'),
    ('daily', 'broken', 'begun', '2026-01-12 03:00:00'),
    ('daily', 'broken', 'failed', '2026-01-12 03:10:00')
]) as x
"""
SALES = """
select x.*
from unnest(array<struct<
    unit string, channel string, sku_id string, week_start string, units_sold string, price string,
    is_sold_out string, loaded_at string
>>[
    ('N1', 'retail', 'A|1', '2026-01-05', '10', '2.5', 'false', '2026-01-12 06:00:00+00'),
    ('N1', 'retail', 'A|1', '2026-01-05', '10', '2.5', 'false', '2026-01-12 06:00:00+00'),
    ('N1', 'retail', 'A|1', '2026-01-05', '10', '2.5', 'false', '2026-01-13 06:00:00+00'),
    ('N1', 'retail', 'A|1', '2026-01-14', '-1', null, null, null),
    ('N1', null, 'A|1', '2026-01-05', '10', '2.5', 'false', '2026-01-12 06:00:00+00'),
    ('N1', 'retail', 'A|1', '2026-02-30', '10', '2.5', 'false', '2026-01-12 06:00:00+00'),
    ('N1', 'retail', 'A|1', '2026-01-05', 'many', 'x', 'true', '2026-01-12 06:00:00+00'),
    ('N1', 'retail', 'A|1', '2026-01-05', 'NaN', '1', 'true', '2026-01-12 06:00:00+00'),
    ('N1', 'retail', 'A|1', '9998-01-05', '1', '1', 'true', '2026-01-12 06:00:00+00')
]) as x
"""
PROMOTIONS = """
select x.*
from unnest(array<struct<
    unit string, channel string, sku_id string, start_date date, end_date date, kind string,
    price float64, discount float64, covers_unit string, covers_channel string, covers_from date,
    covers_to date, unparsed string, loaded_at timestamp
>>[
    ('N1', 'retail', 'A', '2026-01-05', '2026-01-11', null, 1.5, null,
        null, null, null, null, null, '2026-01-01'),
    ('N1', '*', 'A', '2026-01-12', '2026-01-25', null, null, 0.2,
        'N1,N2', null, null, '2026-02-01', null, '2026-01-01'),
    ('N1', 'retail', null, '2026-01-01', '2026-03-11', null, 1, null,
        null, null, null, null, null, '2026-01-01'),
    ('N1', 'retail', 'A', '2026-01-12', '2026-01-11', null, 1, null,
        null, null, null, null, null, '2026-01-02'),
    -- of the third upload each row but four is at fault, each in a way of its own
    ('N1', 'retail', 'A', '2026-01-05', '2026-01-11', 'price', 1, 0.1,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'retail', 'A', '2026-01-05', '2026-01-11', 'flyer', 1, 0.1,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'retail', 'A', '2026-01-05', '2026-01-11', 'price', 1, 0.1,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'retail', 'A', '2026-01-11', '2026-01-13', 'price', 2, null,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'retail', 'A', '2026-01-14', '2026-01-15', 'price', 2, null,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'retail', 'A', '2026-01-26', '2026-01-30', 'price', 2, null,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'retail', 'A', '2026-01-16', null, 'price', 2, null,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'retail', 'A', '2026-01-17', '2026-01-17', 'price', -2, null,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'retail', 'A', '2026-01-18', '2026-01-18', 'price', null, 20,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'retail', 'A', '2026-01-19', '2026-01-19', 'price', null, null,
        null, null, '2026-01-05', '2026-01-25', '{"price": "two"}', '2026-01-03'),
    ('N1', 'retail', 'Z', '2026-01-20', '2026-01-20', 'price', 2, null,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'web', 'A', '2026-01-21', '2026-01-21', 'price', 2, null,
        null, null, '2026-01-05', '2026-01-25', null, '2026-01-03'),
    ('N1', 'retail', 'A', '2026-01-22', '2026-01-22', 'price', 2, null,
        null, null, '2026-01-25', '2026-01-05', null, '2026-01-03'),
    (null, null, null, null, null, null, null, null,
        'N2', null, '2026-02-02', '2026-02-08', null, '2026-01-03')
]) as x
"""
KEYS = """
select concat(x.unit, '|', x.channel, '|A') as series_id, x.*, 'A' as sku_id
from unnest(array<struct<unit string, channel string>>[('N1', 'retail'), ('N2', 'web')]) as x
"""
WEATHER = """
select x.*
from unnest(array<struct<
    location string, date date, kind string, temperature_c float64, issued_at timestamp
>>[
    ('N1', '2026-01-05', 'observed', 1, '2026-01-06'),
    ('N1', '2026-01-05', 'observed', 2, '2026-01-06'),
    ('N1', '2026-01-06', 'forecast', null, '2026-01-05'),
    (null, '2026-01-06', 'forecast', 5, null),
    ('N1', null, 'forecast', 5, '2026-01-05'),
    ('N1', '2026-01-07', 'guess', 5, '2026-01-05'),
    ('N1', '2026-01-07', 'forecast', 5, null),
    ('N1', '2026-01-07', 'observed', cast('nan' as float64), null),
    ('N1', '2026-01-08', 'observed', 3, null)
]) as x
"""


def d(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


Case = tuple[str, list[tuple]]

A1 = r"N1|retail|A\|1"
MONDAY, LOADED = d("2026-01-05"), instant("2026-01-12 06:00")

METRICS: dict[str, Case] = {
    # A row without y or without yhat leaves every part; a row of two zeros counts as 0 in sMAPE.
    "error_parts": (
        f"select * from {PARTS}",
        [
            ("a", 2.0, 2.0, 4.0, 10.0, 4 / 22, True, 6.0, 2.5 / 3, 0.4, 2.0, 10.0, 10.0),
            ("a", -5.0, 5.0, 25.0, 20.0, 10 / 35, False, 10.0, 5 / 3, 1.0, 5.0, 10.0, 20.0),
            ("a", 0.0, 0.0, 0.0, 5.0, 0.0, None, None, None, 0.0, 5.0, 10.0, 5.0),
            ("b", *(None,) * 12),
            ("b", *(None,) * 12),
            ("b", 0.0, 0.0, 0.0, 0.0, 0.0, True, 1.0, 0.25 / 3, None, None, None, 0.0),
            ("b", -4.0, 4.0, 16.0, 2.0, 2.0, True, 6.0, 3.5 / 3, None, None, None, 2.0),
            ("c", 3.0, 3.0, 9.0, 0.0, 2.0, None, None, None, None, None, None, 0.0),
        ],
    ),
    # a: errors 2, -5, 0 of 35 units. b: 0, -4 of 2. c: 3 of nothing.
    "metrics_by_series": (
        f"""
        select s, {{{{ wape() }}}} as wape, {{{{ smape() }}}} as smape, {{{{ mae() }}}} as mae,
            {{{{ rmse() }}}} as rmse, {{{{ bias() }}}} as bias, {{{{ coverage() }}}} as coverage
        from {PARTS} group by s""",
        [
            ("a", 7 / 35, (4 / 22 + 10 / 35) / 3, 7 / 3, math.sqrt(29 / 3), -3 / 35, 0.5),
            ("b", 2.0, 1.0, 2.0, math.sqrt(8), -2.0, 1.0),
            ("c", None, 2.0, 3.0, 3.0, None, None),
        ],
    ),
    # Errors of 1 and 3 of 16 units, in columns of other names; then sums that are there already.
    "metrics_of_other_columns": (
        """
        select {{ wape('b', 'abs(a)') }} as wape, {{ bias('-b', 'abs(a)') }} as bias,
            {{ mae('b') }} as mae, {{ rmse('b * b') }} as rmse,
            {{ tracking_signal('-b', 'b') }} as tracking_signal,
            {{ wape_of_sums('sum(b)', '0') }} as nothing_sold,
            {{ bias_of_sums('-sum(b)', 'sum(a)') }} as bias_of_sums
        from unnest(array<struct<a float64, b float64>>[(10, 1), (6, 3), (null, null)])""",
        [(0.25, -0.25, 2.0, math.sqrt(5), -2.0, None, -0.25)],
    ),
    "more_metrics_by_series": (
        f"""
        select s, {{{{ mase() }}}} as mase, {{{{ tracking_signal() }}}} as tracking_signal,
            {{{{ winkler() }}}} as winkler, {{{{ pinball() }}}} as pinball, {{{{ r2() }}}} as r2,
            {{{{ stability() }}}} as stability
        from {PARTS} group by s""",
        [
            ("a", 1.4 / 3, -9 / 7, 8.0, 1.25, 1 - 29 / (350 / 3), 0.4),
            ("b", None, -2.0, 3.5, 0.625, -7.0, None),
            ("c", None, 1.0, None, None, None, None),
        ],
    ),
    "more_metrics_of_nothing": (
        f"""
        select {{{{ mase() }}}} as mase, {{{{ tracking_signal() }}}} as tracking_signal,
            {{{{ winkler() }}}} as winkler, {{{{ pinball() }}}} as pinball, {{{{ r2() }}}} as r2,
            {{{{ stability() }}}} as stability
        from {PARTS} where s = 'none'""",
        [(None,) * 6],
    ),
    "actual_defect": (
        """
        select x.id, {{ actual_defect('x') }} as defect
        from unnest(array<struct<id int64, ds date, is_gap_filled bool, is_censored bool>>[
            (1, null, null, null), (2, '2026-01-05', true, false), (3, '2026-01-05', false, true),
            (4, '2026-01-05', false, false)
        ]) as x""",
        [(1, "not_arrived"), (2, "gap"), (3, "sold_out"), (4, None)],
    ),
    "current_actuals": (
        "select * from ({{ current_actuals(['sku_weekly']) }})",
        [
            ("sku_weekly", "a", d("2026-01-05"), 10.0, False, False),
            ("sku_weekly", "b", d("2026-01-12"), None, True, False),
            ("sku_weekly", "c", d("2026-01-19"), 3.0, False, True),
            ("sku_weekly", "d", d("2026-01-26"), 4.0, False, False),
        ],
    ),
    "revised_targets": (
        f"select * from ({{{{ revised_targets({SCORED!r}, ['sku_weekly']) }}}})",
        [(d(day),) for day in ("2026-01-05", "2026-01-19", "2026-01-26", "2026-02-02")],
    ),
    # Two origins, four weeks ahead of the later one, five weeks back from it; no actuals built.
    "touched_targets": (
        """
        {% set days = touched_targets('nothing', []) %}
        select '{{ days[0] }}' as first_day, '{{ days[-1] }}' as last_day,
            {{ days | length }} as n_days""",
        [("2025-12-08", "2026-02-08", 63)],
    ),
    "among_days": (
        """
        select d, {{ among_days('d', ['2026-01-05', '2026-01-12']) }} as one_of,
            {{ among_days('d', []) }} as nothing, {{ among_days('d', none) }} as anything
        from unnest([date '2026-01-05', date '2026-01-06', date '2026-01-12']) as d""",
        [
            (d("2026-01-05"), True, False, True),
            (d("2026-01-06"), False, False, True),
            (d("2026-01-12"), True, False, True),
        ],
    ),
    # Four weeks ahead at most: from 28 days before the first to the day before the last.
    "made_for_days": (
        """
        select countif({{ made_for_days('d', ['2026-01-05', '2026-01-12']) }}) as n,
            min(if({{ made_for_days('d', ['2026-01-05', '2026-01-12']) }}, d, null)) as first_day,
            max(if({{ made_for_days('d', ['2026-01-05', '2026-01-12']) }}, d, null)) as last_day,
            countif({{ made_for_days('d', none) }}) as n_all
        from unnest(generate_date_array('2025-11-01', '2026-02-28')) as d""",
        [(35, d("2025-12-08"), d("2026-01-11"), 120)],
    ),
    "is_promotion": (
        f"select id, {{{{ is_promotion('sku_weekly', 'known') }}}} as is_promo from {KNOWN}",
        [(1, True), (2, False), (3, False), (4, None), (5, False)],
    ),
    "out_of_range": (
        f"select id, {{{{ out_of_range('sku_weekly', 'known', 'ranges') }}}} as o from {KNOWN}",
        [(1, True), (2, False), (3, False), (4, False), (5, None)],
    ),
    "regressors_outside": (
        f"""
        select id, {{{{ regressors_outside('sku_weekly', 'known', 'ranges') }}}} as outside
        from {KNOWN}""",
        [(1, "temperature_c"), (2, ""), (3, ""), (4, ""), (5, None)],
    ),
    "regressors_outside_are_all_named": (
        """
        select {{ regressors_outside('sku_weekly', 'known', 'ranges') }} as o
        from (
            select '{"promo_share": 0.5, "log_price_ratio": -0.2, "temperature_c": 0}' as known,
                '{"promo_share": [0, 0], "log_price_ratio": [0, 1], "temperature_c": [0, 0]}'
                as ranges
        )""",
        [("promo_share log_price_ratio",)],
    ),
    "errors_of": (
        """
        select run_kind, series_id, model_name, period, segment_type, segment
        from ({{ errors_of(with_periods=true, with_segments=true) }})""",
        [("issued", "a", name, "last_1_week", "unit", "N1") for name in ("prophet", "naive")],
    ),
    "metrics_of_nothing": (
        f"""
        select {{{{ wape() }}}} as wape, {{{{ smape() }}}} as smape, {{{{ mae() }}}} as mae,
            {{{{ rmse() }}}} as rmse, {{{{ bias() }}}} as bias, {{{{ coverage() }}}} as coverage
        from {PARTS} where s = 'none'""",
        [(None,) * 6],
    ),
    "forecast_value_added": (
        """
        select x.week, x.model, {{ forecast_value_added('x.wape', "x.model = 'naive'", 'x.week') }}
        from unnest(array<struct<week int64, model string, wape float64>>[
            (1, 'naive', 0.5), (1, 'good', 0.25), (1, 'bad', 0.75), (1, 'unscored', null),
            (2, 'naive', null), (2, 'good', 0.25), (3, 'good', 0.25)
        ]) as x""",
        [
            (1, "bad", -0.25),
            (1, "good", 0.25),
            (1, "naive", 0.0),
            (1, "unscored", None),
            (2, "good", None),
            (2, "naive", None),
            (3, "good", None),
        ],
    ),
    # ln(1 + e - 1) is 1; -1 and below have no logarithm, a transform nobody knows has no scale.
    "model_space": (
        """
        select x.id, {{ model_space('x.v', 'x.t') }} as g
        from unnest(array<struct<id int64, v float64, t string>>[
            (1, 5, 'none'), (2, exp(1) - 1, 'log1p'), (3, 0, 'log1p'), (4, -1, 'log1p'),
            (5, -3, 'log1p'), (6, 5, 'sqrt'), (7, null, 'none'), (8, 5, null)
        ]) as x""",
        [(1, 5.0), (2, 1.0), (3, 0.0), *((n, None) for n in (4, 5, 6, 7, 8))],
    ),
    "residual_score": (
        """
        select x.id, {{ residual_score('x.y', 'x.yhat', 'x.h', 'x.t') }} as score
        from unnest(array<struct<id int64, y float64, yhat float64, h float64, t string>>[
            (1, 7, 10, 2, 'none'), (2, exp(2) - 1, 0, 0.5, 'log1p'), (3, 7, 10, 0, 'none'),
            (4, null, 10, 2, 'none'), (5, 7, 7, 2, 'none'), (6, 7, 10, null, 'none')
        ]) as x""",
        [(1, 1.5), (2, 4.0), (3, None), (4, None), (5, 0.0), (6, None)],
    ),
    # n 4: the ceil(5 * 0.8) = 4th; n 3: the 4th of 3 is none; n 99: the 55th, not the 56th.
    "conformal_factor": (
        """
        select n, {{ conformal_factor('s', 'r', 'n', 'c') }} as factor
        from (
            select x.n, x.c, r, 10.0 * r as s
            from unnest(array<struct<n int64, c float64>>[(4, 0.8), (3, 0.8), (99, 0.55)]) as x
            cross join unnest(generate_array(1, 99)) as r
            where r <= x.n
        )
        group by n""",
        [(3, None), (4, 40.0), (99, 550.0)],
    ),
    "accuracy_by": (
        """
        select run_kind, basis, model_name, is_baseline, n_scored, n_removed, n_unscored,
            sum_abs_error, sum_abs_y, wape, mae, bias, coverage, forecast_value_added
        from ({{ accuracy_by(['horizon_step']) }})""",
        [
            ("issued", "comparable", "naive", True, 1, 0, 1, 4.0, 10.0, 0.4, 4.0, -0.4, None, 0.0),
            ("issued", "comparable", "prophet", False, 1, 1, 0, 2.0, 10.0, 0.2, 2.0, 0.2, 1.0, 0.2),
            ("issued", "served", "served", False, 2, 0, 0, 3.0, 30.0, 0.1, 1.5, 0.1, 0.5, None),
            *(
                ("backtest", basis, name, False, 1, 0, 0, 5.0, 10.0, 0.5, 5.0, 0.5, 1.0, None)
                for basis, name in (("comparable", "prophet"), ("served", "served"))
            ),
        ],
    ),
}

TIME: dict[str, Case] = {
    # Weeks from Monday, weeks from Thursday, days.
    "period_start": (
        f"""
        select d, {{{{ period_start('sku_weekly', 'd') }}}} as monday,
            {{{{ period_start('from_thursday', 'd') }}}} as thursday,
            {{{{ period_start('by_day', 'd') }}}} as itself
        from {DATES}""",
        [
            (d("2026-01-04"), d("2025-12-29"), d("2026-01-01"), d("2026-01-04")),
            (d("2026-01-05"), d("2026-01-05"), d("2026-01-01"), d("2026-01-05")),
            (d("2024-02-29"), d("2024-02-26"), d("2024-02-29"), d("2024-02-29")),
            (d("2025-12-31"), d("2025-12-29"), d("2025-12-25"), d("2025-12-31")),
            (d("2026-01-01"), d("2025-12-29"), d("2026-01-01"), d("2026-01-01")),
            (None, None, None, None),
        ],
    ),
    "period_start_of_every_weekday": (
        """
        select countif(extract(dayofweek from monday) = 2) as n_mondays,
            countif(extract(dayofweek from thursday) = 5) as n_thursdays,
            countif(date_diff(d, monday, day) between 0 and 6) as n_in_week,
            countif(date_diff(d, thursday, day) between 0 and 6) as n_in_other_week
        from (
            select d, {{ period_start('sku_weekly', 'd') }} as monday,
                {{ period_start('from_thursday', 'd') }} as thursday
            from unnest(generate_date_array('2023-12-20', '2027-01-10')) as d
        )""",
        [(1118,) * 4],
    ),
    # Of rows of three use cases, each in its own way: weeks from Monday, from Thursday, days.
    "period_start_by": (
        """
        select countif(by_row is distinct from by_name) as n_apart, count(distinct by_row) as n
        from (
            select {{ period_start_by('s', 'd') }} as by_row,
                case s.use_case
                    when 'sku_weekly' then {{ period_start('sku_weekly', 'd') }}
                    when 'from_thursday' then {{ period_start('from_thursday', 'd') }}
                    when 'by_day' then {{ period_start('by_day', 'd') }}
                end as by_name
            from ({{ settings_rows() }}) as s
            cross join unnest(generate_date_array('2024-02-26', '2024-03-03')) as d
        )""",
        [(0, 8)],
    ),
    "monitored_at": (
        "{{ monitored_at() }}",
        [("sku_weekly", instant("2026-01-14 19:00"), d("2026-01-11"))],
    ),
    # Wednesdays at 22:00 in Moscow: that of the 14th has just come, its origin is the 11th.
    "scheduled_origins": (
        """
        with now_there as (
            select 'sku_weekly' as use_case, timestamp '2026-01-14 19:00:00+00' as as_of_at
        ),
        a_second_before as (
            select 'sku_weekly' as use_case, timestamp '2026-01-14 18:59:59+00' as as_of_at
        )
        select 'now' as seen, origin_date
        from ({{ scheduled_origins('sku_weekly', 'now_there', 2) }})
        union all
        select 'before', origin_date
        from ({{ scheduled_origins('sku_weekly', 'a_second_before', 2) }})""",
        [
            ("now", d("2026-01-04")),
            ("now", d("2026-01-11")),
            ("before", d("2026-01-04")),
        ],
    ),
    "period_end": (
        """
        select {{ period_end('sku_weekly', 'd') }} as week, {{ period_end('by_day', 'd') }} as day
        from (select date '2025-12-29' as d union all select null)""",
        [(d("2026-01-04"), d("2025-12-29")), (None, None)],
    ),
    "period_days": (
        "select {{ period_days('sku_weekly') }} as week, {{ period_days('by_day') }} as day",
        [(7, 1)],
    ),
    "add_periods": (
        """
        select {{ add_periods('sku_weekly', 'd', 'n') }} as weeks,
            {{ add_periods('by_day', 'd', 'n') }} as days,
            {{ add_periods('sku_weekly', 'd', -52) }} as a_year_ago,
            {{ add_periods('sku_weekly', 'd', 'n - 1') }} as before
        from (select date '2026-01-05' as d, 2 as n union all select null, 1)""",
        [
            (d("2026-01-19"), d("2026-01-07"), d("2025-01-06"), d("2026-01-12")),
            (None, None, None, None),
        ],
    ),
    "periods_between": (
        """
        select {{ periods_between('sku_weekly', 'a', 'b') }} as weeks,
            {{ periods_between('by_day', 'a', 'b') }} as days
        from (
            select date '2025-12-29' as a, date '2026-01-12' as b
            union all select date '2025-12-29', date '2026-01-11'
            union all select date '2026-01-12', date '2025-12-29'
            union all select null, date '2026-01-12'
        )""",
        [(2, 14), (1, 13), (-2, -14), (None, None)],
    ),
    "days_apart_in_year": (
        """
        select {{ days_apart_in_year('a', 'b') }} as n
        from (
            select date '2025-12-31' as a, date '2026-01-01' as b
            union all select date '2025-01-05', date '2026-01-01'
            union all select date '2025-07-01', date '2026-01-01'
            union all select date '2025-03-01', date '2025-03-01'
            union all select null, date '2025-03-01'
        )""",
        [(1,), (4,), (181,), (0,), (None,)],
    ),
    # 22:30 UTC on a Sunday is Monday in Moscow: the week that has just ended is past there.
    "default_origin_date": (
        """
        select {{ default_origin_date('sku_weekly', 'now_at') }} as moscow,
            {{ default_origin_date('from_thursday', 'now_at') }} as new_york,
            {{ default_origin_date('by_day', 'now_at') }} as utc
        from (
            select timestamp '2026-01-04 20:30:00+00' as now_at
            union all select timestamp '2026-01-04 22:30:00+00'
            union all select timestamp '2026-01-08 03:00:00+00'
        )""",
        [
            (d("2025-12-28"), d("2025-12-31"), d("2026-01-03")),
            (d("2026-01-04"), d("2025-12-31"), d("2026-01-03")),
            (d("2026-01-04"), d("2025-12-31"), d("2026-01-07")),
        ],
    ),
    "ends_of_time": (
        """
        select {{ beginning_of_time() }} as a, {{ end_of_time() }} as b,
            {{ beginning_of_time() }} < {{ run_now() }} as c,
            {{ run_now() }} < {{ end_of_time() }} as e""",
        [(instant("1970-01-01"), instant("9999-12-31"), True, True)],
    ),
    # From the instant that it became known, up to the one at which it no longer held.
    "known_as_of": (
        """
        select v.id, now_at, {{ known_as_of('v', 'now_at') }} as is_known
        from (
            select 1 as id, timestamp '2026-01-05 00:00:00+00' as known_at,
                timestamp '2026-01-07 00:00:00+00' as superseded_at
            union all select 2, timestamp '2026-01-07 00:00:00+00', {{ end_of_time() }}
        ) as v
        cross join unnest([
            timestamp '2026-01-04 23:59:59.999999+00', timestamp '2026-01-05 00:00:00+00',
            timestamp '2026-01-07 00:00:00+00'
        ]) as now_at""",
        [
            (1, dt.datetime(2026, 1, 4, 23, 59, 59, 999999, tzinfo=dt.UTC), False),
            (1, instant("2026-01-05"), True),
            (1, instant("2026-01-07"), False),
            (2, dt.datetime(2026, 1, 4, 23, 59, 59, 999999, tzinfo=dt.UTC), False),
            (2, instant("2026-01-05"), False),
            (2, instant("2026-01-07"), True),
        ],
    ),
    "active_origins": (
        "{{ active_origins() }}",
        [
            ("daily", "only", "replay", d("2026-01-10"), instant("2026-01-11 03:00")),
            ("sku_weekly", "new", "issued", d("2026-01-11"), instant("2026-01-14 19:00")),
        ],
    ),
    "active_runs": ("{{ active_runs() }}", [("daily", "only")]),
    "active_origins_of_one": (
        "select run_id from ({{ active_origins('daily') }})",
        [("only",)],
    ),
    # The run under way has the origins of 4 and 11 January; see `site`.
    "run_bounds": (
        """
        select '{{ run_bounds('sku_weekly').first }}' as a,
            '{{ run_bounds('sku_weekly').last }}' as b,
            {{ run_bounds('by_day').first is none }} as c, '{{ run_bounds().last }}' as e""",
        [("2026-01-04", "2026-01-11", True, "2026-01-11")],
    ),
    "origin_bounds": (
        """
        select d, {{ origin_bounds('sku_weekly', 'd') }} as a,
            {{ origin_bounds('sku_weekly', 'd', before=none, after=7) }} as b,
            {{ origin_bounds('sku_weekly', 'd', before=1, after=none) }} as c,
            {{ origin_bounds('by_day', 'd') }} as e
        from unnest([
            date '2026-01-03', date '2026-01-04', date '2026-01-11', date '2026-01-18',
            date '2026-01-19'
        ]) as d""",
        [
            (d("2026-01-03"), False, True, True, True),
            (d("2026-01-04"), True, True, True, True),
            (d("2026-01-11"), True, True, True, True),
            (d("2026-01-18"), False, True, True, True),
            (d("2026-01-19"), False, False, True, True),
        ],
    ),
}

OTHERS: dict[str, Case] = {
    "known_at_of": (
        """
        select {{ known_at_of({'known_at': 'x'}) }} as a, {{ known_at_of({'known_at': ''}) }} as b,
            {{ known_at_of(none) }} as c
        from unnest(['2026-01-05 10:00:00+00', 'soon', null]) as x""",
        [
            (at, instant("1970-01-01"), instant("1970-01-01"))
            for at in (instant("2026-01-05 10:00"), instant("1970-01-01"), instant("1970-01-01"))
        ],
    ),
    "names_from_settings": (
        """
        select '{{ use_cases() | join(" ") }}' as a,
            '{{ regressors_from("sku_weekly", "plan") | join(" ") }}' as b,
            '{{ regressors_from("sku_weekly", "weather") | join(" ") }}' as c,
            '{{ regressors_in_sales("from_thursday") | join(" ") }}' as e,
            '{{ use_case_settings("by_day").sources.sales.date_means }}' as f,
            '{{ use_case_settings("by_day").min_observations }}' as g,
            '{{ baseline_names() | join(" ") }}' as h""",
        [
            (
                *("sku_weekly from_thursday by_day", "promo_share", "temperature_c"),
                *("promo_share", "period_start", "28", "naive seasonal_naive mean_4 mean_8"),
            )
        ],
    ),
    "settings_rows": (
        "select use_case, time_zone, champion, value_added_over from ({{ settings_rows() }})",
        [
            ("sku_weekly", "Europe/Moscow", "prophet", "naive"),
            ("from_thursday", "America/New_York", "prophet", "naive"),
            ("by_day", "UTC", "prophet", "naive"),
        ],
    ),
    # A bar and a backslash in a part are escaped, so that the parts can be told apart.
    "series_id": (
        r"""
        select {{ series_id(['a', 'b']) }} as id
        from (
            select 'N1' as a, 17 as b
            union all select 'x|y', 1
            union all select 'x\\', 2
            union all select '', 3
            union all select null, 4
        )""",
        [("N1|17",), (r"x\|y|1",), ("x\\\\|2",), ("|3",), (None,)],
    ),
    # The way back: of an empty part, of escaped ones, and of a name with too few parts.
    "series_part": (
        r"""
        select {{ series_part('sku_weekly', 'unit', 'id') }} as unit,
            {{ series_part('sku_weekly', 'channel', 'id') }} as channel,
            {{ series_part('sku_weekly', 'sku_id', 'id') }} as sku_id
        from unnest(['N1|web|A17', r'x\|y|z\\|', '||', 'N1']) as id""",
        [("N1", "web", "A17"), ("x|y", "z\\", ""), ("", "", ""), ("N1", None, None)],
    ),
    "median_of_sorted": (
        """
        select {{ median_of_sorted('values_of_row.l') }} as m
        from unnest([
            struct([1.0, 2.0, 9.0] as l), struct([1.0, 2.0, 4.0, 9.0]), struct([5.0])
        ]) as values_of_row""",
        [(2.0,), (3.0,), (5.0,)],
    ),
    # 5 values: quartiles at positions 1 and 3; 4 values: at 0.75 and 2.25.
    "quantile_of_sorted": (
        """
        select {{ quantile_of_sorted('values_of_row.l', 0.25) }} as a,
            {{ quantile_of_sorted('values_of_row.l', 0.75) }} as b
        from unnest([
            struct([1.0, 2.0, 9.0, 10.0, 99.0] as l), struct([1.0, 2.0, 4.0, 8.0]), struct([5.0])
        ]) as values_of_row""",
        [(2.0, 10.0), (1.75, 5.0), (5.0, 5.0)],
    ),
    # s = 1.349 / 1.349 = 1: less 0.36 of sampling; less all of it, the floor; of one value, 0.
    "pooled_spread": (
        """
        select {{ pooled_spread('x.l', 'x.v') }} as spread
        from unnest([
            struct([0.0, 1.0, 2.0, 2.349, 9.0] as l, 0.36 as v),
            struct([0.0, 1.0, 2.0, 2.349, 9.0], 2.0),
            struct([4.0], 0.0)
        ]) as x""",
        [(0.8 + 1e-6,), (0.15 + 1e-6,), (1e-6,)],
    ),
    "aggregate_of": (
        """
        select {{ aggregate_of('sum', 'x.y', 'x.n') }}, {{ aggregate_of('mean', 'x.y', 'x.n') }},
            {{ aggregate_of('min', 'x.y', 'x.n') }}, {{ aggregate_of('max', 'x.y', 'x.n') }},
            {{ aggregate_of('last', 'x.y', 'x.n') }}
        from unnest(array<struct<y float64, n int64>>[(4, 1), (1, 3), (7, 2)]) as x""",
        [(12.0, 4.0, 1.0, 7.0, 1.0)],
    ),
    "fill_missing": (
        """
        select x.ds, {{ fill_missing('x.v', 'none') }} as a,
            {{ fill_missing('x.v', 'refuse_series') }} as c
        from unnest(array<struct<ds int64, v float64>>[(1, null), (2, 5)]) as x""",
        [(1, 0.0, None), (2, 5.0, 5.0)],
    ),
    "fill_missing_carries_the_last_of_its_own_series": (
        """
        select series_id, ds, {{ fill_missing('v', 'carry_last') }} as b
        from (
            select x.*, 1 as origin_date
            from unnest(array<struct<series_id string, ds int64, v float64>>[
                ('a', 1, null), ('a', 2, 5), ('a', 3, null), ('a', 4, null), ('b', 5, null)
            ]) as x
        )""",
        [("a", 1, None), ("a", 2, 5.0), ("a", 3, 5.0), ("a", 4, 5.0), ("b", 5, None)],
    ),
    # A past price; a planned price on 3 days of 7; a discount on 2; nothing planned; all unknown.
    "price_ratio": (
        """
        select id, {{ price_ratio('sku_weekly') }} as r
        from (
            select x.* from unnest(array<struct<
                id int64, horizon_step int64, price float64, reference_price float64,
                n_priced_days int64, sum_price float64, n_discounted_days int64,
                sum_discounted float64, promo_source string
            >>[
                (1, null, 1.5, 2, null, null, null, null, 'plan'),
                (2, null, 0, 2, null, null, null, null, 'plan'),
                (3, 1, null, 2, 3, 4.5, 0, null, 'plan'),
                (4, 1, null, 2, 0, null, 2, 1.6, 'plan'),
                (5, 1, null, 2, null, null, null, null, 'plan'),
                (6, 1, null, null, null, null, null, null, 'plan'),
                (7, 1, null, 2, null, null, null, null, 'unknown'),
                (8, 1, null, null, 3, 4.5, 0, null, 'plan'),
                (9, 1, null, null, 0, null, 2, 1.6, 'plan')
            ]) as x
        )""",
        [
            (1, math.log(0.75)),
            (2, None),
            (3, math.log((3 * 0.75 + 4) / 7)),
            (4, math.log((2 * 0.8 + 5) / 7)),
            (5, 0.0),
            (6, None),
            (7, None),
            (8, None),
            (9, None),
        ],
    ),
    # Of seven days two are holidays (one has two names) in the first week, one in the second, and
    # one, a Wednesday, in the fourth. No holiday falls on the Monday that is its week's own date.
    "calendar_shares": (
        "{{ calendar_shares('sku_weekly') }}",
        [(d("2025-12-29"), 2 / 7), (d("2026-01-05"), 1 / 7), (d("2026-01-19"), 1 / 7)],
    ),
    "calendar_shares_by_name": (
        "{{ calendar_shares('from_thursday') }}",
        [(d("2026-01-01"), 2 / 7), (d("2026-01-15"), 1 / 7)],
    ),
    # Each fault, and a copy beside a later version that repeats the numbers.
    "stage_sales": (
        """
        select series_id, ds, label_date, y, price, is_censored, known_at, rejected_because
        from ({{ stage_sales('sku_weekly') }})""",
        [
            (A1, MONDAY, MONDAY, 10.0, 2.5, False, LOADED, None),
            (A1, MONDAY, MONDAY, 10.0, 2.5, False, LOADED, "duplicate"),
            (A1, MONDAY, MONDAY, 10.0, 2.5, False, instant("2026-01-13 06:00"), None),
            (
                *(A1, d("2026-01-12"), d("2026-01-14"), -1.0, None, False),
                *(instant("1970-01-01"), "negative_quantity"),
            ),
            (None, MONDAY, MONDAY, 10.0, 2.5, False, LOADED, "null_key"),
            (A1, None, None, 10.0, 2.5, False, LOADED, "bad_date"),
            (A1, MONDAY, MONDAY, None, None, True, LOADED, "bad_quantity"),
            (A1, MONDAY, MONDAY, math.nan, 1.0, True, LOADED, "bad_quantity"),
            (A1, d("9998-01-05"), d("9998-01-05"), 1.0, 1.0, True, LOADED, "future_date"),
        ],
    ),
    # An upload covers what its own good rows span, unless a row says otherwise.
    "stage_promotions": (
        """
        select series_id, channel, start_date, end_date, price, discount, promo_share, covers_unit,
            covers_from, covers_to, known_at, rejected_because
        from ({{ stage_promotions('sku_weekly') }})
        where known_at < timestamp '2026-01-03 00:00:00+00'""",
        [
            (
                *("N1|retail|A", "retail", d("2026-01-05"), d("2026-01-11"), 1.5, None, 1.0, "*"),
                *(d("2026-01-05"), d("2026-01-25"), instant("2026-01-01"), None),
            ),
            (
                *(None, "*", d("2026-01-12"), d("2026-01-25"), None, 0.2, 1.0, "N1,N2"),
                *(d("2026-01-05"), d("2026-02-01"), instant("2026-01-01"), None),
            ),
            (
                *(None, "retail", d("2026-01-01"), d("2026-03-11"), 1.0, None, 1.0, "*"),
                *(d("2026-01-05"), d("2026-01-25"), instant("2026-01-01"), "null_key"),
            ),
            (
                *("N1|retail|A", "retail", d("2026-01-12"), d("2026-01-11"), 1.0, None, 1.0, "*"),
                *(None, None, instant("2026-01-02"), "ends_before_start"),
            ),
        ],
    ),
    # Ten ways to be at fault, a row that its upload has twice, and an upload that says: nothing.
    "stage_promotions_at_fault": (
        """
        select sku_id, start_date, kind, rejected_because
        from ({{ stage_promotions('sku_weekly') }})
        where known_at = timestamp '2026-01-03 00:00:00+00'""",
        [
            ("A", d("2026-01-05"), "price", None),
            ("A", d("2026-01-05"), "flyer", None),
            ("A", d("2026-01-05"), "price", "duplicate"),
            ("A", d("2026-01-11"), "price", "overlaps"),
            ("A", d("2026-01-14"), "price", None),
            ("A", d("2026-01-26"), "price", "outside_its_window"),
            ("A", d("2026-01-16"), "price", "bad_date"),
            ("A", d("2026-01-17"), "price", "bad_price"),
            ("A", d("2026-01-18"), "price", "bad_discount"),
            ("A", d("2026-01-19"), "price", "unparsed"),
            ("Z", d("2026-01-20"), "price", "unknown_sku_id"),
            ("A", d("2026-01-21"), "price", "unknown_series"),
            ("A", d("2026-01-22"), "price", "covers_nothing"),
            (None, None, None, None),
        ],
    ),
    # An observation without an instant is known when its day is; a forecast without one is none.
    "stage_weather": (
        """
        select location, weather_date, kind, temperature_c, known_at, rejected_because
        from ({{ stage_weather('sku_weekly') }})""",
        [
            ("N1", MONDAY, "observed", 1.0, instant("2026-01-06"), None),
            ("N1", MONDAY, "observed", 2.0, instant("2026-01-06"), None),
            ("N1", d("2026-01-06"), "forecast", None, instant("2026-01-05"), "no_value"),
            (None, d("2026-01-06"), "forecast", 5.0, instant("1970-01-01"), "no_location"),
            ("N1", None, "forecast", 5.0, instant("2026-01-05"), "bad_date"),
            ("N1", d("2026-01-07"), "guess", 5.0, instant("2026-01-05"), "bad_kind"),
            ("N1", d("2026-01-07"), "forecast", 5.0, instant("1970-01-01"), "no_known_at"),
            (
                *("N1", d("2026-01-07"), "observed", math.nan, instant("1970-01-01")),
                "bad_temperature_c",
            ),
            ("N1", d("2026-01-08"), "observed", 3.0, instant("1970-01-01"), None),
        ],
    ),
    "weather_days": (
        "{{ weather_days('sku_weekly') }}",
        [
            ("N1", MONDAY, "observed", 1.5, instant("2026-01-06")),
            ("N1", d("2026-01-08"), "observed", 3.0, instant("1970-01-01")),
        ],
    ),
}
CASES = {**METRICS, **TIME, **OTHERS}


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """Weeks from Monday, weeks from Thursday and days; a run of two origins under way."""
    site = make_site()
    first = site.use_cases["sku_weekly"]
    thursday, daily = (project_vars()["use_cases"]["sku_weekly"] for _ in range(2))
    thursday |= {"week_starts_on": "thursday", "time_zone": "America/New_York"}
    thursday["sources"]["sales"]["columns"]["promo_share"] = "promo_share"
    thursday["regressors"]["holiday_share"]["names"] = [
        *("Another", "Christmas", "Women's Day"),
        *("'", "\\", "no \\' such"),
    ]
    daily |= {"grain": "day", "time_zone": "UTC"}
    site.use_cases = {"sku_weekly": first, "from_thursday": thursday, "by_day": daily}
    templates = {name: template for name, (template, _) in CASES.items()}
    rendered.macro_project(
        site,
        templates,
        {
            "forecast_errors": FORECAST_ERRORS,
            "stg_holidays": HOLIDAYS,
            "stg_sku_weekly_weather": "{{ stage_weather('sku_weekly') }}",
            "sku_weekly_actuals": ACTUALS,
            "sku_weekly_keys": KEYS,
            "scored_periods": SETTLED,
            "series_segments": SEGMENTS,
            "origins": ORIGINS,
        },
    )
    context = site.context("sku_weekly")
    ensure_tables(context)
    origins = [
        Origin(day(at), instant(f"{at} 19:00") + dt.timedelta(days=3))
        for at in ("2026-01-04", "2026-01-11")
    ]
    begin(context, context.new_run("replay", origins, RunOptions()))
    return site


@pytest.fixture(scope="module")
def queries(site: Site) -> dict[str, str]:
    tables = {
        "logs.run_origins": RUN_ORIGINS,
        "logs.run_activations": RUN_ACTIVATIONS,
        "sku_weekly_sales.rows": SALES,
        "sku_weekly_promotions.rows": PROMOTIONS,
        "sku_weekly_weather.rows": WEATHER,
    }
    return rendered.render(site, tables)


@pytest.mark.parametrize("name", CASES)
def test_both_engines_give_the_rows_worked_out_by_hand(bigquery_client, queries, name):
    _, expected = CASES[name]
    _, googles = googlesql.execute(queries[name])
    emulators = rows(bigquery_client, queries[name])
    assert same(ordered(googles), ordered(expected)), f"Google: {ordered(googles)}"
    assert same(ordered(emulators), ordered(expected)), f"the emulator: {ordered(emulators)}"


@pytest.mark.parametrize("folder", ["calibration", "errors", "metrics", "regressors", "time"])
def test_every_macro_of(folder):
    macros = {path.stem for path in (ROOT / "macros" / folder).glob("*.sql")}
    called = {name for template, _ in CASES.values() for name in re.findall(r"\b(\w+)\(", template)}
    assert macros
    assert macros <= called, f"no case calls {sorted(macros - called)}"
