{# Bias = sum(yhat - y) / sum(|y|), over the rows where both are known: positive means over-
   forecast.
   Unit: fraction; any sign; null when nothing was scored or every y is 0. #}
{% macro bias(error='error', abs_y='abs_y') -%}
    {{ bias_of_sums('sum(' ~ error ~ ')', 'sum(' ~ abs_y ~ ')') }}
{%- endmacro %}

{# The same from the two sums, where they are there already. #}
{% macro bias_of_sums(sum_error, sum_abs_y) -%}
    safe_divide({{ sum_error }}, {{ sum_abs_y }})
{%- endmacro %}
