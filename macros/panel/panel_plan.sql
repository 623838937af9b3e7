{# Grain: series_id, origin_date, ds. #}
{% macro panel_plan(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set days = period_days(use_case) -%}
{# Of the series known at the origin: a plan for all ('*') names each series that sales know now. #}
with series as (
    select * from {{ ref(use_case ~ '_series') }}
),

plan_days as (
    select * from {{ ref(use_case ~ '_plan_days') }}
    where {{ origin_bounds(use_case, 'plan_date', before=none, after=settings.horizon * days) }}
)

select
    plan_days.series_id,
    series.origin_date,
    {{ period_start(use_case, 'plan_days.plan_date') }} as ds,
    {%- for regressor in regressors_from(use_case, 'plan') %}
    sum(plan_days.{{ regressor }}) / {{ days }} as {{ regressor }},
    {%- endfor %}
    countif(plan_days.price is not null) as n_priced_days,
    sum(plan_days.price) as sum_price,
    countif(plan_days.price is null and plan_days.discount is not null) as n_discounted_days,
    sum(if(plan_days.price is null, 1 - plan_days.discount, null)) as sum_discounted
from plan_days
inner join series
    on
        plan_days.series_id = series.series_id
        and {{ known_as_of('plan_days', 'series.as_of_at') }}
group by plan_days.series_id, series.origin_date, ds
{%- endmacro %}
