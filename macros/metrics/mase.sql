{# MASE = mean(|yhat - y| / scale), scale = mean |y_t - y_(t-1)| of the series' own history at the
   origin (naive_scale): how many one-step errors of the naive forecast one error is worth.
   Unit: none; range 0..; below 1 the forecast is better than the naive one was at one step; rows
   whose history never changed (scale 0) or had no two neighbouring periods are left out; null when
   none is left. Hyndman & Koehler (2006). #}
{% macro mase(scaled_error='scaled_error') -%}
    avg({{ scaled_error }})
{%- endmacro %}

{% macro mase_term(y, yhat, scale) -%}
    safe_divide(abs(({{ yhat }}) - ({{ y }})), {{ scale }})
{%- endmacro %}
