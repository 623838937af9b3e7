{# The additive parts that the metrics are made of, for one row: null where y or yhat is null, so
   that a row leaves numerator and denominator together. error = yhat - y. #}
{% macro error_parts(y, yhat, yhat_lower, yhat_upper) -%}
    ({{ yhat }}) - ({{ y }}) as error,
    abs(({{ yhat }}) - ({{ y }})) as abs_error,
    pow(({{ yhat }}) - ({{ y }}), 2) as squared_error,
    if(({{ yhat }}) is null, null, abs({{ y }})) as abs_y,
    {{ smape_term(y, yhat) }} as smape_term,
    ({{ y }}) between ({{ yhat_lower }}) and ({{ yhat_upper }}) as is_covered
{%- endmacro %}
