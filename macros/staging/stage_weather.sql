{# Grain: location, weather_date, kind, known_at. #}
{% macro stage_weather(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set weather = settings.sources.get('weather') -%}
{%- set regressors = regressors_from(use_case, 'weather') -%}
{%- set columns = (weather or {}).get('columns', {}) -%}
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
        {%- endfor %}
        {{ known_at_of(weather) }} as known_at
    from source_rows
)

select
    location,
    weather_date,
    kind,
    {%- for regressor in regressors %}
    avg({{ regressor }}) as {{ regressor }},
    {%- endfor %}
    known_at
from renamed
where location is not null and weather_date is not null
group by location, weather_date, kind, known_at
{%- endmacro %}
