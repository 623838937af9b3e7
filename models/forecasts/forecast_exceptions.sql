{# Series whose newest forecast is not their model's own: fallen back or refused, with the
   reason. Together with the forecasts they account for every series of a run. One row per
   use_case, run_id, series_id, model_name, origin_date. #}
with run_forecasts as (
    select * from {{ ref('run_forecasts') }}
    where outcome != 'forecast'
)

select
    use_case,
    run_id,
    run_kind,
    series_id,
    model_name,
    origin_date,
    as_of_at,
    any_value(outcome having max horizon_step) as outcome,
    any_value(reason having max horizon_step) as reason,
    count(*) as n_rows
from run_forecasts
group by use_case, run_id, run_kind, series_id, model_name, origin_date, as_of_at
