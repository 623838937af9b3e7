{{
    config(
        partition_by={'field': 'target_date', 'data_type': 'date'},
        cluster_by=['use_case', 'alert', 'segment_type', 'segment']
    )
}}
{# The page of the alerts: what stands now, and each run of bad periods that is not long enough yet,
   with a sentence that says what is wrong.
   One row per use_case, alert, segment_type, segment, since_date. #}
with accuracy_alerts as (
    select * from {{ ref('accuracy_alerts') }}
),

settings as (
    {{ settings_rows() }}
)

select
    accuracy_alerts.use_case,
    accuracy_alerts.alert,
    accuracy_alerts.segment_type,
    accuracy_alerts.segment,
    accuracy_alerts.since_date,
    accuracy_alerts.target_date,
    accuracy_alerts.n_periods,
    accuracy_alerts.value,
    accuracy_alerts.threshold,
    accuracy_alerts.n_scored,
    accuracy_alerts.is_breach,
    case accuracy_alerts.alert
        when 'wape'
            then concat(
                'WAPE above the threshold in ', cast(accuracy_alerts.n_periods as string),
                ' judged ', settings.grain, '(s) in a row'
            )
        when 'tracking_signal'
            then concat('errors add up to one side: ', coalesce(accuracy_alerts.detail, ''))
        when 'no_forecast'
            then concat(
                'refused at ', cast(accuracy_alerts.n_periods as string), ' origin(s) in a row: ',
                coalesce(accuracy_alerts.detail, 'no reason')
            )
        else coalesce(accuracy_alerts.detail, accuracy_alerts.alert)
    end as told
from accuracy_alerts
inner join settings
    on accuracy_alerts.use_case = settings.use_case
