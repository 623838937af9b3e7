{# Grain: series_id, origin_date. #}
{% macro panel_y_lag1_seeds(use_case) -%}
with series as (
    select * from {{ ref(use_case ~ '_series') }}
),

history as (
    select * from {{ ref(use_case ~ '_history') }}
),

last_observed as (
    select
        series.series_id,
        series.origin_date,
        any_value(history.y having max history.ds) as y_lag1,
        max(history.ds) as observed_ds
    from series
    left join history
        on
            series.series_id = history.series_id
            and series.origin_date = history.origin_date
            and history.is_observed
    group by series.series_id, series.origin_date
)

{# A series without one observation keeps its row: y_lag1 is null, and the gate names it. #}
select
    series_id,
    origin_date,
    y_lag1,
    observed_ds,
    {{ periods_between(
        use_case, 'observed_ds', period_start(use_case, 'origin_date')
    ) }} as periods_stale
from last_observed
{%- endmacro %}
