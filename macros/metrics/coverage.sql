{# Coverage = share of the rows with an interval whose y lies in [yhat_lower, yhat_upper].
   Unit: fraction; range 0..1; to be held against the nominal coverage; null when no scored
   row has an interval. #}
{% macro coverage(is_covered='is_covered') -%}
    safe_divide(countif({{ is_covered }}), count({{ is_covered }}))
{%- endmacro %}

{% macro covered_term(y, yhat, yhat_lower, yhat_upper) -%}
    if(
        ({{ yhat }}) is null, null, ({{ y }}) between ({{ yhat_lower }}) and ({{ yhat_upper }})
    )
{%- endmacro %}
