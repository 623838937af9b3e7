{# One part of the key, read back from the series' name (`series_id` put it there) with the type that
   the settings give it. So a series whose sales have vanished has its key all the same. #}
{% macro series_part(use_case, part, series_id) -%}
    {%- set types = use_case_settings(use_case).key -%}
    {%- set text -%}
        regexp_replace(
            regexp_extract_all(concat({{ series_id }}, '|'), r'(?s)((?:[^|\\]|\\.)*)\|')[
                safe_offset({{ (types.keys() | list).index(part) }})
            ],
            r'(?s)\\(.)',
            r'\1'
        )
    {%- endset -%}
    {{ text if types[part] == 'string' else 'safe_cast(' ~ text ~ ' as ' ~ types[part] ~ ')' }}
{%- endmacro %}
