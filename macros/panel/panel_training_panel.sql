{# What a model trained as of an origin may see: y, y of the period before, the regressors. Every
   period of the history has its row; left_out_reason says why a row is not trained on (null:
   it is). A family that does not use y_lag1 trains on the rows left out as no_y_lag1 as well.
   Grain: series_id, origin_date, ds. #}
{% macro panel_training_panel(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
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
        history.ds,
        history.y,
        history.is_gap_filled,
        history.is_censored,
        history.is_observed,
        if(previous.is_observed, previous.y, null) as y_lag1
    from history
    left join history as previous
        on
            history.series_id = previous.series_id
            and history.origin_date = previous.origin_date
            and {{ add_periods(use_case, 'history.ds', -1) }} = previous.ds
)

select
    lagged.series_id,
    lagged.origin_date,
    lagged.as_of_at,
    lagged.ds,
    lagged.y,
    lagged.y_lag1,
    {%- for regressor in settings.regressors %}
    regressors.{{ regressor }},
    {%- endfor %}
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
{%- endmacro %}
