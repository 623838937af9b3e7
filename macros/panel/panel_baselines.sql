{# Grain: run_id, series_id, origin_date, model_name, horizon_step. #}
{% macro panel_baselines(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set newest_period = period_start(use_case, 'series.origin_date') -%}
with origins as (
    select * from {{ ref('origins') }}
    where use_case = '{{ use_case }}'
),

series as (
    select * from {{ ref(use_case ~ '_series') }}
),

history as (
    select * from {{ ref(use_case ~ '_history') }}
    where is_observed
),

recent as (
    select
        series.series_id,
        series.origin_date,
        avg(
            if(history.ds > {{ add_periods(use_case, newest_period, -4) }}, history.y, null)
        ) as mean_4,
        avg(history.y) as mean_8
    from series
    left join history
        on
            series.series_id = history.series_id
            and series.origin_date = history.origin_date
            and history.ds > {{ add_periods(use_case, newest_period, -8) }}
    group by series.series_id, series.origin_date
),

targets as (
    select
        series.series_id,
        series.origin_date,
        series.y_lag1,
        horizon_step,
        {{ add_periods(use_case, newest_period, 'horizon_step') }} as target_date
    from series
    cross join unnest(generate_array(1, {{ settings.horizon }})) as horizon_step
),

wide as (
    select
        targets.series_id,
        targets.origin_date,
        targets.horizon_step,
        targets.target_date,
        targets.y_lag1 as naive,
        a_season_ago.y as seasonal_naive,
        recent.mean_4,
        recent.mean_8
    from targets
    inner join recent
        on
            targets.series_id = recent.series_id
            and targets.origin_date = recent.origin_date
    left join history as a_season_ago
        on
            targets.series_id = a_season_ago.series_id
            and targets.origin_date = a_season_ago.origin_date
            and a_season_ago.ds
            = {{ add_periods(use_case, 'targets.target_date', -settings.season) }}
),

long as (
    {%- for model_name in baseline_names() %}
    select
        series_id,
        origin_date,
        horizon_step,
        target_date,
        '{{ model_name }}' as model_name,
        {{ model_name }} as yhat
    from wide
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    origins.run_id,
    long.series_id,
    long.origin_date,
    long.target_date,
    long.horizon_step,
    long.model_name,
    long.yhat
from long
inner join origins
    on long.origin_date = origins.origin_date
{% if is_incremental() %}
{# A partition is replaced whole, so it takes along what other runs put there. #}
union all

select
    run_id,
    series_id,
    origin_date,
    target_date,
    horizon_step,
    model_name,
    yhat
from {{ this }}
where
    origin_date in (select origins.origin_date from origins)
    and run_id not in (select origins.run_id from origins)
    and {{ origin_bounds(use_case, 'origin_date') }}
{% endif %}
{%- endmacro %}
