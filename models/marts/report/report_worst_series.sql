{{
    config(
        partition_by={'field': 'period_date', 'data_type': 'date'},
        cluster_by=['use_case', 'period', 'series_id']
    )
}}
{# The page of the worst series: what was served of each series in each named period, all horizon
   steps together, what it was worth beside the baseline (on comparable rows), its rank, and whether
   it should be trained again. Ratios are the row's own: a page shows and sorts them, and divides
   sums where it puts series together.
   One row per use_case, series_id, period. #}
with accuracy as (
    select * from {{ ref('accuracy_by_window') }}
    where run_kind = 'issued'
),

settings as (
    {{ settings_rows() }}
),

served as (
    select * from accuracy
    where basis = 'served'
),

compared as (
    select accuracy.*
    from accuracy
    inner join settings
        on
            accuracy.use_case = settings.use_case
            and accuracy.model_name = settings.champion
    where accuracy.basis = 'comparable'
),

periods as (
    select
        use_case,
        period,
        max(target_date) as period_date
    from {{ ref('scored_periods') }}
    where run_kind = 'issued'
    group by use_case, period
),

keys as (
    {{ report_keys() }}
),

candidates as (
    select
        use_case,
        series_id,
        string_agg(rule, ', ' order by rule) as rules,
        string_agg(
            concat(
                rule,
                coalesce(concat(' ', cast(round(value, 2) as string)), ''),
                coalesce(concat(' against ', cast(round(threshold, 2) as string)), ''),
                ' (', detail, ')'
            ), '; ' order by rule
        ) as reason,
        logical_or(is_due) as is_due
    from {{ ref('retraining_candidates') }}
    group by use_case, series_id
),

retrained as (
    select
        use_case,
        series_id,
        max(decided_at) as last_retrained_at
    from {{ ref('retraining_log') }}
    where decision != 'refused'
    group by use_case, series_id
)

select
    served.use_case,
    served.series_id,
    {%- for part in key_columns() %}
    keys.{{ part }},
    {%- endfor %}
    keys.demand_class,
    served.period,
    periods.period_date,
    served.n_scored,
    served.n_unscored,
    compared.n_scored as n_comparable,
    served.sum_abs_error,
    served.sum_abs_y,
    served.wape,
    served.smape,
    served.mae,
    served.rmse,
    served.mase,
    served.bias,
    served.tracking_signal,
    served.coverage,
    compared.forecast_value_added,
    compared.forecast_value_added < 0 as is_worse_than_baseline,
    rank() over (
        partition by served.use_case, served.period order by served.sum_abs_error desc
    ) as rank_by_abs_error,
    rank() over (
        partition by served.use_case, served.period order by served.wape desc
    ) as rank_by_wape,
    rank() over (
        partition by served.use_case, served.period order by served.smape desc
    ) as rank_by_smape,
    candidates.series_id is not null as is_candidate,
    coalesce(candidates.is_due, false) as is_due,
    candidates.rules as candidate_rules,
    candidates.reason as candidate_reason,
    retrained.last_retrained_at
from served
inner join keys
    on
        served.use_case = keys.use_case
        and served.series_id = keys.series_id
inner join periods
    on
        served.use_case = periods.use_case
        and served.period = periods.period
left join compared
    on
        served.use_case = compared.use_case
        and served.series_id = compared.series_id
        and served.period = compared.period
left join candidates
    on
        served.use_case = candidates.use_case
        and served.series_id = candidates.series_id
left join retrained
    on
        served.use_case = retrained.use_case
        and served.series_id = retrained.series_id
