{{
    config(
        partition_by={'field': 'ds', 'data_type': 'date'},
        cluster_by=['use_case', 'series_id']
    )
}}
{# The page of one series: every period of its history and of its forecasts. One row a horizon step,
   so that a page picks a step and gets a whole line: what was observed stands in each of them and
   is not added up over steps; newest_* is what was last issued for a period whose actual is not
   there yet, whatever its step. wape, smape and bias are the row's own.
   Longer than most: it is one wide row from six relations.
   One row per use_case, series_id, ds, horizon_step. #}
with settings as (
    {{ settings_rows() }}
),

actuals as (
    {{ current_actuals(
        built_use_cases('', '_actuals'), ['y', 'price', 'is_gap_filled', 'is_censored']
    ) }}
),

served as (
    {{ report_served() }}
),

champion_forecasts as (
    select * from {{ ref('champion_forecasts') }}
),

reference as (
    {{ report_reference() }}
),

keys as (
    {{ report_keys() }}
),

promotions as (
    {{ report_promotions() }}
),

plan_periods as (
    {{ report_plan_periods() }}
),

{# The periods in which a series was retrained; a refusal retrains nothing. #}
retrained as (
    select
        log.use_case,
        log.series_id,
        {{ period_start_by('settings', 'date(log.as_of_at, settings.time_zone)') }} as ds,
        string_agg(distinct log.decision, ', ' order by log.decision) as decision
    from {{ ref('retraining_log') }} as log
    inner join settings
        on log.use_case = settings.use_case
    where log.decision != 'refused'
    group by log.use_case, log.series_id, ds
),

periods as (
    select
        use_case,
        series_id,
        ds
    from actuals
    union distinct
    select
        use_case,
        series_id,
        target_date as ds
    from served
),

steps as (
    select
        periods.use_case,
        periods.series_id,
        periods.ds,
        settings.value_added_over,
        horizon_step
    from periods
    inner join settings
        on periods.use_case = settings.use_case
    cross join unnest(generate_array(1, settings.horizon)) as horizon_step
),

newest as (
    select * from served
    where unscored_reason = 'not_arrived'
    qualify row_number() over (
        partition by use_case, series_id, target_date order by origin_date desc
    ) = 1
)

select
    steps.use_case,
    steps.series_id,
    {%- for part in key_columns() %}
    keys.{{ part }},
    {%- endfor %}
    keys.demand_class,
    steps.ds,
    steps.horizon_step,
    actuals.y,
    actuals.price,
    coalesce(actuals.is_gap_filled, false) as is_gap_filled,
    coalesce(actuals.is_censored, false) as is_sold_out,
    case
        when promotions.n_promo_days > 0 then true
        when plan_periods.ds is not null then false
    end as is_promo,
    served.origin_date,
    served.model_name,
    champion_forecasts.model_version,
    served.is_fallback,
    champion_forecasts.fallback_model,
    champion_forecasts.reason as fallback_reason,
    served.yhat,
    served.yhat_lower,
    served.yhat_upper,
    steps.value_added_over as baseline,
    reference.yhat as baseline_yhat,
    newest.yhat as newest_yhat,
    newest.yhat_lower as newest_yhat_lower,
    newest.yhat_upper as newest_yhat_upper,
    newest.origin_date as newest_origin_date,
    served.unscored_reason,
    if(served.is_scored, 1, 0) as n_scored,
    served.error as sum_error,
    served.abs_error as sum_abs_error,
    served.abs_y as sum_abs_y,
    served.smape_term as sum_smape_term,
    if(served.is_comparable, 1, 0) as n_comparable,
    if(served.is_comparable, served.abs_error, null) as sum_comparable_abs_error,
    if(served.is_comparable, reference.abs_error, null) as sum_reference_abs_error,
    if(served.is_comparable, served.abs_y, null) as sum_comparable_abs_y,
    served.is_covered,
    {{ wape_of_sums('served.abs_error', 'served.abs_y') }} as wape,
    served.smape_term as smape,
    {{ bias_of_sums('served.error', 'served.abs_y') }} as bias,
    retrained.series_id is not null as is_retrained,
    retrained.decision as retrain_decision
from steps
inner join keys
    on
        steps.use_case = keys.use_case
        and steps.series_id = keys.series_id
left join actuals
    on
        steps.use_case = actuals.use_case
        and steps.series_id = actuals.series_id
        and steps.ds = actuals.ds
left join served
    on
        steps.use_case = served.use_case
        and steps.series_id = served.series_id
        and steps.ds = served.target_date
        and steps.horizon_step = served.horizon_step
left join champion_forecasts
    on
        served.use_case = champion_forecasts.use_case
        and served.series_id = champion_forecasts.series_id
        and served.origin_date = champion_forecasts.origin_date
        and served.target_date = champion_forecasts.target_date
left join reference
    on
        served.use_case = reference.use_case
        and served.series_id = reference.series_id
        and served.origin_date = reference.origin_date
        and served.target_date = reference.target_date
left join promotions
    on
        steps.use_case = promotions.use_case
        and steps.series_id = promotions.series_id
        and steps.ds = promotions.ds
left join plan_periods
    on
        steps.use_case = plan_periods.use_case
        and {{ plan_cells('keys') }} = plan_periods.plan_cell
        and steps.ds = plan_periods.ds
left join newest
    on
        steps.use_case = newest.use_case
        and steps.series_id = newest.series_id
        and steps.ds = newest.target_date
left join retrained
    on
        steps.use_case = retrained.use_case
        and steps.series_id = retrained.series_id
        and steps.ds = retrained.ds
