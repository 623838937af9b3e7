{{
    config(
        partition_by={'field': 'target_date', 'data_type': 'date'},
        cluster_by=['use_case', 'series_id']
    )
}}
{# The overview page: what planners were served, in parts that add up, so that a page filters by
   use case, key and period and divides sums. Parts are null where a row is not scored: SUM leaves them
   out of numerator and denominator together.
   One row per use_case, series_id, target_date, horizon_step. #}
with served as (
    {{ report_served() }}
),

settings as (
    {{ settings_rows() }}
),

reference as (
    {{ report_reference() }}
),

keys as (
    {{ report_keys() }}
),

scored_targets as (
    select * from {{ ref('scored_targets') }}
    where run_kind = 'issued'
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
    scored_targets.is_complete,
    served.model_name,
    served.is_fallback,
    served.is_promo,
    1 as n_rows,
    if(served.is_scored, 1, 0) as n_scored,
    if(served.is_scored, 0, 1) as n_unscored,
    if(served.unscored_reason is not distinct from 'not_arrived', 1, 0) as n_not_arrived,
    if(served.is_fallback, 1, 0) as n_fallback,
    served.error as sum_error,
    served.abs_error as sum_abs_error,
    served.squared_error as sum_squared_error,
    served.abs_y as sum_abs_y,
    served.smape_term as sum_smape_term,
    if(served.is_covered is null, 0, 1) as n_with_interval,
    if(served.is_covered, 1, 0) as n_covered,
    if(served.is_comparable and reference.is_comparable, 1, 0) as n_comparable,
    if(reference.is_comparable, served.abs_error, null) as sum_comparable_abs_error,
    if(reference.is_comparable, reference.abs_error, null) as sum_reference_abs_error,
    if(reference.is_comparable, served.abs_y, null) as sum_comparable_abs_y,
    settings.alert_wape as target_wape,
    settings.nominal_coverage
from served
inner join settings
    on served.use_case = settings.use_case
inner join keys
    on
        served.use_case = keys.use_case
        and served.series_id = keys.series_id
inner join scored_targets
    on
        served.use_case = scored_targets.use_case
        and served.target_date = scored_targets.target_date
left join reference
    on
        served.use_case = reference.use_case
        and served.series_id = reference.series_id
        and served.target_date = reference.target_date
        and served.origin_date = reference.origin_date
