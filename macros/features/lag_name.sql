{# The column of a lag: lag_name(2) is y_lag2. python_jobs/infra/features.py names it the same. #}
{% macro lag_name(lag) -%}
    {{ return('y_lag' ~ lag) }}
{%- endmacro %}
