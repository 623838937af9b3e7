{# Grain: series_id, origin_date, horizon_step, regressor. #}
{% macro panel_missing_regressors(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
with forecastable as (
    select
        series_id,
        origin_date
    from {{ ref(use_case ~ '_series') }}
    where is_forecastable
),

future_panel as (
    select * from {{ ref(use_case ~ '_future_panel') }}
    where unsourced_regressors != ''
),

missing as (
    select
        future_panel.*,
        regressor
    from future_panel
    inner join forecastable
        on
            future_panel.series_id = forecastable.series_id
            and future_panel.origin_date = forecastable.origin_date
    cross join unnest(split(unsourced_regressors, ' ')) as regressor
)

select
    series_id,
    origin_date,
    horizon_step,
    target_date,
    regressor,
    case
        {%- for regressor, rule in settings.regressors.items() %}
        when regressor = '{{ regressor }}' then '{{ rule.when_missing }}'
        {%- else %}
        when true then cast(null as string)
        {%- endfor %}
    end as when_missing,
    case
        {%- for regressor in settings.regressors %}
        when regressor = '{{ regressor }}' then {{ regressor }}
        {%- else %}
        when true then cast(null as float64)
        {%- endfor %}
    end as stand_in
from missing
{%- endmacro %}
