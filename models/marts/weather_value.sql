{# What not knowing the weather costs: the champion's issued forecasts as they were, with the
   weather as it was known then, beside the same models asked again with the weather that came, on
   the same rows. Where the second is no better, a better weather forecast would not help.
   One row per use_case, horizon_step and weather_source. #}
with came as (
    select *
    from {{ source('logs', 'scenario_log') }}
    where scenario = '{{ weather_as_it_came() }}'
    qualify row_number() over (
        partition by use_case, issued_run_id, series_id, origin_date, target_date
        order by computed_at desc
    ) = 1
),

errors as (
    select * from {{ ref('forecast_errors') }}
    where
        run_kind = 'issued'
        and is_champion
        and is_scored
),

both_ways as (
    select
        errors.use_case,
        errors.horizon_step,
        coalesce(
            json_value(came.regressors_as_known, '$.weather_source'), 'none'
        ) as weather_source,
        weather,
        errors.y,
        if(weather = 'as_known', errors.yhat, came.yhat) as yhat
    from errors
    inner join came
        on
            errors.use_case = came.use_case
            and errors.run_id = came.issued_run_id
            and errors.series_id = came.series_id
            and errors.origin_date = came.origin_date
            and errors.target_date = came.target_date
    cross join unnest(['as_known', 'as_it_came']) as weather
    where came.yhat is not null
),

parts as (
    select
        *,
        yhat - y as error,
        abs(yhat - y) as abs_error,
        pow(yhat - y, 2) as squared_error,
        abs(y) as abs_y
    from both_ways
),

measured as (
    select
        use_case,
        horizon_step,
        weather_source,
        weather,
        count(*) as n_scored,
        {{ wape() }} as wape,
        {{ rmse() }} as rmse,
        {{ bias() }} as bias
    from parts
    group by use_case, horizon_step, weather_source, weather
)

select
    as_known.use_case,
    as_known.horizon_step,
    as_known.weather_source,
    as_known.n_scored,
    as_known.wape as wape_as_known,
    as_it_came.wape as wape_as_it_came,
    as_known.wape - as_it_came.wape as wape_lost,
    as_known.rmse as rmse_as_known,
    as_it_came.rmse as rmse_as_it_came,
    as_known.bias as bias_as_known,
    as_it_came.bias as bias_as_it_came
from measured as as_known
inner join measured as as_it_came
    on
        as_known.use_case = as_it_came.use_case
        and as_known.horizon_step = as_it_came.horizon_step
        and as_known.weather_source = as_it_came.weather_source
        and as_known.weather = 'as_known'
        and as_it_came.weather = 'as_it_came'
