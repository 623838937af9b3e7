{# Stability = sum(|yhat - yhat of the issue before|) / sum(|yhat of the issue before|), over the
   scored rows whose target period the same model had forecast at the issue before: how far planners
   saw the forecast of one and the same period move.
   Unit: fraction; range 0..; 0 is a forecast that never moved; null when no scored row was forecast
   twice, or every earlier forecast was 0. As "forecast instability" in Van Belle et al. (2023). #}
{% macro stability(abs_change='abs_change', abs_previous='abs_previous') -%}
    safe_divide(sum({{ abs_change }}), sum({{ abs_previous }}))
{%- endmacro %}

{# The two parts of one row. #}
{% macro stability_change(y, yhat, previous_yhat) -%}
    if(({{ y }}) is null, null, abs(({{ yhat }}) - ({{ previous_yhat }})))
{%- endmacro %}

{% macro stability_previous(y, yhat, previous_yhat) -%}
    if(({{ y }}) is null or ({{ yhat }}) is null, null, abs({{ previous_yhat }}))
{%- endmacro %}
