{# Grain: one row of the source; of those accepted, the key's columns that the settings map,
   regressor_date, known_at. #}
{% macro stage_regressors(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set source_settings = settings.sources.regressors -%}
{%- set columns = source_settings.columns -%}
{%- set known_at = source_settings.get('known_at') or 'null' -%}
{%- set parts = mapped_parts(use_case, 'regressors') -%}
{%- set regressors = regressors_from(use_case, 'given') -%}
with source_rows as (
    select * from {{ source(use_case ~ '_regressors', 'rows') }}
),

renamed as (
    select
        {%- for part in parts %}
        {{ key_cell(columns[part], settings.key[part]) }} as {{ part }},
        {%- endfor %}
        safe_cast({{ columns.date }} as date) as regressor_date,
        {%- for regressor in regressors %}
        safe_cast({{ columns[regressor] }} as float64) as {{ regressor }},
        {{ is_unreadable(columns[regressor], 'float64') }} as _is_bad_{{ regressor }},
        {%- endfor %}
        {{ is_unreadable(known_at, 'timestamp') }} as _is_bad_known_at,
        {%- if source_settings.get('known_at') %}
        coalesce(
            safe_cast({{ known_at }} as timestamp),
            timestamp(
                date_add(safe_cast({{ columns.date }} as date), interval 1 day),
                '{{ settings.time_zone }}'
            ),
            {{ beginning_of_time() }}
        ) as known_at,
        {%- else %}
        {{ beginning_of_time() }} as known_at,
        {%- endif %}
        to_json_string(source_rows) as source_row
    from source_rows
),

judged as (
    select
        *,
        case
            when {{ is_null_key(parts) }} then 'null_key'
            when regressor_date is null then 'bad_date'
            when _is_bad_known_at then 'bad_known_at'
            {%- for regressor in regressors %}
            when _is_bad_{{ regressor }} then 'bad_{{ regressor }}'
            {%- endfor %}
            when coalesce(json_value(source_row, '$.unparsed'), '') != '' then 'unparsed'
            when coalesce({{ regressors | join(', ') }}) is null then 'no_value'
        end as own_fault
    from renamed
),

{{ accepted_once(parts + ['regressor_date']) }}

select
    {%- for part in parts %}
    {{ part }},
    {%- endfor %}
    {{ series_id(parts) }} as key_cell,
    regressor_date,
    {%- for regressor in regressors %}
    {{ regressor }},
    {%- endfor %}
    known_at,
    superseded_at,
    source_row,
    rejected_because
from versions
{%- endmacro %}
