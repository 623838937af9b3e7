{# Grain: series_id, ds, known_at. #}
{% macro panel_actuals(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set observed_regressors = regressors_in_sales(use_case) -%}
with sales as (
    select * from {{ ref('stg_' ~ use_case ~ '_sales') }}
    where rejected_because is null
),

label_versions as (
    select
        series_id,
        ds,
        label_date,
        known_at,
        {{ aggregate_of(settings.aggregate, 'y', 'source_row') }} as y,
        avg(price) as price,
        logical_or(is_censored) as is_censored
        {%- for regressor in observed_regressors %},
        avg({{ regressor }}) as {{ regressor }}
        {%- endfor %}
    from sales
    group by series_id, ds, label_date, known_at
),

label_validity as (
    select
        *,
        lead(known_at, 1, {{ end_of_time() }})
            over (partition by series_id, label_date order by known_at) as superseded_at
    from label_versions
),

instants as (
    select distinct
        series_id,
        ds,
        known_at
    from label_versions
),

period_versions as (
    select
        instants.series_id,
        instants.ds,
        instants.known_at,
        {{ aggregate_of(
            settings.aggregate, 'label_validity.y', 'label_validity.label_date'
        ) }} as y,
        avg(label_validity.price) as price,
        logical_or(label_validity.is_censored) as is_censored
        {%- for regressor in observed_regressors %},
        avg(label_validity.{{ regressor }}) as {{ regressor }}
        {%- endfor %}
    from instants
    inner join label_validity
        on
            instants.series_id = label_validity.series_id
            and instants.ds = label_validity.ds
            and {{ known_as_of('label_validity', 'instants.known_at') }}
    group by instants.series_id, instants.ds, instants.known_at
),

observed as (
    select
        *,
        lead(known_at, 1, {{ end_of_time() }})
            over (partition by series_id, ds order by known_at) as superseded_at
    from period_versions
),

first_known as (
    select
        ds,
        min(known_at) as known_at
    from period_versions
    group by ds
),

span as (
    select
        min(ds) as first_ds,
        max(ds) as last_ds
    from first_known
),

calendar as (
    select period_ds
    from span
    cross join unnest(generate_date_array(
        first_ds, last_ds, interval {{ period_days(use_case) }} day
    )) as period_ds
),

{# The source has reached a period once it holds a row of that period or of a later one. #}
reached as (
    select
        calendar.period_ds,
        min(first_known.known_at) over (
            order by calendar.period_ds desc
            rows between unbounded preceding and current row
        ) as reached_at
    from calendar
    left join first_known
        on calendar.period_ds = first_known.ds
),

series_starts as (
    select
        series_id,
        min(ds) as first_ds
    from period_versions
    group by series_id
),

first_rows as (
    select
        series_id,
        ds,
        min(known_at) as first_known_at
    from period_versions
    group by series_id, ds
),

gaps as (
    select
        series_starts.series_id,
        reached.period_ds as ds,
        reached.reached_at as known_at,
        coalesce(first_rows.first_known_at, {{ end_of_time() }}) as superseded_at
    from series_starts
    inner join reached
        on series_starts.first_ds <= reached.period_ds
    left join first_rows
        on
            series_starts.series_id = first_rows.series_id
            and reached.period_ds = first_rows.ds
    where first_rows.first_known_at is null or first_rows.first_known_at > reached.reached_at
)

select
    series_id,
    ds,
    known_at,
    superseded_at,
    {%- if settings.sources.sales.negative_quantity == 'return' %}
    greatest(y, 0) as y,
    {%- else %}
    y,
    {%- endif %}
    price,
    is_censored,
    false as is_gap_filled
    {%- for regressor in observed_regressors %},
    {{ regressor }}
    {%- endfor %}
from observed

union all

select
    series_id,
    ds,
    known_at,
    superseded_at,
    cast({{ '0' if settings.gaps_mean == 'zero' else 'null' }} as float64) as y,
    cast(null as float64) as price,
    false as is_censored,
    true as is_gap_filled
    {%- for regressor in observed_regressors %},
    cast(null as float64) as {{ regressor }}
    {%- endfor %}
from gaps
{%- endmacro %}
