{{
    config(
        partition_by={'field': 'target_date', 'data_type': 'date'},
        cluster_by=['use_case', 'series_id']
    )
}}
{# The page that asks whether the model is worth more than a baseline: both on the same rows, those
   that every model and baseline forecast (n_removed counts the scored rows left out for it).
   Value added = sum(sum_abs_error_saved) / sum(sum_abs_y): WAPE of the baseline - WAPE of the
   model. One row per use_case, series_id, target_date, horizon_step, baseline. #}
with served as (
    {{ report_served() }}
),

settings as (
    {{ settings_rows() }}
),

baselines as (
    select * from {{ ref('forecast_errors') }}
    where run_kind = 'issued' and is_baseline
),

keys as (
    {{ report_keys() }}
)

select
    served.use_case,
    served.series_id,
    {%- for part in key_columns() %}
    keys.{{ part }},
    {%- endfor %}
    keys.demand_class,
    served.target_date,
    served.horizon_step,
    served.model_name,
    baselines.model_name as baseline,
    baselines.model_name = settings.value_added_over as is_reference,
    if(served.is_comparable, 1, 0) as n_comparable,
    if(served.is_comparable, 0, 1) as n_removed,
    if(served.is_comparable, served.abs_y, null) as sum_abs_y,
    if(served.is_comparable, served.abs_error, null) as sum_abs_error,
    if(served.is_comparable, baselines.abs_error, null) as sum_baseline_abs_error,
    if(served.is_comparable, baselines.abs_error - served.abs_error, null) as sum_abs_error_saved,
    if(served.is_comparable and served.abs_error > baselines.abs_error, 1, 0) as n_worse
from served
inner join settings
    on served.use_case = settings.use_case
inner join baselines
    on
        served.use_case = baselines.use_case
        and served.series_id = baselines.series_id
        and served.origin_date = baselines.origin_date
        and served.target_date = baselines.target_date
inner join keys
    on
        served.use_case = keys.use_case
        and served.series_id = keys.series_id
where served.is_scored
