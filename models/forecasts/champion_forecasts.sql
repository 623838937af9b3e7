{# The forecast to use: the champion's rows, each of which may be a fallback.
   One row per use_case, series_id, origin_date, target_date. #}
select
    use_case,
    series_id,
    model_name,
    origin_date,
    target_date,
    horizon_step,
    yhat,
    yhat_lower,
    yhat_upper,
    interval_source,
    interval_calibration,
    is_fallback,
    fallback_model,
    reason,
    run_id,
    run_kind,
    as_of_at,
    issued_at,
    model_version,
    regressors_as_known
from {{ ref('forecasts') }}
where is_champion
