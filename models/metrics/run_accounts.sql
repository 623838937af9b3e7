{{ config(materialized='view') }}
{# What became of the series of each run that forecast, and how the run went: series in = forecast
   + fallen back + refused. A run whose prediction has not finished has no counts, and says why.
   One row per use_case, run_id, origin_date. #}
with run_origins as (
    select
        use_case,
        run_id,
        any_value(run_kind) as run_kind,
        origin_date,
        max(as_of_at) as as_of_at,
        logical_or(is_as_issued) as is_as_issued
    from {{ source('logs', 'run_origins') }}
    where run_kind in ('issued', 'replay', 'backtest')
    group by use_case, run_id, origin_date
),

steps as (
    select
        use_case,
        run_id,
        min(logged_at) as started_at,
        max(logged_at) as last_heard_at,
        sum(if(event = 'ended', seconds, 0)) as seconds,
        logical_or(is_partial) as is_partial,
        logical_or(step = 'after_forecast' and status = 'done') as is_published,
        any_value(status having max logged_at) as last_status,
        any_value(step having max logged_at) as last_step,
        any_value(message having max logged_at) as last_message
    from {{ source('logs', 'run_log') }}
    group by use_case, run_id
),

finished_runs as (
    select * from {{ ref('finished_runs') }}
),

settings as (
    {{ settings_rows() }}
),

outcomes as (
    select
        forecast_log.use_case,
        forecast_log.run_id,
        forecast_log.origin_date,
        count(distinct if(forecast_log.outcome = 'forecast', forecast_log.series_id, null))
            as n_forecast,
        count(distinct if(forecast_log.outcome = 'fallback', forecast_log.series_id, null))
            as n_fallback,
        count(distinct if(forecast_log.outcome = 'refused', forecast_log.series_id, null))
            as n_refused
    from {{ source('logs', 'forecast_log') }} as forecast_log
    inner join settings
        on
            forecast_log.use_case = settings.use_case
            and forecast_log.model_name = settings.champion
    inner join finished_runs
        on
            forecast_log.use_case = finished_runs.use_case
            and forecast_log.run_id = finished_runs.run_id
    group by forecast_log.use_case, forecast_log.run_id, forecast_log.origin_date
),

came_in as (
    select
        use_case,
        run_id,
        origin_date,
        count(*) as n_series
    from {{ ref('series_profiles') }}
    group by use_case, run_id, origin_date
)

select
    run_origins.use_case,
    run_origins.run_id,
    run_origins.run_kind,
    run_origins.is_as_issued,
    run_origins.origin_date,
    run_origins.as_of_at,
    coalesce(steps.is_partial, false) as is_partial,
    came_in.n_series,
    outcomes.n_forecast,
    outcomes.n_fallback,
    outcomes.n_refused,
    if(
        coalesce(steps.is_partial, false),
        null,
        came_in.n_series - outcomes.n_forecast - outcomes.n_fallback - outcomes.n_refused
    ) as n_unaccounted,
    steps.started_at,
    steps.last_heard_at,
    steps.seconds,
    case
        when steps.is_published then 'done'
        when steps.last_status = 'failed' then 'failed'
        when finished_runs.run_id is not null then 'not_published'
        else 'not_finished'
    end as status,
    if(steps.last_status = 'failed', steps.last_step, null) as failed_step,
    if(steps.last_status = 'failed', steps.last_message, null) as failure
from run_origins
left join steps
    on
        run_origins.use_case = steps.use_case
        and run_origins.run_id = steps.run_id
left join finished_runs
    on
        run_origins.use_case = finished_runs.use_case
        and run_origins.run_id = finished_runs.run_id
left join outcomes
    on
        run_origins.use_case = outcomes.use_case
        and run_origins.run_id = outcomes.run_id
        and run_origins.origin_date = outcomes.origin_date
left join came_in
    on
        run_origins.use_case = came_in.use_case
        and run_origins.run_id = came_in.run_id
        and run_origins.origin_date = came_in.origin_date
