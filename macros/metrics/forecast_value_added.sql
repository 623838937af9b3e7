{# Forecast value added = WAPE of the baseline - WAPE of the forecast, on the same rows: positive
   means that the forecast beats the baseline. Unit: fraction points of WAPE; null where
   either is null. Gilliland (2010). `partition` names what the baseline's row shares with the
   forecast's. #}
{% macro forecast_value_added(wape, is_baseline, partition) -%}
    max(if({{ is_baseline }}, {{ wape }}, null)) over (partition by {{ partition }}) - {{ wape }}
{%- endmacro %}
