{# Datasets follow the folders: <prefix>_staging, _features, … A model that `vars: publish:`
   names goes to the dataset that stands there ("dataset.name"). #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set published = (var('publish', {}) or {}).get(node.name) -%}
    {%- if published -%}
        {{ published.split('.')[0] }}
    {%- elif custom_schema_name is none -%}
        {{ target.schema }}
    {%- else -%}
        {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
