{# Days from an origin to the last day of its last target, over all use cases: how far before a
   target its forecasts can have been made. #}
{% macro longest_horizon_days() -%}
    {%- set days = [] -%}
    {%- for use_case in use_cases() -%}
        {%- do days.append(use_case_settings(use_case).horizon * period_days(use_case)) -%}
    {%- endfor -%}
    {{ return(days | max) }}
{%- endmacro %}
