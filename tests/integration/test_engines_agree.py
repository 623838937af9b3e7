"""The SQL that this project writes means the same to the emulator and to Google's own executor.

`AGREE` is SQL to use. `DIFFER` is SQL that gives another answer locally, without an error: it names
what to write instead, and a test watches that each is still needed.
"""

import pytest

from tests.support import googlesql
from tests.support.clients import rows
from tests.support.compare import ordered, same

# Series a: 21 weeks. Series b: 5 weeks, one of them not observed.
SALES = """(
    select 'a' as s, date_add(date '2026-01-05', interval 7 * i day) as ds,
        cast(mod(i * 37, 11) as float64) as y, i
    from unnest(generate_array(0, 20)) as i
    union all
    select 'b', date_add(date '2026-01-05', interval 7 * i day), if(i = 3, null, 2.5 * i), i
    from unnest(generate_array(0, 4)) as i
)"""
DATES = """unnest([
    date '2024-02-29', date '2024-12-30', date '2025-12-29', date '2026-01-04', date '2026-01-05',
    date '2026-01-31', date '2027-01-01'
]) as d"""
VERSIONS = """(
    select 'a' as k, timestamp '2026-01-05 12:30:00+00' as known_at, 1.0 as v
    union all select 'a', timestamp '2026-01-07 00:00:00.5+00', 2.0
    union all select 'b', timestamp '2026-01-06 00:00:00+00', 3.0
)"""
NOTHING = "(select 1.5 as x from unnest([1]) as i where i > 1)"

