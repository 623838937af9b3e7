{# Every feature of a use case, in the order of the panels: those that `panel_features` makes, then
   the columns of the hand-written <use_case>_features. #}
{% macro feature_names(use_case) -%}
    {{ return(panel_feature_names(use_case) + use_case_settings(use_case).features.columns) }}
{%- endmacro %}
