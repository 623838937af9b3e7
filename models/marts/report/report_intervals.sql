{{
    config(
        partition_by={'field': 'target_date', 'data_type': 'date'},
        cluster_by=['use_case', 'series_id']
    )
}}
{# The page that asks whether intervals hold, of what is scored: coverage = sum(n_covered) /
   sum(n_with_interval), to be compared with nominal_coverage; the rest lies below or above.
   One row per use_case, series_id, target_date, horizon_step. #}
with served as (
    {{ report_served() }}
),

settings as (
    {{ settings_rows() }}
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
    settings.nominal_coverage,
    1 as n_scored,
    if(served.is_covered is null, 0, 1) as n_with_interval,
    if(served.is_covered, 1, 0) as n_covered,
    if(served.is_covered is false and served.y < served.yhat_lower, 1, 0) as n_below,
    if(served.is_covered is false and served.y > served.yhat_upper, 1, 0) as n_above,
    if(served.is_covered is null, null, served.yhat_upper - served.yhat_lower) as sum_width,
    if(served.is_covered is null, null, served.abs_y) as sum_abs_y,
    served.interval_score as sum_interval_score
from served
inner join settings
    on served.use_case = settings.use_case
inner join keys
    on
        served.use_case = keys.use_case
        and served.series_id = keys.series_id
where served.is_scored
