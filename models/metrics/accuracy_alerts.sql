{# What somebody should look at now: for each kind of alert and segment the run of bad periods that
   the newest judged one ends, and whether it is long enough to tell.
   - wape: the segment's WAPE at the alert's horizon step above the threshold.
   - tracking_signal: the sum of its errors by period points one way.
   - no_forecast: a series was refused at every origin since.
   - missing_run: the schedule passed and nothing was issued.
   A period that is not complete, or has too few scored rows, or in which nothing was sold, is not
   judged: it neither ends a run of bad periods nor makes it longer. As of the active run's newest
   instant. One row per use_case, alert, segment_type, segment, since_date. #}
with forecast_errors as (
    select * from {{ ref('forecast_errors') }}
    where is_champion and run_kind = 'issued'
),

series_segments as (
    select * from {{ ref('series_segments') }}
),

scored_targets as (
    select * from {{ ref('scored_targets') }}
    where is_complete and run_kind = 'issued'
),

run_forecasts as (
    select * from {{ ref('run_forecasts') }}
    where is_champion and (run_kind = 'issued' or is_as_issued)
),

forecasts as (
    select distinct
        use_case,
        origin_date
    from {{ ref('forecasts') }}
),

monitored as (
    {{ monitored_at() }}
),

settings as (
    {{ settings_rows() }}
),

periods as (
    select
        forecast_errors.use_case,
        series_segments.segment_type,
        series_segments.segment,
        forecast_errors.target_date,
        countif(forecast_errors.is_scored) as n_scored,
        sum(forecast_errors.error) as sum_error,
        sum(forecast_errors.abs_y) as sum_abs_y,
        {{ wape('forecast_errors.abs_error', 'forecast_errors.abs_y') }} as wape
    from forecast_errors
    inner join settings
        on
            forecast_errors.use_case = settings.use_case
            and forecast_errors.horizon_step = settings.alert_horizon_step
    inner join scored_targets
        on
            forecast_errors.use_case = scored_targets.use_case
            and forecast_errors.target_date = scored_targets.target_date
    inner join series_segments
        on
            forecast_errors.use_case = series_segments.use_case
            and forecast_errors.series_id = series_segments.series_id
    group by
        forecast_errors.use_case,
        series_segments.segment_type,
        series_segments.segment,
        forecast_errors.target_date
),

judged_periods as (
    select
        periods.*,
        row_number() over (
            partition by periods.use_case, periods.segment_type, periods.segment
            order by periods.target_date
        ) as target_rank
    from periods
    inner join settings
        on periods.use_case = settings.use_case
    where periods.n_scored >= settings.alert_min_scored and periods.sum_abs_y > 0
),

trailing_periods as (
    select
        newest.use_case,
        newest.segment_type,
        newest.segment,
        newest.target_date,
        any_value(settings.alert_tracking_signal) as threshold,
        sum(older.n_scored) as n_scored,
        {{ tracking_signal('older.sum_error', 'abs(older.sum_error)') }} as value
    from judged_periods as newest
    inner join settings
        on newest.use_case = settings.use_case
    inner join judged_periods as older
        on
            newest.use_case = older.use_case
            and newest.segment_type = older.segment_type
            and newest.segment = older.segment
            and older.target_rank <= newest.target_rank
            and older.target_rank > newest.target_rank - settings.alert_tracking_periods
    group by newest.use_case, newest.segment_type, newest.segment, newest.target_date
),

{# A series counts as forecast where any issued run of the origin gave it a number. #}
outcomes as (
    select
        use_case,
        series_id,
        origin_date,
        max(if(outcome = 'refused', reason, null)) as reason,
        logical_and(outcome = 'refused') as is_refused
    from run_forecasts
    group by use_case, series_id, origin_date
),

judged as (
    select
        'wape' as alert,
        judged_periods.use_case,
        judged_periods.segment_type,
        judged_periods.segment,
        judged_periods.target_date as judged_date,
        judged_periods.wape as value,
        settings.alert_wape as threshold,
        settings.alert_periods as n_needed,
        judged_periods.n_scored,
        judged_periods.wape > settings.alert_wape as is_bad,
        cast(null as string) as detail
    from judged_periods
    inner join settings
        on judged_periods.use_case = settings.use_case
    union all
    select
        'tracking_signal' as alert,
        use_case,
        segment_type,
        segment,
        target_date as judged_date,
        value,
        threshold,
        1 as n_needed,
        n_scored,
        coalesce(abs(value) > threshold, false) as is_bad,
        if(value > 0, 'over-forecast', 'under-forecast') as detail
    from trailing_periods
    union all
    select
        'no_forecast' as alert,
        use_case,
        'series' as segment_type,
        series_id as segment,
        origin_date as judged_date,
        cast(null as float64) as value,
        cast(null as float64) as threshold,
        1 as n_needed,
        0 as n_scored,
        is_refused as is_bad,
        reason as detail
    from outcomes
),

ranked as (
    select
        *,
        countif(not is_bad) over (
            partition by alert, use_case, segment_type, segment
            order by judged_date desc
            rows between unbounded preceding and current row
        ) as n_good_since
    from judged
),

streaks as (
    select
        use_case,
        alert,
        segment_type,
        segment,
        min(judged_date) as since_date,
        max(judged_date) as target_date,
        count(*) as n_periods,
        any_value(value having max judged_date) as value,
        any_value(threshold) as threshold,
        any_value(n_scored having max judged_date) as n_scored,
        count(*) >= any_value(n_needed) as is_breach,
        any_value(detail having max judged_date) as detail
    from ranked
    where n_good_since = 0
    group by use_case, alert, segment_type, segment
),

scheduled as (
    {%- for use_case in use_cases() %}
    select
        '{{ use_case }}' as use_case,
        origin_date
    from ({{ scheduled_origins(
        use_case, 'monitored', use_case_settings(use_case).lookback_periods
    ) }}) as origins_of_{{ use_case }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{# Before the first origin that was ever issued nothing can be missing. #}
first_issued as (
    select
        use_case,
        min(origin_date) as origin_date
    from forecasts
    group by use_case
),

missing as (
    select
        scheduled.use_case,
        scheduled.origin_date
    from scheduled
    inner join first_issued
        on
            scheduled.use_case = first_issued.use_case
            and scheduled.origin_date >= first_issued.origin_date
    left join forecasts
        on
            scheduled.use_case = forecasts.use_case
            and scheduled.origin_date = forecasts.origin_date
    where forecasts.origin_date is null
)

select
    use_case,
    alert,
    segment_type,
    segment,
    since_date,
    target_date,
    n_periods,
    value,
    threshold,
    n_scored,
    is_breach,
    detail
from streaks

union all

select
    use_case,
    'missing_run' as alert,
    'total' as segment_type,
    'all' as segment,
    origin_date as since_date,
    origin_date as target_date,
    1 as n_periods,
    cast(null as float64) as value,
    cast(null as float64) as threshold,
    0 as n_scored,
    true as is_breach,
    'nothing was issued for this origin' as detail
from missing