AGREE = {
    # Dates and weeks
    "monday_of_a_week": f"""
        select d, date_sub(d, interval mod(extract(dayofweek from d) + 5, 7) day) as a,
            date_trunc(d, week(monday)) as b, date_trunc(d, isoweek) as c,
            date_trunc(date_sub(d, interval 1 day), week(monday)) as e
        from {DATES}""",
    "bare_week_starts_on_sunday": f"select d, date_trunc(d, week) as w from {DATES}",
    "iso_parts": f"""
        select d, extract(isoweek from d) as a, extract(isoyear from d) as b,
            extract(dayofweek from d) as c, extract(week from d) as e, format_date('%G-W%V', d) as f
        from {DATES}""",
    "week_differences": f"""
        select d, date_diff(d, date '2026-01-05', week(monday)) as a,
            date_diff(d, date '2026-01-05', isoweek) as b,
            date_diff(d, date '2026-01-05', week) as c,
            div(date_diff(d, date '2026-01-05', day), 7) as e
        from {DATES}""",
    "whole_division": """
        select div(a - b, 7) as x, div(a, b - 1) as y, div(div(a + 2, 2) + 1, 3) as z
        from unnest([struct(20 as a, 3 as b), struct(-20 as a, 4 as b)])""",
    "ends_of_periods": f"""
        select d, last_day(d) as a, last_day(d, month) as b, last_day(d, week(monday)) as c,
            last_day(d, quarter) as e, date_trunc(d, month) as f, date_trunc(d, quarter) as g,
            date_trunc(d, year) as h
        from {DATES}""",
    "date_arithmetic": f"""
        select d, date_add(d, interval 1 month) as a, date_sub(d, interval 1 year) as b,
            date_add(d, interval n * 7 day) as c, d + 7 as e, d - n as f, unix_date(d) as g,
            date_from_unix_date(20000 + n) as h, date_diff(d, date '2025-01-31', month) as i
        from {DATES} cross join (select 3 as n)""",
    "format_and_parse_dates": f"""
        select format_date('%d.%m.%Y', d) as a, format_date('%Y-%m-%d %A %b', d) as b,
            cast(d as string) as c, parse_date('%Y%m%d', format_date('%Y%m%d', d)) as e
        from {DATES}""",
    "dates_between_per_row_bounds": """
        select s, d
        from (
            select 'a' as s, date '2026-01-05' as lo, date '2026-01-26' as hi
            union all select 'b', date '2026-02-02', date '2026-02-02'
            union all select 'none', date '2026-02-09', date '2026-02-02'
        )
        cross join unnest(generate_date_array(lo, hi, interval 7 day)) as d""",
    "dates_with_their_step": """
        select t.s, d, step
        from (select 'a' as s, date '2026-01-05' as lo, date '2026-01-26' as hi) as t,
            unnest(generate_date_array(t.lo, t.hi, interval 1 week)) as d with offset as step""",
    "left_join_of_no_dates": """
        select s, d
        from (select 'a' as s, date '2026-01-05' as lo, date '2026-01-04' as hi) as t
        left join unnest(generate_date_array(t.lo, t.hi, interval 7 day)) as d""",
    # Instants and zones
    "end_of_time": """
        select timestamp '9999-12-31 00:00:00+00' as a,
            timestamp('9999-12-31 23:59:59.999999+00') as b""",
    "date_in_a_zone": f"""
        select date(known_at, 'Europe/Moscow') as a, date(known_at) as b,
            datetime(known_at, 'Europe/Moscow') as c,
            extract(date from known_at at time zone 'Asia/Tokyo') as e,
            extract(hour from known_at at time zone 'Europe/Moscow') as f
        from {VERSIONS}""",
    "instant_in_a_zone": """
        select timestamp(d, 'Europe/Moscow') as a, timestamp(d) as b,
            timestamp(datetime '2026-07-05 01:02:03', 'America/New_York') as c,
            timestamp(datetime(d, time '03:00:00'), 'Europe/Moscow') as e,
            timestamp_add(timestamp(date_add(d, interval 1 day), 'UTC'), interval 12 hour) as f
        from (select date '2026-01-05' as d)""",
    "instants_compared": f"""
        select k, known_at <= timestamp '2026-01-06 00:00:00+00' as a,
            known_at between timestamp '2026-01-05 00:00:00+00'
                and timestamp '2026-01-06 00:00:00+00' as b,
            timestamp_diff(known_at, timestamp '2026-01-04 23:45:00+00', hour) as c,
            timestamp_diff(known_at, timestamp '2026-01-08 00:00:00+00', day) as e,
            timestamp_diff(known_at, timestamp '2026-01-04 23:45:00.7+00', second) as f,
            timestamp_trunc(known_at, day) as g, unix_micros(known_at) as h
        from {VERSIONS}""",
    "superseded_at": f"""
        select k, known_at, v,
            lead(known_at, 1, timestamp '9999-12-31 00:00:00+00')
                over (partition by k order by known_at) as superseded_at
        from {VERSIONS}""",
    "known_as_of": f"""
        with versions as (
            select k, known_at, v, lead(known_at) over (partition by k order by known_at) as next_at
            from {VERSIONS}
        )
        select k, v
        from versions
        where known_at <= timestamp '2026-01-06 12:00:00+00'
            and coalesce(next_at, timestamp '9999-12-31 00:00:00+00')
                > timestamp '2026-01-06 12:00:00+00'""",
    "datetime_differences_count_boundaries": """
        select datetime_diff(b, a, hour) as hours, datetime_diff(b, a, day) as days,
            datetime_trunc(b, day) as day
        from (
            select datetime '2026-01-05 23:45:00' as a, datetime '2026-01-06 00:30:00' as b
        )""",
    "format_and_parse_instants": f"""
        select format_timestamp('%Y-%m-%dT%H:%M:%SZ', known_at) as a,
            format_timestamp('%F %T', known_at, 'Asia/Tokyo') as b,
            cast(timestamp_trunc(known_at, second) as string) as c,
            parse_timestamp('%Y-%m-%d %H:%M', '2026-01-05 10:00') as e
        from {VERSIONS}""",
    # Windows and arrays
    "rolling_median_of_an_array": f"""
        with windows as (
            select s, ds, array_agg(y) over (
                partition by s order by ds rows between 12 preceding and current row
            ) as last_13
            from {SALES}
            where y is not null
        )
        select s, ds, array_length(last_13) as n,
            (select percentile_cont(p, 0.5) over () from unnest(last_13) as p limit 1) as median
        from windows""",
    "array_over_a_window_keeps_nulls": f"""
        with windows as (
            select s, ds, array_agg(y) over (
                partition by s order by ds rows between 2 preceding and current row
            ) as last_3
            from {SALES}
            where s = 'b'
        )
        select ds, (select percentile_cont(p, 0.5) over () from unnest(last_3) as p limit 1) as a,
            (select count(p) from unnest(last_3) as p) as b,
            (select avg(p) from unnest(last_3) as p) as c
        from windows""",
    "median_of_a_partition": f"""
        select distinct s, percentile_cont(y, 0.5) over (partition by s) as a,
            percentile_cont(y, 0.9) over (partition by s) as b,
            percentile_disc(i, 0.5) over (partition by s) as c
        from {SALES}""",
    "frames_of_rows": f"""
        select s, ds, avg(y) over recent as a, stddev_samp(y) over recent as b,
            max(y) over recent as c,
            sum(y) over (
                partition by s order by ds rows between unbounded preceding and 1 preceding
            ) as e
        from {SALES}
        window recent as (partition by s order by ds rows between 3 preceding and 1 preceding)""",
    "frames_of_days": f"""
        select s, ds, count(y) over recent as a, avg(y) over recent as b
        from {SALES}
        window recent as (
            partition by s order by unix_date(ds) range between 28 preceding and 7 preceding
        )""",
    "lag_lead_and_ends": f"""
        select s, ds, lag(y) over w as a, lag(y, 2, 0.0) over w as b, lead(ds) over w as c,
            first_value(y) over w as e,
            last_value(y ignore nulls) over (
                partition by s order by ds rows between unbounded preceding and 1 preceding
            ) as f
        from {SALES}
        window w as (partition by s order by ds)""",
    "ranks": f"""
        select s, ds, row_number() over (partition by s order by ds) as a,
            rank() over (partition by s order by y) as b,
            ntile(3) over (partition by s order by ds) as c
        from {SALES}
        where y is not null""",
    "qualify": f"""
        select s, ds, y from {SALES} where true
        qualify row_number() over (partition by s order by ds desc) <= 2""",
    "countif_over_a_window": f"""
        select s, ds, countif(y > 2) over (partition by s order by ds rows 2 preceding) as a,
            countif(y is null) over (partition by s) as b
        from {SALES}""",
    "window_over_aggregates": f"""
        select s, sum(y) as total, safe_divide(sum(y), sum(sum(y)) over ()) as share
        from {SALES} group by s""",
    "arrays": """
        select [3, 1, 2][offset(0)] as a, [3, 1][safe_offset(5)] as b,
            array(select x from unnest([3, 1, 2]) as x order by x) as c,
            array_concat([1], [2]) as e,
            generate_array(1, 7, 3) as f, 2 in unnest([1, 2]) as g, array_reverse([1, 2]) as h,
            exists(select 1 from unnest([1]) as x where x > 1) as i""",
    "structs_in_arrays": f"""
        select s, array_agg(struct(ds as ds, y as y) order by ds desc limit 2) as newest
        from {SALES} where y is not null group by s""",
    "unnest_of_typed_structs": """
        select h, w
        from unnest(array<struct<h int64, w float64>>[(1, 0.5), (2, 0.25)])""",
    "unnest_of_structs_by_alias": """
        select x.h, x.w from unnest([struct(1 as h, 0.5 as w), struct(2, 0.25)]) as x""",
    "struct_access": """
        select st.a, st.b.c, l[offset(1)].k
        from (select struct(1 as a, struct('x' as c) as b) as st,
            [struct(1 as k), struct(2 as k)] as l)""",
    # Aggregates
    "newest_value": f"""
        select s, any_value(y having max ds) as a, any_value(y having min ds) as b, max(ds) as c
        from {SALES} where y is not null group by s""",
    "last_observed_before_an_origin": f"""
        with sales as (select * from {SALES}),
        origins as (
            select s, origin_date from unnest(['a', 'b', 'new']) as s
            cross join unnest([date '2026-01-11', date '2026-01-28']) as origin_date
        )
        select o.s, o.origin_date, any_value(sales.y having max sales.ds) as y_lag1,
            max(sales.ds) as observed_ds, count(sales.y) as n
        from origins as o
        left join sales
            on o.s = sales.s and date_add(sales.ds, interval 6 day) <= o.origin_date
            and sales.y is not null
        group by o.s, o.origin_date""",
    "aggregates": f"""
        select s, logical_or(y > 5) as a, logical_and(y > 5) as b, countif(y > 5) as c,
            stddev_samp(y) as e, var_pop(y) as f, string_agg(cast(i as string) order by i) as g,
            count(distinct y) as h, avg(i) as j, sum(i) as k,
            array_to_string(array_agg(distinct cast(mod(i, 2) as string) order by
                cast(mod(i, 2) as string)), ',') as l
        from {SALES} group by s""",
    "aggregates_of_one_row": """
        select logical_or(x > 0) as a, countif(x > 2) as b, stddev_samp(x) as c, stddev_pop(x) as e,
            string_agg(cast(x as string)) as f, variance(x) as g
        from (select 1.5 as x)""",
    "aggregates_of_no_row": f"""
        select logical_or(x > 0) as a, countif(x > 1) as b, stddev_samp(x) as c, sum(x) as e,
            string_agg(cast(x as string)) as f, array_agg(x) as g, count(*) as h, avg(x) as i
        from {NOTHING}""",
    "aggregates_skip_nulls": """
        select logical_or(x) as a, logical_and(x) as b, countif(x) as c, count(x) as e,
            count(*) as f
        from unnest([true, null]) as x""",
    "texts_joined": """
        select string_agg(x, '|' order by x desc) as a, string_agg(distinct x order by x) as b,
            array_to_string(array_agg(distinct x), ',') is not null as c,
            array_to_string(['a', null, 'c'], ',') as e
        from unnest(['b', 'a', 'b']) as x""",
    "subtotals": """
        select a, b, sum(x) as total, grouping(a) as is_total
        from unnest(array<struct<a string, b string, x int64>>[
            ('u', 'v', 1), ('u', 'w', 2), ('z', 'v', 4)
        ])
        group by rollup(a, b)""",
    "group_by_a_new_alias": f"""
        select s, date_trunc(ds, month) as month_start, count(*) as n, sum(y) as y
        from {SALES} group by s, month_start""",
    "pivot": f"""
        select * from (select s, extract(month from ds) as m, y from {SALES})
        pivot (sum(y) as y for m in (1, 2))""",
    # Numbers
    "safe_arithmetic": """
        select safe_divide(1, 0) as a, safe_divide(null, 1) as b, 7 / 2 as c, div(-7, 2) as e,
            mod(-7, 3) as f, nullif(0, 0) as g, ieee_divide(1, 0) as h,
            is_nan(ieee_divide(0, 0)) as i""",
    "rounding": """
        select round(2.5) as a, round(-2.5) as b, round(1.005, 2) as c,
            cast(round(2.5) as int64) as e,
            ceil(1.2) as f, floor(-1.2) as g, trunc(1.9) as h, round(1234.5, -2) as i""",
    "logarithms": """
        select ln(safe_divide(9.0, nullif(10.0, 0))) as a, safe.ln(0.0) as b, exp(1.5) as c,
            pow(2.0, 0.5) as e, safe.sqrt(-1.0) as f, cos(2 * acos(-1) * 3 / 52.0) as g,
            log(8, 2) as h""",
    "greatest_and_least": """
        select greatest(0, -1.5) as a, least(1.5, 2) as b, greatest(1, null) as c,
            abs(-5) as f, coalesce(null, 1, 2) as g, ifnull(null, 3) as h""",
    "numeric": """
        select cast(1.123456789 as numeric) as a, numeric '0.1' + numeric '0.2' as b,
            round(numeric '2.5') as c, safe_cast('x' as numeric) as e""",
    "safe_casts": """
        select safe_cast('x' as int64) as a, safe_cast('1.5' as float64) as b,
            safe_cast('2026-13-01' as date) as c, safe_cast('2026-01-05' as date) as e,
            safe_cast(' 12' as int64) as f, safe_cast('abc' as timestamp) as g,
            safe_cast('true' as bool) as h, cast(true as int64) as i""",
    # Keys, hashes, text
    "shards": """
        select x, mod(mod(farm_fingerprint(x), 7) + 7, 7) as shard, farm_fingerprint(x) as f
        from unnest(['N1|retail|A17', '', 'ы', 'b']) as x""",
    "hashes": """
        select to_hex(sha256('abc')) as a, to_hex(md5('a')) as b, to_base64(b'abc') as c,
            farm_fingerprint(concat('a', '|', 'b')) as e""",
    "patterns": r"""
        select regexp_contains('N1|retail', r'^N\d\|') as a,
            regexp_extract('a=1;b=3', r'b=(\d+)') as b,
            regexp_replace('a-b-c', '-', '_') as c, regexp_extract_all('a1b22', r'\d+') as e,
            'abc' like 'a%' as f, starts_with('abc', 'ab') as g""",
    "texts": """
        select split('a|b||c', '|') as a, concat('a', cast(null as string)) as b, upper('ы') as c,
            trim('  x ') as e, replace('a|b', '|', '%7C') as f, lpad('7', 3, '0') as g,
            strpos('abc', 'c') as h, substr('abcdef', 2, 3) as i, length('ыы') as j,
            format('%s-%d', 'a', 3) as k, format('%.3f', 1.23456) as l, cast(12 as string) as m""",
    # JSON
    "json_of_a_row": """
        select to_json_string(t) as j
        from (
            select 1 as a, 'x"y' as b, cast(null as string) as c, 1.5 as d,
                date '2026-01-05' as e, true as f, [1, 2] as g, struct(1 as k) as h
        ) as t""",
    "json_of_a_struct": """
        select to_json_string(struct(a as a, b as b)) as j, to_json(struct(a as x)) as k
        from (select 1 as a, 'ы' as b)""",
    "json_read": """
        select json_value(j, '$.promo') as a, cast(json_value(j, '$.n') as int64) as b,
            json_value(j, '$.missing') as c, float64(j.promo) as e
        from (select parse_json('{"promo": 0.5, "n": 3}') as j)""",
    "json_made": """
        select json_object('a', 1, 'b', 'x', 'c', null) as a,
            to_json_string(json_object('a', 1.5, 'b', [1, 2])) as b""",
    # Joins, sets and logic
    "lag_by_date": f"""
        with sales as (select * from {SALES})
        select now.s, now.ds, before.y as y_lag1
        from sales as now
        left join sales as before
            on now.s = before.s and before.ds = date_sub(now.ds, interval 7 day)""",
    "correlated": f"""
        with sales as (select * from {SALES})
        select a.s, a.ds,
            (select sum(b.y) from sales as b where b.s = a.s and b.ds < a.ds) as before,
            exists(select 1 from sales as b where b.s = a.s and b.ds > a.ds) as has_after
        from sales as a""",
    "full_join": """
        select a.k as a, b.k as b, coalesce(a.k, b.k) as c
        from (select 1 as k union all select 2) as a
        full outer join (select 2 as k union all select 3) as b on a.k = b.k""",
    "sets": """
        (select x from unnest([1, 2, 3]) as x except distinct select 2) union distinct select 1""",
    "recursion": """
        with recursive path as (
            select 1 as h, 10.0 as y
            union all
            select h + 1, 0.5 * y + 1 from path where h < 4
        )
        select h, y from path""",
    "null_safe_comparison": """
        select null is distinct from 1 as a, 1 is not distinct from 1 as b,
            null is not distinct from null as c, if(null, 1, 2) as e,
            case when null then 1 else 2 end as f, (1, 2) in ((1, 2), (3, 4)) as g""",
    "order_of_nulls": """
        select array_agg(k order by x) as a, array_agg(k order by x desc) as b,
            array_agg(k order by x nulls last) as c
        from (select 1 as k, 2 as x union all select 2, null union all select 3, 1)""",
}

