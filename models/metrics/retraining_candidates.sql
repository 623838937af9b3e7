{# Which series should be trained again, by which rule, and whether it is time: the policy, over the
   champion's own forecasts (never a fallback's) of the last retrain_periods complete periods.
   - wape: above the threshold over those periods, and in at least as many of them as an alert needs.
   - bias: |bias| above the threshold. coverage: intervals hold too seldom.
   - beaten_by_baseline: worse, by the margin, than the declared baseline on the same rows.
   - age: the serving model's training ended long ago. drift: it is asked for regressors outside of
     what it was trained on.
   - serves_baseline: a retraining put the baseline in its place; time to try again.
   After a retraining a series cools down: it keeps its rows and is not due. As of the active run's
   newest instant. One row per use_case, series_id, rule. #}
with forecast_errors as (
    select * from {{ ref('forecast_errors') }}
    where run_kind = 'issued'
),

forecasts as (
    select * from {{ ref('forecasts') }}
    where is_champion and not is_fallback
),

scored_targets as (
    select * from {{ ref('scored_targets') }}
    where run_kind = 'issued'
),

model_log as (
    select * from {{ source('logs', 'model_log') }}
    where status = 'trained'
),

series_decisions as (
    select * from {{ ref('series_decisions') }}
    where decision = 'serve_baseline'
),

monitored as (
    {{ monitored_at() }}
),

settings as (
    {{ settings_rows() }}
),

judged_targets as (
    select
        scored_targets.use_case,
        scored_targets.target_date
    from scored_targets
    inner join settings
        on scored_targets.use_case = settings.use_case
    where
        scored_targets.target_date <= scored_targets.last_complete_date
        and scored_targets.target_date > date_sub(
            scored_targets.last_complete_date,
            interval settings.retrain_periods * settings.period_days day
        )
),

