{# Grain: the key's columns that the settings map, known_at. #}
{% macro stage_attributes(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set attributes = settings.sources.attributes -%}
{%- set parts = mapped_parts(use_case, 'attributes') -%}
with source_rows as (
    select * from {{ source(use_case ~ '_attributes', 'rows') }}
),

renamed as (
    select
        {%- for part in parts %}
        safe_cast({{ attributes.columns[part] }} as {{ settings.key[part] }}) as {{ part }},
        {%- endfor %}
        {%- for attribute in settings.features.attributes %}
        safe_cast({{ attributes.columns[attribute] }} as float64) as {{ attribute }},
        {%- endfor %}
        {{ known_at_of(attributes) }} as known_at
    from source_rows
)

select
    {%- for part in parts %}
    {{ part }},
    {%- endfor %}
    {%- for attribute in settings.features.attributes %}
    {{ attribute }},
    {%- endfor %}
    known_at,
    lead(known_at, 1, {{ end_of_time() }}) over (
        partition by {{ parts | join(', ') }} order by known_at
    ) as superseded_at
from renamed
where {{ parts | join(' is not null and ') }} is not null
{%- endmacro %}
