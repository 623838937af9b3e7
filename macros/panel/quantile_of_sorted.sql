{# Quantile of a sorted array without nulls, interpolated linearly between the two values around
   it (Hyndman & Fan 1996, type 7). `q` is a fraction in 0..1. As median_of_sorted, an expression
   over an array, because percentile_cont is analytic only in BigQuery and the emulator's
   approx_quantiles is not BigQuery's. #}
{% macro quantile_of_sorted(values, q) -%}
    {%- set position = '(' ~ q ~ ' * (array_length(' ~ values ~ ') - 1))' -%}
    {%- set below = values ~ '[offset(cast(floor' ~ position ~ ' as int64))]' -%}
    {%- set above = values ~ '[offset(cast(ceil' ~ position ~ ' as int64))]' -%}
    (
        {{ below }}
        + ({{ position }} - floor{{ position }}) * ({{ above }} - {{ below }})
    )
{%- endmacro %}
