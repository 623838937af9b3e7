{# sMAPE = mean(2 |yhat - y| / (|y| + |yhat|)), over the rows where both are known; a row where
   both are 0 counts as 0.
   Unit: fraction; range 0..2 (some libraries halve it); null when nothing was scored.
   Makridakis (1993). #}
{% macro smape(smape_term='smape_term') -%}
    safe_divide(sum({{ smape_term }}), count({{ smape_term }}))
{%- endmacro %}

{% macro smape_term(y, yhat) -%}
    if(
        ({{ y }}) = 0 and ({{ yhat }}) = 0,
        0,
        2 * abs(({{ yhat }}) - ({{ y }})) / (abs({{ y }}) + abs({{ yhat }}))
    )
{%- endmacro %}
