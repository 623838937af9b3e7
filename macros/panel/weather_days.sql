{# The accepted weather of a use case: the mean of what a location, day, kind and issue has rows of.
   Grain: location, weather_date, kind, known_at. #}
{% macro weather_days(use_case) -%}
select
        location,
        weather_date,
        kind,
        {%- for regressor in regressors_from(use_case, 'weather') %}
        avg({{ regressor }}) as {{ regressor }},
        {%- endfor %}
        known_at
    from {{ ref('stg_' ~ use_case ~ '_weather') }}
    where rejected_because is null
    group by location, weather_date, kind, known_at
{%- endmacro %}
