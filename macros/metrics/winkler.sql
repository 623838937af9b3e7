{# Winkler score, also mean interval score = mean((upper - lower) + 2 / alpha * distance of y outside
   the interval), alpha = 1 - nominal coverage: a narrow interval is good, one that misses pays.
   Unit: that of y; range 0..; lower is better; null when no scored row has an interval.
   Winkler (1972); Gneiting & Raftery (2007). #}
{% macro winkler(interval_score='interval_score') -%}
    avg({{ interval_score }})
{%- endmacro %}

{% macro winkler_term(y, yhat_lower, yhat_upper, nominal_coverage) -%}
    ({{ yhat_upper }}) - ({{ yhat_lower }}) + 2 / (1 - ({{ nominal_coverage }})) * case
        when ({{ y }}) < ({{ yhat_lower }}) then ({{ yhat_lower }}) - ({{ y }})
        when ({{ y }}) > ({{ yhat_upper }}) then ({{ y }}) - ({{ yhat_upper }})
        when ({{ y }}) is not null then 0
    end
{%- endmacro %}
