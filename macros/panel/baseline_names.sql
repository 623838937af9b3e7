{# The baselines that stand beside every model. #}
{% macro baseline_names() -%}
    {{ return(['naive', 'seasonal_naive', 'mean_4', 'mean_8']) }}
{%- endmacro %}
