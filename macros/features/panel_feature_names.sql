{# The features of a use case that `panel_features` makes, in the order of the panels: lags, rolling
   statistics, date parts, attributes. #}
{% macro panel_feature_names(use_case) -%}
    {%- set features = use_case_settings(use_case).features -%}
    {%- set names = [] -%}
    {%- for lag in own_lags(use_case) -%}
        {%- do names.append(lag_name(lag)) -%}
    {%- endfor -%}
    {%- for rolling in features.rolling -%}
        {%- do names.append(rolling_name(rolling)) -%}
    {%- endfor -%}
    {{ return(names + features.date_parts + features.attributes) }}
{%- endmacro %}
