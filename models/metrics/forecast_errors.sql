{{
    config(
        partition_by={'field': 'target_date', 'data_type': 'date', 'granularity': 'month'},
        cluster_by=['use_case', 'series_id']
    )
}}
{# What was forecast beside what came, models and baselines alike, scored on the version of the
   actual that holds now. A period that is missing, gap-filled or sold out is not scored, and
   says so. A row is comparable where every model and baseline of the origin has a number of
   its own and the actual is scored: models are compared on those rows only, and only with what the
   same kind of run forecast.
   One row per use_case, run_kind, series_id, model_name, origin_date, target_date. #}
with forecasts as (
    select * from {{ ref('forecasts') }}
),

backtest_forecasts as (
    select * from {{ ref('backtest_forecasts') }}
),

baselines as (
    select * from {{ ref('baselines') }}
),

actuals as (
    {%- for use_case in built_use_cases('', '_actuals') %}
    select
        '{{ use_case }}' as use_case,
        series_id,
        ds,
        y,
        is_gap_filled,
        is_censored
    from {{ ref(use_case ~ '_actuals') }}
    where superseded_at = {{ end_of_time() }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{# A published replay counts as issued. #}
{%- set columns = [
    'series_id', 'model_name', 'origin_date', 'target_date', 'horizon_step', 'run_id', 'yhat',
    'yhat_lower', 'yhat_upper', 'is_champion', 'is_fallback'
] %}
shown as (
    select
        use_case,
        'issued' as run_kind,
        {{ columns | join(',\n        ') }}
    from forecasts
    union all
    select
        use_case,
        'backtest' as run_kind,
        {{ columns | join(',\n        ') }}
    from backtest_forecasts
),

targets as (
    select distinct
        run_id,
        run_kind,
        use_case,
        series_id,
        origin_date,
        target_date
    from shown
),

candidates as (
    select
        use_case,
        run_kind,
        series_id,
        model_name,
        origin_date,
        target_date,
        horizon_step,
        run_id,
        yhat,
        yhat_lower,
        yhat_upper,
        is_champion,
        is_fallback,
        false as is_baseline
    from shown
    union all
    select
        baselines.use_case,
        targets.run_kind,
        baselines.series_id,
        baselines.model_name,
        baselines.origin_date,
        baselines.target_date,
        baselines.horizon_step,
        baselines.run_id,
        baselines.yhat,
        cast(null as float64) as yhat_lower,
        cast(null as float64) as yhat_upper,
        false as is_champion,
        false as is_fallback,
        true as is_baseline
    from baselines
    inner join targets
        on
            baselines.run_id = targets.run_id
            and baselines.use_case = targets.use_case
            and baselines.series_id = targets.series_id
            and baselines.origin_date = targets.origin_date
            and baselines.target_date = targets.target_date
),

matched as (
    select
        candidates.*,
        case
            when actuals.ds is null then 'not_arrived'
            when actuals.is_gap_filled then 'gap'
            when actuals.is_censored then 'sold_out'
            when candidates.yhat is null then 'no_forecast'
        end as unscored_reason,
        if(actuals.is_gap_filled or actuals.is_censored, null, actuals.y) as y
    from candidates
    left join actuals
        on
            candidates.use_case = actuals.use_case
            and candidates.series_id = actuals.series_id
            and candidates.target_date = actuals.ds
)

select
    use_case,
    run_kind,
    series_id,
    model_name,
    origin_date,
    target_date,
    horizon_step,
    run_id,
    is_champion,
    is_fallback,
    is_baseline,
    y,
    yhat,
    yhat_lower,
    yhat_upper,
    unscored_reason,
    unscored_reason is null as is_scored,
    {{ error_parts('y', 'yhat', 'yhat_lower', 'yhat_upper') }},
    logical_and(unscored_reason is null and not is_fallback)
        over (
            partition by use_case, run_kind, series_id, origin_date, target_date
        ) as is_comparable
from matched
