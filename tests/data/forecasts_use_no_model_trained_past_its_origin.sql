{# A model that has seen its targets, or what was only known later, would score better than it is.
   A version that the log does not hold cannot show when it was trained; that of a backtest, which
   never serves, is there too. Of the active runs'
   origins: those of earlier runs were checked when they were made. #}
with run_forecasts as (
    select * from {{ ref('run_forecasts') }}
    where
        model_version is not null
        and {{ origin_bounds(none, 'origin_date') }}
),

model_log as (
    select * from {{ source('logs', 'model_log') }}
    where status in ('trained', 'backtest')
)

select
    run_forecasts.use_case,
    run_forecasts.run_id,
    run_forecasts.series_id,
    run_forecasts.model_name,
    run_forecasts.model_version,
    run_forecasts.origin_date,
    run_forecasts.target_date,
    model_log.train_end,
    case
        when model_log.model_version is null then 'not_in_the_log'
        when model_log.train_end > run_forecasts.origin_date then 'trained_past_origin'
        else 'trained_on_what_was_known_later'
    end as defect
from run_forecasts
left join model_log
    on
        run_forecasts.use_case = model_log.use_case
        and run_forecasts.model_name = model_log.model_name
        and run_forecasts.model_version = model_log.model_version
        and run_forecasts.series_id = coalesce(model_log.series_id, run_forecasts.series_id)
where
    model_log.model_version is null
    or model_log.train_end > run_forecasts.origin_date
    or model_log.as_of_at > run_forecasts.as_of_at
