{# The parts of the key that a source's columns map, in the key's order; a source that leaves one out
   speaks of all its values. #}
{% macro mapped_parts(use_case, source) -%}
    {%- set settings = use_case_settings(use_case) -%}
    {%- set columns = settings.sources.get(source, {}).get('columns', {}) -%}
    {{ return(settings.key.keys() | select('in', columns) | list) }}
{%- endmacro %}
