{# Grain: location, origin_date, ds. #}
{% macro panel_weather(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set regressors = regressors_from(use_case, 'weather') -%}
{%- set horizon_days = settings.horizon * period_days(use_case) -%}
{%- set from_climate = [] -%}
{%- for regressor in regressors if settings.regressors[regressor].when_missing == 'climatology' -%}
    {%- do from_climate.append(regressor) -%}
{%- endfor -%}
with origins as (
    select * from {{ ref('origins') }}
    where use_case = '{{ use_case }}'
),

weather_days as (
    {{ weather_days(use_case) }}
),

weather as (
    select
        *,
        lead(known_at, 1, {{ end_of_time() }})
            over (partition by location, weather_date, kind order by known_at) as superseded_at
    from weather_days
),

known as (
    select
        origins.origin_date,
        weather.location,
        weather.weather_date,
        weather.kind
        {%- for regressor in regressors %},
        weather.{{ regressor }}
        {%- endfor %}
    from weather
    inner join origins
        on
            {{ known_as_of('weather', 'origins.as_of_at') }}
            and (weather.kind != 'observed' or weather.weather_date <= origins.origin_date)
),

spans as (
    select
        location,
        origin_date,
        min(weather_date) as first_date
    from known
    group by location, origin_date
),

days as (
    select
        spans.location,
        spans.origin_date,
        weather_date
    from spans
    cross join unnest(generate_date_array(
        spans.first_date, date_add(spans.origin_date, interval {{ horizon_days }} day)
    )) as weather_date
),

known_days as (
    select
        days.location,
        days.origin_date,
        days.weather_date,
        {%- for regressor in regressors %}
        coalesce(observed.{{ regressor }}, forecast.{{ regressor }}) as {{ regressor }},
        {%- endfor %}
        case
            when observed.location is not null then 'observed'
            when forecast.location is not null then 'forecast'
        end as weather_source
    from days
    left join known as observed
        on
            days.location = observed.location
            and days.origin_date = observed.origin_date
            and days.weather_date = observed.weather_date
            and observed.kind = 'observed'
    left join known as forecast
        on
            days.location = forecast.location
            and days.origin_date = forecast.origin_date
            and days.weather_date = forecast.weather_date
            and forecast.kind = 'forecast'
),

climatology as (
    select
        unknown.location,
        unknown.origin_date,
        unknown.weather_date
        {%- for regressor in regressors %},
        avg(earlier.{{ regressor }}) as {{ regressor }}
        {%- endfor %}
    from known_days as unknown
    inner join known as earlier
        on
            unknown.location = earlier.location
            and unknown.origin_date = earlier.origin_date
            and earlier.kind = 'observed'
            and earlier.weather_date < unknown.weather_date
            and {{ days_apart_in_year('earlier.weather_date', 'unknown.weather_date') }} <= 7
    where unknown.weather_source is null
    group by unknown.location, unknown.origin_date, unknown.weather_date
),

filled as (
    select
        known_days.location,
        known_days.origin_date,
        {{ period_start(use_case, 'known_days.weather_date') }} as ds,
        {%- for regressor in regressors %}
        {%- if regressor in from_climate %}
        coalesce(known_days.{{ regressor }}, climatology.{{ regressor }}) as {{ regressor }},
        {%- else %}
        known_days.{{ regressor }},
        {%- endif %}
        {%- endfor %}
        coalesce(
            known_days.weather_source,
            {%- if from_climate %}
            if(coalesce(climatology.{{ from_climate | join(', climatology.') }}) is not null,
                'climatology', null),
            {%- endif %}
            'unknown'
        ) as weather_source
    from known_days
    left join climatology
        on
            known_days.location = climatology.location
            and known_days.origin_date = climatology.origin_date
            and known_days.weather_date = climatology.weather_date
),

{# A period takes its value from all of its days or from none. #}
periods as (
    select
        location,
        origin_date,
        ds,
        {%- for regressor in regressors %}
        if(
            count({{ regressor }}) = {{ period_days(use_case) }}, avg({{ regressor }}), null
        ) as {{ regressor }},
        {%- endfor %}
        count(*) as n_days,
        countif(weather_source = 'observed') as n_observed,
        countif(weather_source = 'forecast') as n_forecast,
        countif(weather_source = 'climatology') as n_climatology,
        countif(weather_source = 'unknown') as n_unknown
    from filled
    group by location, origin_date, ds
)

{# Its source is the one that most of its days have; of two, the nearer to what was measured. #}
select
    location,
    origin_date,
    ds,
    {%- for regressor in regressors %}
    {{ regressor }},
    {%- endfor %}
    case
        when n_observed >= greatest(n_forecast, n_climatology, n_unknown) then 'observed'
        when n_forecast >= greatest(n_climatology, n_unknown) then 'forecast'
        when n_climatology >= n_unknown then 'climatology'
        else 'unknown'
    end as weather_source,
    n_forecast / n_days as share_forecast
from periods
{%- endmacro %}
