{# What planners were served and what came: the champion's issued rows of forecast_errors, fallbacks
   included. Grain: use_case, series_id, target_date, horizon_step. #}
{% macro report_served() -%}
    select * from {{ ref('forecast_errors') }}
    where run_kind = 'issued' and is_champion
{%- endmacro %}
