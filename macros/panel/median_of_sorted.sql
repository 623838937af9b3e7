{# Median of a sorted array without nulls: the mean of the two middle values. BigQuery's
   percentile_cont is analytic only, and in a correlated subquery the emulator takes minutes
   over it. #}
{% macro median_of_sorted(values) -%}
    (
        {{ values }}[offset(cast(floor((array_length({{ values }}) - 1) / 2) as int64))]
        + {{ values }}[offset(cast(floor(array_length({{ values }}) / 2) as int64))]
    ) / 2
{%- endmacro %}
