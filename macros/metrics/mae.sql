{# MAE = mean(|yhat - y|), over the rows where both are known.
   Unit: that of y; range 0..; null when nothing was scored. #}
{% macro mae(abs_error='abs_error') -%}
    safe_divide(sum({{ abs_error }}), count({{ abs_error }}))
{%- endmacro %}
