{# The lags that make a column of their own. Every panel has y_lag1 already. #}
{% macro own_lags(use_case) -%}
    {{ return(use_case_settings(use_case).features.lags | reject('equalto', 1) | list) }}
{%- endmacro %}
