{{
    config(
        materialized='incremental',
        incremental_strategy='insert_overwrite',
        partition_by={'field': 'origin_date', 'data_type': 'date'},
        cluster_by=['use_case', 'series_id'],
        on_schema_change='fail'
    )
}}
{# What each run knew of each series at each of its origins, kept after the run: which series came
   in, of which demand class, and on what scale their errors are to be seen.
   One row per use_case, run_id, series_id, origin_date. #}
with origins as (
    select * from {{ ref('origins') }}
),

series as (
    {%- for use_case in built_use_cases('', '_series') %}
    select
        '{{ use_case }}' as use_case,
        series_id,
        origin_date,
        as_of_at,
        n_observed,
        y_mean,
        y_sd,
        naive_scale,
        demand_class,
        is_forecastable,
        reason
    from {{ ref(use_case ~ '_series') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    series.use_case,
    origins.run_id,
    series.series_id,
    series.origin_date,
    series.as_of_at,
    series.n_observed,
    series.y_mean,
    series.y_sd,
    series.naive_scale,
    series.demand_class,
    series.is_forecastable,
    series.reason
from series
inner join origins
    on
        series.use_case = origins.use_case
        and series.origin_date = origins.origin_date
        and series.as_of_at = origins.as_of_at
{% if is_incremental() %}
{# A partition is replaced whole, so it takes along what other runs put there. #}
union all

select
    use_case,
    run_id,
    series_id,
    origin_date,
    as_of_at,
    n_observed,
    y_mean,
    y_sd,
    naive_scale,
    demand_class,
    is_forecastable,
    reason
from {{ this }}
where
    run_id not in (select origins.run_id from origins)
    and origin_date in (select origins.origin_date from origins)
    and {{ origin_bounds(none, 'origin_date') }}
{% endif %}
