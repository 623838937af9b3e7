{# How much of each target period's forecasts could be scored. A period counts as complete once it
   is over and the actuals of at least min_arrived of its served forecasts have come; where
   gaps_mean is zero, no row is an answer too. One row per use_case, run_kind, target_date. #}
with forecast_errors as (
    select * from {{ ref('forecast_errors') }}
    where is_champion
),

monitored as (
    {{ monitored_at() }}
),

settings as (
    {{ settings_rows() }}
),

counted as (
    select
        forecast_errors.use_case,
        forecast_errors.run_kind,
        forecast_errors.target_date,
        count(*) as n_rows,
        countif(forecast_errors.is_scored) as n_scored,
        countif(
            coalesce(forecast_errors.unscored_reason, 'none') not in ('not_arrived', 'gap')
            or (forecast_errors.unscored_reason = 'gap' and settings.gaps_mean = 'zero')
        ) as n_arrived,
        countif(forecast_errors.unscored_reason = 'not_arrived') as n_not_arrived,
        countif(forecast_errors.unscored_reason = 'gap') as n_gaps,
        countif(forecast_errors.unscored_reason = 'sold_out') as n_sold_out,
        max(forecast_errors.scored_at) as scored_at
    from forecast_errors
    inner join settings
        on forecast_errors.use_case = settings.use_case
    group by
        forecast_errors.use_case, forecast_errors.run_kind, forecast_errors.target_date
),

judged as (
    select
        counted.*,
        safe_divide(counted.n_arrived, counted.n_rows) as arrived_share,
        date_add(counted.target_date, interval settings.period_days - 1 day)
        <= monitored.origin_date
        and counted.n_arrived >= settings.alert_min_arrived * counted.n_rows
        and counted.n_arrived > 0 as is_complete
    from counted
    inner join settings
        on counted.use_case = settings.use_case
    inner join monitored
        on counted.use_case = monitored.use_case
)

select
    use_case,
    run_kind,
    target_date,
    n_rows,
    n_scored,
    n_arrived,
    n_not_arrived,
    n_gaps,
    n_sold_out,
    arrived_share,
    is_complete,
    max(if(is_complete, target_date, null))
        over (partition by use_case, run_kind) as last_complete_date,
    scored_at
from judged
