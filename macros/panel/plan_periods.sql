{# The periods that the promotion plan covered on every day, as it was known at each origin:
   there, no row may mean no promotion. Grain: origin_date, plan_cell, ds. #}
{% macro plan_periods(use_case) -%}
with origins as (
    select * from {{ ref('origins') }}
    where use_case = '{{ use_case }}'
),

coverage as (
    select * from {{ ref(use_case ~ '_plan_coverage') }}
)

select
    origins.origin_date,
    coverage.plan_cell,
    {{ period_start(use_case, 'coverage.plan_date') }} as ds
from coverage
inner join origins
    on {{ known_as_of('coverage', 'origins.as_of_at') }}
group by origins.origin_date, coverage.plan_cell, ds
having count(*) = {{ period_days(use_case) }}
{%- endmacro %}
