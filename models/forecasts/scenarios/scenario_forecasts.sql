{{ config(materialized='view') }}
{# The newest answer to each scenario: the forecast under it beside the issued one. Never part of
   what was issued, and never scored as such.
   One row per use_case, scenario, series_id and target_date. #}
select
    use_case,
    scenario,
    series_id,
    origin_date,
    target_date,
    horizon_step,
    model_name,
    model_version,
    yhat_as_issued,
    yhat,
    yhat_lower,
    yhat_upper,
    yhat - yhat_as_issued as uplift,
    safe_divide(yhat - yhat_as_issued, yhat_as_issued) as uplift_share,
    is_supposed,
    outside_range is not null as is_outside_range,
    outside_range,
    reason,
    regressors_as_known,
    regressors_as_supposed,
    issued_run_id,
    run_id,
    computed_at
from {{ source('logs', 'scenario_log') }}
where scenario != '{{ weather_as_it_came() }}'
qualify rank() over (
    partition by use_case, scenario
    order by computed_at desc, run_id desc
) = 1
