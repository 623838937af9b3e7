{# What each run took and what that costs at list prices, by model and origin, beside how good the
   model is. A model's own seconds and bytes are its own; what a run's models share (dbt, reading,
   publishing) is shared out by how much each forecast. A run that forecasts nothing lies at its
   newest origin; what belongs to no model has the name shared. The columns of all rows of a run
   add up to the run.
   One row per use_case, run_id, origin_date, model_name. #}
{%- set prices, size = var('prices'), var('job_size') %}
with run_log as (
    select * from {{ source('logs', 'run_log') }}
    where event in ('ended', 'model_ended')
),

run_origins as (
    select
        use_case,
        run_id,
        max(origin_date) as origin_date
    from {{ source('logs', 'run_origins') }}
    group by use_case, run_id
),

runs as (
    select
        use_case,
        run_id,
        any_value(run_kind) as run_kind,
        sum(if(event = 'ended', seconds, 0)) as seconds,
        sum(if(event = 'model_ended', seconds, 0)) as model_seconds,
        sum(if(event = 'ended', bytes_billed, null)) as bytes_billed,
        coalesce(sum(if(event = 'model_ended', bytes_billed, null)), 0) as model_bytes_billed
    from run_log
    group by use_case, run_id
),

own as (
    select
        use_case,
        run_id,
        model_name,
        sum(seconds) as seconds,
        coalesce(sum(bytes_billed), 0) as bytes_billed
    from run_log
    where event = 'model_ended'
    group by use_case, run_id, model_name
),

forecasts as (
    select
        use_case,
        run_id,
        model_name,
        origin_date,
        countif(outcome = 'forecast') as n_forecasts
    from {{ source('logs', 'forecast_log') }}
    group by use_case, run_id, model_name, origin_date
),

models_at_work as (
    select
        use_case,
        run_id,
        model_name
    from own

    union distinct

    select
        use_case,
        run_id,
        model_name
    from forecasts
),

made as (
    select
        runs.use_case,
        runs.run_id,
        coalesce(models_at_work.model_name, 'shared') as model_name,
        coalesce(forecasts.origin_date, run_origins.origin_date) as origin_date,
        coalesce(forecasts.n_forecasts, 0) as n_forecasts
    from runs
    inner join run_origins
        on
            runs.use_case = run_origins.use_case
            and runs.run_id = run_origins.run_id
    left join models_at_work
        on
            runs.use_case = models_at_work.use_case
            and runs.run_id = models_at_work.run_id
    left join forecasts
        on
            models_at_work.use_case = forecasts.use_case
            and models_at_work.run_id = forecasts.run_id
            and models_at_work.model_name = forecasts.model_name
),

{# Where nothing was forecast, rows share alike. #}
weighed as (
    select
        *,
        coalesce(
            safe_divide(n_forecasts, sum(n_forecasts) over (partition by use_case, run_id)),
            1 / count(*) over (partition by use_case, run_id)
        ) as share_of_run,
        coalesce(
            safe_divide(
                n_forecasts, sum(n_forecasts) over (partition by use_case, run_id, model_name)
            ),
            1 / count(*) over (partition by use_case, run_id, model_name)
        ) as share_of_model
    from made
),

taken as (
    select
        weighed.use_case,
        weighed.run_id,
        runs.run_kind,
        weighed.origin_date,
        weighed.model_name,
        weighed.n_forecasts,
        own.seconds * weighed.share_of_model as own_seconds,
        coalesce(own.seconds, 0) * weighed.share_of_model
        + (runs.seconds - runs.model_seconds) * weighed.share_of_run as seconds,
        coalesce(own.bytes_billed, 0) * weighed.share_of_model
        + (runs.bytes_billed - runs.model_bytes_billed) * weighed.share_of_run as bytes_billed
    from weighed
    inner join runs
        on
            weighed.use_case = runs.use_case
            and weighed.run_id = runs.run_id
    left join own
        on
            weighed.use_case = own.use_case
            and weighed.run_id = own.run_id
            and weighed.model_name = own.model_name
),

priced as (
    select
        *,
        seconds * (
            {{ size.vcpu }} * {{ prices.vcpu_second }}
            + {{ size.memory_gib }} * {{ prices.gib_second }}
        ) as compute_usd,
        bytes_billed / pow(2, 40) * {{ prices.bigquery_tib }} as query_usd
    from taken
),

scored as (
    select
        use_case,
        run_id,
        origin_date,
        model_name,
        count(*) as n_scored,
        {{ wape() }} as wape
    from {{ ref('forecast_errors') }}
    where is_comparable
    group by use_case, run_id, origin_date, model_name
),

errors_by_period as (
    {{ errors_of(with_periods=true) }}
),

recent as (
    select
        use_case,
        run_kind,
        model_name,
        {{ wape() }} as wape
    from errors_by_period
    where is_comparable and period = 'last_4_weeks'
    group by use_case, run_kind, model_name
)

select
    priced.use_case,
    priced.run_id,
    priced.run_kind,
    priced.origin_date,
    priced.model_name,
    priced.n_forecasts,
    priced.own_seconds,
    priced.seconds,
    cast(round(priced.bytes_billed) as int64) as bytes_billed,
    priced.compute_usd,
    priced.query_usd,
    priced.compute_usd + priced.query_usd as cost_usd,
    safe_divide(priced.compute_usd + priced.query_usd, priced.n_forecasts)
        as cost_per_forecast_usd,
    coalesce(scored.n_scored, 0) as n_scored,
    scored.wape,
    recent.wape as recent_wape
from priced
left join scored
    on
        priced.use_case = scored.use_case
        and priced.run_id = scored.run_id
        and priced.origin_date = scored.origin_date
        and priced.model_name = scored.model_name
left join recent
    on
        priced.use_case = recent.use_case
        and priced.model_name = recent.model_name
        and recent.run_kind = if(priced.run_kind = 'backtest', 'backtest', 'issued')
