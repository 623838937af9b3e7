{# A series that goes into a run and comes out neither forecast, nor fallen back, nor refused is a
   hole that nobody would notice. What goes in has its baselines, whatever becomes of it; a run of
   some series only may leave others out. Of the active runs: earlier ones were checked then. #}
with origins as (
    select * from {{ ref('origins') }}
),

finished_runs as (
    select * from {{ ref('finished_runs') }}
),

baselines as (
    select * from {{ ref('baselines') }}
    where
        model_name = 'naive'
        and {{ origin_bounds(none, 'origin_date') }}
),

settings as (
    {{ settings_rows() }}
),

runs as (
    select
        origins.use_case,
        origins.run_id,
        origins.origin_date,
        finished_runs.is_partial
    from origins
    inner join finished_runs
        on
            origins.use_case = finished_runs.use_case
            and origins.run_id = finished_runs.run_id
),

run_forecasts as (
    select run_forecasts.*
    from {{ ref('run_forecasts') }} as run_forecasts
    inner join runs
        on
            run_forecasts.use_case = runs.use_case
            and run_forecasts.run_id = runs.run_id
            and run_forecasts.origin_date = runs.origin_date
    where {{ origin_bounds(none, 'run_forecasts.origin_date') }}
),

{# A run that wrote nothing at all still owes the champion's rows. #}
models as (
    select distinct
        use_case,
        run_id,
        model_name
    from run_forecasts
    union distinct
    select distinct
        runs.use_case,
        runs.run_id,
        settings.champion as model_name
    from runs
    inner join settings
        on runs.use_case = settings.use_case
),

came_in as (
    select
        runs.use_case,
        runs.run_id,
        runs.is_partial,
        models.model_name,
        baselines.series_id,
        baselines.origin_date,
        baselines.target_date
    from runs
    inner join models
        on
            runs.use_case = models.use_case
            and runs.run_id = models.run_id
    inner join baselines
        on
            runs.use_case = baselines.use_case
            and runs.run_id = baselines.run_id
            and runs.origin_date = baselines.origin_date
),

matched as (
    select
        coalesce(came_in.use_case, run_forecasts.use_case) as use_case,
        coalesce(came_in.run_id, run_forecasts.run_id) as run_id,
        coalesce(came_in.model_name, run_forecasts.model_name) as model_name,
        coalesce(came_in.series_id, run_forecasts.series_id) as series_id,
        coalesce(came_in.origin_date, run_forecasts.origin_date) as origin_date,
        coalesce(came_in.target_date, run_forecasts.target_date) as target_date,
        case
            when came_in.series_id is null then 'never_went_in'
            when run_forecasts.series_id is null and came_in.is_partial then null
            when run_forecasts.series_id is null then 'lost'
            when run_forecasts.outcome not in ('forecast', 'fallback', 'refused')
                then 'unknown_outcome'
            when run_forecasts.outcome != 'forecast' and run_forecasts.reason is null
                then 'no_reason'
            when run_forecasts.outcome != 'refused' and run_forecasts.yhat is null
                then 'no_number'
        end as defect
    from came_in
    full outer join run_forecasts
        on
            came_in.use_case = run_forecasts.use_case
            and came_in.run_id = run_forecasts.run_id
            and came_in.model_name = run_forecasts.model_name
            and came_in.series_id = run_forecasts.series_id
            and came_in.origin_date = run_forecasts.origin_date
            and came_in.target_date = run_forecasts.target_date
)

select
    use_case,
    run_id,
    model_name,
    series_id,
    origin_date,
    target_date,
    defect
from matched
where defect is not null
