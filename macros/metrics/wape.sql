{# WAPE = sum(|yhat - y|) / sum(|y|), over the rows where both are known.
   Unit: fraction; range 0..; 0 is perfect; null when nothing was scored or every y is 0.
   Hyndman & Koehler (2006); also called MAD/Mean ratio. #}
{% macro wape() -%}
    safe_divide(sum(abs_error), sum(abs_y))
{%- endmacro %}
