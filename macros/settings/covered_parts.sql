{# The parts of the key that an upload of the promotion plan may restrict itself to: those whose
   covers_<part> the settings map. #}
{% macro covered_parts(use_case) -%}
    {%- set settings = use_case_settings(use_case) -%}
    {%- set columns = settings.sources.get('promotions', {}).get('columns', {}) -%}
    {%- set parts = [] -%}
    {%- for part in settings.key if 'covers_' ~ part in columns -%}
        {%- do parts.append(part) -%}
    {%- endfor -%}
    {{ return(parts) }}
{%- endmacro %}
