{{
    config(
        partition_by={'field': 'retrained_date', 'data_type': 'date'},
        cluster_by=['use_case', 'series_id']
    )
}}
{# The page of the retraining loop: what was decided of each series, on which numbers, and what was
   served before and after: the forecasts of the origins of the four periods before the decision, and
   of those of the period of the decision and the three that follow, all steps together.
   One row per use_case, run_id, series_id. #}
{%- set n_periods = 4 %}
with settings as (
    {{ settings_rows() }}
),

retraining_log as (
    select
        log.*,
        settings.period_days,
        date(log.as_of_at, settings.time_zone) as retrained_date,
        date_sub(
            {{ period_start_by('settings', 'date(log.as_of_at, settings.time_zone)') }},
            interval 1 day
        ) as first_origin_date
    from {{ ref('retraining_log') }} as log
    inner join settings
        on log.use_case = settings.use_case
),

served as (
    {{ report_served() }}
),

keys as (
    {{ report_keys() }}
),

around as (
    select
        retraining_log.use_case,
        retraining_log.run_id,
        retraining_log.series_id,
        served.origin_date >= retraining_log.first_origin_date as is_after,
        served.abs_error,
        served.abs_y
    from retraining_log
    inner join served
        on
            retraining_log.use_case = served.use_case
            and retraining_log.series_id = served.series_id
            and served.is_scored
            and served.origin_date >= date_sub(
                retraining_log.first_origin_date,
                interval {{ n_periods }} * retraining_log.period_days day
            )
            and served.origin_date < date_add(
                retraining_log.first_origin_date,
                interval {{ n_periods }} * retraining_log.period_days day
            )
),

compared as (
    select
        use_case,
        run_id,
        series_id,
        countif(not is_after) as n_before,
        sum(if(is_after, null, abs_error)) as sum_abs_error_before,
        sum(if(is_after, null, abs_y)) as sum_abs_y_before,
        {{ wape('if(is_after, null, abs_error)', 'if(is_after, null, abs_y)') }} as wape_before,
        countif(is_after) as n_after,
        sum(if(is_after, abs_error, null)) as sum_abs_error_after,
        sum(if(is_after, abs_y, null)) as sum_abs_y_after,
        {{ wape('if(is_after, abs_error, null)', 'if(is_after, abs_y, null)') }} as wape_after
    from around
    group by use_case, run_id, series_id
)

select
    retraining_log.use_case,
    retraining_log.run_id,
    retraining_log.series_id,
    {%- for part in key_columns() %}
    keys.{{ part }},
    {%- endfor %}
    keys.demand_class,
    retraining_log.retrained_date,
    retraining_log.decided_at,
    retraining_log.as_of_at,
    retraining_log.decision,
    retraining_log.why,
    array_to_string(json_value_array(retraining_log.rules), ', ') as rules,
    retraining_log.champion_wape,
    retraining_log.challenger_wape,
    retraining_log.baseline,
    retraining_log.baseline_wape,
    retraining_log.n_scored,
    retraining_log.n_periods,
    retraining_log.champion_version,
    retraining_log.challenger_version,
    retraining_log.chance_promotion_rate,
    coalesce(compared.n_before, 0) as n_before,
    compared.sum_abs_error_before,
    compared.sum_abs_y_before,
    compared.wape_before,
    coalesce(compared.n_after, 0) as n_after,
    compared.sum_abs_error_after,
    compared.sum_abs_y_after,
    compared.wape_after
from retraining_log
inner join keys
    on
        retraining_log.use_case = keys.use_case
        and retraining_log.series_id = keys.series_id
left join compared
    on
        retraining_log.use_case = compared.use_case
        and retraining_log.run_id = compared.run_id
        and retraining_log.series_id = compared.series_id
