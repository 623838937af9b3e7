{# Grain: one row of the source. #}
{% macro stage_weather(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set weather = settings.sources.get('weather') -%}
{%- set regressors = regressors_from(use_case, 'weather') -%}
{%- set columns = (weather or {}).get('columns', {}) -%}
{%- set known_at = (weather or {}).get('known_at') or 'null' -%}
with source_rows as (
    {%- if weather %}
    select * from {{ source(use_case ~ '_weather', 'rows') }}
    {%- else %}
    select 1 as nothing
    from unnest(generate_array(1, 0))
    {%- endif %}
),

renamed as (
    select
        cast({{ columns.get('location', 'null') }} as string) as location,
        safe_cast({{ columns.get('date', 'null') }} as date) as weather_date,
        cast({{ columns.get('kind', "'observed'") }} as string) as kind,
        {%- for regressor in regressors %}
        safe_cast({{ columns.get(regressor, 'null') }} as float64) as {{ regressor }},
        {{ is_unreadable(columns.get(regressor, 'null'), 'float64') }} as _is_bad_{{ regressor }},
        {%- endfor %}
        {{ is_unreadable(known_at, 'timestamp') }} as _is_bad_known_at,
        safe_cast({{ known_at }} as timestamp) is null as _is_known_at_missing,
        {{ known_at_of(weather) }} as known_at,
        to_json_string(source_rows) as source_row
    from source_rows
)

select
    location,
    weather_date,
    kind,
    {%- for regressor in regressors %}
    {{ regressor }},
    {%- endfor %}
    known_at,
    source_row,
    case
        when location is null then 'no_location'
        when weather_date is null then 'bad_date'
        when coalesce(kind, '') not in ('observed', 'forecast') then 'bad_kind'
        when _is_bad_known_at then 'bad_known_at'
        {%- if (weather or {}).get('known_at') %}
        when kind = 'forecast' and _is_known_at_missing then 'no_known_at'
        {%- endif %}
        {%- for regressor in regressors %}
        when _is_bad_{{ regressor }} then 'bad_{{ regressor }}'
        {%- endfor %}
        when coalesce(json_value(source_row, '$.unparsed'), '') != '' then 'unparsed'
        {%- if regressors %}
        when coalesce({{ regressors | join(', ') }}) is null then 'no_value'
        {%- endif %}
    end as rejected_because
from renamed
{%- endmacro %}
