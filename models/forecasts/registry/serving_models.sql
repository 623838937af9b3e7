{# Which stored model serves each series at each active origin: of the versions whose newest
   event by as_of_at says `serving`, the one that was put there last. series_id is null for a
   global model.
   One row per use_case, model_name, series_id, origin_date. #}
with origins as (
    select * from {{ ref('origins') }}
),

events as (
    select * from {{ source('logs', 'model_events') }}
),

model_log as (
    select * from {{ source('logs', 'model_log') }}
    where status = 'trained'
),

states as (
    select
        origins.origin_date,
        events.use_case,
        events.model_name,
        events.series_id,
        events.model_version,
        events.stage,
        events.as_of_at,
        events.logged_at
    from events
    inner join origins
        on
            events.use_case = origins.use_case
            and events.as_of_at <= origins.as_of_at
    qualify row_number() over (
        partition by
            origins.origin_date,
            events.use_case,
            events.model_name,
            coalesce(events.series_id, ''),
            events.model_version
        order by events.as_of_at desc, events.logged_at desc
    ) = 1
),

serving as (
    select *
    from states
    where stage = 'serving'
    qualify row_number() over (
        partition by origin_date, use_case, model_name, coalesce(series_id, '')
        order by as_of_at desc, logged_at desc
    ) = 1
)

select
    serving.use_case,
    serving.model_name,
    serving.series_id,
    serving.origin_date,
    serving.model_version,
    model_log.object,
    model_log.sha256,
    model_log.train_end
from serving
inner join model_log
    on
        serving.use_case = model_log.use_case
        and serving.model_name = model_log.model_name
        and coalesce(serving.series_id, '') = coalesce(model_log.series_id, '')
        and serving.model_version = model_log.model_version
