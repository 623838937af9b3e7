{# Grain: the key's columns that the settings map, regressor_date, known_at. #}
{% macro stage_regressors(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set source_settings = settings.sources.regressors -%}
{%- set parts = mapped_parts(use_case, 'regressors') -%}
{%- set regressors = regressors_from(use_case, 'given') -%}
with source_rows as (
    select * from {{ source(use_case ~ '_regressors', 'rows') }}
),

renamed as (
    select
        {%- for part in parts %}
        safe_cast({{ source_settings.columns[part] }} as {{ settings.key[part] }}) as {{ part }},
        {%- endfor %}
        safe_cast({{ source_settings.columns.date }} as date) as regressor_date,
        {%- for regressor in regressors %}
        safe_cast({{ source_settings.columns[regressor] }} as float64) as {{ regressor }},
        {%- endfor %}
        {{ known_at_of(source_settings) }} as known_at
    from source_rows
)

select
    {%- for part in parts %}
    {{ part }},
    {%- endfor %}
    regressor_date,
    {%- for regressor in regressors %}
    {{ regressor }},
    {%- endfor %}
    known_at,
    lead(known_at, 1, {{ end_of_time() }}) over (
        partition by {{ (parts + ['regressor_date']) | join(', ') }} order by known_at
    ) as superseded_at
from renamed
where {{ (parts + ['regressor_date']) | join(' is not null and ') }} is not null
{%- endmacro %}
