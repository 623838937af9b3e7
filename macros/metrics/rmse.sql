{# RMSE = sqrt(mean((yhat - y)^2)), over the rows where both are known.
   Unit: that of y; range 0..; null when nothing was scored. #}
{% macro rmse(squared_error='squared_error') -%}
    sqrt(safe_divide(sum({{ squared_error }}), count({{ squared_error }})))
{%- endmacro %}
