{# The relations that hold a use case's features: {relation: its features}, empty where it has
   none. Grain of each: series_id, origin_date, ds, horizon_step. #}
{% macro feature_relations(use_case) -%}
    {%- set relations = {} -%}
    {%- set made = panel_feature_names(use_case) -%}
    {%- set written = use_case_settings(use_case).features.columns -%}
    {%- if made -%}{%- do relations.update({use_case ~ '_panel_features': made}) -%}{%- endif -%}
    {%- if written -%}{%- do relations.update({use_case ~ '_features': written}) -%}{%- endif -%}
    {{ return(relations) }}
{%- endmacro %}
