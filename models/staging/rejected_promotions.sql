{# Rows of a promotion plan that no forecast knows of, each with its reason. One row per rejected
   row of a source. #}
{% for use_case in built_use_cases('stg_', '_promotions', or_all=false, with_source='promotions') %}
select
    '{{ use_case }}' as use_case,
    series_id,
    start_date,
    end_date,
    known_at,
    rejected_because,
    source_row
from {{ ref('stg_' ~ use_case ~ '_promotions') }}
where rejected_because is not null
{{ 'union all' if not loop.last }}
{% else %}
{# No use case has a plan. #}
select
    '' as use_case,
    '' as series_id,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as timestamp) as known_at,
    '' as rejected_because,
    '' as source_row
from (select 1 as one) as nothing
where one = 0
{% endfor %}
