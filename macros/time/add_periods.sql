{# The first day of the period `n` periods after the one that starts on `ds`; n may be negative.
   DATE. #}
{% macro add_periods(use_case, ds, n) -%}
    date_add({{ ds }}, interval ({{ n }}) * {{ period_days(use_case) }} day)
{%- endmacro %}
