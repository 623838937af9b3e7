{# Conformal score of one residual = |g(y) - g(yhat)| / half_width, g = model_space: how many half
   widths of its uncalibrated interval the forecast was off.
   Unit: none; range 0..; up to 1 the interval held y; null where half_width is not above 0. #}
{% macro residual_score(y, yhat, half_width, transform) -%}
    abs({{ model_space(y, transform) }} - {{ model_space(yhat, transform) }})
    / if(({{ half_width }}) > 0, ({{ half_width }}), null)
{%- endmacro %}
