{# What planners were served and what came: the champion's issued rows of forecast_errors, fallbacks
   included. Grain: series_id, target_date, horizon_step. #}
{% macro report_served(use_case) -%}
    select * from {{ ref('forecast_errors') }}
    where use_case = '{{ use_case }}' and run_kind = 'issued' and is_champion
{%- endmacro %}
