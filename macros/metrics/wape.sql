{# WAPE = sum(|yhat - y|) / sum(|y|), over the rows where both are known.
   Unit: fraction; range 0..; 0 is perfect; null when nothing was scored or every y is 0.
   Hyndman & Koehler (2006); also called MAD/Mean ratio. #}
{% macro wape(abs_error='abs_error', abs_y='abs_y') -%}
    {{ wape_of_sums('sum(' ~ abs_error ~ ')', 'sum(' ~ abs_y ~ ')') }}
{%- endmacro %}

{# The same from the two sums, where they are there already. #}
{% macro wape_of_sums(sum_abs_error, sum_abs_y) -%}
    safe_divide({{ sum_abs_error }}, {{ sum_abs_y }})
{%- endmacro %}
