{# The registry: the newest event of each model version, with what was fitted. What serves at an
   instant is found by model_events as of that instant (python_jobs/registry/serving.py); this
   view is the state now.
   One row per use_case, model_name, series_id, model_version. #}
with model_log as (
    select * from {{ source('logs', 'model_log') }}
    where status = 'trained'
),

newest_events as (
    select *
    from {{ source('logs', 'model_events') }}
    qualify row_number() over (
        partition by use_case, model_name, coalesce(series_id, ''), model_version
        order by as_of_at desc, logged_at desc
    ) = 1
)

select
    model_log.use_case,
    model_log.model_name,
    model_log.series_id,
    model_log.model_version,
    newest_events.stage,
    newest_events.reason as stage_reason,
    newest_events.as_of_at as stage_as_of_at,
    newest_events.logged_at as stage_at,
    model_log.run_id,
    model_log.object,
    model_log.sha256,
    model_log.origin_date,
    model_log.as_of_at,
    model_log.trained_at,
    model_log.train_start,
    model_log.train_end,
    model_log.n_obs,
    model_log.n_left_out,
    model_log.hyperparameters,
    model_log.metrics,
    model_log.regressors_left_out,
    model_log.regressors_contradicting
from model_log
inner join newest_events
    on
        model_log.use_case = newest_events.use_case
        and model_log.model_name = newest_events.model_name
        and coalesce(model_log.series_id, '') = coalesce(newest_events.series_id, '')
        and model_log.model_version = newest_events.model_version
