{# The parts of the key that a source's columns map, in the key's order; a source that leaves one out,
   or maps it to '*', speaks of all its values. #}
{% macro mapped_parts(use_case, source) -%}
    {%- set settings = use_case_settings(use_case) -%}
    {%- set columns = settings.sources.get(source, {}).get('columns', {}) -%}
    {%- set parts = [] -%}
    {%- for part in settings.key if part in columns -%}
        {%- if columns[part] | string | trim != "'*'" -%}{%- do parts.append(part) -%}{%- endif -%}
    {%- endfor -%}
    {{ return(parts) }}
{%- endmacro %}
