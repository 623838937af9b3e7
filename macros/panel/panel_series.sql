{# Grain: series_id, origin_date. #}
{% macro panel_series(use_case) -%}
{%- set settings = use_case_settings(use_case) -%}
with history as (
    select * from {{ ref(use_case ~ '_history') }}
),

keys as (
    select * from {{ ref(use_case ~ '_keys') }}
),

{# History is dense: the row before is the period before, null where that was not observed. #}
lagged as (
    select
        *,
        lag(if(is_observed, y, null)) over (
            partition by series_id, origin_date order by ds
        ) as previous_y
    from history
),

summarised as (
    select
        series_id,
        origin_date,
        any_value(as_of_at) as as_of_at,
        any_value(run_id) as run_id,
        min(ds) as first_date,
        max(if(not is_gap_filled, ds, null)) as last_date,
        countif(is_observed) as n_observed,
        countif(is_gap_filled) as n_gaps,
        countif(is_censored) as n_censored,
        countif(is_observed and y != 0) as n_nonzero,
        avg(if(is_observed, y, null)) as y_mean,
        stddev_samp(if(is_observed, y, null)) as y_sd,
        safe_divide(countif(is_observed), countif(is_observed and y != 0)) as adi,
        pow(
            safe_divide(
                stddev_pop(if(is_observed and y != 0, y, null)),
                avg(if(is_observed and y != 0, y, null))
            ), 2
        ) as cv2,
        avg(if(is_observed, abs(y - previous_y), null)) as naive_scale,
        any_value(y having max if(is_observed, ds, null)) as newest_y,
        max(if(is_observed, ds, null)) as observed_ds
    from lagged
    group by series_id, origin_date
),

judged as (
    select
        *,
        case
            when n_nonzero = 0 then 'no_demand'
            when adi < 1.32 and cv2 < 0.49 then 'smooth'
            when adi < 1.32 then 'erratic'
            when cv2 < 0.49 then 'intermittent'
            else 'lumpy'
        end as demand_class,
        case
            when
                {{ periods_between(use_case, 'last_date', 'origin_date') }}
                >= {{ settings.inactive_after }}
                then 'inactive'
            when n_observed < {{ settings.min_observations }} then 'too_short'
            when n_nonzero = 0 then 'no_demand'
        end as reason
    from summarised
)

select
    judged.series_id,
    judged.origin_date,
    judged.as_of_at,
    judged.run_id,
    {%- for part in settings.key %}
    keys.{{ part }},
    {%- endfor %}
    judged.first_date,
    judged.last_date,
    judged.n_observed,
    judged.n_gaps,
    judged.n_censored,
    judged.y_mean,
    judged.y_sd,
    judged.adi,
    judged.cv2,
    judged.naive_scale,
    judged.demand_class,
    judged.reason is null as is_forecastable,
    judged.reason,
    if(judged.observed_ds is null, null, judged.newest_y) as y_lag1,
    judged.observed_ds,
    {{ periods_between(
        use_case, 'judged.observed_ds', period_start(use_case, 'judged.origin_date')
    ) }} as periods_stale
from judged
inner join keys
    on judged.series_id = keys.series_id
{%- endmacro %}
