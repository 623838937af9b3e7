{# Last day of the period that starts on `ds`. DATE. #}
{% macro period_end(use_case, ds) -%}
    date_add({{ ds }}, interval {{ period_days(use_case) - 1 }} day)
{%- endmacro %}
