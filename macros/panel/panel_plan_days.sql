{# Grain: series_id, plan_date, known_at. #}
{% macro panel_plan_days(use_case) -%}
{%- set parts = use_case_settings(use_case).key.keys() | list -%}
{%- set regressors = regressors_from(use_case, 'plan') -%}
with promotions as (
    select * from {{ ref('stg_' ~ use_case ~ '_promotions') }}
    where rejected_because is null
),

keys as (
    select
        keys.*,
        {{ plan_cell(use_case, 'keys') }} as plan_cell
    from {{ ref(use_case ~ '_keys') }} as keys
),

coverage as (
    select * from {{ ref(use_case ~ '_plan_coverage') }}
),

rows_by_series as (
    select
        promotions.* except (series_id),
        keys.series_id,
        keys.plan_cell
    from promotions
    inner join keys
        on promotions.series_id = keys.series_id
    union all
    select
        promotions.* except (series_id),
        keys.series_id,
        keys.plan_cell
    from promotions
    inner join keys
        on
            {%- for part in parts %}
            {{ 'and ' if not loop.first }}(
                promotions.{{ part }} = '*'
                or promotions.{{ part }} = cast(keys.{{ part }} as string)
            )
            {%- else %}
            true
            {%- endfor %}
    where promotions.series_id is null
),

days as (
    select
        rows_by_series.*,
        plan_date
    from rows_by_series
    cross join unnest(generate_date_array(
        greatest(rows_by_series.start_date, rows_by_series.covers_from),
        least(rows_by_series.end_date, rows_by_series.covers_to)
    )) as plan_date
)

select
    days.series_id,
    days.plan_date,
    days.known_at,
    coverage.superseded_at,
    {%- for regressor in regressors %}
    max(days.{{ regressor }}) as {{ regressor }},
    {%- endfor %}
    min(days.price) as price,
    max(days.discount) as discount
from days
inner join coverage
    on
        days.plan_cell = coverage.plan_cell
        and days.plan_date = coverage.plan_date
        and days.known_at = coverage.known_at
group by days.series_id, days.plan_date, days.known_at, coverage.superseded_at
{%- endmacro %}
