{# Grain: series_id, origin_date, ds. #}
{% macro panel_context(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
with series as (
    select * from {{ ref(use_case ~ '_series') }}
),

history as (
    select * from {{ ref(use_case ~ '_history') }}
    where is_observed
),

periods as (
    select
        series_id,
        origin_date,
        as_of_at,
        run_id,
        {{ add_periods(
            use_case, period_start(use_case, 'origin_date'), '-n_periods_before'
        ) }} as ds
    from series
    cross join unnest(generate_array(0, {{ settings.context_length - 1 }})) as n_periods_before
)

select
    periods.series_id,
    periods.origin_date,
    periods.as_of_at,
    periods.run_id,
    periods.ds,
    history.y
from periods
left join history
    on
        periods.series_id = history.series_id
        and periods.origin_date = history.origin_date
        and periods.ds = history.ds
{%- endmacro %}
