{# Rows of every source that no forecast is made from, each with its reason. One row per rejected
   row of a source. #}
{% set selects = [] %}
{% for kind in ['sales', 'promotions', 'weather', 'regressors', 'attributes'] %}
{% for use_case in built_use_cases('stg_', '_' ~ kind, or_all=false, with_source=kind) %}
{% set rejected %}
select
    '{{ use_case }}' as use_case,
    '{{ kind }}' as source_name,
    rejected_because,
    source_row
from {{ ref('stg_' ~ use_case ~ '_' ~ kind) }}
where rejected_because is not null
{% endset %}
{% do selects.append(rejected) %}
{% endfor %}
{% endfor %}
{{ selects | join('union all') }}
{% if not selects %}
{# Nothing is built. #}
select
    '' as use_case,
    '' as source_name,
    '' as rejected_because,
    '' as source_row
from (select 1 as one) as nothing
where one = 0
{% endif %}
