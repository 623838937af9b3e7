{# The one place that asks the clock. TIMESTAMP. #}
{% macro run_now() -%}
    current_timestamp()
{%- endmacro %}