DIFFER = {
    "cast_of_a_half": ("select cast(2.5 as int64) as x", "cast(round(x) as int64)"),
    "text_of_a_whole_float": (
        "select cast(1.0 as string) as x",
        "cast(cast(x as int64) as string)",
    ),
    "json_of_a_whole_float": (
        "select to_json_string(struct(2.0 as a)) as x",
        "to_json, or integers",
    ),
    "json_of_an_instant": (
        "select to_json_string(struct(timestamp '2026-01-05 10:00:00+00' as a)) as x",
        "struct(cast(a as string) as a)",
    ),
    "json_query_of_json": (
        """select json_query(json '{"a": {"b": 1}}', '$.a') as x""",
        "json_value of a leaf",
    ),
    "json_keys_in_another_order": (
        """select to_json_string(parse_json('{"b": 1, "a": 2}')) as x""",
        "json_value of each key",
    ),
    "group_by_an_alias_that_hides_a_column": (
        "select upper(s) as s, count(*) as n from unnest(['a', 'A']) as s group by s",
        "a new alias",
    ),
    "min_of_nan": (
        "select min(x) as x from unnest([ieee_divide(0, 0), 1.0]) as x",
        "min(if(is_nan(x), null, x))",
    ),
    "median_that_respects_nulls": (
        "select percentile_cont(x, 0.5 respect nulls) over () as x "
        "from unnest([1.0, 3.0, null]) as x",
        "a filter on nulls, and a count of them",
    ),
    "sign_of_a_float": ("select sign(-2.0) as x", "cast(sign(x) as float64)"),
    "text_of_a_fraction_of_a_second": (
        "select cast(timestamp '2026-01-05 10:00:00.5+00' as string) as x",
        "format_timestamp",
    ),
    "correlation_of_one_row": (
        "select corr(x, x) as x from unnest([1.0]) as x",
        "a count beside it",
    ),
    "columns_of_unpivot": (
        "select * from (select 1 as id, 2.0 as a, 3.0 as b) unpivot (v for name in (a, b))",
        "a list of columns",
    ),
    "escaped_like": (r"select 'a_b' like 'a\\_b' as x", "regexp_contains"),
    "unicode_escape": (r"select '\u0041' as x", "the character itself"),
    "day_padded_with_a_space": ("select format_date('%e', date '2026-01-05') as x", "%d"),
    "remainder_of_zero": ("select mod(1, x) as x from unnest([0]) as x", "safe.mod or nullif"),
    "array_beyond_its_end": ("select [1][offset(9)] as x", "safe_offset"),
}


@pytest.mark.parametrize("name", AGREE)
def test_engines_agree(bigquery_client, name):
    _, expected = googlesql.execute(AGREE[name])
    actual = rows(bigquery_client, AGREE[name])
    assert len(expected) > 0
    assert same(ordered(expected), ordered(actual)), f"{ordered(actual)}\n!=\n{ordered(expected)}"


@pytest.mark.parametrize("name", DIFFER)
def test_engines_still_differ(bigquery_client, name):
    """Where this fails, the emulator has learned: move the query to AGREE."""
    query, _ = DIFFER[name]
    actual = rows(bigquery_client, query)
    try:
        _, expected = googlesql.execute(query)
    except googlesql.GoogleSqlError:
        return
    assert not same(ordered(expected), ordered(actual))


def test_comparison_sees_differences():
    assert same([(1, 0.1 + 0.2, None, float("nan"))], [(1, 0.3, None, float("nan"))])
    for one, other in ((1, 1.0), (None, 0), (0.3, 0.3001), ([1], [1, 2]), ({"a": 1}, {"b": 1})):
        assert not same(one, other)
