{# Which upload of the promotion plan holds for a day, and from when to when it was the newest
   one. Inside its window an upload replaces all earlier ones. Grain: plan_date, known_at. #}
{% macro panel_plan_coverage(use_case) -%}
with uploads as (
    select distinct
        known_at,
        covers_from,
        covers_to
    from {{ ref('stg_' ~ use_case ~ '_promotions') }}
    where rejected_because is null
),

upload_days as (
    select distinct
        uploads.known_at,
        plan_date
    from uploads
    cross join unnest(generate_date_array(uploads.covers_from, uploads.covers_to)) as plan_date
)

select
    plan_date,
    known_at,
    lead(known_at, 1, {{ end_of_time() }})
        over (partition by plan_date order by known_at) as superseded_at
from upload_days
{%- endmacro %}
