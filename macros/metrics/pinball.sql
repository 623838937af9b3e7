{# Pinball loss = mean over rows of the mean over three quantiles of max(q (y - x), (q - 1) (y - x)),
   where x is yhat_lower, yhat and yhat_upper at q = alpha / 2, 1/2 and 1 - alpha / 2, and alpha =
   1 - nominal coverage: point forecast and interval judged as one.
   Unit: that of y; range 0..; lower is better; null when no scored row has an interval.
   Koenker & Bassett (1978). #}
{% macro pinball(pinball_term='pinball_term') -%}
    avg({{ pinball_term }})
{%- endmacro %}

{% macro pinball_term(y, yhat, yhat_lower, yhat_upper, nominal_coverage) -%}
    (
        {{ quantile_loss(y, yhat_lower, '(1 - (' ~ nominal_coverage ~ ')) / 2') }}
        + {{ quantile_loss(y, yhat, '0.5') }}
        + {{ quantile_loss(y, yhat_upper, '(1 + (' ~ nominal_coverage ~ ')) / 2') }}
    ) / 3
{%- endmacro %}

{% macro quantile_loss(y, x, q) -%}
    case
        when ({{ y }}) >= ({{ x }}) then ({{ q }}) * (({{ y }}) - ({{ x }}))
        when ({{ y }}) < ({{ x }}) then (1 - ({{ q }})) * (({{ x }}) - ({{ y }}))
    end
{%- endmacro %}
