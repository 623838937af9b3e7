{# Whole periods from one period start to another. INT64; null where either is null. #}
{% macro periods_between(use_case, first_ds, last_ds) -%}
    div((date_diff({{ last_ds }}, {{ first_ds }}, day)), {{ period_days(use_case) }})
{%- endmacro %}
