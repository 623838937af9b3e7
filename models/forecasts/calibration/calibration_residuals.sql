{# The residuals that may calibrate the intervals of each active origin. A residual is a forecast of
   an earlier run whose target period was over at the origin, beside the actual as it was known
   then.
   - Forecasts: those that `forecasts` shows, and of backtests and tuning runs; the model's own
   numbers with an interval, no fallback. One that several runs made counts once: issued before
   backtest before tune, then the newest run.
   - A tuning run has seen its outcomes when it chose, so it counts from the instant on at which
   it was asked for.
   - Actuals: observed, not filled in, not sold out.
   The active run's own rows never count: the origins of one backtest do not see each other, and
   a task that is tried again finds the same residuals. Built before prediction, hence from the
   logs and not from the views after it. Past 80 lines: one statement of what counts.
   One row per use_case, model_name, origin_date, series_id, forecast_origin_date, target_date. #}
with origins as (
    select * from {{ ref('origins') }}
),

finished as (
    select
        run_id,
        use_case,
        ended_at
    from ({{ finished_runs() }}) as ended_well
),

run_origins as (
    select
        run_id,
        use_case,
        origin_date,
        logical_or(is_as_issued) as is_as_issued,
        max(requested_at) as requested_at
    from {{ source('logs', 'run_origins') }}
    group by run_id, use_case, origin_date
),

forecast_log as (
    select * from {{ source('logs', 'forecast_log') }}
    where {{ origin_bounds(none, 'origin_date', before=none) }}
),

settings as (
    {{ settings_rows() }}
),

actuals as (
    {%- for use_case in built_use_cases('', '_actuals') %}
    select
        '{{ use_case }}' as use_case,
        series_id,
        ds,
        y,
        known_at,
        superseded_at
    from {{ ref(use_case ~ '_actuals') }}
    where
        not is_gap_filled
        and not is_censored
        and y is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

series as (
    {%- for use_case in built_use_cases('', '_series') %}
    select
        '{{ use_case }}' as use_case,
        series_id,
        origin_date,
        demand_class
    from {{ ref(use_case ~ '_series') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

counted as (
    select
        forecast_log.*,
        if(run_origins.is_as_issued, 'issued', forecast_log.run_kind) as counts_as,
        run_origins.requested_at,
        finished.ended_at,
        date_add(
            forecast_log.target_date, interval settings.period_days - 1 day
        ) as target_end_date
    from forecast_log
    inner join finished
        on
            forecast_log.run_id = finished.run_id
            and forecast_log.use_case = finished.use_case
    inner join run_origins
        on
            forecast_log.run_id = run_origins.run_id
            and forecast_log.use_case = run_origins.use_case
            and forecast_log.origin_date = run_origins.origin_date
    inner join settings
        on forecast_log.use_case = settings.use_case
    where
        (
            forecast_log.run_kind in ('backtest', 'tune')
            or (
                (forecast_log.run_kind = 'issued' or run_origins.is_as_issued)
                and {{ issued_in_time('forecast_log', 'settings') }}
            )
        )
        and forecast_log.run_id not in (select origins.run_id from origins)
),

{# What a later tuning run may count for differs by active origin, so tuning is chosen below. #}
shown as (
    select *
    from counted
    qualify
        counts_as = 'tune'
        or rank() over (
            partition by use_case, series_id, origin_date, counts_as
            order by
                {{ newest_issued_first(
                    'run_kind', "if(counts_as = 'issued', as_of_at, ended_at)", 'run_id'
                ) }}
        ) = 1
),

matched as (
    select
        shown.use_case,
        shown.model_name,
        origins.origin_date,
        shown.series_id,
        shown.origin_date as forecast_origin_date,
        shown.target_date,
        shown.horizon_step,
        series.demand_class as segment,
        shown.run_id,
        shown.run_kind,
        actuals.y,
        shown.yhat,
        shown.half_width,
        shown.transform
    from shown
    inner join origins
        on
            shown.use_case = origins.use_case
            and shown.origin_date < origins.origin_date
            and shown.target_end_date <= origins.origin_date
            and (shown.counts_as != 'tune' or shown.requested_at <= origins.as_of_at)
    inner join actuals
        on
            shown.use_case = actuals.use_case
            and shown.series_id = actuals.series_id
            and shown.target_date = actuals.ds
            and {{ known_as_of('actuals', 'origins.as_of_at') }}
    inner join series
        on
            shown.use_case = series.use_case
            and shown.series_id = series.series_id
            and origins.origin_date = series.origin_date
    where
        shown.outcome = 'forecast'
        and shown.half_width > 0
    qualify row_number() over (
        partition by
            shown.use_case, shown.model_name, origins.origin_date, shown.series_id,
            shown.origin_date, shown.target_date
        order by
            case shown.counts_as when 'issued' then 1 when 'backtest' then 2 else 3 end,
            shown.ended_at desc,
            shown.run_id desc
    ) = 1
),

scored as (
    select
        *,
        {{ residual_score('y', 'yhat', 'half_width', 'transform') }} as score
    from matched
)

select
    use_case,
    model_name,
    origin_date,
    series_id,
    forecast_origin_date,
    target_date,
    horizon_step,
    segment,
    run_id,
    run_kind,
    y,
    yhat,
    half_width,
    transform,
    score
from scored
where score is not null
