{# Sales rows that no forecast is made from, each with its reason. One row per rejected row of a
   source. #}
{% for use_case in built_use_cases('stg_', '_sales') %}
select
    '{{ use_case }}' as use_case,
    series_id,
    rejected_because,
    source_row
from {{ ref('stg_' ~ use_case ~ '_sales') }}
where rejected_because is not null
{{ 'union all' if not loop.last }}
{% endfor %}
