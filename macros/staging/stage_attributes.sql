{# Grain: one row of the source; of those accepted, the key's columns that the settings map, known_at. #}
{% macro stage_attributes(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set attributes = settings.sources.attributes -%}
{%- set columns = attributes.columns -%}
{%- set parts = mapped_parts(use_case, 'attributes') -%}
{%- set names = settings.features.attributes -%}
with source_rows as (
    select * from {{ source(use_case ~ '_attributes', 'rows') }}
),

renamed as (
    select
        {%- for part in parts %}
        {{ key_cell(columns[part], settings.key[part]) }} as {{ part }},
        {%- endfor %}
        {%- for attribute in names %}
        safe_cast({{ columns[attribute] }} as float64) as {{ attribute }},
        {{ is_unreadable(columns[attribute], 'float64') }} as _is_bad_{{ attribute }},
        {%- endfor %}
        {{ is_unreadable(attributes.get('known_at') or 'null', 'timestamp') }}
            as _is_bad_known_at,
        {{ known_at_of(attributes) }} as known_at,
        to_json_string(source_rows) as source_row
    from source_rows
),

judged as (
    select
        *,
        case
            when {{ is_null_key(parts) }} then 'null_key'
            when _is_bad_known_at then 'bad_known_at'
            {%- for attribute in names %}
            when _is_bad_{{ attribute }} then 'bad_{{ attribute }}'
            {%- endfor %}
            when coalesce(json_value(source_row, '$.unparsed'), '') != '' then 'unparsed'
            when coalesce({{ names | join(', ') }}) is null then 'no_value'
        end as own_fault
    from renamed
),

{{ accepted_once(parts) }}

select
    {%- for part in parts %}
    {{ part }},
    {%- endfor %}
    {{ series_id(parts) }} as key_cell,
    {%- for attribute in names %}
    {{ attribute }},
    {%- endfor %}
    known_at,
    superseded_at,
    source_row,
    rejected_because
from versions
{%- endmacro %}
