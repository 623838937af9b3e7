{# R2 = 1 - sum((yhat - y)^2) / sum((y - mean y)^2), over the rows where both are known: the share of
   what varies in y that the forecast explains. Over several series most of it is that large series
   are large: compare it between models only, on the same rows.
   Unit: none; range ..1; 0 is as good as the rows' own mean; null with fewer than two scored rows,
   or where y never varies. Coefficient of determination as scikit-learn's r2_score. #}
{% macro r2(squared_error='squared_error', y='y') -%}
    1 - safe_divide(
        avg({{ squared_error }}), if(count({{ squared_error }}) > 1, var_pop({{ y }}), null)
    )
{%- endmacro %}
