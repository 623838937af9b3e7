{# The backtests that count: for each series and origin the newest finished backtest. They never
   enter `forecasts`; forecast_errors scores them beside what was issued.
   One row per use_case, series_id, model_name, origin_date, target_date. #}
with run_forecasts as (
    select * from {{ ref('run_forecasts') }}
    where run_kind = 'backtest'
),

finished_runs as (
    select * from {{ ref('finished_runs') }}
),

newest as (
    select run_forecasts.*
    from run_forecasts
    inner join finished_runs
        on
            run_forecasts.use_case = finished_runs.use_case
            and run_forecasts.run_id = finished_runs.run_id
    qualify rank() over (
        partition by
            run_forecasts.use_case, run_forecasts.series_id, run_forecasts.origin_date
        order by finished_runs.ended_at desc, run_forecasts.run_id desc
    ) = 1
)

select
    {{ forecast_columns(without=['run_kind', 'code_version']) }}
from newest
where outcome != 'refused'
