{# Forecasts made again as of a past instant. They never enter `forecasts`, unless published as
   issued.
   One row per run_id, use_case, series_id, model_name, origin_date, target_date. #}
select
    run_id,
    use_case,
    series_id,
    model_name,
    origin_date,
    target_date,
    horizon_step,
    yhat,
    yhat_lower,
    yhat_upper,
    is_fallback,
    fallback_model,
    reason,
    is_champion,
    is_as_issued,
    as_of_at,
    issued_at,
    model_version
from {{ ref('run_forecasts') }}
where run_kind = 'replay'
