{# Grain: series_id, origin_date, ds; and horizon_step where the training grain is it. #}
{% macro panel_training_panel(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
{%- set is_by_step = settings.training_grain == 'horizon_step' -%}
with history as (
    select * from {{ ref(use_case ~ '_history') }}
),

regressors as (
    select * from {{ ref(use_case ~ '_regressors') }}
    where horizon_step is null
),

{# The lag joins by date: a missing period must not shift history. #}
lagged as (
    select
        history.series_id,
        history.origin_date,
        history.as_of_at,
        history.run_id,
        history.ds,
        history.y,
        history.is_gap_filled,
        history.is_censored,
        history.is_observed,
        {%- if is_by_step %}
        horizon_step,
        {%- endif %}
        if(previous.is_observed, previous.y, null) as y_lag1
    from history
    {%- if is_by_step %}
    cross join unnest(generate_array(1, {{ settings.horizon }})) as horizon_step
    {%- endif %}
    left join history as previous
        on
            history.series_id = previous.series_id
            and history.origin_date = previous.origin_date
            and {{ add_periods(
                use_case, 'history.ds', '-horizon_step' if is_by_step else -1
            ) }} = previous.ds
)

select
    lagged.series_id,
    lagged.origin_date,
    lagged.as_of_at,
    lagged.run_id,
    lagged.ds,
    {%- if is_by_step %}
    lagged.horizon_step,
    {%- endif %}
    lagged.y,
    lagged.y_lag1,
    {%- for regressor in settings.regressors %}
    regressors.{{ regressor }},
    {%- endfor %}
    {{- select_features(use_case) }}
    regressors.promo_source,
    regressors.weather_source,
    lagged.is_gap_filled,
    lagged.is_censored,
    case
        when lagged.is_censored then 'sold_out'
        when not lagged.is_observed then 'gap'
        when regressors.missing_regressors != ''
            then concat('missing ', regressors.missing_regressors)
        when lagged.y_lag1 is null then 'no_y_lag1'
    end as left_out_reason
from lagged
inner join regressors
    on
        lagged.series_id = regressors.series_id
        and lagged.origin_date = regressors.origin_date
        and lagged.ds = regressors.ds
{{- join_features(use_case, 'lagged', 'ds', 'lagged.horizon_step' if is_by_step else 1) }}
{%- endmacro %}
