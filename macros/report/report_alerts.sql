{# The page of the alerts: every segment that was judged, and whether its newest judgement is a
   breach. Grain: alert, segment_type, segment, target_date. #}
{% macro report_alerts(use_case) -%}
select
    alert,
    segment_type,
    segment,
    target_date,
    since_date,
    n_weeks,
    value,
    threshold,
    n_scored,
    is_breach,
    is_breach
    and target_date = max(target_date) over (partition by alert) as is_open,
    detail
from {{ ref('accuracy_alerts') }}
where use_case = '{{ use_case }}'
{%- endmacro %}
