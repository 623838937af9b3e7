{# Grain: plan_cell, plan_date, known_at. #}
{% macro panel_plan_coverage(use_case) -%}
{%- set parts = covered_parts(use_case) -%}
with uploads as (
    select distinct
        {%- for part in parts %}
        covers_{{ part }},
        {%- endfor %}
        known_at,
        covers_from,
        covers_to
    from {{ ref('stg_' ~ use_case ~ '_promotions') }}
    where rejected_because is null
),

cells as (
    select distinct
        {%- for part in parts %}
        cast(keys.{{ part }} as string) as {{ part }},
        {%- endfor %}
        {{ plan_cell(use_case, 'keys') }} as plan_cell
    from {{ ref(use_case ~ '_keys') }} as keys
),

upload_days as (
    select distinct
        cells.plan_cell,
        uploads.known_at,
        plan_date
    from uploads
    inner join cells
        on
            {%- for part in parts %}
            {{ 'and ' if not loop.first }}(
                uploads.covers_{{ part }} = '*'
                or cells.{{ part }} in unnest(split(uploads.covers_{{ part }}, ','))
            )
            {%- else %}
            cells.plan_cell = ''
            {%- endfor %}
    cross join unnest(generate_date_array(uploads.covers_from, uploads.covers_to)) as plan_date
)

select
    plan_cell,
    plan_date,
    known_at,
    lead(known_at, 1, {{ end_of_time() }})
        over (partition by plan_cell, plan_date order by known_at) as superseded_at
from upload_days
{%- endmacro %}
