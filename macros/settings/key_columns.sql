{# The key's columns of all use cases: {name: type}, each once, in the order of the settings. One name
   has one type: python_jobs/infra/settings.py refuses two. #}
{% macro key_columns() -%}
    {%- set columns = {} -%}
    {%- for use_case in use_cases() -%}
        {%- for part, type in use_case_settings(use_case).key.items() if part not in columns -%}
            {%- do columns.update({part: type}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
