{# What the metrics are made of, for one row: null where y or yhat is null, so that a row leaves
   numerator and denominator together. error = yhat - y. Each part that belongs to one metric stands
   in that metric's file. #}
{% macro error_parts(y, yhat, yhat_lower, yhat_upper, nominal_coverage, scale, previous_yhat) -%}
    ({{ yhat }}) - ({{ y }}) as error,
    abs(({{ yhat }}) - ({{ y }})) as abs_error,
    pow(({{ yhat }}) - ({{ y }}), 2) as squared_error,
    if(({{ yhat }}) is null, null, abs({{ y }})) as abs_y,
    {{ smape_term(y, yhat) }} as smape_term,
    if(
        ({{ yhat }}) is null, null, ({{ y }}) between ({{ yhat_lower }}) and ({{ yhat_upper }})
    ) as is_covered,
    if(
        ({{ yhat }}) is null,
        null,
        {{ winkler_term(y, yhat_lower, yhat_upper, nominal_coverage) }}
    ) as interval_score,
    {{ pinball_term(y, yhat, yhat_lower, yhat_upper, nominal_coverage) }} as pinball_term,
    {{ mase_term(y, yhat, scale) }} as scaled_error,
    {{ stability_parts(y, yhat, previous_yhat) }}
{%- endmacro %}
