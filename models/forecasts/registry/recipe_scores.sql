{# Which recipe each family uses for each segment, what else was tried, and what each was worth
   on held-out periods: one line for each candidate of each tune, as `shelfcast tune` scored it on
   the rows that all candidates forecast.
   One row per use_case, model_name, run_id, segment, series_id, options. #}
with candidates as (
    select
        *,
        hyperparameters as options,
        safe_cast(json_value(metrics, '$.wape') as float64) as wape,
        safe_cast(json_value(metrics, '$.smape') as float64) as smape,
        safe_cast(json_value(metrics, '$.rmse') as float64) as rmse,
        safe_cast(json_value(metrics, '$.bias') as float64) as bias,
        safe_cast(json_value(metrics, '$.n_scored') as int64) as n_scored,
        safe_cast(json_value(metrics, '$.n_removed') as int64) as n_removed,
        coalesce(safe_cast(json_value(metrics, '$.is_best') as bool), false) as is_best,
        coalesce(safe_cast(json_value(metrics, '$.is_chosen') as bool), false) as is_chosen
    from {{ source('logs', 'model_log') }}
    where status = 'candidate'
),

compared as (
    select
        *,
        dense_rank() over (
            partition by use_case, model_name
            order by as_of_at desc, run_id desc
        ) - 1 as n_tunes_since,
        max(if(options = '{}', wape, null)) over (
            partition by use_case, model_name, run_id, segment, coalesce(series_id, '')
        ) - wape as wape_gain
    from candidates
)

select
    use_case,
    model_name,
    segment,
    series_id,
    run_id,
    origin_date,
    as_of_at,
    n_tunes_since,
    options,
    is_chosen,
    is_best,
    wape,
    wape_gain,
    smape,
    rmse,
    bias,
    n_scored,
    n_removed
from compared
order by n_tunes_since, use_case, model_name, segment, series_id, wape
