{# Bias = sum(yhat - y) / sum(|y|), over the rows where both are known: positive means over-
   forecast.
   Unit: fraction; any sign; null when nothing was scored or every y is 0. #}
{% macro bias() -%}
    safe_divide(sum(error), sum(abs_y))
{%- endmacro %}