{# The declared baseline's, where it may be compared. #}
declared as (
    select forecast_errors.*
    from forecast_errors
    inner join settings
        on
            forecast_errors.use_case = settings.use_case
            and forecast_errors.model_name = settings.retrain_baseline
    where forecast_errors.is_comparable
),

{# The champion's row and the declared baseline's row of the same forecast, side by side. #}
own as (
    select
        forecast_errors.*,
        declared.abs_error as baseline_abs_error,
        if(declared.abs_error is null, null, forecast_errors.abs_error) as compared_abs_error,
        if(declared.abs_error is null, null, forecast_errors.abs_y) as compared_abs_y
    from forecast_errors
    inner join judged_targets
        on
            forecast_errors.use_case = judged_targets.use_case
            and forecast_errors.target_date = judged_targets.target_date
    left join declared
        on
            forecast_errors.use_case = declared.use_case
            and forecast_errors.series_id = declared.series_id
            and forecast_errors.origin_date = declared.origin_date
            and forecast_errors.target_date = declared.target_date
    where
        forecast_errors.is_champion
        and forecast_errors.is_scored
        and not forecast_errors.is_fallback
),

by_period as (
    select
        own.use_case,
        own.series_id,
        own.target_date,
        coalesce(
            {{ wape('own.abs_error', 'own.abs_y') }} > any_value(settings.retrain_wape),
            false
        ) as is_bad
    from own
    inner join settings
        on own.use_case = settings.use_case
    group by own.use_case, own.series_id, own.target_date
),

bad_periods as (
    select
        use_case,
        series_id,
        countif(is_bad) as n_bad_periods
    from by_period
    group by use_case, series_id
),

measured as (
    select
        use_case,
        series_id,
        count(*) as n_scored,
        sum(abs_error) as sum_abs_error,
        {{ wape() }} as wape,
        {{ bias() }} as bias,
        {{ coverage() }} as coverage,
        {{ wape('compared_abs_error', 'compared_abs_y') }} as compared_wape,
        {{ wape('baseline_abs_error', 'compared_abs_y') }} as baseline_wape
    from own
    group by use_case, series_id
),

newest_forecasts as (
    select
        use_case,
        series_id,
        any_value(model_version having max origin_date) as model_version,
        max(origin_date) as origin_date
    from forecasts
    group by use_case, series_id
),

serving as (
    select
        newest_forecasts.use_case,
        newest_forecasts.series_id,
        newest_forecasts.model_version,
        newest_forecasts.origin_date,
        model_log.train_end
    from newest_forecasts
    inner join settings
        on newest_forecasts.use_case = settings.use_case
    left join model_log
        on
            newest_forecasts.use_case = model_log.use_case
            and settings.champion = model_log.model_name
            and newest_forecasts.model_version = model_log.model_version
            and (
                newest_forecasts.series_id = model_log.series_id
                or model_log.series_id is null
            )
),

drifted as (
    select
        forecasts.use_case,
        forecasts.series_id,
        count(*) as n_rows,
        countif(
            case forecasts.use_case
                {%- for use_case in use_cases() %}
                when '{{ use_case }}' then {{ out_of_range(
                    use_case, 'forecasts.regressors_as_known', 'model_log.regressor_ranges'
                ) }}
                {%- endfor %}
            end
        ) as n_outside
    from forecasts
    inner join judged_targets
        on
            forecasts.use_case = judged_targets.use_case
            and forecasts.target_date = judged_targets.target_date
    inner join model_log
        on
            forecasts.use_case = model_log.use_case
            and forecasts.model_name = model_log.model_name
            and forecasts.model_version = model_log.model_version
            and forecasts.series_id = model_log.series_id
    where model_log.regressor_ranges is not null
    group by forecasts.use_case, forecasts.series_id
),

decisions as (
    select
        use_case,
        series_id,
        max(as_of_at) as last_retrained_at
    from {{ source('logs', 'model_events') }}
    where actor = 'retrain' and reason != 'refused' and series_id is not null
    group by use_case, series_id
),

judged as (
    select
        measured.*,
        coalesce(bad_periods.n_bad_periods, 0) as n_bad_periods
    from measured
    inner join bad_periods
        on
            measured.use_case = bad_periods.use_case
            and measured.series_id = bad_periods.series_id
    inner join settings
        on
            measured.use_case = settings.use_case
            and measured.n_scored >= settings.retrain_min_scored
),

fired as (
    select
        judged.use_case,
        judged.series_id,
        'wape' as rule,
        judged.wape as value,
        settings.retrain_wape as threshold,
        concat(
            'WAPE of ', cast(judged.n_scored as string), ' rows; above it in ',
            cast(judged.n_bad_periods as string), ' ', settings.grain, 's'
        ) as detail
    from judged
    inner join settings
        on judged.use_case = settings.use_case
    where
        judged.wape > settings.retrain_wape
        and judged.n_bad_periods >= settings.alert_periods
    union all
    select
        judged.use_case,
        judged.series_id,
        'bias' as rule,
        judged.bias as value,
        settings.retrain_bias as threshold,
        if(judged.bias > 0, 'over-forecast', 'under-forecast') as detail
    from judged
    inner join settings
        on judged.use_case = settings.use_case
    where abs(judged.bias) > settings.retrain_bias
    union all
    select
        judged.use_case,
        judged.series_id,
        'coverage' as rule,
        judged.coverage as value,
        settings.retrain_coverage_below as threshold,
        concat('share of actuals inside intervals made to hold ', cast(
            settings.nominal_coverage as string
        )) as detail
    from judged
    inner join settings
        on judged.use_case = settings.use_case
    where judged.coverage < settings.retrain_coverage_below
    union all
    select
        judged.use_case,
        judged.series_id,
        'beaten_by_baseline' as rule,
        judged.compared_wape as value,
        judged.baseline_wape * (1 + settings.retrain_beaten_by) as threshold,
        concat(
            'WAPE on the rows that ', settings.retrain_baseline, ' forecast too; its own is ',
            cast(round(judged.baseline_wape, 3) as string)
        ) as detail
    from judged
    inner join settings
        on judged.use_case = settings.use_case
    where
        judged.compared_wape > judged.baseline_wape * (1 + settings.retrain_beaten_by)
    union all
    select
        serving.use_case,
        serving.series_id,
        'age' as rule,
        cast(div(
            date_diff(monitored.origin_date, serving.train_end, day), settings.period_days
        ) as float64) as value,
        cast(settings.retrain_age_periods as float64) as threshold,
        concat(
            settings.grain, 's since its training ended on ', cast(serving.train_end as string)
        ) as detail
    from serving
    inner join settings
        on serving.use_case = settings.use_case
    inner join monitored
        on serving.use_case = monitored.use_case
    where
        date_diff(monitored.origin_date, serving.train_end, day)
        > settings.retrain_age_periods * settings.period_days
    union all
    select
        drifted.use_case,
        drifted.series_id,
        'drift' as rule,
        drifted.n_outside / drifted.n_rows as value,
        settings.retrain_drift_share as threshold,
        concat(
            'share of ', cast(drifted.n_rows as string),
            ' rows with a regressor outside its training range'
        ) as detail
    from drifted
    inner join settings
        on drifted.use_case = settings.use_case
    where drifted.n_outside / drifted.n_rows > settings.retrain_drift_share
    union all
    select
        series_decisions.use_case,
        series_decisions.series_id,
        'serves_baseline' as rule,
        cast(null as float64) as value,
        cast(null as float64) as threshold,
        concat('a retraining put ', series_decisions.baseline, ' in its place') as detail
    from series_decisions
    inner join monitored
        on
            series_decisions.use_case = monitored.use_case
            and series_decisions.origin_date = monitored.origin_date
)

select
    fired.use_case,
    fired.series_id,
    fired.rule,
    fired.value,
    fired.threshold,
    fired.detail,
    coalesce(measured.n_scored, 0) as n_scored,
    measured.sum_abs_error,
    serving.model_version,
    decisions.last_retrained_at,
    coalesce(
        timestamp_add(
            decisions.last_retrained_at,
            interval settings.retrain_cool_down_periods * settings.period_days * 24 hour
        ) > monitored.as_of_at,
        false
    ) as is_cooling_down,
    coalesce(
        timestamp_add(
            decisions.last_retrained_at,
            interval settings.retrain_cool_down_periods * settings.period_days * 24 hour
        ) <= monitored.as_of_at,
        true
    ) as is_due
from fired
inner join settings
    on fired.use_case = settings.use_case
inner join monitored
    on fired.use_case = monitored.use_case
left join measured
    on
        fired.use_case = measured.use_case
        and fired.series_id = measured.series_id
left join serving
    on
        fired.use_case = serving.use_case
        and fired.series_id = serving.series_id
left join decisions
    on
        fired.use_case = decisions.use_case
        and fired.series_id = decisions.series_id
