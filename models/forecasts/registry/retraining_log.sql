{# What each retraining decided of each series, and on which numbers: the winner's event, or the
   loser's where the winner could not be fitted, or one of no version where there is neither.
   One row per use_case, run_id, series_id. #}
with events as (
    select * from {{ source('logs', 'model_events') }}
    where
        actor = 'retrain'
        and series_id is not null
    qualify row_number() over (
        partition by use_case, run_id, series_id
        order by if(stage = 'serving', 0, 1), logged_at, model_version
    ) = 1
)

select
    use_case,
    run_id,
    series_id,
    model_name,
    logged_at as decided_at,
    as_of_at,
    {{ retraining_decision('numbers') }} as decision,
    json_value(numbers, '$.why') as why,
    json_query(numbers, '$.rules') as rules,
    safe_cast(json_value(numbers, '$.champion.wape') as float64) as champion_wape,
    safe_cast(json_value(numbers, '$.challenger.wape') as float64) as challenger_wape,
    json_value(numbers, '$.baseline.name') as baseline,
    safe_cast(json_value(numbers, '$.baseline.wape') as float64) as baseline_wape,
    safe_cast(json_value(numbers, '$.champion.rmse') as float64) as champion_rmse,
    safe_cast(json_value(numbers, '$.challenger.rmse') as float64) as challenger_rmse,
    safe_cast(json_value(numbers, '$.n_scored') as int64) as n_scored,
    safe_cast(
        coalesce(json_value(numbers, '$.n_periods'), json_value(numbers, '$.n_periods')) as int64
    ) as n_periods,
    json_value(numbers, '$.champion_version') as champion_version,
    json_value(numbers, '$.challenger_version') as challenger_version,
    json_query(numbers, '$.champion.hyperparameters') as champion_hyperparameters,
    json_query(numbers, '$.challenger.hyperparameters') as challenger_hyperparameters,
    safe_cast(json_value(numbers, '$.chance_promotion_rate') as float64) as chance_promotion_rate,
    coalesce(
        safe_cast(json_value(numbers, '$.champion_saw_these_periods') as bool),
        safe_cast(json_value(numbers, '$.champion_saw_these_periods') as bool),
        false
    ) as champion_saw_these_periods
from events
