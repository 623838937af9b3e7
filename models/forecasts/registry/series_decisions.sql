{# What serves each series at each active origin by decision, by what was known then: of the
   champion family's retrainings and promotions the newest that judged. A refit without a
   comparison, a comparison of too few periods and a refusal leave it as it was; a series that
   nobody has judged has no row.
   One row per use_case, series_id, origin_date. #}
with origins as (
    select * from {{ ref('origins') }}
),

settings as (
    {{ settings_rows() }}
),

events as (
    select
        *,
        {{ retraining_decision('numbers') }} as decision,
        json_value(numbers, '$.baseline.name') as baseline
    from {{ source('logs', 'model_events') }}
    where
        actor in ('retrain', 'promote', 'rollback')
        and series_id is not null
),

newest as (
    select
        events.use_case,
        events.series_id,
        origins.origin_date,
        events.decision,
        if(events.decision = 'serve_baseline', events.baseline, null) as baseline,
        events.as_of_at
    from events
    inner join origins
        on
            events.use_case = origins.use_case
            and events.as_of_at <= origins.as_of_at
    inner join settings
        on
            events.use_case = settings.use_case
            and events.model_name = settings.champion
    where events.decision not in ('refitted', 'too_few_periods', 'refused')
    qualify row_number() over (
        partition by events.use_case, events.series_id, origins.origin_date
        order by events.as_of_at desc, events.logged_at desc, events.model_version desc
    ) = 1
)

select
    use_case,
    series_id,
    origin_date,
    decision,
    baseline,
    as_of_at
from newest
