{{
    config(
        materialized='incremental',
        incremental_strategy='insert_overwrite',
        partition_by={'field': 'target_date', 'data_type': 'date'},
        cluster_by=['use_case', 'series_id'],
        on_schema_change='fail'
    )
}}
{# What was forecast beside what came, models and baselines alike, scored on the version of the
   actual that holds now. A period that is missing, gap-filled or sold out is not scored, and
   says so. A row is comparable where every model and baseline of the origin has a number of
   its own and the actual is scored: models are compared on those rows only, and only with what the
   same kind of run forecast. A build makes the last lookback_periods again and what the active runs
   forecast; older days only where their actuals have changed, and nothing else.
   One row per use_case, run_kind, series_id, model_name, origin_date, target_date. #}
{%- set built = built_use_cases('', '_actuals', or_all=false) -%}
{%- set touched = touched_targets(this, built) if is_incremental() else none -%}
with forecasts as (
    select * from {{ ref('forecasts') }}
    where
        {{ among_days('target_date', touched) }}
        and {{ made_for_days('origin_date', touched) }}
),

backtest_forecasts as (
    select * from {{ ref('backtest_forecasts') }}
    where
        {{ among_days('target_date', touched) }}
        and {{ made_for_days('origin_date', touched) }}
),

baselines as (
    select * from {{ ref('baselines') }}
    where
        {{ among_days('target_date', touched) }}
        and {{ made_for_days('origin_date', touched) }}
),

profiles as (
    select
        use_case,
        run_id,
        series_id,
        origin_date,
        naive_scale
    from {{ ref('series_profiles') }}
    where {{ made_for_days('origin_date', touched) }}
),

actuals as (
    select *
    from ({{ current_actuals(built_use_cases('', '_actuals')) }}) as current_actuals
    where {{ among_days('ds', touched) }}
),

settings as (
    {{ settings_rows() }}
),

{# A published replay counts as issued. #}
{%- set columns = [
    'use_case', 'series_id', 'model_name', 'origin_date', 'target_date', 'horizon_step', 'run_id',
    'model_version', 'regressors_as_known', 'yhat', 'yhat_lower', 'yhat_upper', 'is_champion',
    'is_fallback'
] %}
shown as (
    select
        'issued' as run_kind,
        {{ columns | join(',\n        ') }}
    from forecasts
    union all
    select
        'backtest' as run_kind,
        {{ columns | join(',\n        ') }}
    from backtest_forecasts
),

{# One row of each forecast target: what it was forecast with, and on what scale its errors are. #}
targets as (
    select
        shown.run_id,
        shown.run_kind,
        shown.use_case,
        shown.series_id,
        shown.origin_date,
        shown.target_date,
        logical_or(
            case shown.use_case
                {%- for use_case in use_cases() %}
                when '{{ use_case }}'
                    then {{ is_promotion(use_case, 'shown.regressors_as_known') }}
                {%- endfor %}
            end
        ) as is_promo,
        any_value(profiles.naive_scale) as naive_scale
    from shown
    left join profiles
        on
            shown.run_id = profiles.run_id
            and shown.use_case = profiles.use_case
            and shown.series_id = profiles.series_id
            and shown.origin_date = profiles.origin_date
    group by
        shown.run_id,
        shown.run_kind,
        shown.use_case,
        shown.series_id,
        shown.origin_date,
        shown.target_date
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
        if(is_fallback, null, model_version) as model_version,
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
        cast(null as string) as model_version,
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
        targets.is_promo,
        targets.naive_scale,
        settings.nominal_coverage,
        lag(candidates.yhat) over (
            partition by
                candidates.use_case,
                candidates.run_kind,
                candidates.series_id,
                candidates.model_name,
                candidates.target_date
            order by candidates.origin_date
        ) as previous_yhat,
        coalesce(
            {{ actual_defect('actuals') }}, if(candidates.yhat is null, 'no_forecast', null)
        ) as unscored_reason,
        if({{ actual_defect('actuals') }} is null, actuals.y, null) as y
    from candidates
    inner join targets
        on
            candidates.run_id = targets.run_id
            and candidates.run_kind = targets.run_kind
            and candidates.use_case = targets.use_case
            and candidates.series_id = targets.series_id
            and candidates.origin_date = targets.origin_date
            and candidates.target_date = targets.target_date
    inner join settings
        on candidates.use_case = settings.use_case
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
    model_version,
    is_champion,
    is_fallback,
    is_baseline,
    is_promo,
    y,
    yhat,
    yhat_lower,
    yhat_upper,
    previous_yhat,
    naive_scale,
    unscored_reason,
    unscored_reason is null as is_scored,
    {{ error_parts(
        'y', 'yhat', 'yhat_lower', 'yhat_upper', 'nominal_coverage', 'naive_scale', 'previous_yhat'
    ) }},
    logical_and(unscored_reason is null and not is_fallback)
        over (
            partition by use_case, run_kind, series_id, origin_date, target_date
        ) as is_comparable,
    {{ run_now() }} as scored_at
from matched
