{# A model's table is named after it, unless `vars: publish:` gives it another name
   ("dataset.name"). #}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {%- set published = (var('publish', {}) or {}).get(node.name) -%}
    {%- if published -%}
        {{ published.split('.')[-1] }}
    {%- elif custom_alias_name -%}
        {{ custom_alias_name | trim }}
    {%- else -%}
        {{ node.name }}
    {%- endif -%}
{%- endmacro %}
