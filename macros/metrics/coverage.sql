{# Coverage = share of the rows with an interval whose y lies in [yhat_lower, yhat_upper].
   Unit: fraction; range 0..1; to be held against the nominal coverage; null when no scored
   row has an interval. #}
{% macro coverage() -%}
    safe_divide(countif(is_covered), count(is_covered))
{%- endmacro %}
