{# Forecasts made again as of a past instant. They never enter `forecasts`, unless published as
   issued.
   One row per run_id, use_case, series_id, model_name, origin_date, target_date. #}
select
    {{ forecast_columns(without=[
        'interval_source', 'interval_calibration', 'run_kind', 'regressors_as_known', 'code_version'
    ]) }},
    is_as_issued
from {{ ref('run_forecasts') }}
where run_kind = 'replay'
