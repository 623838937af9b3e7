{# Grain: series_id, origin_date, target_date. #}
{% macro observed_weather_panel(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set parts = settings.key.keys() | list -%}
{%- set weather = regressors_from(use_case, 'weather') -%}
{%- set location = settings.sources.get('weather', {}).get('location_of_series', 'null') -%}
with frozen as (
    {{ frozen_forecasts(use_case, 'not issued.is_fallback') }}
),

weather_days as (
    {{ weather_days(use_case) }}
),

newest as (
    select * from weather_days
    where kind = 'observed'
    qualify row_number() over (partition by location, weather_date order by known_at desc) = 1
),

observed as (
    select
        location,
        {{ period_start(use_case, 'weather_date') }} as ds
        {%- for regressor in weather %},
        round(avg(newest.{{ regressor }}), 9) as {{ regressor }}
        {%- endfor %}
    from newest
    group by location, ds
    having count(*) = {{ period_days(use_case) }}
        {%- for regressor in weather %}
        and count(newest.{{ regressor }}) = {{ period_days(use_case) }}
        {%- endfor %}
),

done as (
    select distinct
        issued_run_id,
        series_id,
        origin_date
    from {{ source('logs', 'scenario_log') }}
    where
        use_case = '{{ use_case }}'
        and scenario = '{{ weather_as_it_came() }}'
        and {{ of_a_year(use_case, 'origin_date') }}
),

placed as (
    select
        *,
        cast({{ location }} as string) as location
    from frozen
),

came as (
    select
        '{{ weather_as_it_came() }}' as scenario,
        placed.* except (
            location,
            {{ (parts + ['reference_price'] + settings.regressors.keys() | list) | join(', ') }}
        ),
        observed.location is not null as is_supposed
        {%- for regressor in settings.regressors %},
        {{ 'observed' if regressor in weather else 'placed' }}.{{ regressor }}
        {%- endfor %}
    from placed
    left join observed
        on
            placed.location = observed.location
            and placed.target_date = observed.ds
    left join done
        on
            placed.issued_run_id = done.issued_run_id
            and placed.series_id = done.series_id
            and placed.origin_date = done.origin_date
    where done.series_id is null
)

select * from came
qualify logical_and(is_supposed) over (partition by series_id, origin_date)
{%- endmacro %}
