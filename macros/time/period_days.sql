{# Days in a period of the use case: 1 or 7. #}
{% macro period_days(use_case) -%}
    {{ return(7 if use_case_settings(use_case).grain == 'week' else 1) }}
{%- endmacro %}
