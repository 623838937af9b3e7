{# The names of the configured use cases, in the order of the settings. #}
{% macro use_cases() -%}
    {{ return(var('use_cases').keys() | list) }}
{%- endmacro %}
