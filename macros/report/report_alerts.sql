{# The page of the alerts: what stands now, and each run of bad weeks that is not long enough yet, with
   a sentence that says what is wrong. Grain: alert, segment_type, segment, since_date. #}
{% macro report_alerts(use_case) -%}
{%- set period = use_case_settings(use_case).grain -%}
select
    alert,
    segment_type,
    segment,
    since_date,
    target_date,
    n_weeks,
    value,
    threshold,
    n_scored,
    is_breach,
    case alert
        when 'wape'
            then concat(
                'WAPE above the threshold in ', cast(n_weeks as string),
                ' judged {{ period }}(s) in a row'
            )
        when 'tracking_signal' then concat('errors add up to one side: ', coalesce(detail, ''))
        when 'no_forecast'
            then concat(
                'refused at ', cast(n_weeks as string), ' origin(s) in a row: ',
                coalesce(detail, 'no reason')
            )
        else coalesce(detail, alert)
    end as told
from {{ ref('accuracy_alerts') }}
where use_case = '{{ use_case }}'
{%- endmacro %}
