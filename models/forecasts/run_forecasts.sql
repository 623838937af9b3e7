{# Every forecast of every finished run, issued or not, with its fallback resolved: where the
   model gave no number a baseline stands in (the one that serves by decision, else seasonal
   naive, else the mean of 8, else naive) and the row says so. A refused series keeps its rows,
   without a number. One row per run_id, use_case, series_id, model_name, origin_date,
   target_date. #}
with forecast_log as (
    select
        *,
        if(
            starts_with(reason, 'serve_baseline: '),
            replace(reason, 'serve_baseline: ', ''),
            null
        ) as declared_baseline
    from {{ source('logs', 'forecast_log') }}
),

finished_runs as (
    select * from {{ ref('finished_runs') }}
),

run_origins as (
    select
        run_id,
        use_case,
        origin_date,
        logical_or(is_as_issued) as is_as_issued
    from {{ source('logs', 'run_origins') }}
    group by run_id, use_case, origin_date
),

stand_ins as (
    select
        run_id,
        use_case,
        series_id,
        origin_date,
        target_date,
        max(if(model_name = 'seasonal_naive', yhat, null)) as seasonal_naive,
        max(if(model_name = 'mean_4', yhat, null)) as mean_4,
        max(if(model_name = 'mean_8', yhat, null)) as mean_8,
        max(if(model_name = 'naive', yhat, null)) as naive
    from {{ ref('baselines') }}
    group by run_id, use_case, series_id, origin_date, target_date
),

settings as (
    {{ settings_rows() }}
),

joined as (
    select
        forecast_log.*,
        run_origins.is_as_issued,
        forecast_log.model_name = settings.champion as is_champion,
        forecast_log.outcome = 'fallback' as is_fallback,
        case forecast_log.declared_baseline
            {%- for model_name in baseline_names() %}
            when '{{ model_name }}' then stand_ins.{{ model_name }}
            {%- endfor %}
        end as declared_yhat,
        coalesce(stand_ins.seasonal_naive, stand_ins.mean_8, stand_ins.naive) as ladder_yhat,
        case
            when stand_ins.seasonal_naive is not null then 'seasonal_naive'
            when stand_ins.mean_8 is not null then 'mean_8'
            when stand_ins.naive is not null then 'naive'
        end as ladder_model
    from forecast_log
    inner join finished_runs
        on
            forecast_log.run_id = finished_runs.run_id
            and forecast_log.use_case = finished_runs.use_case
    inner join run_origins
        on
            forecast_log.run_id = run_origins.run_id
            and forecast_log.use_case = run_origins.use_case
            and forecast_log.origin_date = run_origins.origin_date
    inner join settings
        on forecast_log.use_case = settings.use_case
    left join stand_ins
        on
            forecast_log.run_id = stand_ins.run_id
            and forecast_log.use_case = stand_ins.use_case
            and forecast_log.series_id = stand_ins.series_id
            and forecast_log.origin_date = stand_ins.origin_date
            and forecast_log.target_date = stand_ins.target_date
),

with_stand_ins as (
    select
        *,
        coalesce(declared_yhat, ladder_yhat) as stand_in_yhat,
        if(declared_yhat is null, ladder_model, declared_baseline) as stand_in_model
    from joined
)

select
    use_case,
    series_id,
    model_name,
    origin_date,
    target_date,
    horizon_step,
    if(is_fallback, stand_in_yhat, yhat) as yhat,
    yhat_lower,
    yhat_upper,
    interval_source,
    interval_calibration,
    outcome,
    reason,
    is_fallback,
    if(is_fallback, stand_in_model, null) as fallback_model,
    is_champion,
    run_id,
    run_kind,
    is_as_issued,
    as_of_at,
    issued_at,
    model_version,
    regressors_as_known,
    code_version
from with_stand_ins
