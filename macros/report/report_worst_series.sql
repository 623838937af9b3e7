{# The page of the worst series: what was served of each series in each named period, all horizon
   steps together, what it was worth beside the baseline (on comparable rows), its rank, and whether
   it should be trained again. Ratios are the row's own: a page shows and sorts them, and divides
   sums where it puts series together.
   Grain: series_id, period. #}
{% macro report_worst_series(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
with served as (
    select * from {{ ref('accuracy_by_window') }}
    where use_case = '{{ use_case }}' and run_kind = 'issued' and basis = 'served'
),

compared as (
    select * from {{ ref('accuracy_by_window') }}
    where
        use_case = '{{ use_case }}'
        and run_kind = 'issued'
        and basis = 'comparable'
        and model_name = '{{ settings.families[0] }}'
),

periods as (
    select
        period,
        max(target_date) as period_date
    from {{ ref('scored_periods') }}
    where use_case = '{{ use_case }}' and run_kind = 'issued'
    group by period
),

keys as (
    {{ report_keys(use_case) }}
),

candidates as (
    select
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
    where use_case = '{{ use_case }}'
    group by series_id
),

retrained as (
    select
        series_id,
        max(decided_at) as last_retrained_at
    from {{ ref('retraining_log') }}
    where use_case = '{{ use_case }}' and decision != 'refused'
    group by series_id
)

select
    served.series_id,
    {%- for part in settings.key %}
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
        partition by served.period order by served.sum_abs_error desc
    ) as rank_by_abs_error,
    rank() over (partition by served.period order by served.wape desc) as rank_by_wape,
    rank() over (partition by served.period order by served.smape desc) as rank_by_smape,
    candidates.series_id is not null as is_candidate,
    coalesce(candidates.is_due, false) as is_due,
    candidates.rules as candidate_rules,
    candidates.reason as candidate_reason,
    retrained.last_retrained_at
from served
inner join keys
    on served.series_id = keys.series_id
inner join periods
    on served.period = periods.period
left join compared
    on
        served.series_id = compared.series_id
        and served.period = compared.period
left join candidates
    on served.series_id = candidates.series_id
left join retrained
    on served.series_id = retrained.series_id
{%- endmacro %}
